"""Nearest neighbours: on a new query trust each model as it did on the training queries most like it.

Cosine kNN with soft labels, in three parts, each with as many neighbours as leave the least error on training queries left out: which
benchmark the query is from (the neighbours' means there, unless `around = "overall"`), how much easier it is than others there, and which
model it suits better than others there. Of the last two, neighbours are joined by pseudo-neighbours that deviate by nothing, as many as
leave the least error: what few neighbours have in common is mostly luck.

Example: on its benchmark model a earns 0.6 and b 0.5. On the 8 nearest queries a earned 0.75 and b 0.85, so they are easier by
(0.15 + 0.35) / 2 = 0.25 and suit b by 0.1 more than usual and a by 0.1 less. With 8 pseudo-neighbours that counts half: a gets
0.6 + 0.125 - 0.05 = 0.675, b 0.5 + 0.125 + 0.05 = 0.675. With 56 of them for preference alone (an eighth) a gets 0.7125, b 0.6375.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tasks.lake.interfaces import Examples
from tasks.routers.on_vectors import Arrays, Floats, Labelled, OnVectors
from tasks.routers.settings import NeighbourSettings
from tasks.routers.shrinkage import group_rewards, take_apart

NEIGHBOURS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
PSEUDO = (0.0, 4.0, 16.0, 64.0, 256.0, 1024.0, np.inf)
CHUNK = 1024  # queries whose similarities are in memory at once


class Neighbours(OnVectors):
    """Rewards of the nearest training queries, shrunk."""

    def _learn(self, train: Labelled, validation: Examples) -> Arrays:
        assert isinstance(self.settings, NeighbourSettings)
        groups = np.zeros_like(train.benchmarks) if self.settings.around == "overall" else train.benchmarks
        means = group_rewards(train.labels, groups, int(groups.max()) + 1)[groups]
        base, ease, preference = take_apart(train.labels - means)
        unit = _unit(train.vectors)
        count = min(NEIGHBOURS[-1], len(unit) - 1)
        others = np.vstack([_nearest(unit[start : start + CHUNK], unit, count, start) for start in range(0, len(unit), CHUNK)])
        parts = {"means": means + base, "ease": ease, "preference": preference}
        chosen = [choose(others, values, (0.0,) if name == "means" else PSEUDO) for name, values in parts.items()]
        arrays = {"vectors": unit, "chosen": np.array(chosen), **parts}
        return {name: array.astype(np.float32) for name, array in arrays.items()}

    def _rewards(self, vectors: npt.NDArray[np.float32]) -> Floats:
        numbers, pseudo = self.arrays_["chosen"].T
        unit = _unit(vectors)
        pieces = []
        for start in range(0, len(unit), CHUNK):
            masks = among_nearest(unit[start : start + CHUNK] @ self.arrays_["vectors"].T, numbers.astype(np.int64).tolist())
            parts = zip(("means", "ease", "preference"), masks, pseudo, strict=True)
            pieces.append(sum(shrunk_means(nearest, self.arrays_[name], float(count)) for name, nearest, count in parts))
        return np.vstack(pieces)


def choose(others: npt.NDArray[np.int64], values: Floats, pseudo: Sequence[float] = PSEUDO) -> tuple[int, float]:
    """How many neighbours, and how many pseudo-neighbours, tell most of the values of a query whose own are not known.

    Args:
        others: int (queries, most), the other queries, nearest first.
        values: float (queries, columns), NaN for holes.
        pseudo: numbers of pseudo-neighbours to choose from; of two that are as good the greater, and the more neighbours.
    """
    known = ~np.isnan(values)
    least, best = np.inf, (1, float(pseudo[-1]))
    for number in reversed([number for number in NEIGHBOURS if number <= others.shape[1]]):
        sums, sizes = _totals(others[:, :number], values)
        for count in reversed(pseudo):
            error = np.square((_quotient(sums, sizes + count) - values)[known]).sum()
            if error < least * (1 - 1e-9):
                least, best = error, (number, float(count))
    return best


def among_nearest(similar: Floats, numbers: Sequence[int]) -> list[Floats]:
    """For each of the `numbers` of neighbours: 1 where a training query is among the nearest, else 0, (queries, training queries).

    Those that are as near as the last count too. `similar`: float (queries, training queries).
    """
    first = similar.shape[1] - max(numbers)
    nearest = np.sort(np.partition(similar, first, axis=1)[:, first:], axis=1)
    return [(similar >= nearest[:, [-number]]).astype(similar.dtype) for number in numbers]


def shrunk_means(nearest: Floats, values: Floats, pseudo: float) -> Floats:
    """Sum of the neighbours' known values over their number and that of pseudo-neighbours, (queries, columns); 0 of none.

    Args:
        nearest: float (queries, training queries), 1 for neighbours and else 0.
        values: float (training queries, columns), NaN for holes.
    """
    known = ~np.isnan(values)
    sums, sizes = nearest @ np.where(known, values, 0), nearest @ known.astype(nearest.dtype)
    return _quotient(sums, sizes + pseudo)


def _totals(nearest: npt.NDArray[np.int64], values: Floats) -> tuple[Floats, Floats]:
    """Sums of the neighbours' known values and how many these are, (queries, columns)."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0)
    sums = np.zeros((len(nearest), values.shape[1]), dtype=values.dtype)
    sizes = np.zeros_like(sums)
    for start in range(0, len(nearest), CHUNK):
        rows = nearest[start : start + CHUNK]
        filled[rows].sum(axis=1, out=sums[start : start + CHUNK])
        known[rows].sum(axis=1, out=sizes[start : start + CHUNK])
    return sums, sizes


def _quotient(sums: Floats, sizes: Floats) -> Floats:
    return np.divide(sums, sizes, out=np.zeros_like(sums), where=sizes > 0)


def _nearest(vectors: Floats, trained: Floats, count: int, own: int) -> npt.NDArray[np.int64]:
    """Rows of the `count` most similar training vectors, int (queries, count), nearest first, of equal ones the first.

    Args:
        vectors, trained: float32, rows of length 1 or 0.
        own: the row among `trained` of the first vector; a query is not its own neighbour.
    """
    similar = vectors @ trained.T
    similar[np.arange(len(vectors)), own + np.arange(len(vectors))] = -np.inf
    first = similar.shape[1] - count
    found = np.sort(np.argpartition(similar, min(first, similar.shape[1] - 1), axis=1)[:, first:], axis=1)
    order = np.argsort(-np.take_along_axis(similar, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Vectors scaled to length 1; those of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit
