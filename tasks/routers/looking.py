"""Looking: samples of one model, seen before the choice, move what is believed of all models from the text.

Samples that agree are right more often than those that do not (self-consistency, Wang et al., arXiv 2203.11171); one that rambles on or
ends without an answer is a sign of a question that is hard, perhaps for the other models too. That is evidence about the query that
its text does not hold (FrugalGPT, arXiv 2305.05176, looks at answers likewise). It is paid for: `routes` say what was spent on looking.

What the text tells is the business of `domains.py`. Per model a logistic regression says how much its log-odds move with what is seen
(the share of samples that can be read, their agreement, length, being cut off). It is learned from confidences on training queries left
out (5 folds), as those on queries that `domains` was trained on are too sure, and its penalty is chosen by the same folds. If it does not
surely say better what is right than the text alone, nothing is moved. Nor is it for a query that comes without samples.

Example: from the text a is believed right with 0.60, b with 0.70. The samples of a agree: the log-odds move by +1.2 and +0.1, the
confidences are sigmoid(0.41 + 1.2) = 0.83 and sigmoid(0.85 + 0.1) = 0.72, and a it is.
"""

import json
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl
import safetensors.numpy
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tasks.config import Router as Section
from tasks.config import Settings
from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.routers import Router, make_router
from tasks.routers.calibration import Calibrated
from tasks.routers.examples import in_order
from tasks.routers.leaving import Remaining
from tasks.routers.looks import FEATURES, Floats, features, looked_at
from tasks.routers.out_of_fold import FOLDS, Member, fold_of, out_of_fold
from tasks.routers.regression import log_odds, logistic, sigmoid
from tasks.routers.settings import LookingSettings

BASE = "domains"
PENALTIES = (1.0, 10.0, 100.0, 1000.0)  # of coefficients, features having a variance of 1


class Looking:
    """A router of domains, and what looking at samples adds to it."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.models: tuple[str, ...] = ()
        self.looks_at = settings.model if isinstance(settings, LookingSettings) else ""
        self.arrays_: dict[str, Floats] = {}

    def fit(self, train: Examples, validation: Examples) -> Self:
        """Learn from the training queries, those that come with samples among them. Raises UserError if there are none at all."""
        assert isinstance(self.settings, LookingSettings)
        if train.queries.is_empty():
            raise UserError("a router cannot learn: there are no training queries")
        train, self.models = in_order(train), train.models
        shared = {name: getattr(self.settings, name) for name in ("features", "max_length", "seed")}
        section = Section(name=BASE, **shared)
        self.base_ = Member(BASE, make_router(section, self.seed), section, self.seed)
        self.arrays_ = self._learn(train)
        self.base_.router.fit(train, validation)
        return self

    def _learn(self, train: Examples) -> dict[str, Floats]:
        """Means and scales of what is seen, and by how much it moves the log-odds of each model."""
        count, width = len(self.models), len(FEATURES)
        nothing = {"mean": np.zeros(width), "scale": np.zeros(width), "moves": np.zeros((width, count)), "always": np.zeros(count)}
        rows = np.flatnonzero(looked_at(train.queries, self.looks_at) > 0)
        columns = np.flatnonzero((~np.isnan(train.labels[rows])).sum(axis=0) >= 2 * FOLDS)
        if not len(columns):
            return nothing
        seen, labels = features(train.queries[rows], self.looks_at), train.labels[rows][:, columns].astype(np.float64)
        known = ~np.isnan(seen)
        mean = np.where(known, seen, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        spread = np.sqrt(np.where(known, np.square(seen - mean), 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
        nothing |= {"mean": mean, "scale": np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0)}
        believed = np.asarray(log_odds(out_of_fold(self.base_, train)[rows][:, columns]), dtype=np.float64)
        with threadpool_limits(1):  # how many cores there are must not decide the order of a sum
            found = _fit(_standard(seen, nothing), labels, believed, fold_of(train)[rows])
        if found is None:
            return nothing
        moves, always = nothing["moves"].copy(), nothing["always"].copy()
        moves[:, columns], always[columns] = found
        return nothing | {"moves": moves, "always": always}

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        confidences = self.base_.router.confidences(queries)
        rows = np.flatnonzero(looked_at(queries, self.looks_at) > 0)
        columns = np.flatnonzero((self.arrays_["moves"] != 0).any(axis=0))
        if len(rows) and len(columns):
            standard = _standard(features(queries[rows], self.looks_at), self.arrays_)
            # Products of few numbers one by one: of a query alone they are the same to the last bit as of many.
            moved = self.arrays_["always"] + (standard[:, :, None] * self.arrays_["moves"]).sum(axis=1)
            cells = np.ix_(rows, columns)
            confidences[cells] = sigmoid(log_odds(confidences[cells].astype(np.float64)) + moved[:, columns])
        return confidences

    def save(self) -> dict[str, bytes]:
        state = {"models": self.models, "looks_at": self.looks_at}
        arrays = safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in self.arrays_.items()})
        return self.base_.save(BASE) | {"router.json": json.dumps(state).encode(), "arrays.safetensors": arrays}

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        state = json.loads(files["router.json"])
        router = cls(Settings(), 0)
        router.models, router.looks_at = tuple(state["models"]), state["looks_at"]
        router.arrays_ = safetensors.numpy.load(files["arrays.safetensors"])
        router.base_ = Member.load(BASE, files, BASE)
        return router


def model_looked_at(router: Router) -> str | None:
    """The model at whose samples a trained router looks; None of one that never looks."""
    while isinstance(router, Calibrated | Remaining):
        router = router.router
    return router.looks_at if isinstance(router, Looking) else None


def _standard(seen: Floats, arrays: dict[str, Floats]) -> Floats:
    """With mean 0 and variance 1; what is not known counts as the mean."""
    return np.nan_to_num((seen - arrays["mean"]) * arrays["scale"])


def _fit(seen: Floats, labels: Floats, believed: Floats, folds: npt.NDArray[np.int64]) -> tuple[Floats, Floats] | None:
    """Coefficients, (features, models), and intercepts, (models,), by the best penalty on queries left out; None if nothing is better.

    "Better" is surely so: the decrease of the loss is more than a standard error, as Breiman's rule for trees has it.
    """
    without = _loss(labels, believed)
    losses = []
    for penalty in PENALTIES:
        moved = believed.copy()
        for fold in range(FOLDS):
            inside, outside = folds == fold, folds != fold
            if inside.any() and (~np.isnan(labels[outside])).any(axis=0).all():
                coefficients, intercepts = _regression(seen[outside], labels[outside], believed[outside], penalty)
                moved[inside] += seen[inside] @ coefficients + intercepts
        losses.append(_loss(labels, moved))
    best = int(np.argmin([loss.mean() for loss in losses]))
    gains = without - losses[best]
    if gains.mean() <= gains.std() / np.sqrt(len(gains)):
        return None
    return _regression(seen, labels, believed, PENALTIES[best])


def _regression(seen: Floats, labels: Floats, believed: Floats, penalty: float) -> tuple[Floats, Floats]:
    coefficients, intercepts = logistic(seen, labels, np.ones(len(seen)), penalty, penalty, believed)
    return coefficients.astype(np.float64), intercepts.astype(np.float64)


def _loss(labels: Floats, believed: Floats) -> Floats:
    """Mean cross-entropy of each query's known rewards, (queries,)."""
    known = ~np.isnan(labels)
    losses = np.where(known, np.logaddexp(0, believed) - np.nan_to_num(labels) * believed, 0)
    mean: Floats = losses.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return mean
