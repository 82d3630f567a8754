"""Clusters as in `clusters.py`, of queries that an encoder finds alike: the mean of its last hidden states, scaled to length 1.

Example: two tokens with the states (3, 0) and (3, 8) have the mean (3, 4), and the text's vector is (0.6, 0.8). The encoder is not
trained; it is saved with the router, which therefore needs neither the hub nor the encoder's folder later.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from tasks.routers import encoders
from tasks.routers.clusters import Clusters
from tasks.routers.settings import EncoderClusterSettings


class EncoderClusters(Clusters):
    """Clusters of queries that an encoder finds alike."""

    def _learn(self, texts: Sequence[str]) -> Any:
        assert isinstance(self.settings, EncoderClusterSettings)
        self.encoder_ = encoders.load_pretrained(self.settings.encoder, self.settings.max_length)
        return self._vectors(texts)

    def _vectors(self, texts: Sequence[str]) -> Any:
        return encoders.run(self.encoder_, texts, encoders.last_state_mean).astype(np.float64)

    def save(self) -> dict[str, bytes]:
        return super().save() | encoders.save_encoder(self.encoder_)

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        router = super().load(files)
        router.encoder_ = encoders.load_encoder(files, head=False)
        return router
