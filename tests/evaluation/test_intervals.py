"""Intervals hold what they promise."""

import numpy as np
import pytest

from tasks.evaluation.intervals import FEWEST, Resamples, interval, mean
from tasks.evaluation.systems import FloatArray

SIMULATED, QUERIES, DRAWS = 800, 150, 400


def coverage(values: FloatArray, truth: float, strata: list[str]) -> float:
    """Share of simulated data sets, columns of `values` (queries, data sets), whose interval holds the truth."""
    rows = np.arange(len(values))
    low, high = interval(Resamples(strata, DRAWS, 0).means(values, rows), mean(values)[1])
    return float(((low <= truth) & (truth <= high)).mean())


def test_the_interval_of_an_accuracy_holds_the_truth_in_95_percent_of_data_sets() -> None:
    random = np.random.default_rng(1)
    values = (random.random((QUERIES, SIMULATED)) < 0.6).astype(np.float64)
    assert 0.93 <= coverage(values, 0.6, ["one"] * QUERIES) <= 0.97


def test_the_interval_of_a_paired_gain_holds_the_truth_in_95_percent_of_data_sets() -> None:
    random = np.random.default_rng(2)
    ease = random.random((QUERIES, SIMULATED))
    gains = (ease < 0.65).astype(np.float64) - (0.7 * ease + 0.3 * random.random((QUERIES, SIMULATED)) < 0.55)
    truth = float(0.65 - (0.7 * random.random(4_000_000) + 0.3 * random.random(4_000_000) < 0.55).mean())
    assert 0.93 <= coverage(gains, truth, ["one"] * QUERIES) <= 0.97


def test_the_interval_over_two_benchmarks_of_different_size_holds_the_truth_in_95_percent_of_data_sets() -> None:
    random = np.random.default_rng(3)
    strata = ["big"] * 100 + ["little"] * 50
    chance = np.where(np.array(strata) == "big", 0.8, 0.3)[:, None]
    values = (random.random((QUERIES, SIMULATED)) < chance).astype(np.float64)
    assert 0.93 <= coverage(values, (0.8 * 100 + 0.3 * 50) / 150, strata) <= 0.97


def test_draws_are_as_many_as_the_queries_of_each_benchmark() -> None:
    resamples = Resamples(["b", "a", "b", "a", "b"], 50, 0)
    assert (resamples.counts[:, [1, 3]].sum(axis=1) == 2).all()
    assert (resamples.counts[:, [0, 2, 4]].sum(axis=1) == 3).all()


def test_a_paired_interval_is_narrower_than_its_parts() -> None:
    random = np.random.default_rng(0)
    ease = random.random(200)
    both = np.column_stack([ease < 0.6, ease < 0.55, (ease < 0.6).astype(float) - (ease < 0.55)]).astype(np.float64)
    low, high = interval(Resamples(["one"] * 200, 500, 0).means(both, np.arange(200)), np.full(3, 200))
    widths = high - low
    assert widths[2] < widths[0] * 0.6


def test_queries_that_do_not_count_are_left_out() -> None:
    values = np.array([[1.0], [np.nan], [0.0], [np.nan]])
    average, n = mean(values)
    assert (average[0], n[0]) == (0.5, 2)
    draws = Resamples(["one"] * 4, 200, 0).means(values, np.arange(4))
    assert np.nanmin(draws) == 0
    assert np.nanmax(draws) == 1
    assert np.isnan(draws).any()  # a draw of nothing but unknown queries has no mean


def test_too_few_queries_get_no_interval() -> None:
    low, high = interval(np.zeros((100, 1)), np.array([FEWEST - 1]))
    assert np.isnan(low[0])
    assert np.isnan(high[0])


@pytest.mark.parametrize("block", [1, 7, 10_000])
def test_averaging_in_blocks_changes_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((30, 3))
    resamples = Resamples(["one"] * 30, 40, 0)
    whole = resamples.means(values, np.arange(30))
    monkeypatch.setattr("tasks.evaluation.intervals.BLOCK", block)
    assert np.allclose(resamples.means(values, np.arange(30)), whole, rtol=0, atol=1e-6)
