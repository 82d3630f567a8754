"""Frontiers against arithmetic done by hand, and against a hull by another method."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_tables import query_rows

from tasks.evaluation import frontier
from tasks.evaluation.figures import Row
from tasks.evaluation.frontier import frontier_rows
from tasks.evaluation.intervals import Resamples
from tasks.evaluation.systems import FloatArray, Sheet


def rows_of(
    reward: FloatArray,
    cost: FloatArray,
    scores: dict[str, tuple[FloatArray, FloatArray]] | None = None,
    *,
    benchmarks: list[str] | None = None,
    own: dict[str, float] | None = None,
    best: str = "m0",
    draws: int = 100,
) -> dict[tuple[str, str], Row]:
    queries = query_rows(len(reward)).with_columns(benchmark=pl.Series(benchmarks or ["sums"] * len(reward)))
    unknown = np.full(reward.shape, np.nan)
    sheet = Sheet(queries, tuple(f"m{number}" for number in range(reward.shape[1])), reward, reward, unknown, unknown, cost, unknown)
    rows = frontier_rows(sheet, cost, scores or {}, own or {}, best, Resamples(queries["benchmark"].to_list(), draws, 0))
    return {(row["router"], row["metric"]): row for row in rows}


def corners(rows: dict[tuple[str, str], Row], router: str) -> list[tuple[float, float]]:
    found = []
    while (router, f"frontier_cost_{len(found)}") in rows:
        found.append((rows[router, f"frontier_cost_{len(found)}"]["value"], rows[router, f"frontier_accuracy_{len(found)}"]["value"]))
    return found


def constant_costs(count: int, *costs: float) -> FloatArray:
    return np.tile(np.array(costs), (count, 1))


def test_single_models_by_hand() -> None:
    # m0 is right on 8 of 10 for 1.00, m1 on 6 for 0.10, m2 on 6 for 0.60: below the line.
    reward = np.array([[1.0] * 8 + [0.0] * 2, [1.0] * 6 + [0.0] * 4, [1.0] * 6 + [0.0] * 4]).T
    rows = rows_of(reward, constant_costs(10, 1.0, 0.1, 0.6))
    assert corners(rows, "single-models") == [(pytest.approx(0.1), pytest.approx(0.6)), (pytest.approx(1.0), pytest.approx(0.8))]
    assert rows["single-models", "frontier_area"]["value"] == pytest.approx(0.7)
    assert rows["single-models", "frontier_share"]["value"] == pytest.approx(0.1 + 0.9 * 0.19 / 0.2)


def test_a_router_that_knows_who_can_is_the_oracle_and_pays_the_dear_model_only_where_it_must() -> None:
    reward = np.array([[1.0] * 10, [1.0] * 6 + [0.0] * 4]).T
    cost = constant_costs(10, 1.0, 0.1)
    rows = rows_of(reward, cost, {"knows": (reward, cost)})
    for router in ("knows", "oracle"):
        assert corners(rows, router) == [(pytest.approx(0.1), pytest.approx(0.6)), (pytest.approx(0.46), pytest.approx(1.0))]
        assert rows[router, "frontier_area"]["value"] == pytest.approx((0.36 * 0.8 + 0.54 * 1.0) / 0.9)
    assert rows["knows", "frontier_gain"]["value"] == pytest.approx(rows["knows", "frontier_area"]["value"] - 0.8)
    assert rows["knows", "frontier_share"]["value"] == pytest.approx(0.1 + 0.36 * 0.39 / 0.4)


def test_a_router_that_knows_nothing_has_the_frontier_of_two_models() -> None:
    reward = np.array([[1.0] * 10, [1.0] * 6 + [0.0] * 4]).T
    cost = constant_costs(10, 1.0, 0.1)
    rows = rows_of(reward, cost, {"blind": (np.tile([0.9, 0.5], (10, 1)), cost)})
    assert rows["blind", "frontier_area"]["value"] == pytest.approx(rows["single-models", "frontier_area"]["value"])
    assert rows["blind", "frontier_gain"]["value"] == pytest.approx(0)


def test_what_was_really_spent_counts_and_not_what_was_expected() -> None:
    reward = np.array([[1.0] * 10, [0.0] * 10]).T
    rows = rows_of(reward, constant_costs(10, 2.0, 1.0), {"r": (np.tile([0.9, 0.1], (10, 1)), constant_costs(10, 1.5, 0.5))})
    assert corners(rows, "r")[-1] == (pytest.approx(2.0), pytest.approx(1.0))


def test_a_routers_own_cost_is_added_and_the_cheapest_model_needs_no_router() -> None:
    reward = np.array([[1.0] * 10, [0.0] * 10]).T
    cost = constant_costs(10, 2.0, 1.0)
    rows = rows_of(reward, cost, {"r": (np.tile([0.9, 0.1], (10, 1)), cost)}, own={"r": 0.5})
    assert corners(rows, "r") == [(pytest.approx(1.0), pytest.approx(0.0)), (pytest.approx(2.5), pytest.approx(1.0))]


def test_an_accuracy_that_is_never_reached_has_no_share() -> None:
    reward = np.array([[1.0] * 10, [0.0] * 10]).T
    cost = constant_costs(10, 2.0, 1.0)
    rows = rows_of(reward, cost, {"bad": (np.tile([0.1, 0.9], (10, 1)), cost)})
    assert ("bad", "frontier_share") not in rows
    assert rows["bad", "frontier_area"]["value"] == pytest.approx(0)


@pytest.mark.parametrize("cost", [constant_costs(10, np.nan, np.nan), constant_costs(10, 1.0, 1.0)])
def test_without_costs_that_differ_there_is_no_frontier(cost: FloatArray) -> None:
    assert rows_of(np.ones((10, 2)), cost) == {}


def test_a_router_without_expected_costs_has_no_frontier() -> None:
    rows = rows_of(np.ones((10, 2)), constant_costs(10, 1.0, 2.0), {"r": (np.ones((10, 2)), np.full((10, 2), np.nan))})
    assert {router for router, _ in rows} == {"single-models", "oracle"}


def test_a_router_chooses_among_models_that_are_known_on_the_query() -> None:
    reward = np.array([[1.0] * 5 + [np.nan] * 5, [0.0] * 10]).T
    cost = constant_costs(10, 2.0, 1.0)
    rows = rows_of(reward, cost, {"r": (np.tile([0.9, 0.1], (10, 1)), cost)})
    assert corners(rows, "r")[-1] == (pytest.approx(1.5), pytest.approx(0.5))
    assert rows["r", "frontier_area"]["n"] == 10


def test_the_macro_area_weighs_benchmarks_equally() -> None:
    reward = np.array([[1.0] * 40, [0.0] * 30 + [1.0] * 10]).T
    rows = rows_of(reward, constant_costs(40, 2.0, 1.0), benchmarks=["a"] * 30 + ["b"] * 10)
    assert rows["single-models", "frontier_area"]["value"] == pytest.approx((0.25 + 1) / 2)
    assert rows["single-models", "macro_frontier_area"]["value"] == pytest.approx((0.5 + 1) / 2)


def test_the_unit_of_costs_changes_costs_alone() -> None:
    random = np.random.default_rng(0)
    reward, cost = (random.random((60, 3)) < [0.8, 0.6, 0.5]).astype(float), random.lognormal(0, 0.5, (60, 3)) * [9, 3, 1]
    confidence = random.random((60, 3))
    dollars, cents = (rows_of(reward, cost * unit, {"r": (confidence, cost * unit)}) for unit in (1, 100))
    for router in ("r", "oracle", "single-models"):
        for metric in ("frontier_area", "frontier_share", "macro_frontier_area"):
            assert dollars.get((router, metric), {}).get("value") == pytest.approx(cents.get((router, metric), {}).get("value"))
        assert np.array(corners(cents, router)) == pytest.approx(np.array(corners(dollars, router)) * [100, 1])


def test_an_interval_holds_the_area_and_the_luck_of_picking_corners_is_said() -> None:
    random = np.random.default_rng(0)
    ease = random.random((400, 1))
    reward = (random.random((400, 3)) < [0.8, 0.6, 0.5] * (0.5 + ease)).astype(float)
    row = rows_of(reward, constant_costs(400, 9, 3, 1), {"r": (random.random((400, 3)), constant_costs(400, 9, 3, 1))}, draws=300)
    area = row["r", "frontier_area"]
    assert area["ci_low"] < area["value"] < area["ci_high"] < area["ci_low"] + 0.15
    assert 0 < row["r", "frontier_luck"]["value"] < 0.01


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12))
def test_the_hull_is_the_lowest_rising_concave_line_above_all_points(points: list[tuple[int, int]]) -> None:
    costs, accuracies = (np.array([values], dtype=float) for values in zip(*points, strict=True))
    found = [row["value"] for row in frontier._corners("r", costs, accuracies, 1)]
    line = list(zip(found[::2], found[1::2], strict=True))
    assert set(line) <= set(points)
    slopes = [(top - bottom) / (right - left) for (left, bottom), (right, top) in pairwise(line)]
    assert all(slope > 0 for slope in slopes)
    assert slopes == sorted(slopes, reverse=True)
    assert all(np.interp(cost, *zip(*line, strict=True)) >= accuracy - 1e-9 for cost, accuracy in points)
    low, high = np.array([min(costs[0])]), np.array([max(costs[0]) + 1])
    grid = np.linspace(low[0], high[0], 100_001)
    assert frontier._area(costs, accuracies, low, high)[0] == pytest.approx(np.interp(grid, *zip(*line, strict=True)).mean(), abs=1e-2)
