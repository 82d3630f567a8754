"""Power laws through learning curves, many at once: accuracy(n) = limit - drop · n^(-power).

    curve = fit(sizes=[100, 400, 1600], accuracies=[[0.50, 0.55, 0.575]], highest=0.9)
    curve.limit    [0.6]        curve.at(6400)    [0.5875]        curve.meets([0.58])    [2500]

For a given power the rest is a straight line in n^(-power), so all powers of a grid are tried and the one with the least squared error
is taken: what `scipy.optimize.curve_fit` finds, for thousands of resampled curves in a moment.
"""

from dataclasses import dataclass

import numpy as np

from tasks.evaluation.systems import FloatArray

POWERS = np.linspace(0.1, 1.0, 46)


@dataclass(frozen=True)
class Curve:
    """Arrays are float64 (curves,)."""

    limit: FloatArray
    drop: FloatArray  # 0 or more; 0: flat
    power: FloatArray

    def at(self, size: float) -> FloatArray:
        """Accuracy with so many training queries, (curves,)."""
        found: FloatArray = self.limit - self.drop * size**-self.power
        return found

    def meets(self, accuracies: FloatArray) -> FloatArray:
        """Training queries from which on a curve is above an accuracy, (curves,): infinite if never, 0 if it always is."""
        room = self.limit - accuracies
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            sizes: FloatArray = np.where(room > 0, (self.drop / room) ** (1 / self.power), np.inf)
        return sizes


def fit(sizes: FloatArray, accuracies: FloatArray, highest: float) -> Curve:
    """The least-squares curve of each row of `accuracies` (curves, sizes); no limit is above `highest`."""
    best = np.full(len(accuracies), np.inf)
    limit, drop, power = np.zeros((3, len(accuracies)))
    middle = accuracies.mean(axis=1)
    for candidate in POWERS:
        falling = sizes**-candidate
        spread = falling - falling.mean()
        slope = np.maximum(0.0, -((accuracies - middle[:, None]) @ spread) / (spread @ spread))
        end = middle + slope * falling.mean()
        # A limit that is too high is put where it may be, and the drop fitted again.
        above = end > highest
        slope = np.where(above, np.maximum(0.0, (highest - accuracies) @ falling / (falling @ falling)), slope)
        end = np.minimum(end, np.maximum(highest, middle))
        error = ((accuracies - end[:, None] + slope[:, None] * falling) ** 2).sum(axis=1)
        better = error < best - 1e-15
        best = np.where(better, error, best)
        limit, drop, power = (np.where(better, new, old) for new, old in ((end, limit), (slope, drop), (candidate, power)))
    return Curve(limit, drop, power)
