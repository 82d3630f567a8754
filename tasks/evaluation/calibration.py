"""Whether a router's confidences can be believed, as probabilities and as predictions.

Among the 120 (query, model) pairs with a confidence between 0.6 and 0.7, 78 were right: confidence 0.65 against 0.65, a
reliable bin. *Brier score* (Brier 1950): mean of (confidence - reward)², 0 is perfect, 0.25 is what 0.5 everywhere gets.
*Calibration error*: mean distance of the bins from the diagonal, weighted by what is in them.
A model is *predicted* to be right where its confidence is above 0.5, as in arXiv 2405.00467.
"""

import numpy as np

from tasks.evaluation.figures import Figure, Row, row
from tasks.evaluation.systems import FloatArray, IntArray, Sheet

BINS = 10
PREDICTED = 0.5


def confidence_figures(router: str, sheet: Sheet, confidences: FloatArray) -> list[Figure]:
    """Brier score and classifier upper bound of each query; `confidences` is float64 (queries, models), NaN where missing.

    The classifier upper bound counts a query if some model is both predicted to be right and right.
    """
    errors = (confidences - sheet.reward) ** 2
    known = ~np.isnan(errors)
    with np.errstate(invalid="ignore"):
        brier = np.where(known, errors, 0.0).sum(axis=1) / known.sum(axis=1)
    predicted = np.where(confidences > PREDICTED, sheet.reward, 0.0)
    upper = np.where(known.any(axis=1), np.fmax.reduce(predicted, axis=1), np.nan)
    return [Figure("brier", brier, router=router), Figure("classifier_upper_bound", upper, router=router)]


def model_figures(router: str, sheet: Sheet, confidences: FloatArray) -> list[Figure]:
    """Brier score of the confidence in each model."""
    errors = (confidences - sheet.reward) ** 2
    return [Figure("brier", errors[:, column], model=model, router=router) for column, model in enumerate(sheet.models)]


def reliability(router: str, sheet: Sheet, confidences: FloatArray) -> list[Row]:
    """Mean confidence and mean reward of the (query, model) pairs in each tenth of the scale; `n` counts pairs.

    Rows `reliability_confidence_0` … `_9` and `reliability_reward_0` … `_9`; empty bins are left out.
    """
    n, expected, observed = _bins(confidences, sheet.reward)
    rows = []
    for number in np.flatnonzero(n):
        rows.append(row(f"reliability_confidence_{number}", expected[number], n[number], router=router))
        rows.append(row(f"reliability_reward_{number}", observed[number], n[number], router=router))
    return rows


def calibration_error(confidences: FloatArray, rewards: FloatArray) -> list[Row]:
    """The calibration error over these (query, model) pairs, whatever the shape; no row where none is known."""
    n, expected, observed = _bins(confidences, rewards)
    if not n.sum():
        return []
    return [row("calibration_error", np.nansum(np.abs(expected - observed) * n) / n.sum(), n.sum())]


def _bins(confidences: FloatArray, rewards: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Pairs, mean confidence and mean reward in each tenth of the scale, NaN where there is no pair."""
    known = ~np.isnan(confidences + rewards)
    tenth = np.minimum((confidences[known] * BINS + 1e-6).astype(np.int64), BINS - 1)  # 0.9 as a float32 lies just below 0.9
    n = np.bincount(tenth, minlength=BINS)
    with np.errstate(invalid="ignore"):
        return n, np.bincount(tenth, confidences[known], BINS) / n, np.bincount(tenth, rewards[known], BINS) / n


def f1(router: str, sheet: Sheet, confidences: FloatArray, rows: IntArray) -> list[Row]:
    """F1 of "predicted to be right" against right (reward above one half) per model, and their mean weighted by how often each is right."""
    confidence, reward = confidences[rows], sheet.reward[rows]
    known = ~np.isnan(confidence + reward)
    predicted, right = known & (confidence > PREDICTED), known & (reward > PREDICTED)
    both = (predicted & right).sum(axis=0)
    either = predicted.sum(axis=0) + right.sum(axis=0)
    scores = 2 * both / np.maximum(either, 1)
    support = right.sum(axis=0)
    found = [
        row("f1", scores[column], known[:, column].sum(), router=router, model=model)
        for column, model in enumerate(sheet.models)
        if known[:, column].any()
    ]
    if support.sum():
        found.append(row("weighted_f1", (scores * support).sum() / support.sum(), known.any(axis=1).sum(), router=router))
    return found
