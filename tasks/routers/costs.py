"""What an answer of each model is expected to cost, learned from training queries.

    costs = fit_costs(train.queries, paid)       # paid: float64 (queries, models), from the votes
    costs.expected(queries)                      # float64 (queries, models), in the same unit

Example: on questions of 100, 200, 300 … characters model a cost 0.3, 0.4, 0.5 … cents, model b 0.1, 0.9, 0.2 … whatever the length. Of one
of 1,000 characters a is expected to cost 0.2 + 0.001 x 1,000 = 1.2 cents, b its mean, 0.4.

Per model it is the mean, or a line over the length of the text with no negative part (both are exact where a price per token of the prompt
and a usual length of the answer make the cost), whichever is nearer to the costs of the training queries that it was not fitted on. The
benchmark tells much more, but of a new question it is not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.lake.views import question_texts

Floats = npt.NDArray[np.float64]

FOLDS = 5


@dataclass(frozen=True)
class Costs:
    """Cost of a query: `base` + `per_character` x characters, for each model; NaN of a model whose costs are not known."""

    base: Floats  # (models,)
    per_character: Floats  # (models,)

    def expected(self, queries: pl.DataFrame) -> Floats:
        """Expected cost, float64 (queries, models); NaN of a model whose costs are not known. Reads `question` and `choices`."""
        return self.base + np.outer(_lengths(queries), self.per_character)

    def save(self) -> dict[str, Any]:
        """As values that JSON can hold."""
        columns = {"base": self.base, "per_character": self.per_character}
        return {name: [None if np.isnan(value) else float(value) for value in column] for name, column in columns.items()}

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Self:
        """What `save` gave."""
        return cls(np.array(state["base"], dtype=np.float64), np.array(state["per_character"], dtype=np.float64))


def fit_costs(queries: pl.DataFrame, costs: Floats) -> Costs:
    """Learn from training queries; the order of the rows does not matter.

    Args:
        queries: rows of the table; read are `query_id`, `question` and `choices`.
        costs: float64 (queries, models), what a sample cost, in any unit; NaN where that is not known.
    """
    if len(costs) != queries.height:
        raise ValueError(f"{queries.height} queries and costs of {len(costs)} do not fit")
    order = np.argsort(queries["query_id"].to_numpy(), kind="stable")
    lengths = _lengths(queries)[order]
    lines = np.array([_best_line(lengths, column) for column in costs[order].T], dtype=np.float64).reshape(-1, 2)
    return Costs(lines[:, 0], lines[:, 1])


def _lengths(queries: pl.DataFrame) -> Floats:
    """Characters of each text, with its options."""
    return np.array([len(text) for text in question_texts(queries)], dtype=np.float64)


def _best_line(lengths: Floats, costs: Floats) -> tuple[float, float]:
    """The mean, or the line, by the squares of what they are off on queries left out."""
    known = ~np.isnan(costs)
    lengths, costs = lengths[known], costs[known]
    if not len(costs):
        return np.nan, np.nan
    folds = np.arange(len(costs)) % FOLDS
    off = {_mean: 0.0, _line: 0.0}
    for fold in range(FOLDS if len(costs) >= 2 * FOLDS else 0):
        out = folds == fold
        for fit in off:
            base, slope = fit(lengths[~out], costs[~out])
            off[fit] += float(np.square(costs[out] - base - slope * lengths[out]).sum())
    return min(off, key=lambda fit: off[fit])(lengths, costs)


def _mean(lengths: Floats, costs: Floats) -> tuple[float, float]:
    return float(costs.mean()), 0.0


def _line(lengths: Floats, costs: Floats) -> tuple[float, float]:
    """Least squares with neither part negative: where one would be, the best line without it."""
    spread = lengths - lengths.mean()
    slope = float(spread @ costs) / max(float(spread @ spread), 1e-12)
    base = float(costs.mean()) - slope * float(lengths.mean())
    if slope <= 0:
        return _mean(lengths, costs)
    if base < 0:
        return 0.0, float(lengths @ costs) / float(lengths @ lengths)
    return base, slope
