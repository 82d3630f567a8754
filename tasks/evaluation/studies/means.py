"""Means of figures that a study names, over all queries of a sheet, with their intervals.

mean_rows([({"metric": "flip", "model": "ledger"}, flips)], resamples)  →  flip of ledger: 0.08, interval 0.06 … 0.10, n = 240
"""

from collections.abc import Sequence

import numpy as np

from tasks.evaluation.comparisons import simultaneous
from tasks.evaluation.figures import Row, row
from tasks.evaluation.intervals import Resamples, interval, mean
from tasks.evaluation.systems import FloatArray, IntArray
from tasks.evaluation.verdict import verdict

Named = tuple[Row, FloatArray]  # columns of the metrics table, `metric` among them; float64 (queries,), NaN where not known


def mean_rows(figures: Sequence[Named], resamples: Resamples, rows: IntArray | None = None) -> list[Row]:
    """A row for each figure that is known of any query; each with an interval of its own. `rows`: the queries that count; None: all."""
    if not figures:
        return []
    values, average, n, rows = _averaged(figures, rows)
    low, high = interval(resamples.means(values, rows), n)
    return _rows(figures, average, n, low, high)


def compared_rows(figures: Sequence[Named], resamples: Resamples) -> list[Row]:
    """Differences of rewards that are compared at once: their intervals hold all at once, and `verdict` goes by these."""
    if not figures:
        return []
    values, average, n, rows = _averaged(figures, None)
    low, high = simultaneous(average, resamples.means(values, rows), n)
    verdicts = [
        name | row("verdict", verdict(values[:, column], low[column], high[column]), n[column])
        for column, (name, _) in enumerate(figures)
        if n[column]
    ]
    return [*_rows(figures, average, n, low, high), *verdicts]


def _averaged(figures: Sequence[Named], rows: IntArray | None) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    values = np.column_stack([of for _, of in figures])
    rows = np.arange(len(values)) if rows is None else rows
    return values, *mean(values[rows]), rows


def _rows(figures: Sequence[Named], average: FloatArray, n: IntArray, low: FloatArray, high: FloatArray) -> list[Row]:
    return [
        row(**name, value=average[column], n=n[column], low=low[column], high=high[column])
        for column, (name, _) in enumerate(figures)
        if n[column]
    ]
