"""Stacking: the mean of several routers' confidences, weighed by how well they say what is right of queries they were not trained on.

Greedy selection with replacement (Caruana et al., Ensemble selection from libraries of models, 2004): begin with the router whose
confidences on training queries left out (5 folds) are nearest to the rewards, then add whichever router, again and again, makes the
mean of those chosen nearest. How often a router is chosen is its weight; after 20 rounds, the best number of rounds is kept.

Example: left out, `domains` has a mean squared error of 0.216, `linear` of 0.214, `knn` of 0.217. The first is `linear`; with `knn`
beside it the error is 0.2135, with `domains` 0.2138: `knn` is added. In the third round `linear` again, 0.2134; nothing makes it smaller
afterwards. The weights are 2/3 and 1/3.
"""

import json
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.config import Settings
from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.routers.examples import in_order
from tasks.routers.out_of_fold import Member, members, out_of_fold
from tasks.routers.settings import StackingSettings

ROUNDS = 20
BETTER = 1e-6  # of the mean squared error; less is no reason to add a router

Floats = npt.NDArray[np.float64]


class Stacking:
    """A weighted mean of routers."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.models: tuple[str, ...] = ()
        self.members_: list[Member] = []
        self.weights_: list[float] = []

    def fit(self, train: Examples, validation: Examples) -> Self:
        """Find the weights by cross-validation on training queries, then train the routers on all of them.

        Raises UserError without training queries.
        """
        assert isinstance(self.settings, StackingSettings)
        if train.queries.is_empty():
            raise UserError("routers cannot be weighed: there are no training queries")
        train, self.models = in_order(train), train.models
        found = members(self.settings, self.seed)
        weights = greedy_weights([out_of_fold(member, train) for member in found], train.labels)
        self.members_ = [member for member, weight in zip(found, weights, strict=True) if weight]
        self.weights_ = [weight for weight in weights if weight]
        for member in self.members_:
            member.router.fit(train, validation)
        return self

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        together = np.zeros((queries.height, len(self.models)), dtype=np.float32)
        for member, weight in zip(self.members_, self.weights_, strict=True):
            together += np.float32(weight) * member.router.confidences(queries)
        return np.minimum(together, np.float32(1))

    def save(self) -> dict[str, bytes]:
        state = {
            "models": self.models,
            "members": [[member.kind, weight] for member, weight in zip(self.members_, self.weights_, strict=True)],
        }
        files = {"router.json": json.dumps(state).encode()}
        for number, member in enumerate(self.members_):
            files |= member.save(str(number))
        return files

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        state = json.loads(files["router.json"])
        router = cls(Settings(), 0)
        router.models = tuple(state["models"])
        for number, (kind, weight) in enumerate(state["members"]):
            router.members_.append(Member.load(kind, files, str(number)))
            router.weights_.append(weight)
        return router


def greedy_weights(confidences: Sequence[npt.NDArray[np.floating]], labels: npt.NDArray[np.floating]) -> list[float]:
    """The weight of each router, adding up to 1.

    Args:
        confidences: of each router on queries it was not trained on, float (queries, models).
        labels: float (queries, models), 0 … 1, NaN for holes.
    """
    known = ~np.isnan(labels)
    if not known.any():
        return [1.0] + [0.0] * (len(confidences) - 1)
    guesses = np.stack([one[known].astype(np.float64) for one in confidences])
    rewards = labels[known].astype(np.float64)
    counts, best, least = np.zeros(len(guesses)), np.zeros(len(guesses)), np.inf
    total = np.zeros_like(rewards)
    for size in range(1, ROUNDS + 1):
        errors = np.square((total + guesses) / size - rewards).mean(axis=1)
        added = int(errors.argmin())
        counts[added] += 1
        total += guesses[added]
        if errors[added] < least - BETTER:
            least, best = float(errors[added]), counts.copy()
    return [float(weight) for weight in best / best.sum()]
