"""Does this run find what arXiv 2405.00467 found? The paper's figures beside the run's own, by the names of its models and routers.

    model     router               policy               metric                         value
    gemma-7b  null                 null                 published_accuracy             0.711
    gemma-7b  null                 null                 accuracy                       0.732
    gemma-7b  null                 null                 accuracy_difference            0.021, interval −0.013 … 0.055
    null      roberta-multi-label  argmax-as-published  published_accuracy             0.676

Every figure of the paper has a row `published_…`; where the run has the same, that follows, and the difference, ours less theirs. The
paper's outcomes of single queries are not public, so nothing can be paired: where the questions are the same, intervals are too wide rather
than too narrow. `…_difference_corrected` has intervals that hold for all differences at once (Bonferroni). What the paper says of its
policies is compared with ours of that name and with ours `-as-published`. Latencies stand beside each other without a difference: on
which hardware the paper's were taken is not known. Beside what the evaluation has:

    winners_agree                  share of the clusters whose best model on training queries is the best on test queries too
    cluster_wins                   share of the clusters whose best model on training queries the model is
    …-in-hindsight                 policy that takes each cluster's best model on the very test queries
    share_of_right                 share of a router's right answers that one model gave; near 1, the router is that model in disguise
    train_accuracy                 accuracy on training queries
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from tasks.config import Settings
from tasks.evaluation.figures import Row, row
from tasks.evaluation.intervals import mean
from tasks.evaluation.studies import Tables
from tasks.evaluation.studies.published import LEVEL, Published, difference, read, wilson
from tasks.evaluation.studies.settings import Reproduction
from tasks.evaluation.systems import AS_PUBLISHED, FloatArray, IntArray, Sheet, find, routed, sheet_of
from tasks.lake import views

CLUSTERS = "kmeans-tfidf"
SEVENTH = "llama2-7b-lm"  # of the notebook with seven models
HINDSIGHT = "best-of-cluster-in-hindsight"
SHARES = ("accuracy", "classifier_upper_bound", "winners_agree", "cluster_wins")  # of single things that are right or wrong
NEITHER = ("latency_s",)  # is on another scale in each run
Found = tuple[float, int]  # value and n


def study(tables: Tables, settings: Settings, bootstrap: int, seed: int) -> list[Row]:
    """Rows of the paper's setting `of`; none where the run has no test query of that benchmark."""
    assert isinstance(settings, Reproduction)
    benchmark = settings.of
    queries = tables.queries.filter(pl.col("benchmark") == benchmark)
    test, train = (sheet_of(queries, tables.votes, split) for split in ("test", "train"))
    if test.queries.is_empty():
        return []
    ours = _Ours(benchmark, tables, test, train)
    pairs = [(theirs, policy, ours.find(theirs, policy)) for theirs in read(benchmark) for policy in _policies(theirs)]
    compared = sum(found is not None and theirs.metric in SHARES and theirs.n is not None for theirs, _, found in pairs)
    rows = []
    for theirs, policy, found in pairs:
        if found is not None or policy == theirs.policy:
            rows += _rows(theirs, policy, found, 1 - (1 - LEVEL) / max(1, compared))
    return [one | {"benchmark": benchmark, "split": "test"} for one in rows]


def _policies(theirs: Published) -> list[str | None]:
    """Policies of ours that the paper's is compared with."""
    is_of_the_paper = theirs.policy is not None and theirs.router != CLUSTERS
    return [theirs.policy, f"{theirs.policy}{AS_PUBLISHED}"] if is_of_the_paper else [theirs.policy]


def _rows(theirs: Published, policy: str | None, found: Found | None, corrected: float) -> list[Row]:
    name = {"model": theirs.model, "router": theirs.router, "policy": policy, "setting": theirs.setting}
    is_share = theirs.metric in SHARES and theirs.n is not None
    low, high = wilson(theirs.value, theirs.n) if is_share and theirs.n else (np.nan, np.nan)
    rows = [row(f"published_{theirs.metric}", theirs.value, theirs.n or 0, low=low, high=high) | {"n": theirs.n} | name]
    if found is None:
        return rows
    value, n = found
    low, high = wilson(value, n) if is_share else (np.nan, np.nan)
    rows.append(row(theirs.metric, value, n, low=low, high=high) | name)
    if theirs.metric in NEITHER:
        return rows
    for metric, level in (("difference", LEVEL), ("difference_corrected", corrected)):
        low, high = difference(value, n, theirs.value, theirs.n, level) if is_share and theirs.n else (np.nan, np.nan)
        if is_share or metric == "difference":
            rows.append(row(f"{theirs.metric}_{metric}", value - theirs.value, n, low=low, high=high) | name)
    return rows


class _Ours:
    """The run's own figures: those of its evaluation, and a few that it does not have."""

    def __init__(self, benchmark: str, tables: Tables, test: Sheet, train: Sheet) -> None:
        self.benchmark, self.test, self.train = benchmark, test, train
        self.routed = routed(test, tables.routes, {})
        evaluated = tables.metrics.filter(
            (pl.col("study") == "evaluation")
            & (pl.col("benchmark") == benchmark)
            & (pl.col("split") == "test")
            & pl.col("subject").is_null()
            & pl.col("value").is_not_null()
            & (pl.col("n") > 0)
        )
        names = evaluated.select("metric", "model", "router", "policy", "value", "n").iter_rows()
        self.evaluated: dict[tuple[str | None, ...], Found] = {(*name,): (value, n) for *name, value, n in names}
        self.clusters = _clusters(tables, benchmark)

    def find(self, theirs: Published, policy: str | None) -> Found | None:
        """What the run has for the paper's figure, if anything."""
        if theirs.metric in ("winners_agree", "cluster_wins") or policy == HINDSIGHT:
            return self.clusters.get((policy or theirs.metric, theirs.model))
        if theirs.metric == "share_of_right":
            return self._share_of_right(theirs, policy)
        if theirs.metric == "train_accuracy":
            return self._mean(self.train, [theirs.model])
        if theirs.router == "oracle" and theirs.setting is not None and " + " in theirs.setting:
            return self._mean(self.test, theirs.setting.split(" + "))
        if theirs.metric == "accuracy" and theirs.router in ("oracle", "random"):  # of the paper's models, whatever others there are
            return self._mean(self.test, self._models(theirs.setting), best=theirs.router == "oracle")
        return self.evaluated.get((theirs.metric, theirs.model, theirs.router, policy))

    def _share_of_right(self, theirs: Published, policy: str | None) -> Found | None:
        system = find(self.routed, theirs.router or "", policy)
        if system is None or system.choice is None or theirs.model not in self.test.models:
            return None
        earned = np.nan_to_num(system.accuracy)
        by_model = earned[system.choice == self.test.models.index(theirs.model)].sum()
        return (float(by_model / earned.sum()), int((earned > 0).sum())) if earned.sum() else None

    def _models(self, setting: str | None) -> list[str | None]:
        """Those that the paper chose among."""
        own: list[str | None] = [
            one.model for one in read(self.benchmark) if one.metric == "accuracy" and one.model and one.setting is None
        ]
        return own + [SEVENTH] * (setting == "seven models")

    def _mean(self, sheet: Sheet, models: Sequence[str | None], *, best: bool = True) -> Found | None:
        """Accuracy of the best of these models on each query, or of one drawn at random; None where one is not there."""
        columns = [sheet.models.index(model) for model in models if model in sheet.models]
        if len(columns) < len(models) or sheet.queries.is_empty():
            return None
        rewards = sheet.reward[:, columns]
        earned = np.fmax.reduce(rewards, axis=1) if best else mean(rewards.T)[0]
        known = ~np.isnan(earned)
        return (float(earned[known].mean()), int(known.sum())) if known.any() else None


def _clusters(tables: Tables, benchmark: str) -> dict[tuple[str | None, str | None], Found]:
    """What the run's clusters have to say, (metric or policy, model) → figure. Queries of one cluster have the same confidences."""
    scores = tables.scores.filter(pl.col("router") == CLUSTERS)
    queries = tables.queries.filter(pl.col("benchmark") == benchmark).sort("query_id")
    models, query_ids = views.pool(tables.votes), queries["query_id"].to_list()
    confidences = views.matrix(scores, query_ids, models, pl.col("confidence"))
    known = ~np.isnan(confidences).any(axis=1)
    if not known.any():
        return {}
    distinct, cluster = np.unique(confidences[known], axis=0, return_inverse=True)
    rewards = views.matrix(tables.votes, query_ids, models, views.reward()).astype(np.float64)[known]
    is_test = (queries["split"] == "test").to_numpy()[known]
    before, after = (_means(rewards[rows], cluster.ravel()[rows], len(distinct)) for rows in (~is_test, is_test))
    whole = ~np.isnan(before).all(axis=1) & ~np.isnan(after).all(axis=1)
    if not whole.any():
        return {}
    winners, best = (np.nan_to_num(means[whole], nan=-1).argmax(axis=1) for means in (before, after))
    count = int(whole.sum())
    found: dict[tuple[str | None, str | None], Found] = {
        ("cluster_wins", model): (float((winners == column).mean()), count) for column, model in enumerate(models)
    }
    found["winners_agree", None] = (float((winners == best).mean()), count)
    place = np.full(len(distinct), -1)
    place[whole] = best
    earned = _chosen(rewards[is_test], place[cluster.ravel()[is_test]])
    return found | {(HINDSIGHT, None): (float(np.nanmean(earned)), int((~np.isnan(earned)).sum()))}


def _chosen(rewards: FloatArray, choice: IntArray) -> FloatArray:
    values: FloatArray = np.where(choice < 0, np.nan, rewards[np.arange(len(choice)), choice])
    return values


def _means(rewards: FloatArray, cluster: IntArray, count: int) -> FloatArray:
    """Mean reward of each model in each cluster, (clusters, models), NaN where it has none."""
    sums, n = np.zeros((2, count, rewards.shape[1]))
    np.add.at(sums, cluster, np.nan_to_num(rewards))
    np.add.at(n, cluster, ~np.isnan(rewards))
    with np.errstate(invalid="ignore"):
        means: FloatArray = sums / n
    return means
