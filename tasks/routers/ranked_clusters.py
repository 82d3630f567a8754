"""Cluster and rank: a query is a mixture of the nearest clusters, and a model is worth what it earned in them.

Avengers-Pro (arXiv 2508.12631): KMeans with 60 clusters of training queries; a new query takes the softmax of -9 x distance over its 4
nearest. Here what a model earns in a small cluster is drawn towards what it earns overall (`shrinkage.py`); price is left to policies.

Example: the nearest centroids are 0.9 and 1.0 away, all others farther than 2. The weights are as exp(-8.1) to exp(-9), 0.71 and 0.29.
A model that earns 0.8 in the first and 0.4 in the second gets 0.71 · 0.8 + 0.29 · 0.4 = 0.68.
"""

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from tasks.lake.interfaces import Examples
from tasks.routers.on_vectors import Arrays, Floats, Labelled, OnVectors
from tasks.routers.settings import RankedClusterSettings
from tasks.routers.shrinkage import group_rewards

QUERIES_PER_CLUSTER = 10  # at least, on average
STARTS = 4  # of KMeans; the best by its own objective is kept


class RankedClusters(OnVectors):
    """Rewards in the nearest clusters, the nearer the more."""

    def _learn(self, train: Labelled, validation: Examples) -> Arrays:
        assert isinstance(self.settings, RankedClusterSettings)
        distinct = len(np.unique(train.vectors, axis=0))
        count = max(1, min(self.settings.clusters, len(train.vectors) // QUERIES_PER_CLUSTER, distinct))
        with warnings.catch_warnings(category=ConvergenceWarning, action="ignore"):
            means = KMeans(count, n_init=STARTS, random_state=self.seed % 2**32).fit(train.vectors.astype(np.float64))
        return {
            "centroids": means.cluster_centers_.astype(np.float32),
            "rewards": group_rewards(train.labels, means.labels_, count).astype(np.float32),
            "nearest": np.array([min(self.settings.nearest, count)], dtype=np.float32),
            "sharpness": np.array([self.settings.sharpness], dtype=np.float32),
        }

    def _rewards(self, vectors: npt.NDArray[np.float32]) -> Floats:
        centroids, nearest = self.arrays_["centroids"], int(self.arrays_["nearest"][0])
        squares = np.square(vectors).sum(axis=1, keepdims=True) - 2 * vectors @ centroids.T + np.square(centroids).sum(axis=1)
        distances = np.sqrt(np.maximum(squares, 0))
        farthest = np.partition(distances, nearest - 1, axis=1)[:, nearest - 1 : nearest]
        closer = np.exp(-self.arrays_["sharpness"] * (distances - distances.min(axis=1, keepdims=True)))
        weights = np.where(distances <= farthest, closer, 0)
        rewards: Floats = weights / weights.sum(axis=1, keepdims=True) @ self.arrays_["rewards"]
        return rewards
