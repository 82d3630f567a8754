"""Texts as dense vectors, one block after the other: TF-IDF of words and of characters, and any encoders.

    features = Features(["words", "all-MiniLM-L6-v2"], max_length=128, seed=0)
    vectors = features.fit(train.queries)      # float32 (queries, 200 + 384)
    features.vectors(queries)

Each block has length 1, so that none outweighs the others: with two blocks the cosine of two queries is the mean of the two cosines.
Example: blocks (0.6, 0.8) and (1, 0) of a query and the same of another one, but for a second block of (0, 1): (1 + 0) / 2 = 0.5.

An encoder's vectors are taken from the column `embedding <name>` of the queries where the lake has them already.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

Vectors = npt.NDArray[np.float32]


class Features:
    """What turns queries into vectors, fitted on training queries."""

    def __init__(self, names: Sequence[str], max_length: int, seed: int) -> None:
        """`names`: "words", "characters" (TF-IDF, reduced by SVD), or encoders by name or folder. `max_length`: tokens an encoder reads."""
        raise NotImplementedError

    def fit(self, queries: pl.DataFrame) -> Vectors:
        """Learn from training queries and return their vectors, float32 (queries, width), each row of length 1."""
        raise NotImplementedError

    def vectors(self, queries: pl.DataFrame) -> Vectors:
        """The vectors of any queries, float32 (queries, width), each row of length 1 or, where nothing of it is known, 0."""
        raise NotImplementedError

    def save(self) -> dict[str, bytes]:
        """As files, JSON and safetensors, whose names start with "features/"; those of an encoder with "encoder/<fingerprint>/"."""
        raise NotImplementedError

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        """What `save` saved, among other files of a router."""
        raise NotImplementedError
