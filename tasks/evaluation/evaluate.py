"""Votes, scores and routes → metrics.

    evaluate(queries, votes, scores, routes, {"kmeans-tfidf": 0.0002}, bootstrap=2000, seed=0, unit="usd", looks=1)

    study       benchmark  split  model   router        policy  metric    value  ci_low  ci_high    n
    evaluation  null       test   ledger  null          null    accuracy  0.58   0.52    0.64     240
    evaluation  null       test   null    kmeans-tfidf  argmax  accuracy  0.64   0.58    0.70     240
    evaluation  null       test   null    kmeans-tfidf  argmax  gain      0.06   0.02    0.10     240
    evaluation  null       test   null    kmeans-tfidf  argmax  verdict   1      null    null     240

Who a row is about: `model` alone, a single model; `router` and `policy`, a router; `router` without a policy, something of its
confidences or its frontier, or one of the baselines "random", "oracle", "oracle-without-luck" (see `luck.py`), "hindsight-benchmark"
(on each benchmark the model that is best on these very queries) and "single-models" (their frontier). `benchmark` and `subject` are
null for all queries together. Metrics, one row each:

    of a system        accuracy, expected_accuracy, latency_s, cost_usd, completion_tokens; macro_accuracy (benchmarks weighted equally)
    of a comparison    gain (over the best single model), gain_over_benchmark, gain_over_random, gain_over_hindsight (over
                       the single model that is best on these very queries), macro_gain, macro_gain_over_benchmark,
                       gap_closed (of the gap between best single model and oracle), certainty, verdict;
                       gain_corrected, gain_over_benchmark_corrected (intervals for all that are compared at once)
    of a router        share (of queries, by model), constant, unknown, router_seconds, default (chosen on validation queries)
    of confidences     brier, calibration_error (also of each model and of each benchmark), classifier_upper_bound, f1, weighted_f1,
                       reliability_…, preference_auc (of each benchmark)
    of a frontier      frontier_cost_…, frontier_accuracy_…, frontier_area, frontier_luck, frontier_share, frontier_gain,
                       frontier_gain_over_benchmark, macro_frontier_area; in the unit of the run file's [cost]
    of a model         best_single, hindsight_best; of its votes agreement, ambiguous, unreadable, decided_early, incomplete,
                       samples_saved, tokens_saved, seconds_saved
    of the lake        looks (how often its test split has been looked at)

`expected_accuracy` is the mean of `success_rate`: censored where sampling stopped early, as agreement, ambiguous and unreadable are.

Test queries are counted only here and decide nothing. Validation queries get the same means and gains, of which only the
default router follows.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from tasks.config import COST_COLUMNS
from tasks.evaluation import calibration, choices, verdict
from tasks.evaluation.averages import average, macro_rows, rows_of, scopes, subjects
from tasks.evaluation.comparisons import corrected_rows, gap_rows, verdict_rows
from tasks.evaluation.figures import OPPONENTS, Row, gain_figures, row, system_figures
from tasks.evaluation.frontier import frontier_rows
from tasks.evaluation.intervals import Resamples
from tasks.evaluation.luck import oracle_without_luck
from tasks.evaluation.preference import preference_aucs
from tasks.evaluation.systems import (
    FloatArray,
    Sheet,
    System,
    find,
    hindsight,
    hindsight_benchmark,
    oracle,
    random_choice,
    routed,
    sheet_of,
    single_models,
)
from tasks.evaluation.voting_quality import voting_quality
from tasks.lake import views
from tasks.lake.tables import METRICS

OF_A_SUBJECT = ("accuracy", "gain")
OF_ALL_BENCHMARKS = ("accuracy", "gain", "gain_over_benchmark")  # which benchmarks weigh the same in


def evaluate(
    queries: pl.DataFrame,
    votes: pl.DataFrame,
    scores: pl.DataFrame,
    routes: pl.DataFrame,
    router_seconds: Mapping[str, float],
    bootstrap: int,
    seed: int,
    unit: str = "usd",
    looks: int | None = None,
    looking: Mapping[str, tuple[str, int]] | None = None,
) -> pl.DataFrame:
    """Rows of METRICS with study "evaluation", from whole tables.

    `votes` has one recipe per query and model. `router_seconds`: seconds that each router takes for one query itself.
    `bootstrap`: resamples behind each interval. `unit`: of the costs in `scores` (usd, seconds or tokens). `looks`: how often the test
    split has been looked at, this time included; None where nobody counts. `looking`: routers that look at samples before they choose →
    the model and how many of its samples, which is part of what their frontiers cost. The order of rows or models in the inputs
    changes nothing.
    """
    rows: list[Row] = []
    for split in ("test", "validation"):
        sheet = sheet_of(queries, votes, split)
        if not sheet.queries.is_empty():
            resamples = Resamples(sheet.queries["benchmark"].to_list(), bootstrap, seed)
            systems = _systems(sheet, routes, router_seconds)
            confidences = _of_routers(sheet, scores, "confidence")
            found = _means(sheet, systems, confidences, resamples, is_test=split == "test")
            if split == "test":
                found += _of_test_alone(sheet, systems, confidences)
                found += preference_aucs(sheet, sheet_of(queries, votes, "train"), confidences)
                found += _frontiers(sheet, systems, confidences, scores, unit, router_seconds, looking or {}, resamples)
                found += voting_quality(votes.join(sheet.queries.select("query_id"), on="query_id", how="semi"))
                found += [] if looks is None else [row("looks", looks, sheet.queries.height)]
            else:
                found += verdict.default(found)
            rows += [of_split | {"split": split} for of_split in found]
    rows += [row("router_seconds", router_seconds[router], 1, router=router) | {"n": None} for router in sorted(router_seconds)]
    return pl.DataFrame([{"study": "evaluation", **found} for found in rows], schema=METRICS.schema, orient="row")


def _systems(sheet: Sheet, routes: pl.DataFrame, router_seconds: Mapping[str, float]) -> list[System]:
    """Everything that is compared."""
    baselines = [random_choice(sheet), hindsight_benchmark(sheet), oracle(sheet), oracle_without_luck(sheet)]
    return [*single_models(sheet), *baselines, *routed(sheet, routes, router_seconds)]


def _means(
    sheet: Sheet, systems: Sequence[System], confidences: Mapping[str, FloatArray], resamples: Resamples, *, is_test: bool
) -> list[Row]:
    """Means and gains over all queries and over each benchmark's; on test queries also over each subject's, and verdicts."""
    opponents = {metric: find(systems, router, None if router == "random" else "argmax") for metric, router in OPPONENTS.items()}
    opponents["gain_over_hindsight"] = hindsight(systems)
    figures = [*system_figures(systems), *gain_figures(systems, opponents)]
    figures += [figure for router, values in confidences.items() for figure in calibration.confidence_figures(router, sheet, values)]
    best, perfect = find(systems, "best-single", "argmax"), find(systems, "oracle", None)
    headroom = None if best is None or perfect is None else perfect.accuracy - best.accuracy

    rows: list[Row] = []
    benchmarks = []
    for scope in scopes(sheet):
        found = average(scope, figures, resamples)
        rows += rows_of(found) + gap_rows(found, headroom, resamples)
        rows += [share | scope.name for share in choices.shares(systems, sheet.models, scope.rows)]
        for router, values in confidences.items():
            rows += [f1 | scope.name for f1 in calibration.f1(router, sheet, values, scope.rows)]
        if scope.benchmark is not None:
            benchmarks.append(found.take([column for column, figure in enumerate(figures) if figure.metric in OF_ALL_BENCHMARKS]))
        elif is_test:
            rows += verdict_rows(found) + corrected_rows(found, "gain") + corrected_rows(found, "gain_over_benchmark")
    rows += macro_rows(benchmarks)
    if is_test:
        of_a_subject = [figure for figure in figures if figure.metric in OF_A_SUBJECT]
        for scope in subjects(sheet):
            rows += rows_of(average(scope, of_a_subject, resamples))
            rows += [share | scope.name for share in choices.shares(systems, sheet.models, scope.rows) if share["value"]]
        of_models = [figure for router, values in confidences.items() for figure in calibration.model_figures(router, sheet, values)]
        rows += rows_of(average(scopes(sheet)[0], of_models, resamples)) if of_models else []
    return rows


def _of_test_alone(sheet: Sheet, systems: Sequence[System], confidences: Mapping[str, FloatArray]) -> list[Row]:
    """Reliability of the confidences, and alarms."""
    rows = []
    for router, values in confidences.items():
        rows += calibration.reliability(router, sheet, values)
        places = [(scope.name, values[scope.rows], sheet.reward[scope.rows]) for scope in scopes(sheet)]
        places += [({"model": model}, values[:, [column]], sheet.reward[:, [column]]) for column, model in enumerate(sheet.models)]
        for name, *there in places:
            rows += [error | name | {"router": router} for error in calibration.calibration_error(*there)]
    rows += verdict.constants(systems)
    rows += verdict.unknowns(systems)
    rows += verdict.best_single(systems, sheet.models)
    return rows + verdict.hindsight_best(hindsight(systems))


def _frontiers(
    sheet: Sheet,
    systems: Sequence[System],
    confidences: Mapping[str, FloatArray],
    scores: pl.DataFrame,
    unit: str,
    router_seconds: Mapping[str, float],
    looking: Mapping[str, tuple[str, int]],
    resamples: Resamples,
) -> list[Row]:
    """What accuracy costs; what looking costs is part of it and, where the unit is seconds, the router's own."""
    expected = _of_routers(sheet, scores, "cost")
    cost = getattr(sheet, COST_COLUMNS[unit])
    own: dict[str, float | FloatArray] = {**router_seconds} if unit == "seconds" else {}
    for router, (model, looks) in looking.items():
        own[router] = own.get(router, 0.0) + _cost_of_looking(sheet, cost, sheet.models.index(model), looks)
    best = next((found["model"] for found in verdict.best_single(systems, sheet.models)), None)
    return frontier_rows(
        sheet,
        cost,
        {router: (confidences[router], expected[router]) for router in confidences},
        own,
        best,
        resamples,
    )


def _cost_of_looking(sheet: Sheet, cost: FloatArray, column: int, looks: int) -> FloatArray:
    """What is spent on samples of the model in the column before each model is chosen, (queries, models): one is that model's answer."""
    drawn = np.nan_to_num(np.minimum(looks, sheet.samples[:, column]))
    spent = np.repeat(drawn[:, None], len(sheet.models), axis=1)
    spent[:, column] = np.maximum(drawn - 1, 0)
    return np.where(spent > 0, spent * cost[:, [column]], 0.0)


def _of_routers(sheet: Sheet, scores: pl.DataFrame, column: str) -> dict[str, FloatArray]:
    """A column of the scores of each router, float64 (queries, models), NaN where missing."""
    query_ids = sheet.queries["query_id"].to_list()
    tables = scores.filter(pl.col("query_id").is_in(query_ids)).partition_by("router", as_dict=True)
    return {
        router: views.matrix(tables[router,], query_ids, sheet.models, pl.col(column)).astype(np.float64) for (router,) in sorted(tables)
    }
