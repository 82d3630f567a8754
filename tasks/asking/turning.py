"""What would change a choice: found by asking the policy again with other numbers, so that it holds for any policy.

Example, argmax, confidences fox 0.70, owl 0.62, elk 0.10: `chosen_from` is (0.62, 0.70, 0.70), as fox stays chosen down to 0.62, and owl or
elk would be chosen from 0.70 on; `runner_up` is owl, to which the question goes if the confidence in fox is below 0.62.

What weighing costs would change has an answer in closed form. With expected costs 5, 1 and 0.1 confidence - weight x cost is a line for
each model, and the highest one changes from fox to owl at (0.70 - 0.62) / (5 - 1) = 0.02, and from owl to elk at
(0.62 - 0.10) / (1 - 0.1) = 0.58.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.lake.interfaces import Offers

Choose = Callable[[Offers, list[str]], npt.NDArray[np.int64]]  # of a policy
Floats = npt.NDArray[np.float64]

STEPS = 1000  # confidences that are tried between two; then as many between the two where the choice changes: a millionth apart


class RunnerUp(NamedTuple):
    """The model (column; -1: none) that is chosen instead if the confidence in the chosen one is below `below`."""

    model: int
    below: float


class Turn(NamedTuple):
    """From this weight on the model (column) has the highest confidence - weight x cost."""

    weight: float
    model: int


def chosen_from(choose: Choose, offers: Offers, query_id: str) -> list[float | None]:
    """For each model the confidence from which it is chosen while all else stays as it is; None if it is not even at 1.

    Args:
        choose: of a fitted policy.
        offers: of the one query.
    """
    (now,) = choose(offers, [query_id])
    found: list[float | None] = []
    for column, confidence in enumerate(offers.confidences[0].tolist()):
        if column == now:
            beyond = _first_change(choose, offers, query_id, column, confidence, 0.0, column, False)
            found.append(0.0 if beyond is None else beyond[0])
        else:
            there = _first_change(choose, offers, query_id, column, confidence, 1.0, column, True)
            found.append(None if there is None else there[1])
    return found


def runner_up(choose: Choose, offers: Offers, query_id: str) -> RunnerUp | None:
    """Who is chosen instead as the confidence in the chosen model falls; None if none was chosen, or it is chosen even at 0."""
    (now,) = choose(offers, [query_id])
    if now < 0:
        return None
    change = _first_change(choose, offers, query_id, now, float(offers.confidences[0, now]), 0.0, int(now), False)
    if change is None:
        return None
    (instead,) = choose(_with(offers, now, np.array([change[1]])), [query_id])
    return RunnerUp(int(instead), change[0])


def turns(confidences: Floats, costs: Floats) -> list[Turn]:
    """Where the highest of the lines confidence - weight x cost changes as the weight grows from 0; the first stands at 0.

    Args:
        confidences, costs: float64 (models,). Of equal models the first counts.
    """
    best = int(np.lexsort((np.arange(len(costs)), costs, -confidences))[0])
    found = [Turn(0.0, best)]
    while (cheaper := np.flatnonzero(costs < costs[best])).size:
        weights = (confidences[best] - confidences[cheaper]) / (costs[best] - costs[cheaper])
        # Of several that meet there, the cheapest is the highest beyond.
        place = int(np.lexsort((costs[cheaper], weights))[0])
        best = int(cheaper[place])
        found.append(Turn(float(weights[place]), best))
    return found


def _first_change(
    choose: Choose, offers: Offers, query_id: str, column: int, start: float, end: float, model: int, is_chosen: bool
) -> tuple[float, float] | None:
    """On the way of the confidence in `column` from `start` to `end`, the last before the model is (or is no longer) chosen and the first
    where it is so; None if there is none."""
    for _ in range(2):
        tried = np.linspace(start, end, STEPS + 1)
        changed = (choose(_with(offers, column, tried), [query_id] * len(tried)) == model) == is_chosen
        if not changed[1:].any():
            return None
        place = 1 + int(changed[1:].argmax())
        start, end = float(tried[place - 1]), float(tried[place])
    return start, end


def _with(offers: Offers, column: int, confidences: Floats) -> Offers:
    """The offers of one query as often as there are confidences for the model in this column."""
    many = np.repeat(offers.confidences, len(confidences), axis=0)
    many[:, column] = confidences
    costs = None if offers.costs is None else np.repeat(offers.costs, len(confidences), axis=0)
    return replace(offers, confidences=many, costs=costs)
