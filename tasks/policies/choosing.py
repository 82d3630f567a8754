"""What every rule of a policy works with.

    highest([[0.2, 0.9], [0.5, 0.5]])  →  [1, 0]          at([[10, 20], [30, 40]], [1, 0])  →  [20, 30]

A rule sees the models in the pool's order, strongest first, and answers in it: so the names of the models cannot matter, not even
to the last bit of a sum, and of equal values the first, which `highest` takes, is the strongest model.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.config import Cost
from tasks.lake.interfaces import Offers

Confidences = npt.NDArray[np.float32]  # (queries, models), 0 … 1
Labels = npt.NDArray[np.float32]  # (queries, models), rewards 0 … 1, NaN where a model is missing
Floats = npt.NDArray[np.float64]
Choices = npt.NDArray[np.int64]  # (queries,), columns of the confidences
State = dict[str, Any]  # what a policy has learned; JSON

NO_MODEL = -1
ROUNDING = 1e-9  # of a mean reward


def _nothing(offers: Offers, labels: Labels, dial: Cost) -> State:
    return {}


class Rule(NamedTuple):
    """A policy's meaning in one line, how it chooses, what it learns from validation queries, and what it cannot do without."""

    meaning: str
    choose: Callable[[State, Offers, Sequence[str]], Choices]
    learn: Callable[[Offers, Labels, Cost], State] = _nothing
    looked: Callable[[State, Offers], npt.NDArray[np.bool_]] | None = None  # (queries, models): whose samples were drawn before choosing
    needs: tuple[str, ...] = ()  # "costs", "agreement": what of the offers has to be there


def highest(values: npt.NDArray[Any]) -> Choices:
    """The column of the highest value in each row, the first of several."""
    return np.asarray(values.argmax(axis=1), dtype=np.int64)


def at(table: npt.NDArray[Any], columns: Choices) -> npt.NDArray[Any]:
    """One value of each row."""
    return np.take_along_axis(table, columns[:, None], axis=1)[:, 0]


def worth(offers: Offers, labels: Labels) -> Floats:
    """What each model's answer earns, float64 (queries, models); where a model is missing its confidence stands in."""
    return np.where(np.isnan(labels), offers.confidences, labels).astype(np.float64)


def surely(gains: Floats, at_least: float) -> bool:
    """Whether queries gain that much on average, sure to a standard error (the rule of Breiman et al., CART, 1984).

    Of few queries without any difference nothing is sure: one that is won or lost is counted in on top. With `at_least` -0.01 it takes
    a hundred queries.
    """
    error = np.sqrt(np.square(gains - gains.mean()).sum() + 1) / len(gains)
    return bool(gains.mean() - error >= at_least - ROUNDING)


def costs_of(offers: Offers) -> Floats:
    """The costs, of a rule that needs them; `Policy` has checked that they are there."""
    assert offers.costs is not None
    return offers.costs


def part(offers: Offers, index: Any) -> Offers:
    """Some rows, or columns, of the offers: whatever `index` takes of each table."""
    costs, agreement = (None if table is None else table[index] for table in (offers.costs, offers.agreement))
    return Offers(offers.confidences[index], costs, agreement)
