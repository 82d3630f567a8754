"""Outcomes made elsewhere become `queries` and `votes`.

    benchmark  split  query_id  question         model      score  cost_usd
    mmlu       train  q-17      What is a quark? gemma-7b   0.7    0.0004

Score: the share of right answers, 0 … 1 (0 or 1 where one answer was drawn). `votes` gets a row with recipe "imported",
`k` null, `success_rate` 0.7, `correct` true (above one half). Whether the most frequent answer was the right one is certain
above one half, and at 0; in between (0 < score <= 0.5) the right answer was seen but did not win outright: that is
`ambiguous`. A model may be missing on a query: then there is no row, and no vote.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tasks.benchmarks.formats import read_imports
from tasks.benchmarks.identity import identify
from tasks.benchmarks.queries import finish
from tasks.benchmarks.reading import Field
from tasks.config import Import, Splits
from tasks.errors import UserError
from tasks.lake import tables
from tasks.lake.generations import IMPORTED

_FIELDS = {
    "benchmark": Field(),
    "split": Field(),
    "query_id": Field(),
    "question": Field(required=True),
    "choices": Field("list"),
    "subject": Field(),
    "model": Field(required=True),
    "score": Field("number", required=True, high=1),
    "cost_usd": Field("number"),
    "latency_s": Field("number"),
}


@dataclass(frozen=True)
class ImportedOutcomes:
    """Rows of the tables `queries` and `votes`, sorted by their keys, and notes for the report."""

    queries: pl.DataFrame
    votes: pl.DataFrame
    notes: list[str]


def read_outcomes(imports: Sequence[Import], splits: Splits, seed: int) -> ImportedOutcomes:
    """Read all outcomes of a run: tables, and what other programs have written (`formats/`).

    Columns of a table: `question`, `model`, `score`; optionally `benchmark` (else the file's name), `split`, `query_id` (becomes
    `source_id`), `choices`, `subject`, `cost_usd`, `latency_s`. Raises UserError that names file, row and column.
    """
    rows, notes = read_imports(imports, "outcomes", _FIELDS)
    models = rows["model"].unique()
    if len(models) < 2:
        raise UserError(f"{imports[0].files[0]}: column 'model' is {models[0]!r} in every row; routing needs at least two models")
    rows, asked, unclear = identify(rows)
    rows, repeated = _once_each(rows)
    contents = rows.select("benchmark", "source_id", "split", "subject").unique().join(asked, on=["benchmark", "source_id"])
    queries, cut = finish(contents.with_columns(gold=pl.lit(None, pl.String), answer_kind=pl.lit(None, pl.String)), splits, seed)
    return ImportedOutcomes(queries, _votes(rows), [*notes, *unclear, *repeated, *cut])


def _once_each(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """One row for each query (by its published id) and model. Two that disagree are an error."""
    key = ["benchmark", "source_id", "model"]
    rows = rows.sort(*key, "file", "row")
    is_again = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in key)
    previous = [pl.col(name).shift(1).alias(f"previous_{name}") for name in ("score", "file", "row")]
    disputed = rows.with_columns(previous).filter(is_again & (pl.col("score") != pl.col("previous_score")))
    if disputed.height:
        first = disputed.sort("file", "row").row(0, named=True)
        raise UserError(
            f"{first['file']}: row {first['row']}: column 'score' is {first['score']:g}, but row {first['previous_row']} of "
            f"{first['previous_file']} says {first['previous_score']:g} for the same query and model ({first['source_id']}, "
            f"{first['model']}); expected one row for each query and model, with its mean score"
        )
    once = rows.sort(*key, "cost_usd", "latency_s", "split", "subject").unique(key, keep="first", maintain_order=True)
    notes = [f"{rows.height - once.height:,} outcomes stood there twice and count once"] if once.height < rows.height else []
    several = once.group_by("query_id").agg(pl.col("source_id").n_unique()).filter(pl.col("source_id") > 1).height
    if several:
        notes.append(f"{several:,} queries have the same content under several ids; each is one query with the mean of its scores")
    return once, notes


def _votes(rows: pl.DataFrame) -> pl.DataFrame:
    votes = (
        rows.sort("query_id", "model", "source_id")
        .group_by("query_id", "model", maintain_order=True)
        .agg(pl.col("score").mean().alias("success_rate"), pl.col("cost_usd").mean(), pl.col("latency_s").mean())
        .with_columns(
            recipe=pl.lit(IMPORTED),
            label=pl.col("success_rate"),
            correct=pl.col("success_rate") > 0.5,
            ambiguous=(pl.col("success_rate") > 0) & (pl.col("success_rate") <= 0.5),
            **{
                name: pl.lit(None, dtype=tables.VOTES.schema[name])
                for name in (
                    "k",
                    "wanted",
                    "stop",
                    "answers",
                    "majority",
                    "agreement",
                    "runner_up",
                    "runner_up_votes",
                    "valid",
                    "completion_tokens",
                )
            },
        )
    )
    return tables.check(tables.VOTES, votes)
