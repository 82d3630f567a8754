"""MMLU: multiple-choice questions of 57 subjects (Hendrycks et al., arXiv 2009.03300; MIT).

    {"question": "Find the degree for the given field extension Q(sqrt(2), sqrt(3), sqrt(18)) over Q.", "subject": "abstract_algebra",
     "choices": ["0", "4", "2", "6"], "answer": 1}

The gold is the letter of `choices[answer]`: "B"; an answer that is a letter already stays as it is. MMLU was made to test
models without training them: it has no train questions of its own kind. So its test (14,042) and validation (1,531) questions
are taken together, and splits are cut by hash. A column `split`, or a file named for a train split, is honoured.

Five more questions of each subject, its dev split (285), are worked examples for prompts ("shots") and never queries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

import polars as pl

from tasks.benchmarks.gold import LETTERS
from tasks.benchmarks.holes import hole
from tasks.benchmarks.hub import Dataset, fetch
from tasks.benchmarks.queries import split_of_files, with_ids
from tasks.benchmarks.reading import Field, read_files, require
from tasks.errors import UserError

GOLD = "two options or more, and an answer"
HUB = Dataset(
    "cais/mmlu",
    "c30699e8356da336a370243923dbaf21066bb9fe",
    ("all/test-00000-of-00001.parquet", "all/validation-00000-of-00001.parquet", "all/dev-00000-of-00001.parquet"),
)
_SHOTS = 5  # worked examples of each subject
_FIELDS = {
    "question": Field(required=True, blank=True),
    "choices": Field("list", required=True, blank=True),
    "answer": Field(required=True, blank=True),
    "subject": Field(),
    "split": Field(),
    "source_id": Field(),
}
_IS_SHOT = (pl.col("split").str.strip_chars().str.to_lowercase() == "dev").fill_null(False)


class Shot(TypedDict):
    """A worked example: what is asked, and the letter of the right option."""

    question: str
    choices: list[str]
    gold: str


def load(files: Sequence[str], columns: Mapping[str, str]) -> pl.DataFrame:
    """Rows for `load_benchmark`, from the hub or from files in the original shape; `gold` is null where there is none.

    Those of split "dev" are worked examples, which `without_shots` takes away. Raises UserError.
    """
    rows = read_files(files or fetch(HUB), columns, _FIELDS)
    answer = pl.col("answer").str.strip_chars().str.to_uppercase().str.strip_suffix(".0")  # 1.0: of a column with gaps
    by_index = {str(index): letter for index, letter in enumerate(LETTERS)}
    by_letter = {letter: letter for letter in LETTERS}
    rows = rows.with_columns(gold=answer.replace_strict(by_index | by_letter, default=None))
    place = pl.col("gold").replace_strict(LETTERS, range(len(LETTERS)), return_dtype=pl.UInt32)
    known = (place < pl.col("choices").list.len()).fill_null(False) | (answer == "") | (pl.col("choices").list.len() < 2)
    require(rows, known | pl.col("choices").is_null(), "answer", "the index (from 0) or the letter of one of the choices")
    named = rows.select(split_of_files(rows).alias("split"))["split"]
    counts = pl.lit(True) if {"train", "training"} & set(named) else named == "dev"
    return rows.with_columns(split=pl.coalesce("split", pl.when(counts).then(named)), answer_kind=pl.lit("choice"))


def without_shots(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The rows of `load` (with `benchmark`) that are queries, and notes. A query that is also a worked example is left out."""
    rows = with_ids(rows)
    shots, queries = rows.filter(_IS_SHOT), rows.filter(~_IS_SHOT)
    kept = queries.join(shots, on="query_id", how="anti", maintain_order="left")
    if kept.is_empty():
        raise UserError(f"{rows['file'][0]}: all its questions are of split dev, which are worked examples; expected others besides")
    name = f"benchmark {rows['benchmark'][0]!r}"
    notes = [] if shots.height else [f"{name} brought no dev questions to show as worked examples: its prompt is zero-shot"]
    if shown := queries.height - kept.height:
        notes.append(f"{name}: questions that are also worked examples of its prompt were left out ({shown:,})")
    return kept.drop("query_id"), notes


def shots(files: Sequence[str], columns: Mapping[str, str]) -> dict[str, list[Shot]]:
    """At most five worked examples of each subject (`""` where there is none), in an order that does not depend on the rows'."""
    rows = load(files or fetch(replace(HUB, files=HUB.files[-1:])), columns).filter(_IS_SHOT, hole().is_null())
    content = ["subject", "question", "options"]
    rows = rows.with_columns(options=pl.col("choices").list.join("\n")).sort(*content, "gold")
    rows = rows.unique(content, keep="first", maintain_order=True)
    found: dict[str, list[Shot]] = {}
    for subject, question, choices, gold in rows.select("subject", "question", "choices", "gold").iter_rows():
        found.setdefault(subject or "", []).append({"question": question, "choices": choices, "gold": gold})
    return {subject: examples[:_SHOTS] for subject, examples in found.items()}
