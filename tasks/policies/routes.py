"""`scores` → `routes`: policies learn from validation queries, then choose for every query.

    routes, fitted = choose_all("kmeans-tfidf", ["argmax", "random"], scores, train, validation, seed=0)

`fitted` is what `manyminds route` needs to choose for a new question: {"models": […], "policies": {"argmax": {…}}}.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from tasks.lake.interfaces import Examples, Pool
from tasks.lake.tables import ROUTES
from tasks.lake.views import matrix
from tasks.policies.rules import NO_MODEL, make_policy


def choose_all(
    router: str, policies: Sequence[str], scores: pl.DataFrame, train: Examples, validation: Examples, seed: int
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Rows of ROUTES for one router and these policies, and the fitted policies as values that JSON can hold.

    `scores`: the router's rows. Where a policy as published asks no model there is no row.
    """
    pool = pool_of(train)
    ids = scores["query_id"].unique().sort().to_list()
    confidences = matrix(scores, ids, pool.models, pl.col("confidence"))
    fitted_on = matrix(scores, validation.queries["query_id"].to_list(), pool.models, pl.col("confidence"))
    names = dict(enumerate(pool.models))
    chosen, states = [], {}
    for name in policies:
        policy = make_policy(name, seed).fit(fitted_on, validation.labels, pool)
        states[name] = policy.save()
        frame = pl.DataFrame({"query_id": ids, "router": router, "policy": name, "choice": policy.choose(confidences, ids)})
        answered = frame.filter(pl.col("choice") != NO_MODEL)
        chosen.append(answered.with_columns(pl.col("choice").replace_strict(names, return_dtype=pl.String).alias("model")))
    routes = pl.concat(chosen).join(scores, on=["query_id", "router", "model"], how="left", maintain_order="left")
    return routes.select(list(ROUTES.columns)), {"models": list(pool.models), "policies": states}


def pool_of(train: Examples) -> Pool:
    """The pool with each model's mean reward on training queries; a model without any has 0."""
    known = ~np.isnan(train.labels)
    sums = np.where(known, train.labels, 0).astype(np.float64).sum(axis=0)
    return Pool(train.models, sums / np.maximum(known.sum(axis=0), 1))
