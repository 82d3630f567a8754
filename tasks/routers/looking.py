"""Looking: samples of one model, seen before the choice, move what is believed of all models from the text.

Samples that agree are right more often than those that do not (self-consistency, Wang et al., arXiv 2203.11171); one that rambles on or
ends without an answer is a sign of a question that is hard, perhaps for the other models too. That is evidence about the query that
its text does not hold (FrugalGPT, arXiv 2305.05176, looks at answers likewise). It is paid for: `routes` say what was spent on looking.

What the text tells is the business of `domains.py`. Per model a logistic regression says how much its log-odds move with what is seen
(the share of samples that can be read, their agreement, length, being cut off), and with the products of these and the log-odds: an
answer of 30 tokens is long for one kind of question and short for another. It is learned from confidences on training queries left out
(5 folds), as those on queries that `domains` was trained on are too sure, and its penalty is chosen by the same folds. If it does not
surely say better what is right than the text alone, nothing is moved. Nor is it for a query that comes without samples. What the
answers say is not read, only whether they agree.

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
from tasks.routers.looks import Floats, features, looked_at
from tasks.routers.out_of_fold import FOLDS, Member, fold_of, out_of_fold
from tasks.routers.regression import log_odds, logistic, sigmoid
from tasks.routers.settings import LookingSettings

BASE = "domains"
PENALTIES = (10.0, 100.0, 1000.0)  # of coefficients, features having a variance of 1


class Looking:
    """A router of domains, and what looking at samples adds to it."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.models: tuple[str, ...] = ()
        self.looks_at = settings.model if isinstance(settings, LookingSettings) else ""
        self.columns_: list[int] = []  # models of which something is learned
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
        """How what is seen moves the log-odds of the models in `columns_`; nothing if it surely tells nothing."""
        rows = np.flatnonzero(looked_at(train.queries, self.looks_at) > 0)
        self.columns_ = np.flatnonzero((~np.isnan(train.labels[rows])).sum(axis=0) >= 2 * FOLDS).tolist()
        if not self.columns_:
            return {}
        labels = train.labels[rows][:, self.columns_].astype(np.float64)
        believed = np.asarray(log_odds(out_of_fold(self.base_, train)[rows][:, self.columns_].astype(np.float64)), dtype=np.float64)
        seen = features(train.queries[rows], self.looks_at)
        scales = _scales("seen", seen) | _scales("believed", believed)
        with threadpool_limits(1):  # how many cores there are must not decide the order of a sum
            learned = _fit(_terms(seen, believed, scales), labels, believed, fold_of(train)[rows])
        return {} if learned is None else scales | learned

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        confidences = self.base_.router.confidences(queries)
        rows = np.flatnonzero(looked_at(queries, self.looks_at) > 0)
        if len(rows) and self.arrays_:
            cells = np.ix_(rows, np.array(self.columns_))
            believed = np.asarray(log_odds(confidences[cells].astype(np.float64)), dtype=np.float64)
            moved = believed + self.arrays_["always"]
            terms = _terms(features(queries[rows], self.looks_at), believed, self.arrays_)
            # One after the other: of a query alone the sum is the same to the last bit as of many.
            for term, moves in zip(terms.T, self.arrays_["moves"], strict=True):
                moved += term[:, None] * moves
            confidences[cells] = sigmoid(moved)
        return confidences

    def save(self) -> dict[str, bytes]:
        state = {"models": self.models, "looks_at": self.looks_at, "columns": self.columns_}
        arrays = safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in self.arrays_.items()})
        return self.base_.save(BASE) | {"router.json": json.dumps(state).encode(), "arrays.safetensors": arrays}

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        state = json.loads(files["router.json"])
        router = cls(Settings(), 0)
        router.models, router.looks_at = tuple(state["models"]), state["looks_at"]
        router.columns_ = state["columns"]
        router.arrays_ = safetensors.numpy.load(files["arrays.safetensors"])
        router.base_ = Member.load(BASE, files, BASE)
        return router


def model_looked_at(router: Router) -> str | None:
    """The model at whose samples a trained router looks; None of one that never looks."""
    while isinstance(router, Calibrated | Remaining):
        router = router.router
    return router.looks_at if isinstance(router, Looking) else None


def _scales(name: str, values: Floats) -> dict[str, Floats]:
    """Mean and 1 / standard deviation of each column, where they are known; 0 for a column that is always the same."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, np.square(values - mean), 0).sum(axis=0) / count)
    return {f"{name}_mean": mean, f"{name}_scale": np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0)}


def _terms(seen: Floats, believed: Floats, scales: dict[str, Floats]) -> Floats:
    """What is seen, and its products with what is believed of each model, (queries, features x (1 + models)); 0 where it is not known."""
    seen = np.nan_to_num((seen - scales["seen_mean"]) * scales["seen_scale"])
    believed = (believed - scales["believed_mean"]) * scales["believed_scale"]
    return np.hstack([seen, (seen[:, :, None] * believed[:, None, :]).reshape(len(seen), -1)])


def _fit(terms: Floats, labels: Floats, believed: Floats, folds: npt.NDArray[np.int64]) -> dict[str, Floats] | None:
    """Coefficients `moves`, (terms, models), and intercepts `always`, (models,), by the penalty that is best on queries left out.

    None if none is surely better than nothing: if the loss decreases by no more than a standard error (the rule of Breiman et al., CART).
    """
    losses = []
    for penalty in PENALTIES:
        moved = believed.copy()
        for fold in range(FOLDS):
            inside, outside = folds == fold, folds != fold
            if inside.any() and (~np.isnan(labels[outside])).any(axis=0).all():
                learned = _regression(terms[outside], labels[outside], believed[outside], penalty)
                moved[inside] += terms[inside] @ learned["moves"] + learned["always"]
        losses.append(_loss(labels, moved))
    best = int(np.argmin([loss.mean() for loss in losses]))
    gains = _loss(labels, believed) - losses[best]
    if gains.mean() <= gains.std() / np.sqrt(len(gains)):
        return None
    return _regression(terms, labels, believed, PENALTIES[best])


def _regression(terms: Floats, labels: Floats, believed: Floats, penalty: float) -> dict[str, Floats]:
    moves, always = logistic(terms, labels, np.ones(len(terms)), penalty, penalty, believed)
    return {"moves": moves.astype(np.float64), "always": always.astype(np.float64)}


def _loss(labels: Floats, believed: Floats) -> Floats:
    """Mean cross-entropy of each query's known rewards, (queries,)."""
    known = ~np.isnan(labels)
    losses = np.where(known, np.logaddexp(0, believed) - np.nan_to_num(labels) * believed, 0)
    mean: Floats = losses.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return mean
