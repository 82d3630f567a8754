"""Figures beyond accuracy and gain: what is spent, what is compared with, how often one looked."""

import dataclasses

import polars as pl
import pytest
from evaluated import figures, has, one
from planted_tables import Tables, hand_tables, pool_tables, query_rows, score_rows

from tasks.lake.tables import SCORES, check

TWO_BENCHMARKS = pl.concat([query_rows(30, benchmark="big"), query_rows(10, benchmark="little", first=30)])
HALVES: dict[str, list[float | None]] = {"fox": [1.0] * 30 + [0.0] * 10, "owl": [0.0] * 30 + [1.0] * 10}


@pytest.fixture(scope="module")
def pool() -> pl.DataFrame:
    return figures(pool_tables(40), looks=14)


def test_what_was_spent_before_choosing_is_part_of_latency_cost_and_tokens() -> None:
    tables = hand_tables({"fox": [1, 0], "owl": [0, 1]}, {("cascade", "argmax"): ["fox", "owl"]})
    ids = tables.queries["query_id"].to_list()
    spent = pl.DataFrame({"query_id": ids[1:], "router": "cascade", "spent_usd": 0.002, "spent_s": 4.0, "spent_tokens": 30.0})
    routes = tables.routes.drop("spent_usd", "spent_s", "spent_tokens").join(spent, on=["query_id", "router"], how="left")
    votes = tables.votes.with_columns(completion_tokens=pl.lit(10.0))
    metrics = figures(Tables(tables.queries, votes, tables.scores, routes), {"cascade": 0.5})
    system = {"router": "cascade", "policy": "argmax"}
    assert one(metrics, "latency_s", **system)["value"] == pytest.approx((1 + 5) / 2 + 0.5)
    assert one(metrics, "cost_usd", **system)["value"] == pytest.approx((0.001 + 0.003) / 2)
    assert one(metrics, "completion_tokens", **system)["value"] == pytest.approx((10 + 40) / 2)
    assert one(metrics, "completion_tokens", model="fox")["value"] == pytest.approx(10)


def test_hindsight_knows_the_best_model_of_each_benchmark() -> None:
    holes: dict[str, list[float | None]] = {"fox": [*HALVES["fox"][:39], None], "owl": [*HALVES["owl"][:39], None]}
    metrics = figures(hand_tables(holes, {}, queries=TWO_BENCHMARKS))
    found = one(metrics, "accuracy", router="hindsight-benchmark")
    assert (found["value"], found["n"]) == (1, 39)
    assert one(metrics, "gain_over_benchmark", router="hindsight-benchmark")["value"] == pytest.approx(9 / 39)


def test_the_macro_gain_over_the_benchmark_weighs_benchmarks_equally() -> None:
    chosen: list[str | None] = ["fox"] * 30 + ["owl"] * 10
    metrics = figures(hand_tables(HALVES, {("r", "argmax"): chosen}, queries=TWO_BENCHMARKS))
    gain = one(metrics, "macro_gain_over_benchmark", router="r", policy="argmax")
    assert (gain["value"], gain["ci_low"], gain["ci_high"]) == (0.5, 0.5, 0.5)
    assert one(metrics, "gain_over_benchmark", router="r", policy="argmax")["value"] == 0.25


def test_the_oracle_without_luck_is_between_the_best_benchmark_knower_and_the_oracle(pool: pl.DataFrame) -> None:
    oracle, sober = (one(pool, "accuracy", router=router)["value"] for router in ("oracle", "oracle-without-luck"))
    assert one(pool, "accuracy", router="hindsight-benchmark")["value"] < sober < oracle - 0.02
    assert not has(pool, "latency_s", router="oracle-without-luck")


def test_the_verdict_goes_by_the_interval_for_all_that_are_compared(pool: pl.DataFrame) -> None:
    gains = pool.filter(metric="gain_corrected")
    assert set(gains["router"]) == {"kmeans-tfidf", "roberta-multi-label"}  # no baseline
    assert gains.height == 5
    for row in gains.iter_rows(named=True):
        system = {"router": row["router"], "policy": row["policy"]}
        plain, verdict = one(pool, "gain", **system), one(pool, "verdict", **system)["value"]
        assert row["value"] == plain["value"]
        if row["ci_high"] > row["ci_low"]:
            assert row["ci_high"] - row["ci_low"] > plain["ci_high"] - plain["ci_low"]
        assert verdict == int(row["ci_low"] > 0) - int(row["ci_high"] < 0)
    assert pool.filter(metric="gain_over_benchmark_corrected").height == 5


def test_calibration_is_told_of_each_model_and_of_each_benchmark(pool: pl.DataFrame) -> None:
    models = ["abacus", "general", "ledger", "scholar", "small"]
    scores = [one(pool, "brier", router="kmeans-tfidf", model=model) for model in models]
    assert sum(score["value"] for score in scores) / 5 == pytest.approx(one(pool, "brier", router="kmeans-tfidf")["value"])
    assert all(score["ci_low"] < score["value"] < score["ci_high"] for score in scores)
    for metric in ("brier", "calibration_error"):
        for benchmark in ("stories", "facts"):
            assert 0 < one(pool, metric, router="kmeans-tfidf", benchmark=benchmark)["value"] < 1
    whole = one(pool, "calibration_error", router="kmeans-tfidf")
    assert sum(one(pool, "calibration_error", router="kmeans-tfidf", model=model)["n"] for model in models) == whole["n"]


def test_calibration_of_one_model_by_hand() -> None:
    metrics = figures(hand_tables({"fox": [1.0] * 6 + [0.0] * 4, "owl": [0.0] * 10}, {("r", "argmax"): ["fox"] * 10}))
    assert one(metrics, "calibration_error", router="r", model="fox")["value"] == pytest.approx(0.3)
    assert one(metrics, "calibration_error", router="r", model="owl")["value"] == pytest.approx(0.2)
    assert one(metrics, "brier", router="r", model="owl")["value"] == pytest.approx(0.04)


def test_looks_are_told_where_somebody_counts_them(pool: pl.DataFrame) -> None:
    found = one(pool, "looks")
    assert (found["value"], found["n"]) == (14, 100)
    assert not has(figures(hand_tables({"fox": [1.0], "owl": [0.0]}, {})), "looks")


def test_auto_is_the_default_wherever_it_is_and_whatever_validation_says() -> None:
    queries = pl.concat([query_rows(20, split="validation"), query_rows(20, split="test", first=20)])
    rates: dict[str, list[float | None]] = {"fox": [1.0] * 40, "owl": [0.0] * 40}
    good, bad = ["fox"] * 40, ["owl"] * 40
    chosen: dict[tuple[str, str], list[str | None]] = {("a", "argmax"): [*good], ("auto", "argmax"): [*bad], ("auto", "random"): [*good]}
    metrics = figures(hand_tables(rates, chosen, queries=queries))
    assert metrics.filter(metric="default").select("router", "policy", "split").rows() == [("auto", "argmax", "validation")]
    del chosen["auto", "argmax"]
    assert figures(hand_tables(rates, chosen, queries=queries)).filter(metric="default")["router"].to_list() == ["a"]


def test_a_baseline_is_no_default() -> None:
    queries = query_rows(20, split="validation")
    metrics = figures(hand_tables({"fox": [1.0] * 20, "owl": [0.0] * 20}, {("subject", "argmax"): ["fox"] * 20}, queries=queries))
    assert not has(metrics, "default")


@pytest.mark.parametrize(
    ("unit", "column", "scale"), [("usd", "cost_usd", 1 / 4000), ("seconds", "latency_s", 1.0), ("tokens", "completion_tokens", 50.0)]
)
def test_the_frontier_is_in_the_unit_of_costs(unit: str, column: str, scale: float) -> None:
    tables = pool_tables(30)
    votes = tables.votes.with_columns(completion_tokens=pl.col("latency_s") * 50)
    metrics = figures(dataclasses.replace(tables, votes=votes), {"kmeans-tfidf": 0.1}, unit=unit)
    cheapest = one(metrics, "frontier_cost_0", router="single-models")["value"]
    assert cheapest == pytest.approx(one(metrics, column, model="small")["value"]) == pytest.approx(0.2 * scale)
    areas = {router: one(metrics, "frontier_area", router=router) for router in ("single-models", "kmeans-tfidf", "oracle")}
    assert areas["single-models"]["value"] < areas["kmeans-tfidf"]["value"] < areas["oracle"]["value"]
    assert areas["oracle"]["ci_low"] < areas["oracle"]["value"] < areas["oracle"]["ci_high"]


def test_expected_costs_that_are_wrong_make_a_worse_frontier() -> None:
    tables = pool_tables(30)
    ids = tables.queries.select("query_id")
    right = tables.scores.filter(router="kmeans-tfidf")
    confidences = {model: right.filter(model=model).join(ids, on="query_id")["confidence"].to_list() for model in right["model"].unique()}
    wrong = score_rows(tables.queries, "wrong", confidences, {"small": 9, "abacus": 8, "ledger": 7, "scholar": 6, "general": 1})
    metrics = figures(dataclasses.replace(tables, scores=check(SCORES, pl.concat([tables.scores, wrong]))))
    assert one(metrics, "frontier_area", router="wrong")["value"] < one(metrics, "frontier_area", router="kmeans-tfidf")["value"] - 0.02
