"""Dual-contrastive routing: queries and models meet in one space, a query near the models that do it well.

RouterDC (arXiv 2409.19886), on fixed vectors: a projection of the query's vector and a vector per model. Two losses: a query is drawn to
the up to 3 models that do best on it and pushed from the up to 3 that do worst (only where rewards differ), and it is drawn to queries
of its own KMeans group and pushed from those of others. Cosines alone are no chances, so a regression (Platt, 1999) on training queries
makes them log-odds: a level for each model and one slope for all, which is 0 or more.

Example: cosines with a, b, c are 0.6, 0.5, -0.2; a alone is right. The loss of a against b and c is -log of e^0.6 / (e^0.6 + e^0.5 +
e^-0.2) = 0.86. With slope 2 and levels 0.1, 0.0, 0.2 the log-odds are 1.3, 1.0 and -0.2, the confidences 0.79, 0.73 and 0.45.
"""

import numpy as np
import numpy.typing as npt
import torch
from sklearn.cluster import KMeans
from torch import Tensor
from torch.nn.functional import normalize

from tasks.lake.interfaces import Examples
from tasks.routers.encoders import seeded
from tasks.routers.on_vectors import Arrays, Floats, Labelled, OnVectors
from tasks.routers.regression import log_odds, sigmoid
from tasks.routers.settings import ContrastiveSettings
from tasks.routers.shrinkage import mean_rewards, take_apart

GROUPS = 5  # of queries; the paper's
BATCH = 256
EPOCHS = 10
LEARNING_RATE = 0.003
STEPS = 200  # of the regression


class DualContrastive(OnVectors):
    """Cosines of queries with models, as chances."""

    def _learn(self, train: Labelled, validation: Examples) -> Arrays:
        assert isinstance(self.settings, ContrastiveSettings)
        starts = [contrast(train, self.settings, self.seed + start) for start in range(self.settings.seeds)]
        arrays = {"queries": np.stack([start[0] for start in starts]), "models": np.stack([start[1] for start in starts])}
        slope, levels = platt(_cosines(train.vectors, arrays), train.labels)
        return arrays | {"slope": np.array([slope], dtype=np.float32), "levels": levels.astype(np.float32)}

    def _rewards(self, vectors: npt.NDArray[np.float32]) -> Floats:
        return sigmoid(self.arrays_["slope"] * _cosines(vectors, self.arrays_) + self.arrays_["levels"])


def contrast(train: Labelled, settings: ContrastiveSettings, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """A projection, float32 (features + 1, width), and the models' vectors, (models, width)."""
    count = min(GROUPS, len(np.unique(train.vectors, axis=0)))
    groups = torch.tensor(KMeans(count, n_init=1, random_state=seed % 2**32).fit(train.vectors).labels_)
    vectors = torch.tensor(np.column_stack([train.vectors, np.ones(len(train.vectors))]), dtype=torch.float32)
    good, bad = (torch.tensor(found) for found in extremes(train.labels, settings.top, settings.bottom))
    with seeded(seed):
        projection = torch.randn(vectors.shape[1], settings.width) / settings.width**0.5
        # Models start where the queries are that suit them: no chance that depends on their order.
        suits = torch.tensor(np.nan_to_num(take_apart(train.labels)[2]), dtype=torch.float32)
        models = normalize(suits.T @ (vectors @ projection), dim=1)
        projection.requires_grad_()
        models.requires_grad_()
        optimiser = torch.optim.AdamW([projection, models], lr=LEARNING_RATE)
        for _ in range(EPOCHS):
            order = torch.randperm(len(vectors))
            for start in range(0, len(vectors), BATCH):
                rows = order[start : start + BATCH]
                queries = normalize(vectors[rows] @ projection, dim=1)
                loss = _against(queries @ normalize(models, dim=1).T, good[rows], bad[rows])
                same = groups[rows, None] == groups[rows]
                loss = loss + _against(queries @ queries.T, same & ~torch.eye(len(rows), dtype=torch.bool), ~same)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    return projection.detach().numpy(), normalize(models.detach(), dim=1).numpy()


def extremes(labels: Floats, top: int, bottom: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which models are among the best of a query and above its mean, and among the worst and below it, bool (queries, models)."""
    mean = np.nanmean(labels, axis=1, keepdims=True)
    ordered = np.sort(labels, axis=1)  # NaN last
    known = (~np.isnan(labels)).sum(axis=1, keepdims=True)
    best = np.take_along_axis(ordered, np.maximum(known - top, 0), axis=1)
    worst = np.take_along_axis(ordered, np.minimum(bottom, known) - 1, axis=1)
    return (labels >= best) & (labels > mean), (labels <= worst) & (labels < mean)


def _against(similar: Tensor, good: Tensor, bad: Tensor) -> Tensor:
    """Mean over the good of -log of their share among themselves and all the bad."""
    others = similar.masked_fill(~bad, -torch.inf).logsumexp(dim=1, keepdim=True)
    used = good & bad.any(dim=1, keepdim=True)
    losses = torch.logaddexp(similar, others.expand_as(similar)) - similar
    return losses[used].sum() / used.sum().clamp(min=1)


def platt(cosines: Floats, labels: Floats) -> tuple[float, Floats]:
    """One slope, 0 or more, and a level for each model, (models,), of the least cross-entropy; by steps on an upper bound of it."""
    known = ~np.isnan(labels)
    centred = cosines - cosines.mean(axis=0)
    slope, levels, rewards = 0.0, log_odds(mean_rewards(labels)), np.nan_to_num(labels)
    curvature = max(float(np.square(centred).sum()) / 4, 1e-9)
    for _ in range(STEPS):
        residuals = (rewards - sigmoid(slope * centred + levels)) * known
        slope = max(0.0, slope + float((residuals * centred).sum()) / curvature)
        levels = levels + residuals.sum(axis=0) / (known.sum(axis=0) / 4)
    return slope, levels - slope * cosines.mean(axis=0)


def _cosines(vectors: npt.NDArray[np.float32], arrays: Arrays) -> Floats:
    """Mean over starts of the cosines of queries with models, float32 (queries, models)."""
    vectors = np.column_stack([vectors, np.ones(len(vectors), dtype=np.float32)])
    pieces = []
    for projection, models in zip(arrays["queries"], arrays["models"], strict=True):
        projected = vectors @ projection
        pieces.append(projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-12) @ models.T)
    cosines: Floats = np.mean(pieces, axis=0)
    return cosines
