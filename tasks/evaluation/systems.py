"""What is compared: single models, routers with their policies, random choice, oracles, each with one outcome per query.

Two models and a router on three queries, rewards by majority vote ("." means the model was not asked):

    query   ledger   fox   router chose   ledger alone   router   random   oracle
    a            1     0            fox              1        0      0.5        1
    b            0     1            fox              0        1      0.5        1
    c            1     .            fox              1        .        1        1

A *hole* ("." above, NaN in the arrays) is a query on which a system's outcome is not known; it is left out of that system's
figures and of every comparison with it. A policy named `…-as-published` (the scripts of arXiv
2405.00467) may send a query nowhere: that counts as wrong, takes no model's time and costs nothing. What a policy spent on samples
before it chose (a cascade) is part of its latency, its cost and its tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.lake import views

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

AS_PUBLISHED = "-as-published"


@dataclass(frozen=True)
class Sheet:
    """One split's queries by models. Arrays are float64 (queries, models), NaN where the model is missing or nothing is known."""

    queries: pl.DataFrame  # rows of the table, sorted by query_id
    models: tuple[str, ...]  # sorted
    reward: FloatArray  # 0 … 1, what the answer counts for
    success_rate: FloatArray  # 0 … 1, share of samples that are right
    samples: FloatArray  # how many were drawn
    latency_s: FloatArray
    cost_usd: FloatArray
    completion_tokens: FloatArray


@dataclass(frozen=True)
class System:
    """Something that answers queries. Arrays are (queries,): NaN where not known."""

    model: str | None
    router: str | None
    policy: str | None
    accuracy: FloatArray
    expected_accuracy: FloatArray
    latency_s: FloatArray
    cost_usd: FloatArray
    completion_tokens: FloatArray
    choice: IntArray | None = None  # index of the chosen model, -1: sent nowhere; None where there is no choice to speak of


def sheet_of(queries: pl.DataFrame, votes: pl.DataFrame, split: str) -> Sheet:
    """Lay out the votes on one split's queries. The pool is all models of `votes`, whatever the split."""
    rows = queries.filter(pl.col("split") == split).sort("query_id")
    models = views.pool(votes)

    def values(expression: pl.Expr) -> FloatArray:
        return views.matrix(votes, rows["query_id"].to_list(), models, expression).astype(np.float64)

    return Sheet(
        queries=rows,
        models=tuple(models),
        reward=values(views.reward()),
        success_rate=values(pl.col("success_rate")),
        samples=values(pl.col("k")),
        latency_s=values(pl.col("latency_s")),
        cost_usd=values(pl.col("cost_usd")),
        completion_tokens=values(pl.col("completion_tokens")),
    )


def single_models(sheet: Sheet) -> list[System]:
    """Each model answering every query."""
    return [
        System(
            model=model,
            router=None,
            policy=None,
            accuracy=sheet.reward[:, column],
            expected_accuracy=sheet.success_rate[:, column],
            latency_s=sheet.latency_s[:, column],
            cost_usd=sheet.cost_usd[:, column],
            completion_tokens=sheet.completion_tokens[:, column],
        )
        for column, model in enumerate(sheet.models)
    ]


def hindsight(systems: Sequence[System]) -> System | None:
    """The single model that is best on these very queries, which nobody could have known; ties go to the first by name."""
    known = [system for system in systems if system.model is not None and not np.isnan(system.accuracy).all()]
    return max(known, key=lambda system: float(np.nanmean(system.accuracy)), default=None)


def hindsight_benchmark(sheet: Sheet) -> System:
    """On each benchmark the single model that is best on these very queries: all that knowing the benchmark could ever bring."""
    names = sheet.queries["benchmark"].to_numpy()
    choice = np.full(len(names), -1, dtype=np.int64)
    for name in set(names):
        rows = names == name
        known = ~np.isnan(sheet.reward[rows]).all(axis=0)
        if known.any():
            choice[rows] = np.where(known, np.nan_to_num(_mean(sheet.reward[rows].T)), -1).argmax()
    return _choosing(sheet, "hindsight-benchmark", None, choice)


def random_choice(sheet: Sheet) -> System:
    """A model drawn uniformly among those known on the query: the expected value, exactly."""
    return System(
        model=None,
        router="random",
        policy=None,
        accuracy=_mean(sheet.reward),
        expected_accuracy=_mean(sheet.success_rate),
        latency_s=_mean(sheet.latency_s),
        cost_usd=_mean(sheet.cost_usd),
        completion_tokens=_mean(sheet.completion_tokens),
    )


def oracle(sheet: Sheet) -> System:
    """The best model known on the query; of several that are equally right the fastest (for cost: the cheapest).

    Its accuracy is what the votes allow (any model right), luck included: see `luck.py`. Its `expected_accuracy` is the highest
    success rate, where luck is smaller but still included.
    """
    best = np.fmax.reduce(sheet.reward, axis=1)
    right = sheet.reward == best[:, None]
    return System(
        model=None,
        router="oracle",
        policy=None,
        accuracy=best,
        expected_accuracy=np.fmax.reduce(sheet.success_rate, axis=1),
        latency_s=np.fmin.reduce(np.where(right, sheet.latency_s, np.nan), axis=1),
        cost_usd=np.fmin.reduce(np.where(right, sheet.cost_usd, np.nan), axis=1),
        completion_tokens=np.fmin.reduce(np.where(right, sheet.completion_tokens, np.nan), axis=1),
    )


def routed(sheet: Sheet, routes: pl.DataFrame, router_seconds: Mapping[str, float]) -> list[System]:
    """Each (router, policy) that has a route on this split, by name. The router's own seconds are part of its latency."""
    query = pl.DataFrame({"query_id": sheet.queries["query_id"], "row": np.arange(sheet.queries.height)})
    model = pl.DataFrame({"model": list(sheet.models), "column": np.arange(len(sheet.models))}, schema_overrides={"model": pl.String})
    placed = routes.join(query, on="query_id").join(model, on="model")
    groups = placed.partition_by("router", "policy", as_dict=True)
    systems = []
    for router, policy in sorted(groups):
        group = groups[router, policy]
        choice = np.full(sheet.queries.height, -1, dtype=np.int64)
        choice[group["row"].to_numpy()] = group["column"].to_numpy()
        system = _choosing(sheet, router, policy, choice)
        spent = np.zeros((3, sheet.queries.height))
        spent[:, group["row"].to_numpy()] = group.select("spent_s", "spent_usd", "spent_tokens").fill_null(0).to_numpy().T
        systems.append(
            replace(
                system,
                choice=choice,
                latency_s=system.latency_s + spent[0] + router_seconds.get(router, 0.0),
                cost_usd=system.cost_usd + spent[1],
                completion_tokens=system.completion_tokens + spent[2],
            )
        )
    return systems


def find(systems: Sequence[System], router: str, policy: str | None) -> System | None:
    """The system of that name, if it is there."""
    return next((system for system in systems if (system.router, system.policy) == (router, policy)), None)


def _choosing(sheet: Sheet, router: str, policy: str | None, choice: IntArray) -> System:
    """The chosen models' outcomes. Where nothing was chosen (-1): 0 of an as-published policy, else not known."""
    rows, nowhere = np.arange(len(choice)), choice < 0
    answers_all = policy is None or not policy.endswith(AS_PUBLISHED)

    def chosen(values: FloatArray) -> FloatArray:
        return np.where(nowhere, np.nan if answers_all or np.isnan(values).all() else 0.0, values[rows, np.maximum(choice, 0)])

    return System(
        model=None,
        router=router,
        policy=policy,
        accuracy=chosen(sheet.reward),
        expected_accuracy=chosen(sheet.success_rate),
        latency_s=chosen(sheet.latency_s),
        cost_usd=chosen(sheet.cost_usd),
        completion_tokens=chosen(sheet.completion_tokens),
    )


def _mean(values: FloatArray) -> FloatArray:
    """Mean over the models that are known; NaN where none is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: FloatArray = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
    return mean
