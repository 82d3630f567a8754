"""Cascade: ask a cheap model several times; if its answers agree keep it, else go on to a dearer one.

    ladder: mistral-7b, keep from 0.8; gpt-4                   looks = 3
    three answers of mistral-7b "11" "11" "11", confidence 0.7 → (1.00 + 0.7) / 2 = 0.85: mistral-7b; two samples more than one answer
    "11" "12" "11", confidence 0.7                             → (0.67 + 0.7) / 2 = 0.68: gpt-4; three samples more than one answer

Samples that agree are right more often than those that do not (self-consistency, Wang et al., arXiv 2203.11171), which makes their
agreement a sign to go by (Yue et al., "mixture of thoughts" cascades, arXiv 2310.03094; with scores that were learned, FrugalGPT, arXiv
2305.05176). It is evidence that is not in the text of the query, and it is paid for: every look counts as a sample.

The ladder is learned from validation queries. Its last step is the best single model. Models that are cheaper are put before it one
by one, whichever makes the whole cheapest, each with the threshold that does so, as long as the queries earn no more than `within` less
than the best single model alone. So it may end with that model alone, where none helps. A model that is missing on a query is passed over.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tasks.config import Cost
from tasks.lake.interfaces import Offers
from tasks.policies.choosing import Choices, Floats, Labels, Rule, State, at, costs_of, worth

THRESHOLDS = np.linspace(0, 1, 21)  # shares of the validation queries below the thresholds that are tried
ROUNDING = 1e-9  # of a mean reward

Looked = npt.NDArray[np.bool_]  # (queries, models)


def _learn(offers: Offers, labels: Labels, dial: Cost) -> State:
    """The ladder: models, cheapest first, with the score from which each is kept; the last is always kept."""
    state: State = {"looks": dial.looks, "ladder": [[0, 0.0]]}
    if not len(labels):
        return state
    costs, rewards, scores = costs_of(offers).mean(axis=0), worth(offers, labels), _scores(offers)
    enough = rewards[:, 0].mean() - dial.within - ROUNDING
    cheaper = [model for model in range(len(costs)) if costs[model] < costs[0]]
    while True:
        best, spent = state, _cost(state, offers)
        for model in cheaper:
            if model in [step[0] for step in state["ladder"]]:
                continue
            for threshold in _thresholds(scores[:, model]):
                found = state | {"ladder": sorted([*state["ladder"], [model, threshold]], key=lambda step: costs[step[0]])}
                cost = _cost(found, offers)
                if cost < spent and at(rewards, _climb(found, offers)[0]).mean() >= enough:
                    best, spent = found, cost
        if best is state:
            return state
        state = best


def _thresholds(scores: Floats) -> list[float]:
    known = scores[~np.isnan(scores)]
    return sorted({float(value) for value in np.quantile(known, THRESHOLDS, method="inverted_cdf")}) if len(known) else []


def _scores(offers: Offers) -> Floats:
    """How much speaks for each model's answer, float64 (queries, models): half what its samples say, half what the router says."""
    assert offers.agreement is not None
    return (offers.agreement.astype(np.float64) + offers.confidences) / 2


def _climb(state: State, offers: Offers) -> tuple[Choices, Looked]:
    """The model that each query ends with, and whose samples were looked at."""
    scores = _scores(offers)
    chosen = np.full(len(scores), state["ladder"][-1][0], dtype=np.int64)
    looked = np.zeros(scores.shape, dtype=np.bool_)
    undecided = np.ones(len(scores), dtype=np.bool_)
    for model, threshold in state["ladder"][:-1]:
        looked[:, model] = undecided & ~np.isnan(scores[:, model])
        kept = looked[:, model] & (scores[:, model] >= threshold)
        chosen[kept] = model
        undecided &= ~kept
    return chosen, looked


def _cost(state: State, offers: Offers) -> float:
    """Expected cost of all queries, looks included."""
    chosen, looked = _climb(state, offers)
    costs = costs_of(offers)
    looks = state["looks"] * np.where(looked, costs, 0).sum()
    return float(looks + np.where(at(looked, chosen), 0, at(costs, chosen)).sum())


def _choose(state: State, offers: Offers, query_ids: Sequence[str]) -> Choices:
    return _climb(state, offers)[0]


def _looked(state: State, offers: Offers) -> Looked:
    return _climb(state, offers)[1]


RULES = {
    "cascade": Rule(
        "the cheapest model whose samples agree enough, asked one after the other", _choose, _learn, _looked, ("costs", "agreement")
    )
}
