"""Policies that weigh what an answer costs: `cost-aware`, `budget`, `cheapest-within`.

    confidences (0.9, 0.8, 0.3), expected costs (5, 1, 0.1)
    weight 0 → 0.9, 0.8, 0.3 → the first;   0.05 → 0.65, 0.75, 0.295 → the second;   1 → -4.1, -0.2, 0.2 → the third

All three take the model with the highest confidence - weight x cost (the dial of RouterBench, arXiv 2403.12031, and of FrugalGPT,
arXiv 2305.05176) and differ in how they come to the weight:

    cost-aware       as given; else the largest that surely earns no more than `within` less on validation queries than weight 0 does
    budget           the smallest with which validation queries cost no more than the budget on average; no label is needed.
                     With per = "query" there is no weight: the most confident model whose expected cost is within the budget
    cheapest-within  the largest, so the cheapest, that surely earns no more than `within` less on validation queries than the best
                     single model does; where there is none, or it costs more than that model, always that model

A larger weight never costs more: with it a model can only give way to a cheaper one. Weights tried are multiples of 1 / (mean cost),
so the unit in which costs are given does not matter. What is learned is learned from validation queries, because a router is
too sure of the queries that it was trained on. Of many weights the largest that seems good enough is so partly by luck; "surely" is by a
standard error. (On RouterBench's training queries with a kNN router and 220 validation queries, a loss of 1 point being allowed, 1.4
points were lost on other queries without it, 0.5 with it.)
"""

from collections.abc import Sequence

import numpy as np

from tasks.config import Cost
from tasks.lake.interfaces import Offers
from tasks.policies.choosing import Choices, Floats, Labels, Rule, State, at, costs_of, highest, surely, worth

STEPS = 2.0 ** (np.arange(-64, 41) / 4)  # weights that are tried, in 1 / (mean cost): from next to nothing to the cheapest always
STEEPEST = 2.0**40  # the same, where no weight keeps the budget
HALVINGS = 40  # until two weights differ by less than any two confidences, and by more than a rounding
BUDGET = 0.5  # default: of what the best single model costs


def weigh(offers: Offers, weight: float) -> Choices:
    """The model with the highest confidence - weight x cost, int64 (queries,)."""
    return highest(offers.confidences - weight * costs_of(offers))


def _weighed(state: State, offers: Offers, query_ids: Sequence[str]) -> Choices:
    return weigh(offers, state["weight"])


def _learn_cost_aware(offers: Offers, labels: Labels, dial: Cost) -> State:
    if dial.weight is not None:
        return {"weight": dial.weight}
    return {"weight": _largest_weight(offers, labels, highest(offers.confidences), dial.within) or 0.0}


def _learn_cheapest_within(offers: Offers, labels: Labels, dial: Cost) -> State:
    single, costs = _single(offers), costs_of(offers)
    weight = _largest_weight(offers, labels, single, dial.within)
    is_cheaper = weight is not None and at(costs, weigh(offers, weight)).sum() < at(costs, single).sum()
    return {"weight": weight if is_cheaper else None}


def _cheapest_within(state: State, offers: Offers, query_ids: Sequence[str]) -> Choices:
    return _single(offers) if state["weight"] is None else weigh(offers, state["weight"])


def _single(offers: Offers) -> Choices:
    """The best single model for every query: the first."""
    return np.zeros(len(offers.confidences), dtype=np.int64)


def _largest_weight(offers: Offers, labels: Labels, rivals: Choices, within: float) -> float | None:
    """The largest weight with which the queries surely earn no more than `within` less than with the rivals, if there is one."""
    rewards, scale = worth(offers, labels), _mean(costs_of(offers))
    weights = [0.0, *(STEPS / scale).tolist()] if scale else []
    good = (weight for weight in weights if surely(at(rewards, weigh(offers, weight)) - at(rewards, rivals), -within))
    return max(good, default=None)


def _learn_budget(offers: Offers, labels: Labels, dial: Cost) -> State:
    budget = BUDGET * _mean(costs_of(offers)[:, 0]) if dial.budget is None else dial.budget
    return {"budget": budget} if dial.per == "query" else {"weight": _weight_that_keeps(budget, offers)}


def _weight_that_keeps(budget: float, offers: Offers) -> float:
    """The smallest weight with which the mean cost is within the budget; where none is, one that takes the cheapest."""

    def is_kept(weight: float) -> bool:
        return _mean(at(costs, weigh(offers, weight))) <= budget

    costs = costs_of(offers)
    if is_kept(0.0):
        return 0.0
    low, high, steepest = 0.0, 1 / _mean(costs), STEEPEST / _mean(costs)
    while high < steepest and not is_kept(high):
        high *= 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_kept(middle) else (middle, high)
    return high


def _budget(state: State, offers: Offers, query_ids: Sequence[str]) -> Choices:
    if "weight" in state:
        return weigh(offers, state["weight"])
    costs = costs_of(offers)
    affordable = costs <= state["budget"]
    best = highest(np.where(affordable, offers.confidences, -1.0))
    return np.where(affordable.any(axis=1), best, highest(-costs))


def _mean(values: Floats) -> float:
    """0 of no values: without validation queries nothing is learned, and the weight is 0."""
    return float(values.mean()) if values.size else 0.0


RULES = {
    "cost-aware": Rule("the highest confidence less weight times expected cost", _weighed, _learn_cost_aware, needs=("costs",)),
    "budget": Rule(
        "the most confident models that a budget allows, on average or for each query", _budget, _learn_budget, needs=("costs",)
    ),
    "cheapest-within": Rule(
        "the cheapest choice that is nearly as good as the best single model", _cheapest_within, _learn_cheapest_within, needs=("costs",)
    ),
}
