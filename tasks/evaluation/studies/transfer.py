"""Does a router work on benchmarks and subjects that it has not seen?

    setting                   benchmark  subject  router  metric                value  ci_low  ci_high
    trained on gsm8k          mmlu       null     linear  accuracy              0.512   0.480    0.545
    trained on gsm8k          mmlu       null     linear  gain_over_best_known -0.010  -0.031    0.012
    trained on gsm8k          mmlu       null     linear  lost                 -0.041  -0.062   -0.019
    trained without mmlu      mmlu       null     linear  …
    trained without prices    embedded   prices   linear  …
    trained without each      null       null     linear  gain_over_best_known  0.013  -0.002    0.028   (over all benchmarks)
    trained on one            null       null     linear  …                                              (over all pairs of two)
    trained without each subject  null   null     linear  …

`accuracy` is told on the test queries of the benchmark (and subject) of the row. `gain_over_best_known`: over the model that is best on
the very training queries that the router had, which is what somebody with these queries would use without a router. `lost`: against
the same router trained on everything ("as it is"). Rows over many places count each test query once, with the mean of
the routers that were tried on it; the intervals of their gains hold for all of them at once.

Routers are trained on each benchmark alone, and on all but one; with all but one subject for the `SUBJECTS` largest. A benchmark that has
no training or no validation query cannot be trained on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tasks.config import Settings
from tasks.evaluation.figures import Row
from tasks.evaluation.intervals import Resamples
from tasks.evaluation.studies import Tables
from tasks.evaluation.studies.means import Named, compared_rows, mean_rows
from tasks.evaluation.studies.tried import best_first, earned
from tasks.evaluation.systems import FloatArray, Sheet, sheet_of
from tasks.lake.interfaces import Trial

AS_IT_IS = "as it is"
SUBJECTS = 8  # the largest; each is a router to train
BENCHMARKS = 8  # the largest
GAIN = "gain_over_best_known"
ALONE, LEFT_OUT, SUBJECT = "trained on one", "trained without each", "trained without each subject"


@dataclass(frozen=True)
class _Plan:
    """One router: `kind` of trial, what it is called, which queries it may learn from, and where it is tried."""

    kind: str
    setting: str
    known: pl.Expr
    tried: pl.Expr


def trials(queries: pl.DataFrame, votes: pl.DataFrame, settings: Settings, seed: int) -> Iterator[Trial]:
    """The control, trained on everything, and each router that lacks something; nothing where nothing can be left out."""
    plans = _plans(queries, votes)
    if plans:
        yield Trial(AS_IT_IS, queries, votes)
    for plan in plans:
        is_test = pl.col("split") == "test"
        yield Trial(plan.setting, queries.filter((is_test & plan.tried) | (~is_test & plan.known)), votes)


def _plans(queries: pl.DataFrame, votes: pl.DataFrame) -> list[_Plan]:
    asked = queries.join(votes.select("query_id").unique(), on="query_id", how="semi")
    counts = asked.group_by("benchmark", "split").len()
    sizes = {(benchmark, split): n for benchmark, split, n in counts.iter_rows()}

    def can_learn(names: Sequence[str]) -> bool:
        return all(any(sizes.get((name, split), 0) for name in names) for split in ("train", "validation"))

    of_test = sorted({name for name, split in sizes if split == "test"}, key=lambda name: (-sizes[name, "test"], name))
    every = sorted({name for name, _ in sizes})
    benchmark = pl.col("benchmark")
    plans = []
    if len(every) > 1:
        plans += [
            _Plan(ALONE, f"trained on {name}", benchmark == name, benchmark != name)
            for name in sorted(of_test[:BENCHMARKS])
            if can_learn([name]) and len(of_test) > 1
        ]
        plans += [
            _Plan(LEFT_OUT, f"trained without {name}", benchmark != name, benchmark == name)
            for name in sorted(of_test[:BENCHMARKS])
            if can_learn([other for other in every if other != name])
        ]
    for name, subject in _subjects(asked):
        here = (benchmark == name) & (pl.col("subject") == subject)
        called = f"{subject} of {name}" if len(every) > 1 else subject
        plans.append(_Plan(SUBJECT, f"trained without subject {called}", here.not_().fill_null(True), here.fill_null(False)))
    return list({plan.setting: plan for plan in reversed(plans)}.values())[::-1]  # names are anything: of two that are equal the first


def _subjects(asked: pl.DataFrame) -> list[tuple[str, str]]:
    """The benchmarks' largest subjects, where a benchmark has several, by test queries."""
    counts = asked.filter((pl.col("split") == "test") & pl.col("subject").is_not_null()).group_by("benchmark", "subject").len()
    several = counts.filter(pl.len().over("benchmark") > 1).sort(["len", "benchmark", "subject"], descending=[True, False, False])
    return sorted(several.select("benchmark", "subject").head(SUBJECTS).iter_rows())


def study(tables: Tables, settings: Settings, bootstrap: int, seed: int) -> list[Row]:
    """Rows of METRICS without `study`; nothing without trials."""
    sheet = sheet_of(tables.queries, tables.votes, "test")
    plans = _plans(tables.queries, tables.votes)
    if sheet.queries.is_empty() or tables.trials.is_empty() or not plans:
        return []
    resamples = Resamples(sheet.queries["benchmark"].to_list(), bootstrap, seed)
    tried = _tried(tables, sheet, plans)
    rows: list[Row] = []
    gains: list[Named] = []
    for router in sorted({router for router, _ in tried}):
        whole = tried.get((router, AS_IT_IS))
        if whole is None:
            continue
        pooled: dict[str, list[dict[str, FloatArray]]] = {}
        for plan in plans:
            values = tried.get((router, plan.setting))
            if values is None:
                continue
            figures = _figures(tables, sheet, plan, values, whole)
            pooled.setdefault(plan.kind, []).append(figures)
            for place, where in _places(sheet, plan):
                name = {"router": router, "setting": plan.setting, "split": "test"} | place
                named = [(name | {"metric": metric}, of) for metric, of in figures.items()]
                rows += mean_rows(named, resamples, where)
        for kind, found in pooled.items():
            named = _pooled(found, {"router": router, "setting": kind, "split": "test"})
            gains += [(name, of) for name, of in named if name["metric"] == GAIN]
            rows += mean_rows([(name, of) for name, of in named if name["metric"] != GAIN], resamples)
    return rows + [found for found in compared_rows(gains, resamples) if found["metric"] != "verdict"]


def _tried(tables: Tables, sheet: Sheet, plans: Sequence[_Plan]) -> dict[tuple[str, str], FloatArray]:
    """What each router of each plan earns. Ties go to the model that is best on the training queries that the router had."""
    found = earned(sheet, tables.trials.filter(pl.col("setting") == AS_IT_IS), best_first(tables.queries, tables.votes))
    for plan in plans:
        of_plan = tables.trials.filter(pl.col("setting") == plan.setting)
        found |= earned(sheet, of_plan, best_first(_known(tables, plan), tables.votes))
    return found


def _known(tables: Tables, plan: _Plan) -> pl.DataFrame:
    """What the router of a plan may learn from."""
    return tables.queries.filter((pl.col("split") != "test") & plan.known)


def _figures(tables: Tables, sheet: Sheet, plan: _Plan, values: FloatArray, whole: FloatArray) -> dict[str, FloatArray]:
    """What the router of a plan earns, alone and against what it is compared with; NaN where it was not tried."""
    best = sheet.models.index(best_first(_known(tables, plan), tables.votes)[0])
    return {"accuracy": values, GAIN: values - sheet.reward[:, best], "lost": values - whole}


def _places(sheet: Sheet, plan: _Plan) -> list[tuple[Row, "np.typing.NDArray[np.int64]"]]:
    """Where a router was tried: each benchmark, or the subject."""
    asked = sheet.queries.with_row_index("row").filter(plan.tried)
    by = ["benchmark", "subject"] if plan.kind == SUBJECT else ["benchmark"]
    groups = asked.partition_by(by, as_dict=True)
    return [(dict(zip(by, name, strict=True)), groups[name]["row"].to_numpy().astype(np.int64)) for name in sorted(groups)]


def _pooled(found: Sequence[dict[str, FloatArray]], name: Row) -> list[Named]:
    """Figures over all routers of a kind: of each query the mean over the routers that were tried on it; nothing of a single one."""
    figures = []
    for metric in found[0] if len(found) > 1 else ():
        stacked = np.stack([of[metric] for of in found])
        known = ~np.isnan(stacked)
        with np.errstate(invalid="ignore"):
            figures.append((name | {"metric": metric}, np.where(known, stacked, 0.0).sum(axis=0) / known.sum(axis=0)))
    return figures
