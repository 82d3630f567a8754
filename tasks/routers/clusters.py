"""Clustering routers: put training queries into clusters; on a new query trust each model as it did in the nearest cluster.

KMeans over TF-IDF or over an encoder's embeddings, as in the paper (arXiv 2405.00467), but fitted on training queries only,
with at least ten of them per cluster on average, and with small clusters drawn towards the overall means (`shrinkage.py`):
in the paper the best model of 39 of 50 clusters was another one on test queries.

Example: model a is right on 60 % of all training queries and b on 50 %. In a cluster of 20 queries a is right on 50 % and b
on 60 %: the cluster is as easy as the rest (55 %), but it suits b by 0.1 more and a by 0.1 less. With K = 20 that counts
half, so a gets 0.55 and b 0.55. In a cluster of 60 it counts three quarters: a gets 0.525, b 0.575, and b is chosen.
"""

import json
import warnings
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import safetensors.numpy
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tasks.config import Settings
from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.lake.views import question_texts
from tasks.routers.examples import in_order
from tasks.routers.prefixes import cut, shared_prefixes
from tasks.routers.settings import EncoderClusterSettings, WordClusterSettings
from tasks.routers.shrinkage import group_rewards
from tasks.routers.tfidf import fit_tfidf, load_tfidf

QUERIES_PER_CLUSTER = 10  # at least, on average
STARTS = 4  # of KMeans; the best by its own objective is kept
ITERATIONS = 1000  # at most; the paper's


class Clusters:
    """What the kinds share; a kind says how texts become vectors."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.models: tuple[str, ...] = ()
        self.centroids_ = np.zeros((1, 0), dtype=np.float32)  # (clusters, dimensions)
        self.rewards_ = np.zeros((1, 0))  # (clusters, models)

    def _learn(self, queries: pl.DataFrame) -> Any:
        """Prepare for the training queries. Returns their vectors, (queries, dimensions), or None if nothing tells them apart."""
        raise NotImplementedError

    def _vectors(self, queries: pl.DataFrame) -> Any:
        raise NotImplementedError

    def fit(self, train: Examples, validation: Examples) -> Self:
        """Cluster the training queries; `validation` is not used. Raises UserError without training queries."""
        if train.queries.is_empty():
            raise UserError("queries cannot be clustered: there are no training queries")
        assert isinstance(self.settings, WordClusterSettings | EncoderClusterSettings)
        train = in_order(train)
        self.models = train.models
        distinct = len(set(question_texts(train.queries)))
        count = min(self.settings.clusters, train.queries.height // QUERIES_PER_CLUSTER, distinct)
        vectors = self._learn(train.queries)
        if vectors is None or count < 2:
            self.centroids_ = np.zeros((1, 0), dtype=np.float32)
        else:
            seed = self.seed if self.settings.seed is None else self.settings.seed
            # How many cores there are must not decide the order of a sum. Where fewer vectors differ than there are to be
            # clusters, scikit-learn warns that some stay empty; nothing is then nearest to them alone.
            with threadpool_limits(1), warnings.catch_warnings(category=ConvergenceWarning, action="ignore"):
                means = KMeans(count, n_init=STARTS, max_iter=ITERATIONS, random_state=seed % 2**32).fit(vectors)
            self.centroids_ = means.cluster_centers_.astype(np.float32)
        self.rewards_ = group_rewards(train.labels, self._nearest(train.queries, vectors), len(self.centroids_))
        return self

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        return self.rewards_[self._nearest(queries)].astype(np.float32)

    def _nearest(self, queries: pl.DataFrame, vectors: Any = None) -> npt.NDArray[np.int64]:
        """The cluster of each query; the first of two that are as near. `vectors`: the queries', where they are known."""
        if len(self.centroids_) == 1 or queries.is_empty():
            return np.zeros(queries.height, dtype=np.int64)
        vectors = self._vectors(queries) if vectors is None else vectors
        centroids = self.centroids_.astype(np.float64)
        distances = np.square(centroids).sum(axis=1) - 2 * np.asarray(vectors @ centroids.T)
        nearest: npt.NDArray[np.int64] = np.argmin(distances, axis=1)
        return nearest

    def save(self) -> dict[str, bytes]:
        arrays = {"centroids": np.ascontiguousarray(self.centroids_), "rewards": np.ascontiguousarray(self.rewards_)}
        return {
            "router.json": json.dumps({"models": self.models}).encode(),
            "clusters.safetensors": safetensors.numpy.save(arrays),
        }

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        arrays = safetensors.numpy.load(files["clusters.safetensors"])
        router = cls(Settings(), 0)
        router.models = tuple(json.loads(files["router.json"])["models"])
        router.centroids_, router.rewards_ = arrays["centroids"], arrays["rewards"]
        return router


class WordClusters(Clusters):
    """Clusters of queries that use the same words."""

    def _learn(self, queries: pl.DataFrame) -> Any:
        assert isinstance(self.settings, WordClusterSettings)
        self.prefixes_ = shared_prefixes(question_texts(queries))
        self.tfidf_ = fit_tfidf(self._texts(queries), self.settings.min_df, self.settings.max_df)
        return None if self.tfidf_ is None else self._vectors(queries)

    def _vectors(self, queries: pl.DataFrame) -> Any:
        assert self.tfidf_ is not None  # otherwise there is one cluster, and nothing to compare
        return self.tfidf_.transform(self._texts(queries))

    def _texts(self, queries: pl.DataFrame) -> list[str]:
        return [cut(text, self.prefixes_) for text in question_texts(queries)]

    def save(self) -> dict[str, bytes]:
        files = super().save()
        files["prefixes.json"] = json.dumps(self.prefixes_).encode()
        if self.tfidf_ is not None:
            files["terms.json"] = json.dumps(self.tfidf_.get_feature_names_out().tolist()).encode()
            files["idf.safetensors"] = safetensors.numpy.save({"idf": self.tfidf_.idf_})
        return files

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        router = super().load(files)
        router.tfidf_ = None
        router.prefixes_ = json.loads(files["prefixes.json"])
        if "terms.json" in files:
            router.tfidf_ = load_tfidf(json.loads(files["terms.json"]), safetensors.numpy.load(files["idf.safetensors"])["idf"])
        return router
