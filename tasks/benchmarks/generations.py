"""Generations made elsewhere become `queries` and `generations`, as if we had sampled them.

    question             gold  model          sample  text
    Janet's ducks lay …  18    6b_finetuning  0       "Janet eats 3 … A: 18"

`sample` numbers a model's answers to one query 0, 1, 2 …; it is required, because an order that we made up would decide
ties of the vote. What else is absent: `benchmark` is the file's name, `answer_kind` follows from gold and choices
(`gold.py`), `recipe` is "imported", a missing text is an empty answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tasks.benchmarks.formats import read_imports
from tasks.benchmarks.gold import settle
from tasks.benchmarks.identity import identify
from tasks.benchmarks.queries import finish
from tasks.benchmarks.reading import Field
from tasks.config import Import, Splits
from tasks.errors import UserError
from tasks.lake import tables
from tasks.lake.buckets import Bucket
from tasks.lake.generations import IMPORTED

_FIELDS = {
    "benchmark": Field(),
    "split": Field(),
    "query_id": Field(),
    "question": Field(required=True),
    "choices": Field("list"),
    "gold": Field(required=True),
    "answer_kind": Field(),
    "subject": Field(),
    "model": Field(required=True),
    "recipe": Field(),
    "sample": Field("whole", required=True, high=2**31 - 1),
    "text": Field(required=True, blank=True),
    "seed": Field("whole"),
    "finish_reason": Field(),
    "prompt_tokens": Field("whole", high=2**31 - 1),
    "completion_tokens": Field("whole", high=2**31 - 1),
    "latency_s": Field("number"),
    "first_token_s": Field("number"),
}
_OF_QUERY = ["split", "subject", "gold", "answer_kind"]  # what belongs to a row's query


@dataclass(frozen=True)
class ImportedGenerations:
    """Rows of the tables `queries` and `generations`, sorted by their keys, and notes for the report."""

    queries: pl.DataFrame
    generations: pl.DataFrame
    notes: list[str]


def read_generations(imports: Sequence[Import], splits: Splits, seed: int) -> ImportedGenerations:
    """Read all generations of a run; they lie in one bucket, 00-of-01. Raises UserError that names file, row and column."""
    rows, notes = read_imports(imports, "generations", _FIELDS)
    # The texts are by far the most of it: until the table is made, a hash and a place stand for each.
    texts = rows["text"].fill_null("")
    rows = rows.drop("text").with_columns(_recipe(), said=texts.hash(), place=pl.int_range(pl.len()))
    rows, asked, unclear = identify(rows)
    contents = rows.filter(_first_of(rows, ["benchmark", "source_id", *_OF_QUERY])).drop("query_id")
    contents = settle(contents.join(asked, on=["benchmark", "source_id"], maintain_order="left"))
    rows = rows.drop(_OF_QUERY)
    _no_dispute(contents, ["benchmark", "source_id"], "gold", "query")
    _no_dispute(rows, ["benchmark", "source_id", "model"], "recipe", "query and model: give each recipe's model a name of its own")
    _no_dispute(rows, ["benchmark", "source_id", "model", "recipe", "sample"], "said", "query, model and sample", shown="text")
    queries, cut = finish(contents.select(*tables.QUERIES.columns).unique(), splits, seed)
    rows, repeated = _once_each(rows)
    rows = rows.with_columns(text=texts.gather(rows["place"]), bucket=pl.lit(Bucket(0, 1).label)).select(*tables.GENERATIONS.columns)
    del texts
    return ImportedGenerations(queries, tables.check(tables.GENERATIONS, rows), [*notes, *unclear, *repeated, *cut])


def _recipe() -> pl.Expr:
    """ "imported", or "imported-r1" where the file tells recipes apart."""
    return (
        pl.when(pl.col("recipe").is_null())
        .then(pl.lit(IMPORTED))
        .otherwise(pl.concat_str(pl.lit(f"{IMPORTED}-"), pl.col("recipe")))
        .alias("recipe")
    )


def _first_of(rows: pl.DataFrame, columns: list[str]) -> pl.Series:
    """Whether a row is the first with its values, by a hash of 64 bits as in `query_id`: a tenth of the memory of the values."""
    return rows.select(columns).hash_rows().is_first_distinct()


def _no_dispute(rows: pl.DataFrame, key: list[str], column: str, what: str, shown: str | None = None) -> None:
    """Rows with one key have one value in `column`, which users know as `shown`. `rows` are as they were read."""
    distinct = rows.select(*key, column, "file", "row").filter(_first_of(rows, [*key, column]))
    several = distinct.filter(distinct.select(key).hash_rows().is_duplicated())
    if several.height:
        first = several.row(0, named=True)
        other = several.filter(*[pl.col(name) == first[name] for name in key]).row(1, named=True)
        raise UserError(
            f"{other['file']}: row {other['row']}: column {shown or column!r} differs from row {first['row']} of {first['file']}, "
            f"which is about the same {what} ({other['source_id']})"
        )


def _once_each(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Each sample once, sorted; of queries with the same content, the answers to the one with the first id."""
    notes = []
    first = rows.group_by("query_id").agg(pl.col("source_id").min(), several=pl.col("source_id").n_unique() > 1)
    if several := first["several"].sum():
        notes.append(f"{several:,} queries have the same content under several ids; the answers to the first id count")
        rows = rows.join(first, on=["query_id", "source_id"], how="semi")
    key = list(tables.GENERATIONS.key)
    rows = rows.sort(*key, "file", "row")
    once = rows.filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in key))
    if once.height < rows.height:
        notes.append(f"{rows.height - once.height:,} generations stood there twice and count once")
    return once, notes
