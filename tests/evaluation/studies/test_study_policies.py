"""Confidences that know something are worth what they know; those that know nothing, or always say the same, are worth nothing."""

import numpy as np
import polars as pl
import pytest
from planted_tables import hand_tables, query_rows
from polars.testing import assert_frame_equal

from tasks.evaluation.studies import Tables, make_study
from tasks.evaluation.studies.policies import gain_over_shuffled, shuffled
from tasks.lake.tables import METRICS, check
from tasks.report.studies import sections

MODELS = ["fox", "owl", "yak"]
HALF = 300  # queries of each of two benchmarks


def world(seed: int, knows: str) -> Tables:
    """Two benchmarks, on which fox and owl are the better ones; the router `linear` knows the "query", the "benchmark", or "nothing"."""
    random = np.random.default_rng([seed, 3])
    names = np.repeat(["sums", "tales"], HALF)
    queries = pl.concat([query_rows(HALF, benchmark=name, first=HALF * number) for number, name in enumerate(("sums", "tales"))])
    best = np.where(random.random(2 * HALF) < 0.75, (names == "tales").astype(int), random.integers(3, size=2 * HALF))
    right = (random.random((2 * HALF, 3)) < np.where(np.arange(3) == best[:, None], 0.8, 0.3)).astype(float)
    choice = {"query": best, "benchmark": (names == "tales").astype(int), "nothing": random.integers(3, size=2 * HALF)}[knows]
    chosen = {
        ("linear", "argmax"): [MODELS[number] for number in choice],
        ("linear", "random"): [MODELS[number] for number in np.where(random.random(2 * HALF) < 0.5, random.integers(3, size=600), choice)],
        ("linear", "same"): [MODELS[number] for number in choice],
    }
    found = hand_tables({model: right[:, number].tolist() for number, model in enumerate(MODELS)}, chosen, queries=queries, k=None)
    return Tables(found.queries, found.votes, found.scores, found.routes)


def study(tables: Tables) -> dict[tuple[str, str | None], tuple[float, float, float]]:
    """(metric, policy) → value and interval."""
    rows = check(METRICS, make_study("policies", {}, tables, 400, 0))
    return {
        (row["metric"], row["policy"]): (row["value"], row["ci_low"] or 0.0, row["ci_high"] or 0.0) for row in rows.iter_rows(named=True)
    }


@pytest.mark.parametrize("seed", range(5))
def test_what_a_router_knows_is_told_from_what_it_does_not(seed: int) -> None:
    query, benchmark = (study(world(seed, knows)) for knows in ("query", "benchmark"))
    assert query["gain_over_shuffled", "argmax"][1] > 0.1
    assert query["gain_over_shuffled_within_benchmark", "argmax"][1] > 0.03
    assert benchmark["gain_over_shuffled", "argmax"][1] > 0.03
    assert benchmark["gain_over_shuffled_within_benchmark", "argmax"] == (0, 0, 0)  # it says the same on all of a benchmark
    assert query["gain_over_argmax", "random"][2] < 0  # half of its choices are thrown away
    assert query["verdict", "random"][0] == -1
    assert query["gain_over_argmax", "same"] == (0, 0, 0) and query["verdict", "same"][0] == 0


def test_confidences_that_know_nothing_are_hardly_ever_worth_anything() -> None:
    found = [study(world(seed, "nothing")) for seed in range(20)]
    sure = [
        metric for of in found for metric in ("gain_over_shuffled", "gain_over_shuffled_within_benchmark") if of[metric, "argmax"][1] > 0
    ]
    assert len(sure) <= 4  # of 40, one is meant


def test_a_constant_router_makes_no_use_of_its_confidences() -> None:
    tables = world(0, "query")
    constant = tables.routes.with_columns(model=pl.when(pl.col("router") == "linear").then(pl.lit("fox")).otherwise("model"))
    found = Tables(tables.queries, tables.votes, tables.scores, constant)
    assert study(found)["constant", "argmax"][0] == 1
    assert study(found)["gain_over_shuffled", "argmax"] == (0, 0, 0)
    (section,) = sections(make_study("policies", {}, found, 400, 0))
    assert "sends nearly every question to the same model" in section.text


def test_the_expectation_is_that_of_many_shuffles_and_holes_are_not_dealt_to() -> None:
    random = np.random.default_rng(5)
    rewards = random.random((60, 3))
    choice, group = random.integers(3, size=60), random.integers(2, size=60)
    drawn = np.zeros((3000, 60))
    for of in drawn:
        dealt = choice.copy()
        for number in range(2):
            dealt[group == number] = random.permutation(dealt[group == number])
        of[:] = rewards[np.arange(60), dealt]
    assert np.abs(drawn.mean(axis=0) - shuffled(rewards, choice, group)).max() < 0.03
    rewards[:, 2] = np.nan
    assert np.isfinite(shuffled(rewards, choice, group)).all()
    assert np.isnan(shuffled(np.full((60, 3), np.nan), choice, group)).all()


def test_allowing_for_shares_changes_no_gain_and_leaves_a_constant_without_an_interval() -> None:
    random = np.random.default_rng(6)
    rewards = np.where(random.random((80, 3)) < 0.2, np.nan, random.random((80, 3)))
    choice, group = random.integers(3, size=80), random.integers(2, size=80)
    earned = rewards[np.arange(80), choice]
    gains = gain_over_shuffled(rewards, earned, choice, group)
    plain = earned - shuffled(rewards, choice, group)
    assert np.nanmean(gains) == pytest.approx(np.nanmean(plain))
    assert (np.isnan(gains) == np.isnan(plain)).all()
    assert not np.nan_to_num(gain_over_shuffled(rewards, rewards[:, 1], np.ones(80, dtype=int), group)).any()


def test_a_policy_that_differs_on_five_questions_is_neither_better_nor_worse() -> None:
    rows = [
        {"metric": metric, "router": "linear", "policy": "odd", "value": value, "ci_low": 0.001, "ci_high": 0.009}
        for metric, value in (("gain_over_argmax", 0.005), ("verdict", 0.0))
    ]
    table = pl.DataFrame([{"study": "policies", "split": "test", "n": 1000, **of} for of in rows], schema=METRICS.schema, orient="row")
    (section,) = sections(table)
    assert "odd, the only other one, cannot be told from argmax" in section.text
    assert "(a difference of +0.5 points)" in section.text


def test_the_order_of_rows_changes_nothing_and_without_routers_there_is_nothing() -> None:
    tables = world(1, "query")
    mixed = Tables(*(of.sample(fraction=1, shuffle=True, seed=3) for of in (tables.queries, tables.votes, tables.scores, tables.routes)))
    assert_frame_equal(make_study("policies", {}, tables, 200, 0), make_study("policies", {}, mixed, 200, 0))
    none = tables.routes.filter(pl.col("router") != "linear")
    assert make_study("policies", {}, Tables(tables.queries, tables.votes, tables.scores, none), 200, 0).is_empty()
