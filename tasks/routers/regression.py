"""Ridge and logistic regression on vectors, with holes, for several models at once.

Ridge (Hoerl and Kennard, 1970): least squares with a penalty on the squares of coefficients, chosen by the exact error on queries left
out one at a time, which costs no refits: it is the residual / (1 - the query's own weight in its fitted value).

Example: one feature, +1 on two queries and -1 on two, targets 1, 1, -1, -1, and a penalty of 1. The coefficient is 4 / (4 + 1) = 0.8, so
the residual of each is 0.2; its own weight is 1/4 (its share in the mean) + 1/5 = 0.45, so without it the error were 0.2 / 0.55 = 0.36.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

PENALTIES = tuple(float(penalty) for penalty in np.geomspace(0.1, 1e6, 15))  # for vectors of length 1: from hardly any to nothing left
STEPS = 200  # of logistic regression, at most


def ridge(vectors: Floats, targets: Floats, weights: Floats, penalties: Sequence[float] = PENALTIES) -> tuple[Floats, Floats, float]:
    """Coefficients, float64 (width, columns), intercepts, (columns,), and the one penalty with the least error on queries left out.

    Args:
        vectors: float (queries, width).
        targets: float (queries, columns), NaN for holes; each column has one value at least.
        weights: float (queries,), above 0.
        penalties: to choose from; the greater of two that are as good.
    """
    known = ~np.isnan(targets)
    errors = np.zeros(len(penalties))
    coefficients = np.zeros((len(penalties), vectors.shape[1], targets.shape[1]))
    intercepts = np.zeros((len(penalties), targets.shape[1]))
    for pattern in np.unique(known, axis=1).T:  # columns with the same holes are solved together
        columns = np.flatnonzero((known == pattern[:, None]).all(axis=0))
        weight, target = weights[pattern], targets[pattern][:, columns]
        centre, values, basis, scores = decompose(vectors[pattern], weight)
        target_mean = weight @ target / weight.sum()
        root = np.sqrt(weight)[:, None]
        projected = scores.T @ (root * (target - target_mean))
        for number, penalty in enumerate(penalties):
            shrunk = projected / (values + penalty)[:, None]
            own = np.square(scores) @ (1 / (values + penalty)) + weight / weight.sum()
            residuals = root * (target - target_mean) - scores @ shrunk
            errors[number] += np.square(residuals / np.maximum(1 - own, 1e-6)[:, None]).sum()
            coefficients[number][:, columns] = basis @ shrunk
            intercepts[number, columns] = target_mean - centre @ basis @ shrunk
    best = int(len(penalties) - 1 - np.argmin(errors[::-1]))
    return coefficients[best], intercepts[best], penalties[best]


def logistic(
    vectors: Floats, labels: Floats, weights: Floats, common: float, own: float, offsets: Floats | float = 0.0, tolerance: float = 1e-7
) -> tuple[Floats, Floats]:
    """Coefficients, float64 (width, models), and intercepts, (models,), of log-odds.

    The loss is the cross-entropy of all known labels plus half of `common` x the squares of the coefficients' mean over models x their
    number, plus half of `own` x the squares of their deviations from it; with common = own that is a regression for each model alone.
    It is minimised by ridge steps on its upper bound (Böhning and Lindsay, 1988): no curvature of the cross-entropy is above 1/4.

    Args:
        vectors: float (queries, width).
        labels: float (queries, models), 0 … 1, NaN for holes; each column has one value at least.
        weights: float (queries,), above 0.
        offsets: float (queries, models), log-odds that are known beforehand, to which those of the regression are added.
        tolerance: decrease of the loss per query at which to stop.
    """
    known = ~np.isnan(labels) * weights[:, None]
    centre, values, basis, scores = decompose(vectors, weights)
    scores = scores / np.sqrt(weights)[:, None]
    rewards = np.nan_to_num(labels)
    intercepts = log_odds((rewards * known).sum(axis=0) / known.sum(axis=0)) if np.ndim(offsets) == 0 else np.zeros(labels.shape[1])
    coefficients = np.zeros((len(values), labels.shape[1]))
    curvatures = values[:, None] / 4 + common, values[:, None] / 4 + own
    for _ in range(STEPS):
        residuals = (rewards - sigmoid(offsets + scores @ coefficients + intercepts)) * known
        slopes = scores.T @ residuals
        average, mean = slopes.mean(axis=1, keepdims=True), coefficients.mean(axis=1, keepdims=True)
        downhill = average - common * mean, slopes - average - own * (coefficients - mean)
        step = downhill[0] / curvatures[0] + downhill[1] / curvatures[1]
        coefficients += step
        intercepts += residuals.sum(axis=0) / (known.sum(axis=0) / 4)
        if (step * (downhill[0] + downhill[1])).sum() < tolerance * weights.sum():
            break
    return basis @ coefficients, intercepts - centre @ basis @ coefficients


def benchmark_weights(benchmarks: npt.NDArray[np.int64], power: float) -> npt.NDArray[np.float64]:
    """Weights of queries, mean 1, as 1 / size of their benchmark ** power: with 0 queries weigh the same, with 1 benchmarks do."""
    weights = np.bincount(benchmarks)[benchmarks] ** -power
    result: npt.NDArray[np.float64] = weights / weights.mean()
    return result


def log_odds(shares: Floats) -> Floats:
    """log(share / (1 - share)), as if no share were below 0.001 or above 0.999: nobody is sure."""
    clipped = np.clip(shares, 0.001, 0.999)
    result: Floats = np.log(clipped / (1 - clipped))
    return result


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-value)), without overflow."""
    result: Floats = 0.5 * (1 + np.tanh(0.5 * values))
    return result


def decompose(vectors: Floats, weights: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Weighted mean (width,), and of the vectors less it the variances x queries, directions and weighted scores (queries, width)."""
    centre = weights @ vectors.astype(np.float64) / weights.sum()
    centred = (vectors - centre) * np.sqrt(weights)[:, None]
    values, basis = np.linalg.eigh(centred.T @ centred)
    return centre, np.maximum(values, 0), basis, centred @ basis
