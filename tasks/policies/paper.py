"""The four policies of arXiv 2405.00467, and what its scripts did.

Example, models a, b and c: confidences (0.55, 0.50, 0.30). `argmax` takes a. `random` finds that none is above 0.60 and draws
one of the three, always the same one for the same query and seed. If on validation queries a was right 0.2 less often than
its confidence said, and b and c as often as theirs, `prediction` expects about (0.35, 0.50, 0.30) and takes b.
`sorted-prediction` asks the weakest model that is near the best: if c is the weakest, and giving away 0.2 did no harm on
validation queries, c's 0.30 is near enough.

The last two could not work in the authors' scripts (a number subtracted from all confidences, an index of one order used in
another), so their idea is built here, a target per model, learned from validation queries only. What the scripts did has the
suffix `-as-published`; it chooses -1, no model, where the script counted the query as wrong without asking any.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from tasks.config import Cost
from tasks.lake.interfaces import Offers
from tasks.policies.choosing import NO_MODEL, Choices, Confidences, Floats, Labels, Rule, State, at, highest

UNSURE = 0.60  # random: up to this confidence a model is drawn; the published script's
DRAWN_FROM = 3  # … from so many of the most confident ones; the published script's
POSITIVE = 0.5  # as published: a model at or below this is never asked
PENALTIES = (3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)  # of the ridge regression; validation chooses
MARGINS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)  # sorted-prediction: what a weaker model may be worse by


def _argmax(state: State, offers: Offers, query_ids: Sequence[str]) -> Choices:
    return highest(offers.confidences)


def _random(state: State, offers: Offers, query_ids: Sequence[str]) -> Choices:
    ranked = np.argsort(-offers.confidences, axis=1, kind="stable")
    several = min(DRAWN_FROM, ranked.shape[1])
    unsure = offers.confidences.max(axis=1) <= UNSURE
    places = [_draw(state["seed"], query_id, several) if doubt else 0 for query_id, doubt in zip(query_ids, unsure, strict=True)]
    return at(ranked, np.array(places, dtype=np.int64))


def _draw(seed: int, query_id: str, several: int) -> int:
    """A number below `several`, by hash: the same wherever the query stands in the table and in every process."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{query_id}".encode()).digest()[:8], "big") % several


def _learn_prediction(offers: Offers, labels: Labels, dial: Cost) -> State:
    """A linear regression for each model: from the confidences in all models to how far its own is off.

    It draws on the others because a router that trusts them too much on a query often trusts this one too much.
    """
    return {"centre": _centre(offers.confidences).tolist(), "weights": _regress(offers.confidences, labels).tolist()}


def _prediction(state: State, offers: Offers, query_ids: Sequence[str]) -> Choices:
    return highest(_predict(state, offers.confidences))


def _learn_sorted_prediction(offers: Offers, labels: Labels, dial: Cost) -> State:
    """Besides the regressions the margin that earns most on validation queries; of several the largest.

    The regressions have seen these queries, so margin 0 looks a little better than it is: the error is on the safe side.
    """
    state: State = {"margin": 0.0} | _learn_prediction(offers, labels, dial)
    if len(labels):
        predicted = _predict(state, offers.confidences)
        worth = np.where(np.isnan(labels), predicted, labels)
        earned = {margin: float(at(worth, _weakest_within(predicted, margin)).sum()) for margin in MARGINS}
        state["margin"] = max(MARGINS, key=lambda margin: (earned[margin], margin))
    return state


def _sorted_prediction(state: State, offers: Offers, query_ids: Sequence[str]) -> Choices:
    return _weakest_within(_predict(state, offers.confidences), state["margin"])


def _weakest_within(predicted: Floats, margin: float) -> Choices:
    """The first model, weakest first, that is within the margin of the best."""
    if not margin:
        return highest(predicted)
    near = predicted >= predicted.max(axis=1, keepdims=True) - margin
    return np.asarray(predicted.shape[1] - 1 - highest(near[:, ::-1]), dtype=np.int64)


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


def _argmax_as_published(state: State, offers: Offers, query_ids: Sequence[str]) -> Choices:
    """Wrong without asking where no model is above 0.5."""
    return _only_positive(_argmax(state, offers, query_ids), offers.confidences)


def _random_as_published(state: State, offers: Offers, query_ids: Sequence[str]) -> Choices:
    """Wrong without asking where the model that was drawn is not above 0.5."""
    return _only_positive(_random(state, offers, query_ids), offers.confidences)


def _only_positive(chosen: Choices, confidences: Confidences) -> Choices:
    return np.where(at(confidences, chosen) > POSITIVE, chosen, NO_MODEL)


def _learn_sorted_as_published(offers: Offers, labels: Labels, dial: Cost) -> State:
    """Models by how many queries they solve, fewest first. The script counted test queries; here it is validation queries."""
    solved = (labels > POSITIVE).sum(axis=0)
    weakest_first = range(labels.shape[1])[::-1]
    return {"ladder": sorted(weakest_first, key=lambda model: int(solved[model]))}


def _sorted_as_published(state: State, offers: Offers, query_ids: Sequence[str]) -> Choices:
    """The place of the most confident model in one order (by name), read as a place in another (fewest solved first)."""
    places = np.array(state["order"])[highest(offers.confidences)]
    return np.asarray(np.array(state["ladder"])[places], dtype=np.int64)


RULES = {
    "argmax": Rule("the most confident model", _argmax),
    "random": Rule("the most confident model; if it is not above 0.60, one of the three most confident, drawn", _random),
    "prediction": Rule("the model with the highest reward predicted from all confidences", _prediction, _learn_prediction),
    "sorted-prediction": Rule(
        "the weakest model whose predicted reward is near the best one's", _sorted_prediction, _learn_sorted_prediction
    ),
    "argmax-as-published": Rule("argmax, but wrong without asking if no model is above 0.5", _argmax_as_published),
    "random-as-published": Rule("random, but wrong without asking if the model drawn is not above 0.5", _random_as_published),
    # The script fits a regression and subtracts its one number from all confidences of a query, which changes no order.
    "prediction-as-published": Rule("argmax: the published regression cannot change it", _argmax),
    "sorted-prediction-as-published": Rule(
        "argmax by name, read as a place in the order of strength", _sorted_as_published, _learn_sorted_as_published
    ),
}
