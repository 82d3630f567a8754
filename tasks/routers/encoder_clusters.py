"""Clusters as in `clusters.py`, of queries that an encoder finds alike (`encoders.py`). The encoder is not trained.

Example: if the vectors of two training queries are (0.6, 0.8) and (0.8, 0.6), a cluster of the two has the centre (0.7, 0.7).
"""

from typing import Any, Self

import numpy as np
import polars as pl

from tasks.routers.clusters import Clusters
from tasks.routers.features import Features
from tasks.routers.settings import EncoderClusterSettings


class EncoderClusters(Clusters):
    """Clusters of queries that an encoder finds alike."""

    def _learn(self, queries: pl.DataFrame) -> Any:
        assert isinstance(self.settings, EncoderClusterSettings)
        self.features_ = Features([self.settings.encoder], self.settings.max_length, self.seed)
        return self.features_.fit(queries).astype(np.float64)

    def _vectors(self, queries: pl.DataFrame) -> Any:
        return self.features_.vectors(queries).astype(np.float64)

    def save(self) -> dict[str, bytes]:
        return super().save() | self.features_.save()

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        router = super().load(files)
        router.features_ = Features.load(files)
        return router
