"""What does routing cost when memory has no room for all models, and which models would be the best ones to hold?

    setting                                          model   metric             value  ci_low  ci_high
    least recently used leaves · 2 of 5 · window 16  null    loads_per_1000     91     78      104     (router and policy in every row)
    most asked stay · 2 of 5 · window 16             null    loads_saved_per_1000  8  5     11      (over "least recently used leaves")
    least recently used leaves · 2 of 5 · window 16  null    loading_s          0.02   0.017   0.023   (per query)
    least recently used leaves · 2 of 5 · window 16  null    total_s            0.11   0.107   0.113   (with answering, per query)
    least recently used leaves · 2 of 5 · window 16  null    total_over_single  0.05   0.047   0.053   (less single_s)
    null                                             null    answering_s        0.09                   (with all resident)
    null                                             ledger  single_s           0.06                   (best single model; never loads)
    null                                             ledger  asked              0.4                    (share of the queries)
    vllm on NVIDIA H100                              ledger  load_s             31.5   (n: how often it was measured; `stated`: run file)
    vllm on NVIDIA H100                              ledger  gigabytes          14.5
    null                                             atlas   load_unknown       1      (and gigabytes_unknown: then there are fewer rows)

A simulation (`residence.py`) of measured numbers: the stream is the test queries in the order of their ids, sent where the default
router and policy sent them; the first models to be resident, and those that stay, are the ones that were asked most on *other* queries.
Time to answer is that of the votes (where it is not known, the model's mean), the router's own included; where it is not known of a
model that is asked, or of the best single one, only loading is counted: `answering_s`, `single_s` and `total_…` are not there. The
interval is the middle 95 % of `ORDERS` random orders of the same queries, and of this one: it says how much hangs on the order, not
which queries come. Questions that come in bursts of one kind switch less than any of these.

Where sleep was measured, `waking_s` and `total_woken_s` are the same with a model put to sleep and woken in place of being loaded.

Best models under a budget: see `budget.py`. Chosen on validation queries, told on test queries:

    null  ledger  held               14.5   (each model that is held: its gigabytes; `single_held` the best single model that fits)
    null  null    memory_gb          40
    null  null    held_accuracy      0.61   0.56  0.66
    null  null    gain_over_single_held, gain_over_all   0.03  0.01  0.05   (and `verdict` of each, by `setting`)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from tasks.config import Settings
from tasks.evaluation.figures import Row, row
from tasks.evaluation.intervals import Resamples
from tasks.evaluation.studies import Tables
from tasks.evaluation.studies.budget import best_subset, earned_by
from tasks.evaluation.studies.means import compared_rows, mean_rows
from tasks.evaluation.studies.residence import HINDSIGHT, RANKED, RECENT, count
from tasks.evaluation.studies.settings import Switching, check_models
from tasks.evaluation.studies.tried import best_first
from tasks.evaluation.systems import FloatArray, IntArray, Sheet, routed, sheet_of
from tasks.evaluation.verdict import BASELINES
from tasks.lake import views

ORDERS = 20
MOST = 8  # numbers of places that are tried
STATED = "stated"


@dataclass(frozen=True)
class _Cost:
    """What one model takes; None where it is neither measured nor stated."""

    load_s: float | None = None
    gigabytes: float | None = None
    doze_s: float | None = None  # to sleep and to wake
    measured: int = 0
    where: str = STATED


@dataclass(frozen=True)
class _Stream:
    """Test queries that were sent to a model: which one (index), and the seconds that it takes to answer; (queries,)."""

    asked: IntArray
    answering_s: FloatArray
    single_s: FloatArray
    ranking: tuple[int, ...]  # all models, the one most asked on other queries first
    single: int  # the best single model
    timed: bool  # whether it is known how long the models that are asked take to answer; else only loading is counted


def study(tables: Tables, settings: Settings, bootstrap: int, seed: int) -> list[Row]:
    """Rows of METRICS on test queries; none where nothing was routed. Raises UserError for a model in the settings that is not there."""
    assert isinstance(settings, Switching)
    sheet, who = sheet_of(tables.queries, tables.votes, "test"), _router(tables)
    check_models(settings, sheet.models)
    if who is None or sheet.queries.is_empty():
        return []
    router, policy = who
    stream = _stream(sheet, tables, router, policy)
    if not len(stream.asked):
        return []
    costs = {model: _cost(tables.loads, settings, model) for model in sheet.models}
    rows = _of_models(costs, {sheet.models[column] for column in stream.asked.tolist()})
    rows += _of_stream(stream, [costs[model] for model in sheet.models], settings.windows, seed)
    rows += [row("asked", np.mean(stream.asked == column), len(stream.asked), model=model) for column, model in enumerate(sheet.models)]
    if stream.timed:
        rows.append(row("answering_s", float(stream.answering_s.mean()), len(stream.asked)))
        rows.append(row("single_s", float(stream.single_s.mean()), len(stream.asked), model=sheet.models[stream.single]))
    rows += _under_budget(tables, sheet, router, costs, settings.memory_gb, bootstrap, seed)
    return [figure | {"split": "test", "router": router, "policy": policy} for figure in rows]


def _router(tables: Tables) -> tuple[str, str] | None:
    """The default router and policy; without one the first by name, argmax before others."""
    default = tables.metrics.filter((pl.col("metric") == "default") & pl.col("router").is_not_null()).select("router", "policy").rows()
    found = set(tables.routes.select("router", "policy").rows())
    candidates = sorted(
        (pair for pair in found if pair[0] not in BASELINES),
        key=lambda pair: (pair not in default, pair[1] != "argmax", *pair),
    )
    return candidates[0] if candidates else None


def _stream(sheet: Sheet, tables: Tables, router: str, policy: str) -> _Stream:
    routes = tables.routes.filter((pl.col("router") == router) & (pl.col("policy") == policy))
    own = tables.metrics.filter((pl.col("metric") == "router_seconds") & (pl.col("router") == router))["value"].drop_nulls().to_list()
    typical = _known(sheet.latency_s)
    found = routed(replace(sheet, latency_s=typical), routes, {router: own[0]} if own else {})
    none = np.empty(0, dtype=np.int64)
    choice = found[0].choice if found else None
    asked = none if choice is None else choice
    here = np.flatnonzero(asked >= 0)  # a policy as published leaves some unanswered
    elsewhere = routes.filter(~pl.col("query_id").is_in(sheet.queries["query_id"].to_list()))
    how_often = dict(elsewhere.group_by("model").len().iter_rows())
    order = best_first(tables.queries.sort("query_id"), tables.votes)  # who is asked equally often: the better one first
    ranking = sorted(order, key=lambda model: -how_often.get(model, 0))
    single = sheet.models.index(order[0])
    return _Stream(
        asked=asked[here],
        answering_s=found[0].latency_s[here] if found else np.empty(0),
        single_s=typical[here, single],
        ranking=tuple(sheet.models.index(model) for model in ranking),
        single=single,
        timed=bool(len(here)) and not np.isnan(sheet.latency_s[:, np.unique([*asked[here], single])]).all(axis=0).any(),
    )


def _known(latency_s: FloatArray) -> FloatArray:
    """Where a model's latency is not known, its mean over the queries where it is; 0 where it is known of none."""
    known = ~np.isnan(latency_s)
    means = np.where(known, latency_s, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, latency_s, means)


def _cost(loads: pl.DataFrame, settings: Switching, model: str) -> _Cost:
    """Medians of what was measured, on the engine and device where it was measured most often; else what is stated."""
    groups = loads.filter(pl.col("model") == model).partition_by("engine", "device", as_dict=True)
    stated = _Cost(settings.seconds.get(model), settings.gigabytes.get(model))
    if not groups:
        return stated
    (engine, device), rows = min(groups.items(), key=lambda group: (-group[1].height, group[0]))
    load_s, weights_gb, doze_s = (
        None if (values := rows.select(value).to_series().drop_nulls()).is_empty() else float(np.median(values.to_numpy()))
        for value in (pl.col("load_s"), pl.col("weights_gb"), pl.col("sleep_s") + pl.col("wake_s"))
    )
    return _Cost(load_s, stated.gigabytes if weights_gb is None else weights_gb, doze_s, rows.height, f"{engine} on {device}")


def _of_models(costs: Mapping[str, _Cost], asked: set[str]) -> list[Row]:
    """What each model takes, or that it is not known."""
    rows = []
    for model, cost in costs.items():
        name: Row = {"model": model, "setting": cost.where}
        rows += [
            row(metric, value, cost.measured, **name)
            for metric, value in (("load_s", cost.load_s), ("gigabytes", cost.gigabytes), ("doze_s", cost.doze_s))
            if value is not None
        ]
        rows += [row("load_unknown", 1, 0, model=model)] if cost.load_s is None and model in asked else []
        rows += [row("gigabytes_unknown", 1, 0, model=model)] if cost.gigabytes is None else []
    return rows


def _of_stream(stream: _Stream, costs: Sequence[_Cost], windows: Sequence[int], seed: int) -> list[Row]:
    """Loads and seconds of each rule, number of places and window."""
    asked, models = len(stream.asked), len(costs)
    single_s, answering_s = float(stream.single_s.mean()), float(stream.answering_s.mean())
    rows: list[Row] = []
    random = np.random.default_rng(seed)
    orders = [stream.asked, *(random.permutation(stream.asked) for _ in range(ORDERS))]
    streams = [order.tolist() for order in orders]
    needed = np.unique(stream.asked)
    seconds = {
        metric: np.array([np.nan if value is None else value for value in values])
        for metric, values in (("load", [cost.load_s for cost in costs]), ("wake", [cost.doze_s for cost in costs]))
    }
    can = {metric: not np.isnan(values[needed]).any() for metric, values in seconds.items()}
    ways = [(rule, window) for rule in (RECENT, RANKED) for window in sorted(set(windows))] + [(HINDSIGHT, 1)]
    for places in _places(models):
        of_rule: dict[tuple[str, int], IntArray] = {}
        for rule, window in ways:
            setting = f"{rule} · {places} of {models} · window {window}"
            loads = np.array([count(order, stream.ranking, places, window, rule) for order in streams])
            of_rule[rule, window] = loads.sum(axis=1)
            rows.append(_over_orders("loads_per_1000", 1000 * loads.sum(axis=1) / asked, asked, setting))
            if rule == RANKED:
                saved = of_rule[RECENT, window] - loads.sum(axis=1)
                rows.append(_over_orders("loads_saved_per_1000", 1000 * saved / asked, asked, setting))
            for metric, loading, total in (("load", "loading_s", "total_s"), ("wake", "waking_s", "total_woken_s")):
                if can[metric]:
                    spent = loads[:, needed] @ seconds[metric][needed] / asked
                    rows.append(_over_orders(loading, spent, asked, setting))
                    if stream.timed:
                        rows.append(_over_orders(total, answering_s + spent, asked, setting))
                    if stream.timed and metric == "load":
                        rows.append(_over_orders("total_over_single", answering_s + spent - single_s, asked, setting))
    return rows


def _places(models: int) -> list[int]:
    """Numbers of places that are tried: all, or of many models closer together where they are few."""
    return list(range(1, models + 1)) if models <= MOST else sorted({round(number) for number in np.geomspace(1, models, MOST)})


def _over_orders(metric: str, values: FloatArray, n: int, setting: str) -> Row:
    """The first of the values, and the middle 95 % of all; the first is among them, wherever it is."""
    low, high = np.quantile(values, (0.025, 0.975))
    return row(metric, values[0], n, low=min(low, values[0]), high=max(high, values[0]), setting=setting)


def _under_budget(
    tables: Tables, sheet: Sheet, router: str, costs: Mapping[str, _Cost], memory_gb: float | None, bootstrap: int, seed: int
) -> list[Row]:
    """The best models to hold in `memory_gb` (None: half of what all take); nothing where the size of one is not known."""
    order = best_first(tables.queries.sort("query_id"), tables.votes)
    sizes = [costs[model].gigabytes for model in order]
    validation = sheet_of(tables.queries, tables.votes, "validation")
    scores = tables.scores.filter(pl.col("router") == router)
    if any(size is None for size in sizes) or validation.queries.is_empty() or scores.is_empty():
        return []
    gigabytes = [size for size in sizes if size is not None]
    budget = sum(gigabytes) / 2 if memory_gb is None else memory_gb
    asked = sheet.queries.height
    rows = [row("memory_gb", budget, asked)]
    fitting = [column for column, size in enumerate(gigabytes) if size <= budget * (1 + 1e-9)]
    held = best_subset(*_laid_out(validation, scores, order), gigabytes, budget)
    if not held or not fitting:
        return rows
    single = fitting[0]  # the most accurate on training queries
    rows += [row("held", gigabytes[column], asked, model=order[column]) for column in held]
    rows.append(row("single_held", gigabytes[single], asked, model=order[single]))
    confidences, rewards = _laid_out(sheet, scores, order)
    resamples = Resamples(sheet.queries["benchmark"].to_list(), bootstrap, seed)
    chosen = earned_by(held, confidences, rewards)
    everything = earned_by(range(len(order)), confidences, rewards)
    accuracies = {"held_accuracy": chosen, "single_held_accuracy": rewards[:, single], "all_accuracy": everything}
    rows += mean_rows([({"metric": metric}, values) for metric, values in accuracies.items()], resamples)
    for metric, other in (("gain_over_single_held", rewards[:, single]), ("gain_over_all", everything)):
        rows += compared_rows([({"metric": metric, "setting": metric}, chosen - other)], resamples)
    return rows


def _laid_out(sheet: Sheet, scores: pl.DataFrame, order: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Confidences and rewards of the sheet's queries, columns in this order."""
    trust = views.matrix(scores, sheet.queries["query_id"].to_list(), order, pl.col("confidence")).astype(np.float64)
    return trust, sheet.reward[:, [sheet.models.index(model) for model in order]]
