"""Votes, scores and routes → metrics.

    evaluate(queries, votes, scores, routes, {"kmeans-tfidf": 0.0002}, bootstrap=2000, seed=0)

    study       benchmark  split  model   router        policy  metric    value  ci_low  ci_high    n
    evaluation  null       test   ledger  null          null    accuracy  0.58   0.52    0.64     240
    evaluation  null       test   null    kmeans-tfidf  argmax  accuracy  0.64   0.58    0.70     240
    evaluation  null       test   null    kmeans-tfidf  argmax  gain      0.06   0.02    0.10     240
    evaluation  null       test   null    kmeans-tfidf  argmax  verdict   1      null    null     240

Who a row is about: `model` alone, a single model; `router` and `policy`, a router; `router` "random" or "oracle" without a
policy, these baselines; `router` alone, something of its confidences. `benchmark` and `subject` are null for all queries
together. Metrics, one row each:

    of a system        accuracy, expected_accuracy, latency_s, cost_usd; macro_accuracy (benchmarks weighted equally)
    of a comparison    gain (over the best single model), gain_over_benchmark, gain_over_random, gain_over_hindsight (over
                       the single model that is best on these very queries), macro_gain,
                       gap_closed (of the gap between best single model and oracle), certainty, verdict
    of a router        share (of queries, by model), constant, router_seconds, default (chosen on validation queries)
    of confidences     brier, classifier_upper_bound, f1, weighted_f1, reliability_…, calibration_error
    of a model         best_single, hindsight_best; of its votes agreement, ambiguous, unreadable, decided_early, incomplete,
                       samples_saved, tokens_saved, seconds_saved

`expected_accuracy` is the mean of `success_rate`: censored where sampling stopped early, as agreement, ambiguous and unreadable are.

Test queries are counted only here and decide nothing. Validation queries get the same means and gains, of which only the
default router follows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tasks.evaluation import calibration, choices, verdict
from tasks.evaluation.figures import OPPONENTS, Figure, Row, gain_figures, row, system_figures
from tasks.evaluation.intervals import Resamples, interval, mean
from tasks.evaluation.systems import (
    FloatArray,
    IntArray,
    Sheet,
    System,
    find,
    hindsight,
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


def evaluate(
    queries: pl.DataFrame,
    votes: pl.DataFrame,
    scores: pl.DataFrame,
    routes: pl.DataFrame,
    router_seconds: Mapping[str, float],
    bootstrap: int,
    seed: int,
) -> pl.DataFrame:
    """Rows of METRICS with study "evaluation", from whole tables.

    `votes` has one recipe per query and model. `router_seconds`: seconds that each router takes for one query itself.
    `bootstrap`: resamples behind each interval. The order of rows or models in the inputs changes nothing.
    """
    test = _split_rows(queries, votes, scores, routes, router_seconds, bootstrap, seed, "test")
    validation = _split_rows(queries, votes, scores, routes, router_seconds, bootstrap, seed, "validation")
    chosen = [{**found, "split": "validation"} for found in verdict.default(validation)]
    seconds = [row("router_seconds", router_seconds[router], 1, router=router) | {"n": None} for router in sorted(router_seconds)]
    rows = [{"study": "evaluation", **found} for found in [*test, *validation, *chosen, *seconds]]
    return pl.DataFrame(rows, schema=METRICS.schema, orient="row") if rows else pl.DataFrame(schema=METRICS.schema)


@dataclass(frozen=True)
class Scope:
    """The queries that a figure is averaged over."""

    benchmark: str | None
    subject: str | None
    rows: IntArray

    @property
    def name(self) -> Row:
        """As columns of the metrics table."""
        return {"benchmark": self.benchmark, "subject": self.subject}


def _split_rows(
    queries: pl.DataFrame,
    votes: pl.DataFrame,
    scores: pl.DataFrame,
    routes: pl.DataFrame,
    router_seconds: Mapping[str, float],
    bootstrap: int,
    seed: int,
    split: str,
) -> list[Row]:
    """Every row of one split."""
    if queries.filter(pl.col("split") == split).is_empty():
        return []
    sheet = sheet_of(queries, votes, split)
    systems = [*single_models(sheet), random_choice(sheet), oracle(sheet), *routed(sheet, routes, router_seconds)]
    confidences = _confidences(sheet, scores)
    opponents = {metric: find(systems, router, None if router == "random" else "argmax") for metric, router in OPPONENTS.items()}
    opponents["gain_over_hindsight"] = hindsight(systems)
    figures = [
        *system_figures(systems),
        *gain_figures(systems, opponents),
        *(figure for router, values in confidences.items() for figure in calibration.confidence_figures(router, sheet, values)),
    ]
    resamples = Resamples(sheet.queries["benchmark"].to_list(), bootstrap, seed)
    headroom = _headroom(systems)
    everything, *benchmarks = _scopes(sheet)

    rows = _means(everything, figures, headroom, resamples, with_verdict=split == "test")
    rows += _macro(benchmarks, [figure for figure in figures if figure.metric in OF_A_SUBJECT], resamples)
    for scope in benchmarks:
        rows += _means(scope, figures, headroom, resamples)
    for scope in [everything, *benchmarks]:
        rows += [found | scope.name for found in choices.shares(systems, sheet.models, scope.rows)]
        rows += [
            found | scope.name for router, values in confidences.items() for found in calibration.f1(router, sheet, values, scope.rows)
        ]
    if split == "test":
        of_a_subject = [figure for figure in figures if figure.metric in OF_A_SUBJECT]
        for scope in _subjects(sheet):
            rows += _means(scope, of_a_subject, None, resamples)
            rows += [found | scope.name for found in choices.shares(systems, sheet.models, scope.rows) if found["value"]]
        rows += [found for router, values in confidences.items() for found in calibration.reliability(router, sheet, values)]
        rows += verdict.constants(systems)
        rows += verdict.best_single(systems, sheet.models)
        rows += verdict.hindsight_best(hindsight(systems))
        rows += voting_quality(votes.join(sheet.queries.select("query_id"), on="query_id", how="semi"))
    return [found | {"split": split} for found in rows]


def _confidences(sheet: Sheet, scores: pl.DataFrame) -> dict[str, FloatArray]:
    """Confidences of each router, float64 (queries, models), NaN where missing."""
    query_ids = sheet.queries["query_id"].to_list()
    tables = scores.filter(pl.col("query_id").is_in(query_ids)).partition_by("router", as_dict=True)
    return {
        router: views.matrix(tables[router,], query_ids, sheet.models, pl.col("confidence")).astype(np.float64)
        for (router,) in sorted(tables)
    }


def _headroom(systems: Sequence[System]) -> FloatArray | None:
    """What the oracle is better than the best single model on each query."""
    best, perfect = find(systems, "best-single", "argmax"), find(systems, "oracle", None)
    return None if best is None or perfect is None else perfect.accuracy - best.accuracy


def _scopes(sheet: Sheet) -> list[Scope]:
    """All queries together, then each benchmark."""
    names = sheet.queries["benchmark"].to_numpy()
    return [
        Scope(None, None, np.arange(len(names))),
        *(Scope(name, None, np.flatnonzero(names == name)) for name in sorted(set(names))),
    ]


def _subjects(sheet: Sheet) -> list[Scope]:
    """Each subject of each benchmark, where there are any."""
    rows = sheet.queries.with_row_index("row").filter(pl.col("subject").is_not_null())
    groups = rows.with_columns(pl.col("row").cast(pl.Int64)).partition_by("benchmark", "subject", as_dict=True)
    return [Scope(name[0], name[1], groups[name]["row"].to_numpy()) for name in sorted(groups)]


def _means(
    scope: Scope, figures: Sequence[Figure], headroom: FloatArray | None, resamples: Resamples, *, with_verdict: bool = False
) -> list[Row]:
    """Mean and interval of each figure over the scope's queries, and what follows from a gain."""
    values = np.column_stack([figure.values for figure in figures])
    average, n = mean(values[scope.rows])
    draws = resamples.means(values, scope.rows)
    low, high = interval(draws, n)
    rows = []
    for column, figure in enumerate(figures):
        if n[column]:
            rows.append(figure.name | row(figure.metric, average[column], n[column], low=low[column], high=high[column]))
    gains = [column for column, figure in enumerate(figures) if figure.metric == "gain" and figure.policy is not None and n[column]]
    if gains and headroom is not None:
        rows += _gaps_closed(scope, [figures[column] for column in gains], average[gains], draws[:, gains], headroom, resamples)
    for column in gains if with_verdict else []:
        found = verdict.verdict(figures[column].values[scope.rows], low[column], high[column])
        rows.append(figures[column].name | row("verdict", found, n[column]))
        rows.append(figures[column].name | row("certainty", verdict.certainty(draws[:, column]), n[column]))
    return [found | scope.name for found in rows]


def _gaps_closed(
    scope: Scope, gains: Sequence[Figure], averages: FloatArray, draws: FloatArray, headroom: FloatArray, resamples: Resamples
) -> list[Row]:
    """Each gain as a share of the headroom on the same queries; no row where there is no headroom."""
    rooms = np.column_stack([np.where(np.isnan(gain.values), np.nan, headroom) for gain in gains])
    whole, n = mean(rooms[scope.rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = interval(draws / resamples.means(rooms, scope.rows), n)
    return [
        gain.name | row("gap_closed", averages[column] / whole[column], n[column], low=low[column], high=high[column])
        for column, gain in enumerate(gains)
        if whole[column] > 0
    ]


def _macro(benchmarks: Sequence[Scope], figures: Sequence[Figure], resamples: Resamples) -> list[Row]:
    """Mean over benchmarks of their means, each benchmark counting the same; benchmarks where a figure is not known are left out."""
    values = np.column_stack([figure.values for figure in figures])
    averages, counts = zip(*(mean(values[scope.rows]) for scope in benchmarks), strict=True)
    average, _ = mean(np.stack(averages))
    n = np.sum(counts, axis=0)
    draws = np.stack([resamples.means(values, scope.rows) for scope in benchmarks])
    low, high = interval(mean(draws)[0], n)
    return [
        figure.name | row(f"macro_{figure.metric}", average[column], n[column], low=low[column], high=high[column])
        for column, figure in enumerate(figures)
        if n[column]
    ]
