"""Health: what has to be known before any other figure is believed. One table of alarms, those that are silent too.

    benchmark  model   router   policy  metric          value  ci_low  ci_high      n
    sums       ledger  null     null    unreadable       1      null    null       240
    sums       ledger  null     null    unreadable_share 0.08   0.06    0.10       240
    null       null    domains  argmax  constant         0      null    null       240
    null       null    domains  argmax  largest_share    0.61   null    null       240

An alarm is a metric with value 1 (raised) or 0, of the router, model or benchmark that it is about; the figure behind it, of the same name
otherwise, is its own row. Of what could not be looked at (no samples, a study that was not made) there is no row.

    alarm              figure               raised where
    constant           largest_share        a router sends 98 % of the test queries to one model (`verdict.py`)
    only_benchmark     gain_over_benchmark  a router gains, but not shown to be over one that knows only the benchmark, of several
    cannot_tell        detectable_gain      a tie whose interval (that holds for all that are compared) reaches further than five points
    few_queries        queries              there are fewer than 200 training or 200 test queries, or no validation query
    misled             below_hindsight      the best single model on training queries is surely not the best one on test queries
    miscalibrated      calibration_error    confidences are five points further off than luck, and surely (`calibration.py`)
    unstable_clusters  winners_agree        winners of clusters, or clusters, are not shown to be more than luck (study `clusters`)
    contaminated       excess               a model has seen the training queries (study `contamination`)
    leaked             same_share, …        a test query of a benchmark is among those that were learned from, or 1 % of them nearly are
    unknown_answers    unknown_share        a router chose models whose answer is not known: these queries are left out, which flatters it
    seldom_asked       asked_share          a model has an answer to fewer than half of the queries
    incomplete         incomplete_share     queries have fewer samples than wanted, and another answer could still win
    unreadable         unreadable_share     surely more than 5 % of a model's samples on a benchmark have no answer to read
    cut_off            cut_off_share        surely more than 5 % of a model's samples on a benchmark were cut off at the length limit

"Surely": the lower end of the interval is above. `detectable_gain` is the true gain that would be seen in four of five such test splits:
the interval's half width and 0.84 standard errors (Cohen, Statistical Power Analysis, 1988). Nothing here is fitted, and nothing chosen.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from tasks.config import Settings
from tasks.evaluation.figures import Row, row
from tasks.evaluation.studies import Tables
from tasks.evaluation.studies.calibration import judged
from tasks.evaluation.studies.leakage import leaks
from tasks.evaluation.studies.samples import sample_alarms
from tasks.evaluation.systems import sheet_of
from tasks.evaluation.verdict import BASELINES
from tasks.lake import views

WIDE = 0.05  # of a gain: what nobody would call the same
FEWEST = {"train": 200, "validation": 1, "test": 200}
OFTEN_NEARLY = 0.01  # of a benchmark's test queries: what changes its accuracy by a point
HALF = 0.5
LUCK = 0.05  # chance below which winners of clusters agree by more than luck
ALIKE = 0.1  # adjusted Rand index of clusters that have hardly anything in common: 0 is chance
POWER = 0.84  # standard errors: the 80th percentile of the normal distribution
NAME = ("benchmark", "model", "router", "policy", "setting")


def study(tables: Tables, settings: Settings, bootstrap: int, seed: int) -> list[Row]:
    """Rows of METRICS without `study`. `tables.metrics`: rows of the evaluation and of the studies that were made."""
    found = _Found(tables.metrics, "evaluation")
    rows = [*_routers(found), *_misled(found), *_few_queries(tables), *_seldom_asked(tables), *_leaked(tables)]
    rows += _miscalibrated(tables, found, seed)
    rows += _of_study(tables.metrics, "contamination", "contaminated", {"excess": "excess_corrected"})
    rows += _unstable_clusters(_Found(tables.metrics, "clusters"))
    return rows + sample_alarms(tables)


def alarm(name: str, raised: bool, figures: Iterable[Row]) -> list[Row]:
    """The alarm, after the figures behind it; it is about whom the first of these is about."""
    behind = list(figures)
    about = {key: value for key, value in behind[0].items() if key in (*NAME, "split")}
    return [*behind, row(name, float(raised), behind[0]["n"] or 0) | about]


class _Found:
    """Figures of one study on test queries, over all subjects."""

    def __init__(self, metrics: pl.DataFrame, study: str) -> None:
        rows = metrics.filter((pl.col("study") == study) & (pl.col("split") == "test") & pl.col("subject").is_null())
        self._rows: dict[str, dict[tuple[str | None, ...], Row]] = {}
        for found in rows.filter(pl.col("value").is_not_null()).sort("metric", *NAME).iter_rows(named=True):
            self._rows.setdefault(found["metric"], {})[tuple(found[key] for key in NAME)] = found

    def all(self, metric: str) -> list[Row]:
        """Every row of the metric."""
        return list(self._rows.get(metric, {}).values())

    def one(self, metric: str, about: Mapping[str, str | None]) -> Row | None:
        """The row of the metric that is about whom another row is about."""
        return self._rows.get(metric, {}).get(tuple(about.get(key) for key in NAME))


def _as(metric: str, found: Row, **changes: float | None) -> Row:
    """A figure of another study, by another name."""
    numbers = {key: found[key] for key in ("value", "ci_low", "ci_high", "n")} | changes
    return {key: found.get(key) for key in (*NAME, "split")} | {"metric": metric} | numbers


def _routers(found: _Found) -> list[Row]:
    """Alarms of each router and policy: it is a constant, knows only the benchmark, cannot be told from the best single model, …"""
    rows = []
    benchmarks = {one["benchmark"] for one in found.all("accuracy")} - {None}
    shares: dict[tuple[str, str], float] = {}
    for one in found.all("share"):
        if one["benchmark"] is None:
            key = one["router"], one["policy"]
            shares[key] = max(shares.get(key, 0.0), one["value"])
    for one in found.all("constant"):
        if one["router"] in BASELINES:
            continue
        largest = _as("largest_share", one, value=shares[one["router"], one["policy"]])
        rows += alarm("constant", one["value"] == 1, [largest])
        unknown = found.one("unknown", one)
        if unknown is not None:
            rows += alarm("unknown_answers", unknown["value"] > 0, [_as("unknown_share", unknown)])
        gain, over = found.one("gain_corrected", one), found.one("gain_over_benchmark_corrected", one)
        if gain is not None and over is not None and len(benchmarks) > 1:
            is_shown = over["ci_low"] is not None and over["ci_low"] > 0
            rows += alarm("only_benchmark", gain["value"] > 0 and not is_shown, [_as("gain_over_benchmark", over)])
        rows += _cannot_tell(gain, found.one("gain", one), found.one("verdict", one))
    return rows


def _cannot_tell(gain: Row | None, own: Row | None, verdict: Row | None) -> list[Row]:
    """`gain`, whose interval holds for all that are compared; `own`, the same with its own interval."""
    if gain is None or own is None or verdict is None:
        return []
    if gain["ci_low"] is None or own["ci_low"] is None:  # of too few queries for an interval
        return alarm("cannot_tell", True, [_as("detectable_gain", gain, value=None)])
    reach = (gain["ci_high"] - gain["ci_low"]) / 2
    error = (own["ci_high"] - own["ci_low"]) / 2 / 1.96
    detectable = row("detectable_gain", reach + POWER * error, gain["n"]) | {key: gain[key] for key in (*NAME, "split")}
    return alarm("cannot_tell", verdict["value"] == 0 and reach > WIDE, [detectable])


def _misled(found: _Found) -> list[Row]:
    best = next(iter(found.all("best_single")), None)
    below = found.one("gain_over_hindsight", {"router": "best-single", "policy": "argmax"})
    if best is None or below is None:
        return []
    about = {key: best[key] for key in (*NAME, "split")}
    raised = below["ci_high"] is not None and below["ci_high"] < 0
    return alarm("misled", raised, [_as("below_hindsight", below) | about])


def _few_queries(tables: Tables) -> list[Row]:
    asked = tables.queries.join(tables.votes.select("query_id"), on="query_id", how="semi")
    counts = dict(asked.group_by("split").len().iter_rows())
    rows = []
    for split, fewest in FEWEST.items():
        n = counts.get(split, 0)
        rows += alarm("few_queries", n < fewest, [row("queries", n, n) | {"split": split}])
    return rows


def _seldom_asked(tables: Tables) -> list[Row]:
    """Of each model, the share of the queries to which any model has an answer that it has one to."""
    whole = tables.votes["query_id"].n_unique()
    counts = tables.votes.group_by("model").agg(pl.col("query_id").n_unique()).sort("model")
    rows = []
    for model, n in counts.iter_rows():
        rows += alarm("seldom_asked", n < HALF * whole, [row("asked_share", n / whole, whole, model=model)])
    return rows


def _leaked(tables: Tables) -> list[Row]:
    asked = tables.queries.join(tables.votes.select("query_id"), on="query_id", how="semi")
    rows = []
    counts = leaks(asked).group_by("benchmark").agg(pl.len(), pl.col("same", "nearly").sum()).sort("benchmark")
    for benchmark, n, same, nearly in counts.iter_rows():
        about = {"benchmark": benchmark, "split": "test"}
        figures = [row("same_share", same / n, n) | about, row("nearly_same_share", nearly / n, n) | about]
        rows += alarm("leaked", same > 0 or nearly > OFTEN_NEARLY * n, figures)
    return rows


def _of_study(metrics: pl.DataFrame, study: str, name: str, figures: Mapping[str, str]) -> list[Row]:
    """Alarms of another study; `figures`: name here → its name there."""
    found = _Found(metrics, study)
    rows = []
    for one in found.all(name):
        behind = [_as(metric, there) for metric, original in figures.items() if (there := found.one(original, one)) is not None]
        rows += [*behind, _as(name, one)]
    return rows


def _unstable_clusters(found: _Found) -> list[Row]:
    """Of the whole pool; without contaminated models there is no row `adjusted_rand`."""
    rows = []
    for alike in found.all("adjusted_rand"):
        chance, agree = found.one("p_value_within_benchmarks", alike) or found.one("p_value", alike), found.one("winners_agree", alike)
        if chance is not None and agree is not None:
            by_luck = found.one("winners_agree_by_chance_within_benchmarks", alike) or found.one("winners_agree_by_chance", alike)
            figures = [_as("winners_agree", agree), _as("p_value", chance), _as("adjusted_rand", alike)]
            figures += [] if by_luck is None else [_as("winners_agree_by_chance", by_luck)]
            rows += alarm("unstable_clusters", chance["value"] > LUCK or alike["value"] < ALIKE, figures)
    return rows


def _miscalibrated(tables: Tables, found: _Found, seed: int) -> list[Row]:
    """As the study `calibration` says, or would have said."""
    by_luck = "calibration_error_by_luck"
    if of_study := _of_study(tables.metrics, "calibration", "miscalibrated", {name: name for name in ("calibration_error", by_luck)}):
        return of_study
    sheet = sheet_of(tables.queries, tables.votes, "test")
    query_ids = sheet.queries["query_id"].to_list()
    errors = [error for error in found.all("calibration_error") if error["benchmark"] is None and error["model"] is None]
    errors = [error for error in errors if error["router"] not in BASELINES]
    rows = []
    for error in errors:
        scores = tables.scores.filter(pl.col("router") == error["router"])
        confidences = views.matrix(scores, query_ids, sheet.models, pl.col("confidence")).astype(np.float64)
        luck, verdict = judged(confidences, sheet.reward, len(errors), seed)
        rows += alarm("miscalibrated", verdict["value"] == 1, [_as("calibration_error", error), _as(by_luck, {**error, **luck})])
    return rows
