"""Which of the models to hold, when memory has no room for all: the subset for which the router does best.

best_subset(confidences, rewards, [14.5, 14.5, 26.0], 30.0)  →  [0, 1]: both fit together, and the router earns most with these two

A router's confidences say which of *any* models it would ask, so leaving some out needs no training. There are 2ⁿ subsets: up to
`EXHAUSTIVE` models all are tried; above, models are left out one by one, each time the one that is missed least.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from tasks.evaluation.systems import FloatArray

EXHAUSTIVE = 12


def earned_by(columns: Sequence[int], confidences: FloatArray, rewards: FloatArray) -> FloatArray:
    """Reward of the model of these in which the router trusts most, (queries,); NaN where that is not known.

    `confidences`, `rewards`: (queries, models). Of models that it trusts equally the first of `columns`.
    """
    trust = np.where(np.isnan(confidences[:, list(columns)]), -1.0, confidences[:, list(columns)])
    chosen = np.asarray(list(columns))[trust.argmax(axis=1)]
    found: FloatArray = np.where((trust >= 0).any(axis=1), rewards[np.arange(len(rewards)), chosen], np.nan)
    return found


def best_subset(confidences: FloatArray, rewards: FloatArray, gigabytes: Sequence[float], budget: float) -> list[int]:
    """Columns, sorted, of the models that fit `budget` together with the highest mean reward; of equal ones the smallest.

    Arrays are (queries, models) of the queries by which the subset is chosen. Empty where no model fits, or nothing is known.
    """
    sizes = np.asarray(gigabytes)
    fitting = [column for column in range(len(sizes)) if _fits([column], sizes, budget)]

    def worth(subset: Sequence[int]) -> tuple[float, float, int, list[int]]:
        values = earned_by(subset, confidences, rewards)
        known = values[~np.isnan(values)]
        loss = -round(float(known.mean()), 12) if len(known) else np.inf
        return loss, float(sizes[list(subset)].sum()), len(subset), list(subset)

    tried = _all(fitting) if len(fitting) <= EXHAUSTIVE else _one_less_each_time(fitting, worth)
    best = min((worth(subset) for subset in tried if _fits(subset, sizes, budget)), default=None)
    return [] if best is None or not np.isfinite(best[0]) else best[3]


def _all(columns: Sequence[int]) -> Iterator[list[int]]:
    for count in range(1, len(columns) + 1):
        yield from map(list, combinations(columns, count))


def _one_less_each_time(columns: Sequence[int], worth: Callable[[Sequence[int]], Any]) -> Iterator[list[int]]:
    held = list(columns)
    while held:
        yield held
        held = min(([other for other in held if other != column] for column in held), key=worth) if len(held) > 1 else []


def _fits(subset: Sequence[int], sizes: FloatArray, budget: float) -> bool:
    return float(sizes[list(subset)].sum()) <= budget * (1 + 1e-9)
