"""Clusters of queries: does the model that is best in a cluster stay best, from training queries to test queries?

    setting                              metric                     value  ci_low  ci_high
    words · 50 clusters                  winners_agree               0.22    null     null    n 50: of as many clusters
    words · 50 clusters                  winners_agree_by_chance     0.24    0.14     0.34
    words · 50 clusters                  p_value                     0.71    null     null
    words · 50 clusters · without atlas  winners_agree               0.58    …

Of each clustering (`clusterings.py` makes them: TF-IDF and encoders, several counts, several seeds), each figure a mean over seeds:

    winners_agree            share of the clusters whose most accurate model on training queries is that on test queries too: the
                             measure of arXiv 2405.00467, where it is 11 of 50
    winners_agree_by_chance  the same after the test queries were dealt out to the clusters by lot, 200 times: mean, and where 95 % lie
    winners_agree_by_chance_within_benchmarks  the same, dealt out within their benchmarks; where there are several
    p_value, p_value_within_benchmarks         how often chance agrees as much, allowing for all clusterings (single-step max-T of
                             Westfall and Young, Resampling-Based Multiple Testing, 1993, over the same lots)
    same_winner              share of the clusters that choose the model which most choose: 1 is a constant
    accuracy                 of who asks each cluster's winner on training queries
    gain, gain_corrected     of that over the best single model, chosen on training queries; the latter's interval allows for all
    gain_over_benchmark      of that over who asks each benchmark's winner on training queries; where there are several
    hindsight_accuracy       had the winners been chosen on the test queries themselves, which nobody can
    hindsight_accuracy_by_chance   the same with test queries dealt out by lot: how much of it is luck
    adjusted_rand            how alike the clusters of two seeds are: 1 is the same, 0 as by chance (Hubert and Arabie, 1985)

Where models are contaminated (`excess.py`), all of it but the last is told of the pool without them too.

Of equally accurate models the one that is more accurate on all training queries wins. Winners are taken as they are, as the paper did;
this project's clustering routers draw small clusters towards the mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix
from sklearn.metrics import adjusted_rand_score

from tasks.config import Settings
from tasks.evaluation.comparisons import simultaneous
from tasks.evaluation.figures import Row, row
from tasks.evaluation.intervals import Resamples, interval, mean
from tasks.evaluation.studies import Tables
from tasks.evaluation.studies.excess import contaminated, excesses
from tasks.evaluation.studies.tried import best_first
from tasks.evaluation.systems import FloatArray, IntArray, sheet_of

SHUFFLES = 200
FEWEST_MODELS = 2  # that there can be a winner among
BENCHMARK = "gain_over_benchmark"


@dataclass(frozen=True)
class _Pool:
    """Rewards of the models, best on training queries first: float64 (queries, models), NaN where missing."""

    name: str  # what the setting ends with
    models: tuple[str, ...]
    train: FloatArray
    test: FloatArray


@dataclass(frozen=True)
class _Clustering:
    """Clusters of each seed: int64 (training queries,), (test queries,), numbers from 0, and how many there are."""

    name: str
    seeds: Sequence[tuple[IntArray, IntArray, int]]


def study(tables: Tables, settings: Settings, bootstrap: int, seed: int) -> list[Row]:
    """Rows of METRICS without `study`; nothing where there are no clusters, or no training or no test queries in them."""
    ids = tables.clusters.select("query_id").unique()
    queries = tables.queries.join(ids, on="query_id", how="semi")
    train, test = (sheet_of(queries, tables.votes, split) for split in ("train", "test"))
    if train.queries.is_empty() or test.queries.is_empty() or len(test.models) < FEWEST_MODELS:
        return []
    clusterings = _clusterings(tables.clusters, train.queries["query_id"], test.queries["query_id"])
    order = best_first(queries, tables.votes)
    flagged = contaminated(excesses(tables.queries, tables.votes, seed))
    pools = {"": order}
    if flagged and len(order) - len(flagged) >= FEWEST_MODELS:
        pools[f" · without {', '.join(flagged)}"] = tuple(model for model in order if model not in flagged)
    names = pl.concat([train.queries["benchmark"], test.queries["benchmark"]]).rank("dense").to_numpy().astype(np.int64) - 1
    benchmarks = names[: train.queries.height], names[train.queries.height :]
    resamples = Resamples(test.queries["benchmark"].to_list(), bootstrap, seed)
    rows = _stability(clusterings)
    for suffix, models in pools.items():
        columns = [test.models.index(model) for model in models]
        pool = _Pool(suffix, models, train.reward[:, columns], test.reward[:, columns])
        rows += _agreements(pool, clusterings, benchmarks[1], seed)
        rows += _earned(pool, clusterings, benchmarks, resamples)
    return [{"split": "test"} | found for found in rows]


def _clusterings(clusters: pl.DataFrame, train: pl.Series, test: pl.Series) -> list[_Clustering]:
    """Those of the table, by name, as far as both splits have queries in them; a query that has no cluster is an error of ours."""
    found = []
    for (features, count), part in sorted(clusters.partition_by("features", "clusters", as_dict=True).items()):
        seeds = []
        for _, of_seed in sorted(part.partition_by("seed", as_dict=True).items()):
            sides = [
                pl.DataFrame({"query_id": ids}).join(of_seed, on="query_id", maintain_order="left")["cluster"].to_numpy().astype(np.int64)
                for ids in (train, test)
            ]
            if len(sides[0]) == len(train) and len(sides[1]) == len(test):
                seeds.append((sides[0], sides[1], int(of_seed["cluster"].max()) + 1))  # type: ignore[arg-type]
        if seeds:
            found.append(_Clustering(f"{features} · {count} clusters", seeds))
    return found


def _stability(clusterings: Sequence[_Clustering]) -> list[Row]:
    """How alike the clusters of two seeds are, over all pairs of seeds."""
    rows = []
    for of in clusterings:
        everything = [np.concatenate([train, test]) for train, test, _ in of.seeds]
        alike = [float(adjusted_rand_score(one, other)) for one, other in combinations(everything, 2)]
        if alike:
            rows.append(row("adjusted_rand", float(np.mean(alike)), len(everything[0]), setting=of.name))
    return rows


def _agreements(pool: _Pool, clusterings: Sequence[_Clustering], benchmarks: IntArray, seed: int) -> list[Row]:
    """How many winners stay winners, and how many would if clusters were noise."""
    lots = {"": _lots(np.zeros_like(benchmarks), seed)}
    if len(set(benchmarks)) > 1:
        lots["_within_benchmarks"] = _lots(benchmarks, seed)
    rows = []
    for kind, of_lots in lots.items():
        agree, hindsight = np.empty((2, len(clusterings), len(of_lots)))  # the first lot deals nothing out
        for number, of in enumerate(clusterings):
            told = [_told(pool, *of_seed, of_lots) for of_seed in of.seeds]
            agree[number], hindsight[number] = np.mean([one for one, _, _ in told], axis=0), np.mean([one for _, one, _ in told], axis=0)
            name = {"setting": of.name + pool.name}
            n = round(np.mean([one for _, _, one in told]))
            if not kind:
                rows.append(row("winners_agree", agree[number, 0], n) | name)
                rows.append(row("hindsight_accuracy", hindsight[number, 0], len(pool.test)) | name)
                rows.append(_range("hindsight_accuracy_by_chance", hindsight[number, 1:], len(pool.test)) | name)
            rows.append(_range(f"winners_agree_by_chance{kind}", agree[number, 1:], n) | name)
        for of, chance in zip(clusterings, _p_values(agree), strict=True):
            rows.append(row(f"p_value{kind}", chance, len(pool.test)) | {"setting": of.name + pool.name})
    return rows


def _lots(groups: IntArray, seed: int) -> IntArray:
    """The test queries as they are, and then dealt out by lot inside the groups: int64 (1 + SHUFFLES, queries)."""
    random = np.random.default_rng(seed)
    lots = np.tile(np.arange(len(groups)), (1 + SHUFFLES, 1))
    for group in range(groups.max() + 1):
        members = np.flatnonzero(groups == group)
        lots[1:, members] = random.permuted(np.tile(members, (SHUFFLES, 1)), axis=1)
    return lots


def _told(pool: _Pool, train: IntArray, test: IntArray, count: int, lots: IntArray) -> tuple[FloatArray, FloatArray, int]:
    """Of each lot the share of clusters whose winner agrees and the accuracy in hindsight, (lots,); clusters that can be compared."""
    winners, _, on_train = _winners(pool.train, train[None], count)
    others, best, sizes = _winners(pool.test, test[lots], count)
    known = (on_train[0] > 0) & (sizes > 0)
    agree = ((winners == others) & known).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    hindsight = (best * sizes).sum(axis=1) / np.maximum(sizes.sum(axis=1), 1)
    return agree, hindsight, int(known[0].sum())


def _winners(rewards: FloatArray, clusters: IntArray, count: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """The best model of each cluster, its accuracy there, the queries with a known model; of several ways to cluster, (ways, count)."""
    ways, queries = clusters.shape
    place = (clusters + count * np.arange(ways)[:, None]).ravel()
    deal = csr_matrix((np.ones(place.size), (place, np.tile(np.arange(queries), ways))), shape=(ways * count, queries))
    known = ~np.isnan(rewards)
    sums, counts = deal @ np.where(known, rewards, 0.0), deal @ known.astype(np.float64)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), -1.0).round(12)  # equals are equal whatever the order of the sum
    winners = means.argmax(axis=1).reshape(ways, count)
    sizes = deal @ known.any(axis=1).astype(np.float64)
    return winners, np.maximum(means.max(axis=1), 0).reshape(ways, count), sizes.reshape(ways, count)


def _p_values(agree: FloatArray) -> FloatArray:
    """Of each clustering, (clusterings,): how often the largest of all, in standard errors, is as large by lot. `agree`: (…, 1 + lots)."""
    errors = agree[:, 1:].std(axis=1, keepdims=True)
    scaled = (agree - agree[:, 1:].mean(axis=1, keepdims=True)) / np.where(errors > 1e-12, errors, 1.0)
    largest = scaled[:, 1:].max(axis=0)
    p_values: FloatArray = (1 + (largest >= scaled[:, :1] - 1e-9).sum(axis=1)) / (1 + len(largest))
    return p_values


def _range(metric: str, values: FloatArray, n: int) -> Row:
    low, high = np.quantile(values, [0.025, 0.975])
    return row(metric, float(values.mean()), n, low=low, high=high)


def _earned(pool: _Pool, clusterings: Sequence[_Clustering], benchmarks: tuple[IntArray, IntArray], resamples: Resamples) -> list[Row]:
    """What it earns to ask each cluster's winner, and how often that is the same model."""
    rows = []
    several = len(set(benchmarks[1])) > 1
    by_benchmark = _asked(pool, *benchmarks, int(max(of.max() for of in benchmarks)) + 1)[0]
    gains = []
    for of in clusterings:
        asked = [_asked(pool, *of_seed) for of_seed in of.seeds]
        rewards, _ = mean(np.stack([one for one, _ in asked]))
        figures = {"accuracy": rewards, "gain": rewards - pool.test[:, 0]} | ({BENCHMARK: rewards - by_benchmark} if several else {})
        gains.append(figures["gain"])
        values = np.column_stack(list(figures.values()))
        averages, n = mean(values)
        low, high = interval(resamples.means(values, np.arange(len(values))), n)
        name = {"setting": of.name + pool.name}
        rows += [row(metric, averages[at], n[at], low=low[at], high=high[at]) | name for at, metric in enumerate(figures) if n[at]]
        chosen = np.bincount(np.concatenate([one for _, one in asked]), minlength=len(pool.models))
        rows.append(row("same_winner", chosen.max() / chosen.sum(), chosen.sum(), model=pool.models[chosen.argmax()]) | name)
    if gains:
        values = np.column_stack(gains)
        averages, n = mean(values)
        low, high = simultaneous(averages, resamples.means(values, np.arange(len(values))), n)
        rows += [
            row("gain_corrected", averages[at], n[at], low=low[at], high=high[at]) | {"setting": of.name + pool.name}
            for at, of in enumerate(clusterings)
            if n[at]
        ]
    return rows


def _asked(pool: _Pool, train: IntArray, test: IntArray, count: int) -> tuple[FloatArray, IntArray]:
    """Reward of each test query's cluster's winner on training queries, (queries,), and the winners of clusters with training queries."""
    winners, _, sizes = _winners(pool.train, train[None], count)
    # A cluster without training queries is nobody's; the best single model, which is the first, is asked there.
    winners = np.where(sizes > 0, winners, 0)[0]
    return pool.test[np.arange(len(test)), winners[test]], winners[sizes[0] > 0]
