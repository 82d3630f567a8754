"""Auto: the router that is worth its trouble, or else the best single model.

Routers are tried from the simplest to the most complicated, by cross-validation inside the training split: each is asked about
training queries that it was not trained on, and earns what the model earns that it is surest of. It starts with the best single
model. A router takes the place of the one before only if it earns more on the same queries by more than luck explains: the difference
has to be above zero by as many standard errors as leave 5 % for luck in all comparisons together (Bonferroni). Or if it earns as
much, give or take a standard error, and its confidences are nearer to the rewards by more than luck explains: where one model is the
best at everything, that is what policies need that weigh cost. So with labels that are noise it stays with the best single model, and
among routers that are equally good with the simplest.

How much the chosen router gains is judged by choices that were made without the queries it is judged on (nested cross-validation; Varma
and Simon 2006): for each fold a router is chosen by the other folds, and earns on this one.

Example: on 5,000 queries left out the best single model earns 0.540, `domains` 0.604, `linear` 0.605. The difference of 0.064 has a
standard error of 0.005, and six comparisons ask for 2.4 of them: `domains` it is. `linear` is 0.001 better, with an error of 0.003.
"""

import json
from collections.abc import Sequence
from statistics import NormalDist
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.config import Router as Section
from tasks.config import Settings
from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.routers import make_router
from tasks.routers.examples import in_order
from tasks.routers.out_of_fold import FOLDS, Member, fold_of, members, out_of_fold
from tasks.routers.settings import AutoSettings

LUCK = 0.05  # one-sided, for all comparisons together
FEWEST = 50  # queries on which two routers earn differently; with fewer a standard error says little
SIMPLEST = "best-single"

Floats = npt.NDArray[np.float64]


class Auto:
    """The router that cross-validation chose, trained on all training queries."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.models: tuple[str, ...] = ()
        self.chosen_: Member | None = None
        self.notes: list[str] = []  # what was chosen, and how sure that is; for the report

    def fit(self, train: Examples, validation: Examples) -> Self:
        """Choose by cross-validation on training queries, then train. Raises UserError without training queries."""
        assert isinstance(self.settings, AutoSettings)
        if train.queries.is_empty():
            raise UserError("no router can be chosen: there are no training queries")
        train, self.models = in_order(train), train.models
        simplest = Section(name=SIMPLEST)
        candidates = [Member(SIMPLEST, make_router(simplest, self.seed), simplest, self.seed), *members(self.settings, self.seed)]
        confidences = [out_of_fold(member, train) for member in candidates]
        earned = np.column_stack([_earned(one, train.labels) for one in confidences])
        errors = np.column_stack([_squared_errors(one, train.labels) for one in confidences])
        chosen = choose(earned, errors)
        folds = fold_of(train)
        nested = np.full(len(earned), np.nan)
        for fold in range(FOLDS):
            inside = folds == fold
            nested[inside] = earned[inside, choose(earned[~inside], errors[~inside])]
        self.chosen_ = candidates[chosen]
        self.chosen_.router.fit(train, validation)
        self.notes = [_note(candidates[chosen].kind, [member.kind for member in candidates], nested - earned[:, 0])]
        return self

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        assert self.chosen_ is not None
        return self.chosen_.router.confidences(queries)

    def save(self) -> dict[str, bytes]:
        assert self.chosen_ is not None
        state = {"models": self.models, "kind": self.chosen_.kind, "notes": self.notes}
        return {"router.json": json.dumps(state).encode(), **self.chosen_.save("chosen")}

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        state = json.loads(files["router.json"])
        router = cls(Settings(), 0)
        router.models, router.notes = tuple(state["models"]), state["notes"]
        router.chosen_ = Member.load(state["kind"], files, "chosen")
        return router


def choose(earned: Floats, errors: Floats) -> int:
    """The column of the router to take: from the left, each that earned more, or was as good and nearer the truth, than the one before.

    Args:
        earned: float64 (queries, routers), what each earned on queries left out, simplest first; NaN where that is not known.
        errors: float64 (queries, routers), mean squared error of its confidences on them; NaN where that is not known.
    """
    comparisons = 2 * max(earned.shape[1] - 1, 1)
    needed = NormalDist().inv_cdf(1 - LUCK / comparisons)
    taken = ahead = 0  # `ahead`: the last one that was taken because it earned more, so that small losses cannot add up
    for column in range(1, earned.shape[1]):
        if _is_gain(earned[:, column] - earned[:, taken], needed):
            taken = ahead = column
            continue
        lost, error = _mean(earned[:, ahead] - earned[:, column])
        if lost <= error and _is_gain(errors[:, taken] - errors[:, column], needed):
            taken = column
    return taken


def _is_gain(differences: Floats, needed: float) -> bool:
    """Whether the mean is above zero by more than `needed` standard errors, of which few queries that differ say too little."""
    mean, error = _mean(differences)
    return bool(np.count_nonzero(np.nan_to_num(differences)) >= FEWEST and mean > needed * error)


def _mean(differences: Floats) -> tuple[float, float]:
    """Mean and standard error of what is known; (0, 0) of less than two values."""
    known = differences[~np.isnan(differences)]
    if len(known) < 2:
        return 0.0, 0.0
    return float(known.mean()), float(known.std(ddof=1) / np.sqrt(len(known)))


def _earned(confidences: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]) -> Floats:
    """What the surest model earned on each query, NaN where it is missing; of models that are as sure, their mean."""
    surest = confidences == confidences.max(axis=1, keepdims=True)
    known = surest & ~np.isnan(labels)
    with np.errstate(invalid="ignore"):
        earned: Floats = np.where(known, labels, 0).sum(axis=1, dtype=np.float64) / known.sum(axis=1)
    return earned


def _squared_errors(confidences: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]) -> Floats:
    """Mean squared error over the models that are known, (queries,), NaN where none is."""
    known = ~np.isnan(labels)
    with np.errstate(invalid="ignore"):
        errors: Floats = np.where(known, np.square(confidences - labels), 0).sum(axis=1, dtype=np.float64) / known.sum(axis=1)
    return errors


def _note(chosen: str, candidates: Sequence[str], gains: Floats) -> str:
    """One sentence for people: what was chosen among what, and what choosing so gains."""
    among = ", ".join(candidates)
    gain, error = _mean(gains)
    if chosen == SIMPLEST:
        return f"auto chose {chosen} among {among}: no other router was better on training queries left out by more than luck explains"
    if np.count_nonzero(np.nan_to_num(gains)) < FEWEST:
        return (
            f"auto chose {chosen} among {among}: it chooses as the best single model does, but its confidences are nearer to what is right"
        )
    low, high = gain - 1.96 * error, gain + 1.96 * error
    certainty = NormalDist().cdf(gain / error) if error else 1.0
    return (
        f"auto chose {chosen} among {among}: choosing so earns {100 * gain:.1f} points more than the best single model on training "
        f"queries left out (95 % interval {100 * low:.1f} to {100 * high:.1f}; certainty {min(certainty, 0.9999):.2%})"
    )
