"""Texts as dense vectors, one block after the other: TF-IDF of words and of characters, and any encoders.

    features = Features(["words", "all-MiniLM-L6-v2"], max_length=128, seed=0)
    vectors = features.fit(train.queries)      # float32 (queries, 200 + 384)
    features.vectors(queries)

Each block has the same length, so that none outweighs the others: with two blocks the cosine of two queries is the mean of the two
cosines. Example: blocks (0.6, 0.8) and (1, 0) of a query and the same of another one, but for a second block of (0, 1): (1 + 0) / 2 = 0.5.

Few-shot prefixes that many training queries share are cut first (`prefixes.py`). An encoder's vectors are taken from the queries where
these come with them (`embeddings.py`).
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import safetensors.numpy

from tasks.errors import UserError
from tasks.lake.views import question_texts
from tasks.routers.embeddings import column_vectors
from tasks.routers.prefixes import cut, shared_prefixes
from tasks.routers.terms import KINDS, Terms, fit_terms

if TYPE_CHECKING:  # torch is not needed for words
    from tasks.routers.embedders import Embedder

Vectors = npt.NDArray[np.float32]


class Features:
    """What turns queries into vectors, fitted on training queries."""

    def __init__(self, names: Sequence[str], max_length: int, seed: int) -> None:
        """`names`: "words", "characters" (TF-IDF, reduced by SVD), or encoders by name or folder. `max_length`: tokens an encoder reads."""
        self.names = tuple(names)
        self.max_length = max_length
        self.seed = seed
        self.prefixes_: list[str] = []
        self.terms_: dict[str, Terms] = {}
        self._encoders: dict[str, Embedder] = {}  # those that were needed so far

    def fit(self, queries: pl.DataFrame) -> Vectors:
        """Learn from training queries, in any order, and return their vectors, float32 (queries, width), each row of length 1.

        Raises UserError without queries, or if an encoder cannot be loaded.
        """
        if queries.is_empty():
            raise UserError("texts cannot be told apart: there are no training queries")
        texts = question_texts(queries)
        self.prefixes_ = shared_prefixes(texts)
        in_order = [cut(text, self.prefixes_) for text in question_texts(queries.sort("query_id"))]
        self.terms_ = {name: fit_terms(name, in_order, self.seed) for name in self.names if name in KINDS}
        return self.vectors(queries)

    def vectors(self, queries: pl.DataFrame) -> Vectors:
        """The vectors of any queries, float32 (queries, width), each row of length 1 but for blocks in which nothing of it is known: 0."""
        texts = [cut(text, self.prefixes_) for text in question_texts(queries)]
        blocks = [self._block(name, queries, texts) for name in self.names]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1) / np.float32(np.sqrt(len(blocks)))

    def save(self) -> dict[str, bytes]:
        """As files, JSON and safetensors, whose names start with "features/"; those of an encoder with "encoder/<fingerprint>/"."""
        files: dict[str, bytes] = {}
        encoders = {}
        for name in self.names:
            if name in KINDS:
                terms = self.terms_[name]
                files[f"features/{name}.json"] = json.dumps(terms.names, ensure_ascii=False).encode()
                files[f"features/{name}.safetensors"] = safetensors.numpy.save({"idf": terms.idf, "components": terms.components})
            else:
                from tasks.routers.embedders import save_embedder

                encoders[name], weights = save_embedder(self._encoder(name))
                files |= weights
        state = {"names": self.names, "max_length": self.max_length, "prefixes": self.prefixes_, "encoders": encoders}
        return {"features/features.json": json.dumps(state, ensure_ascii=False).encode(), **files}

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        """What `save` saved, among other files of a router. Raises UserError if a package that an encoder is in is not installed."""
        state: dict[str, Any] = json.loads(files["features/features.json"])
        features = cls(state["names"], state["max_length"], 0)
        features.prefixes_ = state["prefixes"]
        for name in features.names:
            if name in KINDS:
                arrays = safetensors.numpy.load(files[f"features/{name}.safetensors"])
                names = json.loads(files[f"features/{name}.json"])
                features.terms_[name] = Terms(name, names, arrays["idf"], arrays["components"])
            else:
                from tasks.routers.embedders import load_embedder_again

                features._encoders[name] = load_embedder_again(state["encoders"][name], files)
        return features

    def _block(self, name: str, queries: pl.DataFrame, texts: Sequence[str]) -> Vectors:
        if name in KINDS:
            return self.terms_[name].vectors(texts)
        known = column_vectors(queries, name, self.max_length)
        return self._encoder(name).embed(texts) if known is None else known

    def _encoder(self, name: str) -> "Embedder":
        if name not in self._encoders:
            from tasks.routers.embedders import load_embedder

            self._encoders[name] = load_embedder(name, self.max_length)
        return self._encoders[name]
