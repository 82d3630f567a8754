"""Policies: from what a router says of each model to the one model that gets the query.

    policy = make_policy("sorted-prediction", seed=0).fit(offers, labels, pool)     # of validation queries
    policy.choose(offers, query_ids)                                                # int64 (queries,)

Example, models a, b and c, confidences (0.55, 0.50, 0.30), expected costs (3, 1, 1): `argmax` takes a; `cost-aware` with weight 0.1 finds
0.25, 0.40, 0.20 and takes b. The rules are in the files beside this one: `paper.py`, `weighing.py`, `cascade.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tasks.config import Cost
from tasks.errors import UserError, nearest
from tasks.lake.interfaces import Offers, Pool
from tasks.policies import cascade, paper, weighing
from tasks.policies.choosing import NO_MODEL, Choices, Labels, State, part

RULES = paper.RULES | weighing.RULES | cascade.RULES
POLICIES = {name: rule.meaning for name, rule in RULES.items()}  # name → meaning, in one line
NEEDS = {name: rule.needs for name, rule in RULES.items()}  # name → what of the offers it cannot do without: "costs", "agreement"


class Policy:
    """A rule by name, with what it has learned."""

    def __init__(self, name: str, seed: int, dial: Cost) -> None:
        self.name = name
        self.dial = dial
        self.state: State = {"seed": seed}

    def fit(self, offers: Offers, labels: Labels, pool: Pool) -> Self:
        """Learn from validation queries (possibly none). Their order does not matter.

        Args:
            offers: columns as in `pool`.
            labels: float32 (queries, models), rewards, NaN where a model is missing.

        Raises UserError where the policy needs what the offers do not have.
        """
        if offers.confidences.shape != labels.shape or labels.shape[1] != len(pool.models):
            raise ValueError(f"confidences {offers.confidences.shape}, labels {labels.shape} and {len(pool.models)} models do not fit")
        columns = pool.order
        offers, labels = self._seen(offers, columns), labels[:, columns]
        tables = [table for table in (offers.agreement, offers.costs, labels, offers.confidences) if table is not None]
        rows = np.lexsort(np.hstack(tables).T)  # so that not even a sum depends on the order
        state = {"seed": self.state["seed"], "order": columns.tolist()}
        self.state = state | RULES[self.name].learn(part(offers, rows), labels[rows], self.dial)
        return self

    def choose(self, offers: Offers, query_ids: Sequence[str]) -> Choices:
        """The column chosen for each query, int64 (queries,); -1 where an as-published policy asks no model.

        Args:
            offers: columns as in the pool that was fitted on.
            query_ids: one per row; they seed what is drawn.

        Raises UserError where the policy needs what the offers do not have.
        """
        columns = np.array(self.state["order"])
        chosen = RULES[self.name].choose(self.state, self._seen(offers, columns), query_ids)
        return np.where(chosen == NO_MODEL, NO_MODEL, columns[chosen])

    def looked(self, offers: Offers) -> npt.NDArray[np.bool_] | None:
        """Whose samples `choose` looks at, bool (queries, models); None of a policy that never looks at any."""
        rule, columns = RULES[self.name].looked, np.array(self.state["order"])
        return None if rule is None else rule(self.state, self._seen(offers, columns))[:, np.argsort(columns)]

    def save(self) -> State:
        """What was learned, as values that JSON can hold."""
        return dict(self.state)

    def _seen(self, offers: Offers, columns: npt.NDArray[np.int64]) -> Offers:
        """The offers with their columns in this order, if there is all that the policy needs."""
        check_samples(self.name, offers)
        if "costs" in NEEDS[self.name] and (offers.costs is None or np.isnan(offers.costs).any()):
            raise UserError(
                f"policy {self.name!r} weighs expected costs, and they are not known of all models; expected a unit of [cost] "
                "that is known of all: usd, seconds or tokens"
            )
        return part(offers, np.s_[:, columns])


def check_samples(name: str, offers: Offers) -> None:
    """Refuse a policy that looks at samples where there are none. Raises UserError."""
    if "agreement" in NEEDS[name] and offers.agreement is None:
        raise UserError(
            f"policy {name!r} looks at several samples of a query before it chooses, and there are none: imported outcomes and "
            "new questions have none; expected [[models]] that are sampled, or [[generations]]"
        )


def make_policy(name: str, seed: int, dial: Cost | None = None) -> Policy:
    """The policy of this name, yet to be fitted, with the run file's [cost]. Raises UserError for an unknown name."""
    if name not in RULES:
        raise UserError(f"unknown policy {name!r}{nearest(name, RULES)}")
    return Policy(name, seed, dial or Cost())


def load_policy(name: str, state: Mapping[str, Any]) -> Policy:
    """The fitted policy whose `save` gave `state`. Raises UserError for an unknown name."""
    policy = make_policy(name, state["seed"])
    policy.state = dict(state)
    return policy
