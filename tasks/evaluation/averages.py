"""Figures averaged over all queries, over a benchmark's, over a subject's.

accuracy of ledger on the 120 test queries of gsm8k  →  benchmark gsm8k, accuracy 0.58, interval 0.49 … 0.67, n = 120
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tasks.evaluation.figures import Figure, Row, row
from tasks.evaluation.intervals import Resamples, interval, mean
from tasks.evaluation.systems import FloatArray, IntArray, Sheet


@dataclass(frozen=True)
class Scope:
    """The queries that a figure is averaged over."""

    benchmark: str | None
    subject: str | None
    rows: IntArray

    @property
    def name(self) -> Row:
        """As columns of the metrics table."""
        return {"benchmark": self.benchmark, "subject": self.subject}


@dataclass(frozen=True)
class Averages:
    """Figures over one scope: mean and `n` are (figures,), `draws` the resampled means (draws, figures)."""

    scope: Scope
    figures: Sequence[Figure]
    mean: FloatArray
    n: IntArray
    draws: FloatArray

    def take(self, columns: Sequence[int]) -> "Averages":
        """Only these of the figures."""
        figures = [self.figures[column] for column in columns]
        return Averages(self.scope, figures, self.mean[columns], self.n[columns], self.draws[:, columns])


def scopes(sheet: Sheet) -> list[Scope]:
    """All queries together, then each benchmark."""
    names = sheet.queries["benchmark"].to_numpy()
    return [
        Scope(None, None, np.arange(len(names))),
        *(Scope(name, None, np.flatnonzero(names == name)) for name in sorted(set(names))),
    ]


def subjects(sheet: Sheet) -> list[Scope]:
    """Each subject of each benchmark, where there are any."""
    rows = sheet.queries.with_row_index("row").filter(pl.col("subject").is_not_null())
    groups = rows.with_columns(pl.col("row").cast(pl.Int64)).partition_by("benchmark", "subject", as_dict=True)
    return [Scope(name[0], name[1], groups[name]["row"].to_numpy()) for name in sorted(groups)]


def average(scope: Scope, figures: Sequence[Figure], resamples: Resamples) -> Averages:
    """Mean of each figure over the scope's queries, and its resampled means."""
    values = np.column_stack([figure.values for figure in figures])
    return Averages(scope, figures, *mean(values[scope.rows]), resamples.means(values, scope.rows))


def rows_of(found: Averages) -> list[Row]:
    """A row for each figure that is known of any query."""
    low, high = interval(found.draws, found.n)
    return [
        figure.name | row(figure.metric, found.mean[column], found.n[column], low=low[column], high=high[column]) | found.scope.name
        for column, figure in enumerate(found.figures)
        if found.n[column]
    ]


def macro_rows(benchmarks: Sequence[Averages]) -> list[Row]:
    """Mean over benchmarks of their means, each benchmark counting the same; benchmarks where a figure is not known are left out."""
    values, _ = mean(np.stack([found.mean for found in benchmarks]))
    n = np.sum([found.n for found in benchmarks], axis=0)
    low, high = interval(mean(np.stack([found.draws for found in benchmarks]))[0], n)
    return [
        figure.name | row(f"macro_{figure.metric}", values[column], n[column], low=low[column], high=high[column])
        for column, figure in enumerate(benchmarks[0].figures)
        if n[column]
    ]
