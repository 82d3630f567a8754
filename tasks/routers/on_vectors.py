"""Routers that see of a query nothing but its vector (`features.py`): what they share.

A kind says how rewards follow from vectors, in two methods:

    _learn(train, validation) -> arrays       # {"coefficients": float32 (width, models), …}: all that it keeps
    _rewards(vectors) -> (queries, models)    # from `self.arrays_`

Example: of models a, b, c the model c has no reward in training. A kind sees columns a and b only, and says (0.7, 1.2); the
confidences are (0.7, 1, 0): nothing speaks for c.
"""

import json
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl
import safetensors.numpy
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tasks.config import Settings
from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.routers.examples import in_order
from tasks.routers.features import Features
from tasks.routers.settings import VectorSettings

Floats = npt.NDArray[np.floating]
Arrays = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Labelled:
    """Queries as vectors, with what each model's answer to them is worth.

    `queries`: rows of the table. `vectors`: float32 (queries, width). `labels`: float64 (queries, models), 0 … 1, NaN for holes, with a
    reward in each row and, in training, in each column. `benchmarks`: int (queries,), number of the query's benchmark, by name, 0 … .
    """

    queries: pl.DataFrame
    vectors: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float64]
    benchmarks: npt.NDArray[np.int64]


class OnVectors:
    """A router from vectors to rewards."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.models: tuple[str, ...] = ()
        self.seen_ = np.zeros(0, dtype=bool)  # models with a reward in training
        self.arrays_: Arrays = {}

    def _learn(self, train: Labelled, validation: Examples) -> Arrays:
        """Learn rewards; `self._labelled(validation)` gives the vectors of the validation queries, where a kind needs them."""
        raise NotImplementedError

    def _rewards(self, vectors: npt.NDArray[np.float32]) -> Floats:
        raise NotImplementedError

    def fit(self, train: Examples, validation: Examples) -> Self:
        """Learn from the training queries. Raises UserError if there are none."""
        if train.queries.is_empty():
            raise UserError("a router cannot learn: there are no training queries")
        assert isinstance(self.settings, VectorSettings)
        train = in_order(train)
        self.models = train.models
        self.seed = self.seed if self.settings.seed is None else self.settings.seed
        self.seen_ = np.asarray(~np.isnan(train.labels).all(axis=0))
        self.features_ = Features(self.settings.features, self.settings.max_length, self.seed)
        vectors = self.features_.fit(train.queries)
        if self.seen_.any():
            # How many cores there are must not decide the order of a sum.
            with threadpool_limits(1):
                self.arrays_ = self._learn(self._with_labels(vectors, train), validation)
        return self

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        confidences = np.zeros((queries.height, len(self.models)), dtype=np.float32)
        if queries.height and self.seen_.any():
            confidences[:, self.seen_] = np.clip(self._rewards(self.features_.vectors(queries)), 0, 1)
        return confidences

    def _labelled(self, examples: Examples) -> Labelled | None:
        """Other examples than those in training, as vectors; None if they have no reward."""
        examples = in_order(examples)
        if np.isnan(examples.labels[:, self.seen_]).all():
            return None
        return self._with_labels(self.features_.vectors(examples.queries), examples)

    def _with_labels(self, vectors: npt.NDArray[np.float32], examples: Examples) -> Labelled:
        labels = examples.labels[:, self.seen_].astype(np.float64)
        rows = np.asarray(~np.isnan(labels).all(axis=1))
        benchmarks = np.unique(examples.queries["benchmark"].to_numpy(), return_inverse=True)[1]
        return Labelled(examples.queries.filter(pl.Series(rows)), vectors[rows], labels[rows], benchmarks[rows])

    def save(self) -> dict[str, bytes]:
        state = {"models": self.models, "seen": self.seen_.tolist()}
        arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in self.arrays_.items()}
        return self.features_.save() | {
            "router.json": json.dumps(state).encode(),
            "arrays.safetensors": safetensors.numpy.save(arrays),
        }

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        state = json.loads(files["router.json"])
        router = cls(Settings(), 0)
        router.models, router.seen_ = tuple(state["models"]), np.array(state["seen"], dtype=bool)
        router.arrays_ = safetensors.numpy.load(files["arrays.safetensors"])
        router.features_ = Features.load(files)
        return router
