"""How sure a mean is: a paired bootstrap over queries, stratified by benchmark.

Draw as many queries again as there are, with replacement, inside each benchmark; average; do so 2,000 times: the middle 95 %
of those averages is the interval (percentile bootstrap; Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13). All systems are averaged over the *same* draws, so the difference of two systems has the interval of a paired
comparison, far narrower than the two intervals side by side suggest.

    accuracy 0.60 on 240 queries  →  about 0.54 … 0.66
"""

from collections.abc import Sequence

import numpy as np

from tasks.evaluation.systems import FloatArray, IntArray

LEVEL = 0.95
FEWEST = 10  # of fewer queries no interval is given: a bootstrap of so few is far too narrow
BLOCK = 20_000_000  # numbers held at once while averaging


class Resamples:
    """The same draws for everything that is averaged over one split's queries."""

    def __init__(self, strata: Sequence[str], count: int, seed: int) -> None:
        """`strata`: the benchmark of each query, in the order of `query_id`; `count` draws."""
        random = np.random.default_rng(seed)
        names = np.asarray(strata, dtype=object)
        self.counts = np.zeros((count, len(names)), dtype=np.uint16)  # how often each query was drawn
        for name in sorted(set(strata)):
            rows = np.flatnonzero(names == name)
            drawn = random.integers(len(rows), size=(count, len(rows)))
            drawn += np.arange(count)[:, None] * len(rows)
            self.counts[:, rows] = np.bincount(drawn.ravel(), minlength=count * len(rows)).reshape(count, len(rows))

    def means(self, values: FloatArray, rows: IntArray) -> FloatArray:
        """Means of each draw, float64 (draws, figures), of `values` (queries, figures) over the queries `rows`.

        NaN in `values` are queries that do not count; a draw without any that counts is NaN.
        """
        sums, counts = self.totals(values, rows)
        with np.errstate(invalid="ignore"):
            return sums / counts

    def totals(self, values: FloatArray, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Sums of each draw, and how many queries count in each; both float64 (draws, figures)."""
        known = ~np.isnan(values[rows])
        filled = np.where(known, values[rows], 0.0).astype(np.float32)  # twice as fast; seven digits are enough for an interval
        with_holes = ~known.all(axis=0)
        sums, counts = np.empty((2, len(self.counts), values.shape[1]))
        step = max(1, BLOCK // max(1, len(rows)))
        for start in range(0, len(self.counts), step):
            block = slice(start, start + step)
            weights = self.counts[block, rows].astype(np.float32)
            sums[block] = weights @ filled
            counts[block] = weights.sum(axis=1, keepdims=True)
            counts[block, with_holes] = weights @ known[:, with_holes]
        return sums, counts


def mean(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """Mean over the queries that are known, and how many they are; `values` is (queries, figures)."""
    known = ~np.isnan(values)
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore"):
        average: FloatArray = np.where(known, values, 0.0).sum(axis=0) / n
    return average, n


def interval(draws: FloatArray, n: IntArray) -> tuple[FloatArray, FloatArray]:
    """Ends of the 95 % interval of each column of `draws` (draws, figures); NaN where `n` is below FEWEST.

    Draws that are not numbers are left out.
    """
    low, high = np.full(draws.shape[1], np.nan), np.full(draws.shape[1], np.nan)
    tails = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    finite = np.isfinite(draws)
    whole = finite.all(axis=0) & (n >= FEWEST)
    if whole.any():
        low[whole], high[whole] = np.quantile(draws[:, whole], tails, axis=0)
    for column in np.flatnonzero(~whole & finite.any(axis=0) & (n >= FEWEST)):
        low[column], high[column] = np.quantile(draws[finite[:, column], column], tails)
    return low, high
