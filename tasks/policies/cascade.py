"""Cascade: ask a cheap model several times; if its answers agree keep it, else ask the one that the router is most confident in.

    ladder: mistral-7b, kept from 0.8        looks = 3, confidences: mistral-7b 0.7, gpt-4 0.9, expected costs 1 and 20
    mistral-7b says "11" "11" "11"  →  (1.00 + 0.7) / 2 = 0.85: mistral-7b; two samples were drawn beside the answer itself
    mistral-7b says "11" "12" "11"  →  (0.67 + 0.7) / 2 = 0.68: gpt-4; three samples were drawn beside the answer
    a confidence of 0.5             →  (1.00 + 0.5) / 2 = 0.75 even if all agreed: gpt-4, and nothing was drawn beside the answer

Samples that agree are right more often than those that do not (self-consistency, Wang et al., arXiv 2203.11171), which makes their
agreement a sign to go by (cascades of Yue et al., arXiv 2310.03094; with scores that were learned, FrugalGPT, arXiv 2305.05176). It is
evidence that is not in the text of the query, and it is paid for: every look counts as a sample.

A model is looked at only where that can save something: where it would be kept if all its samples agreed, and `looks` samples of it cost
less than one of the most confident model, which is asked otherwise. A model that is missing on a query is passed over.

The ladder is learned from validation queries: models are put on it one by one, in order of expected cost, whichever makes the whole
cheapest, each with the threshold that does so, as long as the queries surely earn no more than `within` less than argmax does. Where no
look pays, as among models of one price, it stays empty, and the policy is argmax.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tasks.config import Cost
from tasks.lake.interfaces import Offers
from tasks.policies.choosing import Choices, Floats, Labels, Rule, State, at, costs_of, highest, surely, worth

THRESHOLDS = np.linspace(0, 0.9, 10)  # shares of the validation queries below the thresholds that are tried

Looked = npt.NDArray[np.bool_]  # (queries, models)


def _learn(offers: Offers, labels: Labels, dial: Cost) -> State:
    """The ladder: models, cheapest first, with the score from which each is kept."""
    state: State = {"looks": dial.looks, "ladder": []}
    if not len(labels):
        return state
    costs, rewards, scores = costs_of(offers).mean(axis=0), worth(offers, labels), _scores(offers)
    unlooked = at(rewards, highest(offers.confidences))
    while True:
        best, least = state, _cost(state, offers)
        on_it = {model for model, _ in state["ladder"]}
        for model in sorted(set(range(len(costs))) - on_it):
            for threshold in _thresholds(scores[:, model]):
                longer = state | {"ladder": sorted([*state["ladder"], [model, threshold]], key=lambda step: costs[step[0]])}
                cost = _cost(longer, offers)
                if cost < least and surely(at(rewards, _climb(longer, offers)[0]) - unlooked, -dial.within):
                    best, least = longer, cost
        if best is state:
            return state
        state = best


def _thresholds(scores: Floats) -> list[float]:
    known = scores[~np.isnan(scores)]
    return np.unique(np.quantile(known, THRESHOLDS, method="inverted_cdf")).tolist() if len(known) else []


def _cost(state: State, offers: Offers) -> float:
    """Expected cost of all queries, looks included."""
    chosen, looked = _climb(state, offers)
    costs = costs_of(offers)
    looks = state["looks"] * np.where(looked, costs, 0).sum()
    return float(looks + np.where(at(looked, chosen), 0, at(costs, chosen)).sum())


def _climb(state: State, offers: Offers) -> tuple[Choices, Looked]:
    """The model that each query ends with, and whose samples were looked at."""
    scores, costs, looks = _scores(offers), costs_of(offers), state["looks"]
    looked = np.zeros(scores.shape, dtype=np.bool_)
    chosen = otherwise = highest(offers.confidences)
    undecided = np.ones(len(scores), dtype=np.bool_)
    for model, threshold in state["ladder"]:
        could_be_kept = (1 + offers.confidences[:, model].astype(np.float64)) / 2 >= threshold
        saves = looks * costs[:, model] < at(costs, otherwise)
        looked[:, model] = undecided & could_be_kept & saves & ~np.isnan(scores[:, model])
        kept = looked[:, model] & (scores[:, model] >= threshold)
        chosen = np.where(kept, model, chosen)
        undecided &= ~kept
    return chosen, looked


def _scores(offers: Offers) -> Floats:
    """How much speaks for each model's answer, float64 (queries, models): half what its samples say, half what the router says."""
    assert offers.agreement is not None
    return (offers.agreement.astype(np.float64) + offers.confidences) / 2


def _choose(state: State, offers: Offers, query_ids: Sequence[str]) -> Choices:
    return _climb(state, offers)[0]


def _looked(state: State, offers: Offers) -> Looked:
    return _climb(state, offers)[1]


RULES = {
    "cascade": Rule(
        "a cheap model whose samples agree enough, or else the most confident one",
        _choose,
        _learn,
        _looked,
        ("costs", "agreement"),
    )
}
