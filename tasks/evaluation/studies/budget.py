"""Which of the models to hold, when memory has no room for all: the subset for which the router does best.

best_subset(confidences, rewards, [14.5, 14.5, 26.0], 30.0)  →  [0, 1]: both fit together, and the router earns most with these two

A router's confidences say which of *any* models it would ask, so leaving some out needs no training. There are 2ⁿ subsets: up to
`EXHAUSTIVE` models all are tried; above, models are added one by one, each time the one that helps most, until none helps or fits.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

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
    everything = [column for column in range(len(sizes)) if sizes[column] <= budget]
    best: tuple[float, float, int, list[int]] | None = None

    def better(subset: Sequence[int]) -> bool:
        nonlocal best
        values = earned_by(subset, confidences, rewards)
        if np.isnan(values).all():
            return False
        key = (-round(float(np.nanmean(values)), 12), float(sizes[list(subset)].sum()), len(subset), list(subset))
        if best is not None and key >= best:
            return False
        best = key
        return True

    if len(everything) <= EXHAUSTIVE:
        for subset in _subsets(everything, sizes, budget):
            better(subset)
    else:
        held: list[int] = []
        added = True
        while added:
            added = False
            for column in everything:
                larger = sorted({*held, column})
                if column not in held and _fits(larger, sizes, budget):
                    added = better(larger) or added
            held = list(best[3]) if best is not None else []
    return [] if best is None else best[3]


def _subsets(columns: Sequence[int], sizes: FloatArray, budget: float) -> Iterator[list[int]]:
    for count in range(1, len(columns) + 1):
        for subset in combinations(columns, count):
            if _fits(subset, sizes, budget):
                yield list(subset)


def _fits(subset: Sequence[int], sizes: FloatArray, budget: float) -> bool:
    return float(sizes[list(subset)].sum()) <= budget * (1 + 1e-9)
