"""A *figure* is one value per query, whose mean over some queries is a row of the metrics table.

Figure("accuracy", [1, 0, nan, 1], model="ledger")  →  accuracy of ledger: 0.667, n = 3
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.evaluation.systems import FloatArray, System

Row = dict[str, Any]  # a row of the metrics table

OF_A_SYSTEM = ("accuracy", "expected_accuracy", "latency_s", "cost_usd", "completion_tokens")
OPPONENTS = {"gain": "best-single", "gain_over_benchmark": "benchmark", "gain_over_random": "random"}


@dataclass(frozen=True)
class Figure:
    """`values` is float64 (queries,), NaN where not known."""

    metric: str
    values: FloatArray
    model: str | None = None
    router: str | None = None
    policy: str | None = None

    @property
    def name(self) -> Row:
        """What the figure is about, as columns of the metrics table."""
        return {"model": self.model, "router": self.router, "policy": self.policy, "metric": self.metric}


def system_figures(systems: Iterable[System]) -> list[Figure]:
    """Accuracy, expected accuracy, latency, cost and tokens of each system, where they are known of any query."""
    return [
        Figure(metric, values, system.model, system.router, system.policy)
        for system in systems
        for metric in OF_A_SYSTEM
        if not np.isnan(values := getattr(system, metric)).all()
    ]


def gain_figures(systems: Sequence[System], opponents: Mapping[str, System | None]) -> list[Figure]:
    """Accuracy of every router, random choice and the oracle less that of each opponent, on queries known to both.

    `opponents`: metric (`gain`, `gain_over_benchmark`, …) → the system that is compared with. The opponents' rows against
    themselves are left out; the best single model is compared with the one that is best in hindsight only.
    """
    return [
        Figure(metric, system.accuracy - opponent.accuracy, None, system.router, system.policy)
        for metric, opponent in opponents.items()
        if opponent is not None
        for system in systems
        if system.router not in (None, opponent.router) and (system.router != "best-single" or metric == "gain_over_hindsight")
    ]


def row(metric: str, value: float, n: int, *, low: float = np.nan, high: float = np.nan, **name: str | None) -> Row:
    """One row of the metrics table; what is not a number becomes null."""
    numbers = {"value": value, "ci_low": low, "ci_high": high}
    finite = {key: float(number) if np.isfinite(number) else None for key, number in numbers.items()}
    return {"metric": metric, **name, **finite, "n": int(n)}
