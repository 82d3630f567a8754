"""How alike the models of a pool fail, and whether pools in which they do not gain more by routing.

Two models that are wrong on the same queries: phi 1; wrong on different ones as if by chance: 0; never on the same: below 0.
"""

from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from tasks.evaluation.intervals import Resamples
from tasks.evaluation.systems import FloatArray

FEWEST_POOLS = 5  # of fewer no rank correlation is given


def pair_correlations(rewards: FloatArray, resamples: Resamples) -> dict[tuple[int, int], tuple[float, FloatArray]]:
    """Pearson correlation of the rewards of each two models on the queries known of both, and that of each resample.

    Of rewards that are 0 or 1 it is phi, and of what is missing to 1 it is the same. `rewards` is (queries, models). Not a number where
    one of the two is always worth the same.
    """
    pairs = list(combinations(range(rewards.shape[1]), 2))
    if not pairs:
        return {}
    first, second = (rewards[:, [pair[place] for pair in pairs]] for place in (0, 1))
    both = ~np.isnan(first) & ~np.isnan(second)
    first, second = np.where(both, first, np.nan), np.where(both, second, np.nan)
    rows = np.arange(len(rewards))
    products = (first, second, first * second, first**2, second**2)
    drawn = _correlation(*(resamples.means(values, rows) for values in products))
    known = np.maximum(both.sum(axis=0), 1)
    found = _correlation(*(np.where(both, values, 0).sum(axis=0, keepdims=True) / known for values in products))
    return {pair: (float(found[0, column]), drawn[:, column]) for column, pair in enumerate(pairs)}


def rank_correlation(gains: FloatArray, others: FloatArray) -> FloatArray:
    """Spearman's rank correlation over pools, float64 (draws,); both are (draws, pools). Not a number where all pools are alike."""
    ranks = [rankdata(values.round(9), axis=1) for values in (gains, others)]
    centred = [of - of.mean(axis=1, keepdims=True) for of in ranks]
    with np.errstate(invalid="ignore", divide="ignore"):
        found: FloatArray = (centred[0] * centred[1]).sum(axis=1) / np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    return found


def _correlation(
    first: FloatArray, second: FloatArray, product: FloatArray, first_square: FloatArray, second_square: FloatArray
) -> FloatArray:
    """From the means of both, of their product and of their squares."""
    variances = (first_square - first**2) * (second_square - second**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: FloatArray = np.where(variances > 1e-9, (product - first * second) / np.sqrt(np.maximum(variances, 0)), np.nan)
    return np.clip(found, -1, 1)
