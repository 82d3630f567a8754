"""Intervals for all that are compared at once hold all at once."""

import numpy as np
import pytest

from tasks.evaluation.comparisons import simultaneous
from tasks.evaluation.intervals import Resamples, interval

QUERIES, SIMULATED, DRAWS = 120, 150, 300


@pytest.mark.parametrize(("routers", "alike"), [(1, False), (12, False), (12, True)])
def test_of_routers_that_gain_nothing_hardly_ever_one_is_said_to(routers: int, alike: bool) -> None:
    random = np.random.default_rng(0)
    resamples, wrong, alone = Resamples(["one"] * QUERIES, DRAWS, 0), 0, 0
    for _ in range(SIMULATED):
        gains = random.integers(-1, 2, (QUERIES, 1 if alike else routers)).astype(float)
        gains = np.repeat(gains, routers, axis=1) if alike else gains
        draws, n = resamples.means(gains, np.arange(QUERIES)), np.full(routers, QUERIES)
        low, high = simultaneous(gains.mean(axis=0), draws, n)
        wrong += int(((low > 0) | (high < 0)).any())
        low, high = interval(draws, n)
        alone += int(((low > 0) | (high < 0)).any())
    assert wrong / SIMULATED < 0.1  # one in twenty is meant
    if routers > 1 and not alike:
        assert alone / SIMULATED > 0.3  # what the intervals are widened for


def test_equal_routers_widen_nothing_and_a_copy_has_no_width() -> None:
    gains = np.random.default_rng(0).integers(-1, 2, (QUERIES, 1)).astype(float)
    columns = np.hstack([np.repeat(gains, 5, axis=1), np.zeros((QUERIES, 1))])
    draws = Resamples(["one"] * QUERIES, 1000, 0).means(columns, np.arange(QUERIES))
    low, high = simultaneous(columns.mean(axis=0), draws, np.full(6, QUERIES))
    (alone_low,), (alone_high,) = simultaneous(columns.mean(axis=0)[:1], draws[:, :1], np.array([QUERIES]))
    assert (low[0], high[0]) == pytest.approx((alone_low, alone_high))
    assert (low[5], high[5]) == (0, 0)


def test_too_few_queries_neither_get_an_interval_nor_widen_the_others() -> None:
    random = np.random.default_rng(0)
    draws = random.normal(size=(500, 2)) * [1, 50]
    low, _ = simultaneous(np.zeros(2), draws, np.array([100, 5]))
    (alone,), _ = simultaneous(np.zeros(1), draws[:, :1], np.array([100]))
    assert low[0] == alone
    assert np.isnan(low[1])
    assert np.isnan(simultaneous(np.zeros(1), draws[:, :1], np.array([5]))[0][0])


def test_nothing_to_compare_is_no_error() -> None:
    low, high = simultaneous(np.zeros(0), np.zeros((100, 0)), np.zeros(0, dtype=np.int64))
    assert len(low) == len(high) == 0
