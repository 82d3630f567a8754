"""How firm are the labels that routers learn from, and would other labels make better routers?

    setting                  model   router  metric              value  ci_low  ci_high
    null                     atlas   null    ambiguous            0.39    0.34     0.44   (share of votes; also of each large subject)
    null                     null    null    right_if_ambiguous   0.21    0.15     0.27   (share of ambiguous votes; and right_if_clear)
    3 samples                atlas   null    accuracy             0.40    0.35     0.45   (of the majority of the first three)
    from 5 to 10 samples     atlas   null    gain_of_samples      0.01   -0.01     0.03
    null                     atlas   null    flip                 0.07    0.06     0.09   (labels that new samples would turn)
    without ambiguous        null    linear  accuracy             0.58    0.52     0.64
    without ambiguous        null    linear  difference           0.01   -0.02     0.04   (to the router trained on labels as they are)
    without ambiguous        null    linear  verdict                 0
    without ambiguous        null    null    changed              0.25                    (share of training labels; split train)

Where `model` and `router` are null, a figure is the mean of the models that are known on a query. A vote that was decided early is what
all its samples would have given, so it counts with more samples than were drawn; votes that are short of samples otherwise are left out
of what grows. `flip` is of as many new samples as were drawn (`tasks/voting/growth.py`).

Routers are trained with the ambiguous votes of training queries left out, on the share of samples that are right in place of the
majority (soft labels, as in knowledge distillation: Hinton et al., arXiv 1503.02531), and on whether at least eight of ten are right (the
stricter label of the scripts of arXiv 2405.00467). Validation and test labels stay as they are, and all are judged by the run's own.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from tasks.config import Settings
from tasks.evaluation.figures import Row, row
from tasks.evaluation.intervals import Resamples
from tasks.evaluation.studies import Tables
from tasks.evaluation.studies.means import Named, compared_rows, mean_rows
from tasks.evaluation.studies.settings import Labels
from tasks.evaluation.studies.tried import best_first, earned
from tasks.evaluation.systems import FloatArray, Sheet, sheet_of
from tasks.lake import views
from tasks.lake.interfaces import Trial

AS_THEY_ARE = "as they are"
RIGHT = {"right_if_ambiguous": 1.0, "right_if_clear": 0.0}
SUBJECTS = 12  # the largest
TOLD = 10  # numbers of samples that are told of, if there are more


def trials(queries: pl.DataFrame, votes: pl.DataFrame, settings: Settings, seed: int) -> Iterator[Trial]:
    """The run's labels, and the others that differ from them on training queries; nothing where none does."""
    assert isinstance(settings, Labels)
    others = relabelled(queries, votes, settings.at_least)
    if others:
        yield Trial(AS_THEY_ARE, queries, votes)
    for setting, changed in others.items():
        yield Trial(setting, queries, changed)


def relabelled(queries: pl.DataFrame, votes: pl.DataFrame, at_least: int) -> dict[str, pl.DataFrame]:
    """Setting → votes whose labels on training queries are other ones; only those that differ from `votes`.

    Ambiguous votes are not left out where a model would have no training label left. A score that was imported counts as the share of
    ten samples that are right.
    """
    is_train = pl.col("query_id").is_in(_ids(queries, "train"))
    samples = next((int(most) for column in ("wanted", "k") if isinstance(most := votes[column].max(), int)), 10)
    left = votes.filter(~(is_train & pl.col("ambiguous")))
    kept, all_models = (found.filter(is_train)["model"].n_unique() for found in (left, votes))
    strict = (pl.col("success_rate") >= at_least / samples - 1e-9).cast(pl.Float64)
    labels = {"soft": pl.col("success_rate")} | ({f"at least {at_least} of {samples}": strict} if at_least <= samples else {})
    found = {"without ambiguous": left} if left.height < votes.height and kept == all_models else {}
    for setting, label in labels.items():
        changed = votes.with_columns(label=pl.when(is_train).then(label).otherwise("label"))
        if not (changed["label"] - votes["label"]).abs().max() or votes.is_empty():
            continue
        found[setting] = changed
    return found


def study(tables: Tables, settings: Settings, bootstrap: int, seed: int) -> list[Row]:
    """Rows of METRICS on test queries: votes (not of imported outcomes, which had none), and the routers that were tried."""
    assert isinstance(settings, Labels)
    sheet = sheet_of(tables.queries, tables.votes, "test")
    if sheet.queries.is_empty():
        return []
    resamples = Resamples(sheet.queries["benchmark"].to_list(), bootstrap, seed)
    rows = [*_ambiguous(sheet, tables.votes, resamples), *_grown(sheet, tables, resamples), *_tried(sheet, tables, resamples)]
    return [found | {"split": "test"} for found in rows] + _changed(tables, settings.at_least)


def _ambiguous(sheet: Sheet, votes: pl.DataFrame, resamples: Resamples) -> list[Row]:
    """Share of ambiguous votes of each model, of all, and in each of the largest subjects; how many of them are right, and of others."""
    sampled = votes.filter(pl.col("answers").is_not_null())
    values, correct = (_matrix(sheet, sampled, pl.col(column)) for column in ("ambiguous", "correct"))
    right = [({"metric": metric}, _mean(np.where(values == is_so, correct, np.nan))) for metric, is_so in RIGHT.items()]
    rows = mean_rows([*_of_models(sheet, "ambiguous", values), *right], resamples)
    named = sheet.queries.with_row_index("row").filter(pl.col("subject").is_not_null())
    subjects = named.group_by("benchmark", "subject").agg(pl.col("row").sort(), size=pl.len())
    for benchmark, subject, of_subject, _ in subjects.sort("size", "benchmark", "subject", descending=[True, False, False])[
        :SUBJECTS
    ].iter_rows():
        found = mean_rows([({"metric": "ambiguous"}, _mean(values))], resamples, np.array(of_subject, dtype=np.int64))
        rows += [of | {"benchmark": benchmark, "subject": subject} for of in found]
    return rows


def _grown(sheet: Sheet, tables: Tables, resamples: Resamples) -> list[Row]:
    """Accuracy with more and more samples, what the later ones bring, and how many labels new samples would turn.

    Up to the number of samples that most votes of every model have.
    """
    growth = tables.growth.filter(pl.col("query_id").is_in(sheet.queries["query_id"].to_list()))
    if growth.is_empty():
        return []
    drawn = pl.col("samples").max().over("query_id", "model")
    reach = pl.when(pl.col("stop") == "decided").then("wanted").otherwise("k")
    votes = tables.votes.select("query_id", "model", reach=reach)
    growth = growth.with_columns(drawn=drawn).join(votes, on=["query_id", "model"]).with_columns(pl.col("reach").fill_null(pl.col("drawn")))
    last = growth.filter(pl.col("samples") == pl.col("drawn"))
    most = last.group_by("model").agg(pl.col("reach").quantile(0.5, "lower"))["reach"].min()
    assert isinstance(most, int | float)
    most = int(most)
    curves = {}
    for samples in _told(most):
        then = growth.filter((pl.col("samples") == pl.min_horizontal("drawn", samples)) & (pl.col("reach") >= most))
        curves[samples] = _matrix(sheet, then, pl.col("correct"))
    figures = [named for samples, values in curves.items() for named in _of_models(sheet, "accuracy", values, of_samples(samples))]
    for first in sorted({1, (most + 1) // 2} - {most}):
        setting = f"from {first} to {of_samples(most)}"
        figures += _of_models(sheet, "gain_of_samples", curves[most] - curves[first], setting)
    figures += _of_models(sheet, "flip", _matrix(sheet, last.filter(pl.col("drawn") > 1), pl.col("flip")))  # one sample agrees with itself
    return mean_rows(figures, resamples)


def _tried(sheet: Sheet, tables: Tables, resamples: Resamples) -> list[Row]:
    """What routers earn that were trained on other labels, and the difference that these make."""
    found = earned(sheet, tables.trials, best_first(tables.queries, tables.votes))
    accuracies: list[Named] = [
        ({"metric": "accuracy", "router": router, "setting": setting}, values) for (router, setting), values in found.items()
    ]
    differences: list[Named] = [
        ({"metric": "difference", "router": router, "setting": setting}, values - found[router, AS_THEY_ARE])
        for (router, setting), values in found.items()
        if setting != AS_THEY_ARE and (router, AS_THEY_ARE) in found
    ]
    return mean_rows(accuracies, resamples) + compared_rows(differences, resamples)


def _changed(tables: Tables, at_least: int) -> list[Row]:
    """Share of the labels on training queries that are left out, or that are other ones."""
    is_train = pl.col("query_id").is_in(_ids(tables.queries, "train"))
    labels = tables.votes.filter(is_train).select("query_id", "model", "label")
    rows = []
    for setting, votes in relabelled(tables.queries, tables.votes, at_least).items():
        other = labels.join(votes.select("query_id", "model", other="label"), on=["query_id", "model"], how="left")
        share = other.select((pl.col("other").is_null() | (pl.col("other") != pl.col("label"))).mean()).item()
        rows.append(row("changed", share, labels["query_id"].n_unique(), setting=setting, split="train"))
    return rows


def of_samples(count: int) -> str:
    """How many samples vote, as a setting."""
    return "1 sample" if count == 1 else f"{count} samples"


def _told(most: int) -> list[int]:
    """Numbers of samples that are told of: all of them, if there are few."""
    return sorted({*np.linspace(1, most, min(most, TOLD)).round().astype(int).tolist(), (most + 1) // 2})


def _of_models(sheet: Sheet, metric: str, values: FloatArray, setting: str | None = None) -> list[Named]:
    """The figure of each model, and their mean; `values` is (queries, models)."""
    name = {"metric": metric, "setting": setting}
    return [(name, _mean(values)), *((name | {"model": model}, values[:, column]) for column, model in enumerate(sheet.models))]


def _mean(values: FloatArray) -> FloatArray:
    """Mean over the models that are known, (queries,); NaN where none is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        average: FloatArray = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
    return average


def _matrix(sheet: Sheet, rows: pl.DataFrame, value: pl.Expr) -> FloatArray:
    """`value` of each (query, model), float64 (queries, models), NaN where missing."""
    return views.matrix(rows, sheet.queries["query_id"].to_list(), sheet.models, value.cast(pl.Float32)).astype(np.float64)


def _ids(queries: pl.DataFrame, split: str) -> list[str]:
    return queries.filter(pl.col("split") == split)["query_id"].to_list()
