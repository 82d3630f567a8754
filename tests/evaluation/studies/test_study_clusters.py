"""Clusters that tell something are told from clusters that are noise."""

import numpy as np
import polars as pl
import pytest
from planted_tables import query_rows

from tasks.evaluation.studies import Tables, make_study
from tasks.evaluation.systems import FloatArray, IntArray
from tasks.lake.tables import CLUSTERS, METRICS, ROUTES, SCORES, VOTES, check
from tasks.report.studies import sections

MODELS = ("ash", "elm", "fir", "oak")
TRAIN, TEST, COUNT = 600, 400, 20


def rewards_of(clusters: IntArray, random: np.random.Generator, skill: float) -> FloatArray:
    """Each model is better by `skill` in every fourth cluster; queries are easier or harder for all."""
    rate = 0.35 + skill * (clusters[:, None] % 4 == np.arange(4)) + 0.25 * random.random((len(clusters), 1)) + 0.02 * (np.arange(4) == 0)
    return (random.random((len(clusters), 4)) < rate).astype(float)


def tables(rewards: FloatArray, seeds: list[IntArray], benchmarks: IntArray | None = None) -> Tables:
    """Imported outcomes, the first TRAIN of them on training queries; `seeds`: the cluster of each query, one clustering per seed."""
    queries = query_rows(len(rewards)).with_columns(split=pl.Series(["train"] * TRAIN + ["test"] * (len(rewards) - TRAIN)))
    if benchmarks is not None:
        queries = queries.with_columns(benchmark=pl.Series([f"b{number}" for number in benchmarks]))
    long = pl.DataFrame(rewards, schema=list(MODELS)).with_columns(query_id=queries["query_id"])
    votes = long.unpivot(index="query_id", variable_name="model", value_name="label").filter(pl.col("label").is_not_nan())
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in VOTES.schema.items() if name not in ("query_id", "model", "label")]
    votes = votes.with_columns(missing).with_columns(
        recipe=pl.lit("imported"), success_rate="label", correct=pl.col("label") > 0.5, ambiguous=pl.lit(False)
    )
    clusters = pl.concat(
        pl.DataFrame(
            {"query_id": queries["query_id"], "features": "words", "clusters": COUNT, "seed": seed, "cluster": of}, schema=CLUSTERS.schema
        )
        for seed, of in enumerate(seeds)
    )
    return Tables(
        queries,
        check(VOTES, votes),
        pl.DataFrame(schema=SCORES.schema),
        pl.DataFrame(schema=ROUTES.schema),
        clusters=check(CLUSTERS, clusters),
    )


def figures(of: Tables, setting: str = f"words · {COUNT} clusters") -> dict[str, tuple[float, float, float]]:
    metrics = make_study("clusters", {}, of, 300, 0)
    check(METRICS, metrics)
    rows = metrics.filter(pl.col("setting") == setting).select("metric", "value", "ci_low", "ci_high").iter_rows()
    return {metric: (value, low, high) for metric, value, low, high in rows}


def dealt(random: np.random.Generator, count: int = TRAIN + TEST) -> IntArray:
    return random.integers(COUNT, size=count)


def test_clusters_that_tell_something_are_found_and_are_worth_something() -> None:
    for seed in range(3):
        random = np.random.default_rng(seed)
        clusters = dealt(random)
        found = figures(tables(rewards_of(clusters, random, 0.35), [clusters, clusters]))
        assert found["winners_agree"][0] > 0.6 > found["winners_agree_by_chance"][2]
        assert found["p_value"][0] < 0.01
        assert found["gain_corrected"][1] > 0.05 and found["hindsight_accuracy"][0] > found["accuracy"][0] - 1e-9
        assert found["adjusted_rand"][0] == 1 and found["same_winner"][0] < 0.5


def test_clusters_that_are_noise_agree_no_more_than_by_chance() -> None:
    p_values, gains = [], []
    for seed in range(12):
        random = np.random.default_rng(seed)
        found = figures(tables(rewards_of(dealt(random), random, 0.35), [dealt(random), dealt(random)]))  # the models do differ, elsewhere
        p_values.append(found["p_value"][0])
        gains.append(found["gain_corrected"][1])
        assert abs(found["adjusted_rand"][0]) < 0.05
        # What hindsight makes of noise looks like a gain, and all of it comes by lot too.
        assert found["hindsight_accuracy"][0] > found["accuracy"][0] + 0.05
        assert found["hindsight_accuracy"][0] == pytest.approx(found["hindsight_accuracy_by_chance"][0], abs=0.03)
    assert sum(value <= 0.05 for value in p_values) <= 2 and sum(low > 0 for low in gains) <= 1
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.25)


def test_clusters_that_only_know_the_benchmark_are_told() -> None:
    random = np.random.default_rng(0)
    clusters = dealt(random)
    benchmarks = clusters % 4 // 2
    of = tables(rewards_of(benchmarks * 2, random, 0.3), [clusters, clusters], benchmarks)  # what differs is the benchmark alone
    found = figures(of)
    assert found["p_value"][0] < 0.01 and found["p_value_within_benchmarks"][0] > 0.05
    assert found["gain_over_benchmark"][1] < 0.01
    (section,) = sections(make_study("clusters", {}, of, 300, 0))
    assert section.text.startswith("Only as far as clusters recognise the benchmark")


def test_the_papers_measure_a_contaminated_model_wins_all_clusters_and_loses_them_on_test() -> None:
    random = np.random.default_rng(1)
    clusters = dealt(random)
    rewards = rewards_of(clusters, random, 0.3)
    rewards[:TRAIN, 3] = random.random(TRAIN) < 0.97
    rewards[TRAIN:, 3] = random.random(TEST) < 0.5
    of = tables(rewards, [clusters, clusters])
    found, without = figures(of), figures(of, f"words · {COUNT} clusters · without oak")
    assert found["same_winner"][0] == 1 and found["winners_agree"][0] < 0.3 and found["p_value"][0] > 0.05
    assert without["winners_agree"][0] > found["winners_agree"][0] + 0.2 and without["p_value"][0] < 0.05
    (section,) = sections(make_study("clusters", {}, of, 300, 0))
    assert "100 % of the clusters choose oak" in section.text and "Without oak" in section.text
    assert section.table is not None and len(section.table.rows) == 2 and section.chart is not None


def test_agreement_is_counted_as_by_hand() -> None:
    clusters = np.array([0, 0, 1, 1, 2, 2] * 100 + [0, 0, 1, 1, 2, 2] * 2)
    train = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 0]] * 100, dtype=float)
    test = np.array([[1, 0], [0, 0], [1, 0], [0, 0], [1, 1], [0, 0]] * 2, dtype=float)  # 0 stays; 1 turns; 2 is a tie, which ash wins
    rewards = np.full((len(clusters), 4), np.nan)
    rewards[:, :2] = np.vstack([train, test])
    found = figures(tables(rewards, [clusters]))
    assert found["winners_agree"][0] == pytest.approx(2 / 3)
    assert found["accuracy"][0] == pytest.approx(1 / 3) and found["hindsight_accuracy"][0] == pytest.approx(1 / 2)
    assert "adjusted_rand" not in found  # of one seed


def test_holes_and_nothing() -> None:
    random = np.random.default_rng(0)
    clusters = dealt(random)
    rewards = rewards_of(clusters, random, 0.4)
    rewards[random.random(rewards.shape) < 0.3] = np.nan
    of = tables(rewards, [clusters, clusters])
    assert figures(of)["p_value"][0] < 0.01
    nothing = Tables(of.queries, of.votes, of.scores, of.routes)
    assert make_study("clusters", {}, nothing, 100, 0).is_empty()
    train = of.queries.filter(pl.col("split") == "train")
    assert make_study("clusters", {}, Tables(train, of.votes, of.scores, of.routes, clusters=of.clusters), 100, 0).is_empty()


def test_the_order_of_rows_changes_nothing() -> None:
    random = np.random.default_rng(0)
    of = tables(rewards_of(dealt(random), random, 0.3), [dealt(random), dealt(random)])
    shuffled = {name: getattr(of, name).sample(fraction=1, shuffle=True, seed=1) for name in ("queries", "votes", "clusters")}
    again = Tables(shuffled["queries"], shuffled["votes"], of.scores, of.routes, clusters=shuffled["clusters"])
    assert make_study("clusters", {}, of, 100, 0).equals(make_study("clusters", {}, again, 100, 0))
