"""Preferences: of any two models, which does better on this query, and how much is to be lost by taking the other.

A router is wrong only where the models differ, so it learns from these queries alone, each weighing as much as the rewards differ
(regret): Bradley and Terry's model (1952) with features, as LLM routers are trained from votes of people (RouteLLM, arXiv 2406.18665).
One score per model serves all pairs: log-odds that a beats b = score of a - score of b, scores being linear in the query's vector.

The confidence is what models earn on average on such a query (ridge regression), plus the mean over opponents of the expected lead:
(2 · chance to win - 1) · mean difference of the two models' rewards.

Example: on a query the models earn 0.6 on average. Scores are a 0.8, b 0.4, c -0.2; any two differ on 40 % of queries, by 1. The chance
that a beats b is sigmoid(0.4) = 0.60, a lead of 0.2 · 0.4 = 0.08; that a beats c 0.73, a lead of 0.18. So a gets 0.6 + (0.08 + 0.18) / 3
= 0.69, b 0.6 + (-0.08 + 0.12) / 3 = 0.61, c 0.6 - (0.18 + 0.12) / 3 = 0.50.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tasks.lake.interfaces import Examples
from tasks.routers.on_vectors import Arrays, Floats, Labelled, OnVectors
from tasks.routers.regression import decompose, ridge, sigmoid
from tasks.routers.shrinkage import take_apart

PENALTIES = (1000.0, 100.0, 30.0, 10.0, 3.0, 1.0)  # on squares of coefficients of scores; chosen by the loss on queries left out
FOLDS = 3
STEPS = 100
TOLERANCE = 1e-5  # decrease of the loss per query at which to stop


class Pairwise(OnVectors):
    """Who beats whom on which queries, learnt where models differ."""

    def _learn(self, train: Labelled, validation: Examples) -> Arrays:
        vectors, labels = train.vectors, train.labels
        overall, ease, _ = take_apart(labels)
        coefficients, intercepts, _ = ridge(vectors, ease, np.ones(len(ease)))
        score_coefficients, score_intercepts = preferences(vectors, labels)
        arrays = {
            "average": np.vstack([coefficients, overall.mean() + intercepts]),
            "scores": np.vstack([score_coefficients, score_intercepts]),
            "differences": np.stack([_mean_difference(labels, labels[:, [model]]) for model in range(labels.shape[1])]),
        }
        return {name: array.astype(np.float32) for name, array in arrays.items()}

    def _rewards(self, vectors: npt.NDArray[np.float32]) -> Floats:
        vectors = np.column_stack([vectors, np.ones(len(vectors), dtype=np.float32)])
        scores = vectors @ self.arrays_["scores"]
        leads = [
            (differences * np.tanh((scores[:, [model]] - scores) / 2)).mean(axis=1)  # 2 sigmoid(x) - 1 = tanh(x / 2)
            for model, differences in enumerate(self.arrays_["differences"])
        ]
        return np.asarray(vectors @ self.arrays_["average"] + np.stack(leads, axis=1))


def preferences(vectors: Floats, labels: Floats) -> tuple[Floats, Floats]:
    """Coefficients of scores, float64 (width, models), and intercepts, (models,), with the penalty that is best on queries left out.

    Args:
        vectors: float (queries, width).
        labels: float (queries, models), NaN for holes.
    """
    losses = np.zeros(len(PENALTIES))
    folds = np.arange(len(labels)) % FOLDS
    for fold in range(FOLDS):
        train, left_out = folds != fold, folds == fold
        if not train.any() or not left_out.any():
            continue
        for number, (coefficients, intercepts) in enumerate(_path(vectors[train], labels[train], PENALTIES)):
            losses[number] += _loss(vectors[left_out] @ coefficients + intercepts, labels[left_out])
    best = int(np.argmin(losses))
    return list(_path(vectors, labels, PENALTIES[: best + 1]))[-1]


def _path(vectors: Floats, labels: Floats, penalties: Sequence[float]) -> Iterator[tuple[Floats, Floats]]:
    """The fit with each penalty, each from where the one before ended, by ridge steps on an upper bound of the loss: no weight of
    a pair is above 1, no curvature of its loss above 1/4, and no direction is in more than `models` pairs."""
    count = labels.shape[1]
    centre, values, basis, scores = decompose(vectors, np.ones(len(vectors)))
    coefficients, intercepts = np.zeros((len(values), count)), np.zeros(count)
    for penalty in penalties:
        for _ in range(STEPS):
            residuals = _residuals(scores @ coefficients + intercepts, labels)
            slopes = scores.T @ residuals - penalty * coefficients
            step = slopes / (values[:, None] * count / 4 + penalty)
            coefficients = coefficients + step
            shift = residuals.sum(axis=0) / (len(labels) * count / 4)
            intercepts = intercepts + shift
            if (step * slopes).sum() + (shift * residuals.sum(axis=0)).sum() < TOLERANCE * len(labels):
                break
        yield basis @ coefficients, intercepts - centre @ basis @ coefficients


def _residuals(scores: Floats, labels: Floats) -> Floats:
    """How much the loss falls per unit of each score, (queries, models)."""
    columns = []
    for model in range(labels.shape[1]):
        lead = np.nan_to_num(labels[:, [model]] - labels)
        columns.append((np.maximum(lead, 0) - np.abs(lead) * sigmoid(scores[:, [model]] - scores)).sum(axis=1))
    return np.stack(columns, axis=1)


def _loss(scores: Floats, labels: Floats) -> float:
    """Cross-entropy of who is better, each pair weighing as much as its rewards differ; each pair counts twice."""
    total = 0.0
    for model in range(labels.shape[1]):
        lead = np.nan_to_num(labels[:, [model]] - labels)
        total += float((np.maximum(lead, 0) * np.logaddexp(0, scores - scores[:, [model]])).sum())
    return total


def _mean_difference(labels: Floats, of: Floats) -> Floats:
    """Mean distance of one model's rewards, (queries, 1), from each model's where both are known, (models,); 0 where they never are."""
    known = ~np.isnan(labels - of)
    result: Floats = np.abs(np.where(known, labels - of, 0)).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return result
