"""Policies: from the confidences of a router to the one model that gets the query.

    policy = make_policy("sorted-prediction", seed=0).fit(confidences, labels, pool)     # of validation queries
    policy.choose(confidences, query_ids)                                                # int64 (queries,)

Example, models a, b and c: confidences (0.55, 0.50, 0.30). `argmax` takes a. `random` finds that none is above 0.60 and draws
one of the three, always the same one for the same query and seed. If on validation queries a was right 0.2 less often than
its confidence said, and b and c as often as theirs, `prediction` expects about (0.35, 0.50, 0.30) and takes b.
`sorted-prediction` asks the weakest model that is near the best: if c is the weakest, and giving away 0.2 did no harm on
validation queries, c's 0.30 is near enough.

The four are those of arXiv 2405.00467. The last two could not work in the authors' scripts (a number subtracted from all
confidences, an index of one order used in another), so their idea is built here, a target per model, learned from validation
queries only. What the scripts did has the suffix `-as-published`; it chooses -1, no model, where the script counted the query
as wrong without asking any.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from tasks.errors import UserError, nearest
from tasks.lake.interfaces import Pool

UNSURE = 0.60  # random: up to this confidence a model is drawn; the published script's
DRAWN_FROM = 3  # … from so many of the most confident ones; the published script's
POSITIVE = 0.5  # as published: a model at or below this is never asked
PENALTIES = (3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)  # of the ridge regression; validation chooses
MARGINS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)  # sorted-prediction: what a weaker model may be worse by
NO_MODEL = -1

Confidences = npt.NDArray[np.float32]  # (queries, models), 0 … 1
Labels = npt.NDArray[np.float32]  # (queries, models), rewards 0 … 1, NaN where a model is missing
Floats = npt.NDArray[np.float64]
Choices = npt.NDArray[np.int64]  # (queries,), columns of the confidences
State = dict[str, Any]  # what a policy has learned; JSON


class Policy:
    """A rule by name, with what it has learned."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.state: State = {"seed": seed}

    def fit(self, confidences: Confidences, labels: Labels, pool: Pool) -> Self:
        """Learn from validation queries (possibly none). Their order does not matter.

        Args:
            confidences, labels: float32 (queries, models), columns as in `pool`; labels are NaN where a model is missing.
        """
        if confidences.shape != labels.shape or confidences.shape[1] != len(pool.models):
            raise ValueError(f"confidences {confidences.shape}, labels {labels.shape} and {len(pool.models)} models do not fit")
        columns = pool.order
        confidences, labels = confidences[:, columns], labels[:, columns]
        rows = np.lexsort(np.hstack([labels, confidences]).T)  # so that not even a sum depends on the order
        state = {"seed": self.state["seed"], "order": columns.tolist()}
        self.state = state | _RULES[self.name].learn(confidences[rows], labels[rows])
        return self

    def choose(self, confidences: Confidences, query_ids: Sequence[str]) -> Choices:
        """The column chosen for each query, int64 (queries,); -1 where an as-published policy asks no model.

        Args:
            confidences: float32 (queries, models).
            query_ids: one per row; they seed what is drawn.
        """
        columns = np.array(self.state["order"])
        chosen = _RULES[self.name].choose(self.state, confidences[:, columns], query_ids)
        return np.where(chosen == NO_MODEL, NO_MODEL, columns[chosen])

    def save(self) -> State:
        """What was learned, as values that JSON can hold."""
        return dict(self.state)


def make_policy(name: str, seed: int) -> Policy:
    """The policy of this name, yet to be fitted. Raises UserError for an unknown name."""
    if name not in _RULES:
        raise UserError(f"unknown policy {name!r}{nearest(name, _RULES)}")
    return Policy(name, seed)


def load_policy(name: str, state: Mapping[str, Any]) -> Policy:
    """The fitted policy whose `save` gave `state`. Raises UserError for an unknown name."""
    policy = make_policy(name, state["seed"])
    policy.state = dict(state)
    return policy


# The rules below see the models in the pool's order, strongest first, and answer in it: so the names of the models cannot matter,
# not even to the last bit of a sum, and of equal values the first, which numpy's argmax takes, is the strongest model.


def _nothing(confidences: Confidences, labels: Labels) -> State:
    return {}


def _argmax(state: State, confidences: Confidences, query_ids: Sequence[str]) -> Choices:
    return _highest(confidences)


def _random(state: State, confidences: Confidences, query_ids: Sequence[str]) -> Choices:
    ranked = np.argsort(-confidences, axis=1, kind="stable")
    several = min(DRAWN_FROM, confidences.shape[1])
    unsure = confidences.max(axis=1) <= UNSURE
    places = [_draw(state["seed"], query_id, several) if doubt else 0 for query_id, doubt in zip(query_ids, unsure, strict=True)]
    return _at(ranked, np.array(places, dtype=np.int64))


def _draw(seed: int, query_id: str, several: int) -> int:
    """A number below `several`, by hash: the same wherever the query stands in the table and in every process."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{query_id}".encode()).digest()[:8], "big") % several


def _learn_prediction(confidences: Confidences, labels: Labels) -> State:
    """A linear regression for each model: from the confidences in all models to how far its own is off.

    It draws on the others because a router that trusts them too much on a query often trusts this one too much.
    """
    return {"centre": _centre(confidences).tolist(), "weights": _regress(confidences, labels).tolist()}


def _prediction(state: State, confidences: Confidences, query_ids: Sequence[str]) -> Choices:
    return _highest(_predict(state, confidences))


def _learn_sorted_prediction(confidences: Confidences, labels: Labels) -> State:
    """Besides the regressions the margin that earns most on validation queries; of several the largest.

    The regressions have seen these queries, so margin 0 looks a little better than it is: the error is on the safe side.
    """
    state: State = {"margin": 0.0} | _learn_prediction(confidences, labels)
    if len(labels):
        predicted = _predict(state, confidences)
        worth = np.where(np.isnan(labels), predicted, labels)
        earned = {margin: float(_at(worth, _weakest_within(predicted, margin)).sum()) for margin in MARGINS}
        state["margin"] = max(MARGINS, key=lambda margin: (earned[margin], margin))
    return state


def _sorted_prediction(state: State, confidences: Confidences, query_ids: Sequence[str]) -> Choices:
    return _weakest_within(_predict(state, confidences), state["margin"])


def _weakest_within(predicted: Floats, margin: float) -> Choices:
    """The first model, weakest first, that is within the margin of the best."""
    if not margin:
        return _highest(predicted)
    near = predicted >= predicted.max(axis=1, keepdims=True) - margin
    return np.asarray(predicted.shape[1] - 1 - _highest(near[:, ::-1]), dtype=np.int64)


def _regress(confidences: Confidences, labels: Labels) -> Floats:
    """Ridge regression, for each model, of how far its confidence is off, with the penalty that predicts left-out queries best.

    Less the query's mean over all models: that a query is harder than it looks for all alike does not matter for the choice.

    Returns:
        weights, float64 (1 + models, models): a column per model, intercept first, whose prediction is added to its confidence.
    """
    inputs = _inputs(confidences, _centre(confidences))
    errors = labels.astype(np.float64) - confidences
    known = ~np.isnan(errors)
    errors -= np.where(known, errors, 0).sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    best = np.zeros((inputs.shape[1], errors.shape[1]))  # the confidences as they are
    least = float(np.nansum(np.square(errors)))
    for penalty in PENALTIES:
        weights, losses = zip(
            *(_ridge(inputs[rows], column[rows], penalty) for column, rows in zip(errors.T, known.T, strict=True)), strict=True
        )
        if sum(losses) < least:
            best, least = np.stack(weights, axis=1), sum(losses)
    return best


def _ridge(inputs: Floats, targets: Floats, penalty: float) -> tuple[Floats, float]:
    """Weights, and the sum of squares of what each row's target differs from its prediction by the other rows."""
    solver = np.linalg.inv(inputs.T @ inputs + penalty * np.eye(inputs.shape[1])) @ inputs.T
    weights: Floats = solver @ targets
    leverage = np.einsum("qi,iq->q", inputs, solver)
    return weights, float(np.square((targets - inputs @ weights) / (1 - leverage)).sum())


def _predict(state: State, confidences: Confidences) -> Floats:
    corrections: Floats = _inputs(confidences, np.array(state["centre"])) @ np.array(state["weights"])
    return confidences + corrections


def _centre(confidences: Confidences) -> Floats:
    """Mean confidence in each model, which makes the intercept a model's mean error."""
    sums: Floats = confidences.sum(axis=0, dtype=np.float64)
    return sums / max(1, len(confidences))


def _inputs(confidences: Confidences, centre: Floats) -> Floats:
    return np.hstack([np.ones((len(confidences), 1)), confidences - centre])


def _argmax_as_published(state: State, confidences: Confidences, query_ids: Sequence[str]) -> Choices:
    """Wrong without asking where no model is above 0.5."""
    return _only_positive(_argmax(state, confidences, query_ids), confidences)


def _random_as_published(state: State, confidences: Confidences, query_ids: Sequence[str]) -> Choices:
    """Wrong without asking where the model that was drawn is not above 0.5."""
    return _only_positive(_random(state, confidences, query_ids), confidences)


def _only_positive(chosen: Choices, confidences: Confidences) -> Choices:
    return np.where(_at(confidences, chosen) > POSITIVE, chosen, NO_MODEL)


def _learn_sorted_as_published(confidences: Confidences, labels: Labels) -> State:
    """Models by how many queries they solve, fewest first. The script counted test queries; here it is validation queries."""
    solved = (labels > POSITIVE).sum(axis=0)
    weakest_first = range(labels.shape[1])[::-1]
    return {"ladder": sorted(weakest_first, key=lambda model: int(solved[model]))}


def _sorted_as_published(state: State, confidences: Confidences, query_ids: Sequence[str]) -> Choices:
    """The place of the most confident model in one order (by name), read as a place in another (fewest solved first)."""
    places = np.array(state["order"])[_highest(confidences)]
    return np.asarray(np.array(state["ladder"])[places], dtype=np.int64)


def _highest(values: npt.NDArray[Any]) -> Choices:
    """The column of the highest value in each row, the first of several."""
    return np.asarray(values.argmax(axis=1), dtype=np.int64)


def _at(table: npt.NDArray[Any], columns: Choices) -> npt.NDArray[Any]:
    """One value of each row."""
    return np.take_along_axis(table, columns[:, None], axis=1)[:, 0]


class _Rule(NamedTuple):
    meaning: str
    choose: Callable[[State, Confidences, Sequence[str]], Choices]
    learn: Callable[[Confidences, Labels], State] = _nothing


_RULES = {
    "argmax": _Rule("the most confident model", _argmax),
    "random": _Rule("the most confident model; if it is not above 0.60, one of the three most confident, drawn", _random),
    "prediction": _Rule("the model with the highest reward predicted from all confidences", _prediction, _learn_prediction),
    "sorted-prediction": _Rule(
        "the weakest model whose predicted reward is near the best one's", _sorted_prediction, _learn_sorted_prediction
    ),
    "argmax-as-published": _Rule("argmax, but wrong without asking if no model is above 0.5", _argmax_as_published),
    "random-as-published": _Rule("random, but wrong without asking if the model drawn is not above 0.5", _random_as_published),
    # The script fits a regression and subtracts its one number from all confidences of a query, which changes no order.
    "prediction-as-published": _Rule("argmax: the published regression cannot change it", _argmax),
    "sorted-prediction-as-published": _Rule(
        "argmax by name, read as a place in the order of strength", _sorted_as_published, _learn_sorted_as_published
    ),
}

POLICIES = {name: rule.meaning for name, rule in _RULES.items()}  # name → meaning, in one line
