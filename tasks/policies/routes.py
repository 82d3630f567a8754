"""`scores` → `routes`: policies learn from validation queries, then choose for every query.

    routes, fitted = choose_all("kmeans-tfidf", ["argmax", "cost-aware"], scores, evidence(votes, 3), train, validation, 0, run.cost)

`fitted` is what `manyminds route` needs to choose for a new question: {"models": […], "policies": {"argmax": {…}}}.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from tasks.config import COST_COLUMNS, Cost
from tasks.errors import UserError
from tasks.lake.interfaces import Examples, Offers, Pool
from tasks.lake.tables import ROUTES
from tasks.lake.views import matrix
from tasks.policies.choosing import NO_MODEL, part
from tasks.policies.evidence import with_spending
from tasks.policies.rules import NEEDS, check_samples, make_policy


def choose_all(
    router: str,
    policies: Sequence[str],
    scores: pl.DataFrame,
    samples: pl.DataFrame,
    train: Examples,
    validation: Examples,
    seed: int,
    dial: Cost,
    looked: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Rows of ROUTES for one router and these policies, and the fitted policies as values that JSON can hold.

    Args:
        scores: the router's rows, with expected costs in the dial's unit.
        samples: `evidence` of the votes, for the policies that look before they choose.
        looked: rows of EVIDENCE, of a router that has looked itself, whatever the policy: what it saw has been paid for.

    Where a policy as published asks no model there is no row. Raises UserError for a policy that needs what is not known.
    """
    pool = pool_of(train)
    ids = scores["query_id"].unique().sort().to_list()
    offers = offers_of(scores, samples, ids, pool.models)
    for name in policies:
        check_samples(name, offers)
    _check_costs(policies, offers, samples, pool.models, dial)
    places = {query_id: row for row, query_id in enumerate(ids)}
    fitted_on = part(offers, np.array([places[query_id] for query_id in validation.queries["query_id"]], dtype=np.int64))
    names = dict(enumerate(pool.models))
    chosen, states = [], {}
    for name in policies:
        policy = make_policy(name, seed, dial).fit(fitted_on, validation.labels, pool)
        states[name] = policy.save()
        frame = pl.DataFrame({"query_id": ids, "router": router, "policy": name, "choice": policy.choose(offers, ids)})
        answered = frame.filter(pl.col("choice") != NO_MODEL)
        routed = answered.with_columns(pl.col("choice").replace_strict(names, return_dtype=pl.String).alias("model"))
        chosen.append(with_spending(routed, policy.looked(offers), ids, pool.models, samples, looked))
    routes = pl.concat(chosen).join(scores, on=["query_id", "router", "model"], how="left", maintain_order="left")
    return routes.select(list(ROUTES.columns)), {"models": list(pool.models), "policies": states}


def offers_of(scores: pl.DataFrame, samples: pl.DataFrame, ids: Sequence[str], models: Sequence[str]) -> Offers:
    """What is offered for these queries; costs, or agreement, None where there are none at all."""
    costs = matrix(scores, ids, models, pl.col("cost")).astype(np.float64)
    agreement = matrix(samples, ids, models, pl.col("agreement"))
    return Offers(
        matrix(scores, ids, models, pl.col("confidence")),
        None if np.isnan(costs).all() else costs,
        None if np.isnan(agreement).all() else agreement,
    )


def pool_of(train: Examples) -> Pool:
    """The pool with each model's mean reward on training queries; a model without any has 0."""
    known = ~np.isnan(train.labels)
    sums = np.where(known, train.labels, 0).astype(np.float64).sum(axis=0)
    return Pool(train.models, sums / np.maximum(known.sum(axis=0), 1))


def _check_costs(policies: Sequence[str], offers: Offers, samples: pl.DataFrame, models: Sequence[str], dial: Cost) -> None:
    """Refuse a policy that weighs costs where one is not known, and say which unit is known of all models."""
    weighing = next((name for name in policies if "costs" in NEEDS[name]), None)
    costs = np.full((1, len(models)), np.nan) if offers.costs is None else offers.costs
    unknown = [repr(model) for model, column in zip(models, costs.T, strict=True) if np.isnan(column).any()]
    if weighing is None or not unknown:
        return
    known = samples.group_by("model").agg(pl.col(*COST_COLUMNS.values()).count()).filter(pl.col("model").is_in(models))
    units = [f'"{unit}"' for unit, column in COST_COLUMNS.items() if known.height == len(models) and (known[column] > 0).all()]
    instead = f"or [cost] unit = {' or '.join(units)}, which is known" if units else "no other unit of [cost] is known either"
    raise UserError(
        f"policy {weighing!r}: column {dial.column!r} of the votes is empty for {', '.join(unknown[:3])}{' …' if unknown[3:] else ''} on "
        f"training queries; expected costs of all models in the unit {dial.unit!r} (prices of the models, imported costs or sampling), "
        f"{instead}"
    )
