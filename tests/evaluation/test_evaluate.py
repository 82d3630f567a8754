"""Figures against planted truths and against arithmetic done by hand."""

import time

import numpy as np
import polars as pl
import pytest
from evaluated import figures, has, one
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_tables import Tables, decided_early, hand_tables, pool_tables, query_rows, route_rows

from tasks.lake.tables import VOTES, check


def coin(count: int, share: float, seed: int = 0) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).random(count) < share]


def complementary(count: int = 60) -> tuple[dict[str, list[float | None]], list[str | None]]:
    """Two models, each right where the other is wrong: fox on two thirds of the queries."""
    fox = [float(number % 3 != 0) for number in range(count)]
    return {"fox": [*fox], "owl": [1 - value for value in fox]}, ["fox" if value else "owl" for value in fox]


def test_a_perfect_router_beats_the_best_single_model_and_closes_the_gap() -> None:
    rates, chosen = complementary()
    metrics = figures(hand_tables(rates, {("perfect", "argmax"): chosen}))
    system = {"router": "perfect", "policy": "argmax"}
    assert one(metrics, "verdict", **system)["value"] == 1
    assert one(metrics, "gap_closed", **system)["value"] == pytest.approx(1)
    assert one(metrics, "gain", **system)["value"] == pytest.approx(1 / 3)
    assert one(metrics, "certainty", **system)["value"] == 1
    assert one(metrics, "constant", **system)["value"] == 0
    assert one(metrics, "accuracy", router="oracle")["value"] == 1
    assert one(metrics, "accuracy", router="random")["value"] == pytest.approx(0.5)


def test_a_copy_of_the_best_single_model_ties_and_is_a_constant() -> None:
    rates, _ = complementary()
    metrics = figures(hand_tables(rates, {("copy", "argmax"): ["fox"] * 60}))
    system = {"router": "copy", "policy": "argmax"}
    gain = one(metrics, "gain", **system)
    assert (gain["value"], gain["ci_low"], gain["ci_high"]) == (0, 0, 0)
    assert one(metrics, "verdict", **system)["value"] == 0
    assert one(metrics, "certainty", **system)["value"] == 0.5
    assert one(metrics, "constant", **system)["value"] == 1
    assert one(metrics, "best_single", model="fox")["value"] == 1


def test_a_bad_router_loses() -> None:
    rates, chosen = complementary()
    wrong = ["owl" if model == "fox" else "fox" for model in chosen]
    metrics = figures(hand_tables(rates, {("bad", "argmax"): wrong}))
    assert one(metrics, "verdict", router="bad", policy="argmax")["value"] == -1
    assert one(metrics, "certainty", router="bad", policy="argmax")["value"] == 0


def test_four_wins_of_four_are_a_tie() -> None:
    fox = [0.0] * 4 + [1.0] * 56
    metrics = figures(hand_tables({"fox": fox, "owl": [1.0] * 60}, {("lucky", "argmax"): ["owl"] * 4 + ["fox"] * 56}))
    assert one(metrics, "gain", router="lucky", policy="argmax")["value"] > 0
    assert one(metrics, "verdict", router="lucky", policy="argmax")["value"] == 0


def test_a_router_that_sends_98_percent_to_one_model_is_a_constant_whichever_the_model() -> None:
    rates, _ = complementary(100)
    tables = hand_tables(rates, {("a", "argmax"): ["owl"] * 98 + ["fox"] * 2, ("b", "argmax"): ["owl"] * 97 + ["fox"] * 3})
    metrics = figures(tables)
    assert one(metrics, "constant", router="a", policy="argmax")["value"] == 1
    assert one(metrics, "constant", router="b", policy="argmax")["value"] == 0
    assert one(metrics, "share", router="a", policy="argmax", model="owl")["value"] == pytest.approx(0.98)


def test_expected_accuracy_takes_the_luck_of_the_vote_out() -> None:
    metrics = figures(hand_tables({"fox": [0.6, 0.4], "owl": [0.3, 0.2]}, {("r", "argmax"): ["owl", "fox"]}))
    assert one(metrics, "accuracy", router="oracle")["value"] == 0.5
    assert one(metrics, "expected_accuracy", router="oracle")["value"] == pytest.approx(0.5)
    assert one(metrics, "expected_accuracy", router="r", policy="argmax")["value"] == pytest.approx(0.35)
    assert one(metrics, "expected_accuracy", router="random")["value"] == pytest.approx(0.375)
    assert one(metrics, "expected_accuracy", model="fox")["value"] == pytest.approx(0.5)


def test_fractional_scores_without_a_vote_count_as_they_are() -> None:
    metrics = figures(hand_tables({"fox": [0.7, 0.4], "owl": [0.2, 0.9]}, {("r", "argmax"): ["fox", "owl"]}, k=None))
    assert one(metrics, "accuracy", model="fox")["value"] == pytest.approx(0.55)
    assert one(metrics, "accuracy", router="oracle")["value"] == pytest.approx(0.8)
    assert one(metrics, "accuracy", router="r", policy="argmax")["value"] == pytest.approx(0.8)
    assert not has(metrics, "agreement")


def test_latency_and_cost_count_every_query_and_the_routers_own_time() -> None:
    tables = hand_tables(
        {"fox": [1, 0, 0, 0], "owl": [0, 0, 0, 1]},
        {("r", "argmax"): ["fox", "fox", "fox", "owl"]},
        latencies={"fox": 1.0, "owl": 3.0},
    )
    metrics = figures(tables, {"r": 0.5})
    assert one(metrics, "latency_s", router="r", policy="argmax")["value"] == pytest.approx(1.5 + 0.5)
    assert one(metrics, "latency_s", model="owl")["value"] == pytest.approx(3)
    assert one(metrics, "latency_s", router="random")["value"] == pytest.approx(2)
    # Right on the first by fox (1 s) and on the last by owl (3 s); where none is right, the fastest.
    assert one(metrics, "latency_s", router="oracle")["value"] == pytest.approx((1 + 1 + 1 + 3) / 4)
    assert metrics.filter(metric="router_seconds", router="r")["value"].to_list() == [0.5]


def test_without_latency_and_cost_there_are_no_such_rows() -> None:
    rates, chosen = complementary()
    tables = hand_tables(
        rates, {("r", "argmax"): chosen, ("r", "x-as-published"): [None, *chosen[1:]]}, latencies={"fox": None, "owl": None}, cost_usd=None
    )
    metrics = figures(tables, {"r": 0.5})
    assert not has(metrics, "latency_s")
    assert not has(metrics, "cost_usd")


def test_an_as_published_policy_that_sends_a_query_nowhere_is_wrong_there() -> None:
    metrics = figures(hand_tables({"fox": [1, 1, 1, 1], "owl": [1, 1, 1, 1]}, {("r", "argmax-as-published"): ["fox", None, "owl", None]}))
    accuracy = one(metrics, "accuracy", router="r", policy="argmax-as-published")
    assert (accuracy["value"], accuracy["n"]) == (0.5, 4)
    assert one(metrics, "cost_usd", router="r", policy="argmax-as-published")["value"] == pytest.approx(0.0005)


def test_holes_are_left_out_and_comparisons_use_queries_known_to_both() -> None:
    rates: dict[str, list[float | None]] = {"fox": [1, 0, None, 0], "owl": [0, 1, 1, None]}
    metrics = figures(hand_tables(rates, {("r", "argmax"): ["fox", "owl", "owl", "owl"]}))
    accuracy = one(metrics, "accuracy", router="r", policy="argmax")
    assert (accuracy["value"], accuracy["n"]) == (1, 3)
    gain = one(metrics, "gain", router="r", policy="argmax")
    assert (gain["value"], gain["n"]) == (0.5, 2)
    fox = one(metrics, "accuracy", model="fox")
    assert (fox["value"], fox["n"]) == (pytest.approx(1 / 3), 3)
    assert one(metrics, "accuracy", router="oracle")["value"] == 0.75
    assert one(metrics, "accuracy", router="random")["value"] == pytest.approx((0.5 + 0.5 + 1 + 0) / 4)


def test_where_all_models_are_equal_there_is_no_gap_to_close() -> None:
    same = coin(60, 0.5)
    metrics = figures(hand_tables({"fox": [*same], "owl": [*same]}, {("r", "argmax"): ["fox", "owl"] * 30}))
    assert one(metrics, "gain", router="r", policy="argmax")["value"] == 0
    assert one(metrics, "verdict", router="r", policy="argmax")["value"] == 0
    assert not has(metrics, "gap_closed")


def test_macro_accuracy_weighs_benchmarks_equally() -> None:
    queries = pl.concat([query_rows(30, benchmark="big"), query_rows(10, benchmark="little", first=30)])
    metrics = figures(hand_tables({"fox": [1.0] * 30 + [0.0] * 10, "owl": [0.0] * 40}, {}, queries=queries))
    assert one(metrics, "accuracy", model="fox")["value"] == 0.75
    assert one(metrics, "macro_accuracy", model="fox")["value"] == 0.5
    assert one(metrics, "accuracy", model="fox", benchmark="big")["value"] == 1


def test_f1_and_upper_bound_by_hand() -> None:
    tables = hand_tables({"fox": [1, 1, 0, 0], "owl": [0, 1, 1, 1]}, {("r", "argmax"): ["fox", "owl", "fox", "fox"]})
    metrics = figures(tables)
    # Predicted (confidence 0.9) are the chosen. fox: 1 hit, 2 false, 1 missed; owl: 1 hit, 0 false, 2 missed.
    assert one(metrics, "f1", router="r", model="fox")["value"] == pytest.approx(2 / 5)
    assert one(metrics, "f1", router="r", model="owl")["value"] == pytest.approx(2 / 4)
    assert one(metrics, "weighted_f1", router="r")["value"] == pytest.approx((2 * 2 / 5 + 3 * 2 / 4) / 5)
    assert one(metrics, "classifier_upper_bound", router="r")["value"] == 0.5
    errors = [0.1**2 + 0.2**2, 0.8**2 + 0.1**2, 0.9**2 + 0.8**2, 0.9**2 + 0.8**2]
    assert one(metrics, "brier", router="r")["value"] == pytest.approx(sum(errors) / 8, abs=1e-6)


def test_reliability_bins_tell_confidence_from_truth() -> None:
    metrics = figures(hand_tables({"fox": [1.0] * 6 + [0.0] * 4, "owl": [0.0] * 10}, {("r", "argmax"): ["fox"] * 10}))
    assert one(metrics, "reliability_confidence_9", router="r")["value"] == pytest.approx(0.9)
    assert one(metrics, "reliability_reward_9", router="r")["value"] == pytest.approx(0.6)
    assert one(metrics, "reliability_reward_2", router="r")["n"] == 10
    assert one(metrics, "calibration_error", router="r")["value"] == pytest.approx((0.3 + 0.2) / 2)


def test_votes_are_described_per_model() -> None:
    metrics = figures(hand_tables({"fox": [1.0, 0.5], "owl": [0.0, 0.8]}, {}))
    assert one(metrics, "agreement", model="fox")["value"] == 0.75
    assert one(metrics, "ambiguous", model="fox")["value"] == 0.5
    assert one(metrics, "unreadable", model="fox")["value"] == pytest.approx(1 / 20)
    assert one(metrics, "unreadable", model="owl")["value"] == pytest.approx(2 / 20)
    assert one(metrics, "decided_early", model="fox")["value"] == one(metrics, "samples_saved", model="owl")["value"] == 0
    assert not has(metrics, "tokens_saved")  # nobody counted any


def test_what_stopping_early_saved_is_told() -> None:
    tables = hand_tables({"fox": [1.0, 0.5], "owl": [0.0, 0.8]}, {})
    fox, owl = (rows for _, rows in sorted(tables.votes.group_by("model")))
    fox = decided_early(fox, 0.5).with_columns(completion_tokens=pl.Series([10.0, 30.0]), latency_s=pl.Series([None, 2.0]))
    owl = owl.with_columns(k=pl.Series([7, 10], dtype=pl.Int32), stop=pl.Series(["incomplete", "all"]))
    metrics = figures(Tables(tables.queries, check(VOTES, pl.concat([fox, owl])), tables.scores, tables.routes))
    assert one(metrics, "decided_early", model="fox")["value"] == 0.5
    assert one(metrics, "samples_saved", model="fox")["value"] == 4 / 20
    assert one(metrics, "tokens_saved", model="fox")["value"] == 40 / 400
    assert (one(metrics, "seconds_saved", model="fox")["value"], one(metrics, "seconds_saved", model="fox")["n"]) == (0.0, 1)
    assert one(metrics, "incomplete", model="owl")["value"] == 0.5
    assert one(metrics, "samples_saved", model="owl")["value"] == 0  # what failed saved nothing


def test_imported_outcomes_have_no_vote_to_tell_of() -> None:
    metrics = figures(hand_tables({"fox": [1.0, 0.5], "owl": [0.0, 0.8]}, {}, k=None))
    assert not any(has(metrics, metric) for metric in ("agreement", "ambiguous", "unreadable", "decided_early", "samples_saved"))


def test_the_default_router_is_the_best_on_validation_queries_whatever_test_says() -> None:
    queries = pl.concat([query_rows(20, split="validation"), query_rows(20, split="test", first=20)])
    rates = {"fox": [1.0] * 20 + [0.0] * 20, "owl": [0.0] * 20 + [1.0] * 20}
    metrics = figures(hand_tables(rates, {("a", "argmax"): ["fox"] * 40, ("b", "argmax"): ["owl"] * 40}, queries=queries, best="owl"))
    assert metrics.filter(metric="default").select("router", "policy", "split").rows() == [("a", "argmax", "validation")]


def test_without_validation_queries_there_is_no_default() -> None:
    rates, chosen = complementary()
    assert not has(figures(hand_tables(rates, {("a", "argmax"): chosen})), "default")


def test_without_test_queries_there_are_no_test_figures() -> None:
    tables = hand_tables({"fox": [1.0], "owl": [0.0]}, {}, queries=query_rows(1, split="train"))
    assert figures(tables).is_empty()


def test_subjects_get_their_own_figures_and_none_are_needed() -> None:
    assert has(figures(pool_tables(12)), "accuracy", subject="clock times", benchmark="stories", router="kmeans-tfidf", policy="argmax")
    assert figures(pool_tables(12, subjects=False))["subject"].null_count() == figures(pool_tables(12, subjects=False)).height


def test_an_interval_is_given_from_ten_queries_on() -> None:
    assert one(figures(hand_tables({"fox": [1.0, 0.0] * 4, "owl": [1.0] * 8}, {})), "accuracy", model="fox")["ci_low"] is None
    assert one(figures(hand_tables({"fox": [1.0, 0.0] * 5, "owl": [1.0] * 10}, {})), "accuracy", model="fox")["ci_low"] is not None


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**31), st.booleans())
def test_the_order_of_rows_changes_nothing(seed: int, measured: bool) -> None:
    tables = pool_tables(10, measured=measured)
    names = ("queries", "votes", "scores", "routes")
    shuffled = Tables(*(getattr(tables, name).sample(fraction=1, shuffle=True, seed=seed) for name in names))
    assert figures(tables, bootstrap=100).equals(figures(shuffled, bootstrap=100))


def test_the_seed_decides_the_intervals_and_nothing_else() -> None:
    tables = pool_tables(12)
    first, again, other = figures(tables, seed=1), figures(tables, seed=1), figures(tables, seed=2)
    assert first.equals(again)
    assert not first.equals(other)
    follows = ["certainty", "verdict", "frontier_luck"]  # from the intervals' resamples
    first, other = (found.filter(~pl.col("metric").is_in(follows)).drop("ci_low", "ci_high") for found in (first, other))
    assert first.equals(other)


def test_a_missing_baseline_leaves_its_comparisons_out() -> None:
    rates, chosen = complementary()
    tables = hand_tables(rates, {("r", "argmax"): chosen})
    without = Tables(tables.queries, tables.votes, tables.scores, tables.routes.filter(pl.col("router") == "r"))
    metrics = figures(without)
    assert has(metrics, "accuracy", router="r")
    assert has(metrics, "gain_over_random", router="r")
    assert not has(metrics, "gain")


def test_a_route_to_a_model_without_outcomes_is_a_hole() -> None:
    tables = hand_tables({"fox": [1, 1], "owl": [0, 0]}, {})
    stray = route_rows(tables.queries, "r", "argmax", ["wolf", "fox"])
    metrics = figures(Tables(tables.queries, tables.votes, tables.scores, pl.concat([tables.routes, stray])))
    assert one(metrics, "accuracy", router="r", policy="argmax")["n"] == 1


def test_the_planted_pool_gets_the_planted_verdicts() -> None:
    metrics = figures(pool_tables())
    assert one(metrics, "verdict", router="kmeans-tfidf", policy="argmax")["value"] == 1
    assert one(metrics, "verdict", router="roberta-multi-label", policy="argmax")["value"] == 0
    assert one(metrics, "verdict", router="roberta-multi-label", policy="random")["value"] == -1
    assert one(metrics, "gain_over_benchmark", router="kmeans-tfidf", policy="argmax")["value"] > 0


def test_two_thousand_queries_are_evaluated_within_ten_seconds() -> None:
    tables = pool_tables(800)
    start = time.perf_counter()
    figures(tables, bootstrap=2000)
    assert time.perf_counter() - start < 10


def test_labels_of_the_test_split_change_test_figures_only() -> None:
    tables = pool_tables(12)
    test = tables.queries.filter(split="test").select("query_id")
    flipped = tables.votes.join(test, on="query_id", how="semi").with_columns(
        correct=~pl.col("correct"), success_rate=1 - pl.col("success_rate"), label=1 - pl.col("label")
    )
    votes = pl.concat([tables.votes.join(test, on="query_id", how="anti"), flipped])
    before, after = figures(tables), figures(Tables(tables.queries, votes, tables.scores, tables.routes))
    chosen = (pl.col("split") != "test") | pl.col("metric").is_in(["default", "best_single", "constant", "share"])
    assert not before.equals(after)
    assert before.filter(chosen).equals(after.filter(chosen))


def test_queries_sent_to_a_model_that_was_not_asked_them_are_counted() -> None:
    rates, chosen = complementary()
    rates["fox"][:15] = [None] * 15
    metrics = figures(hand_tables(rates, {("perfect", "argmax"): chosen}))
    sent = sum(model == "fox" for model in chosen[:15])
    assert one(metrics, "unknown", router="perfect", policy="argmax")["value"] == pytest.approx(sent / 60)
    assert 0 < sent < 15
