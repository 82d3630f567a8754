"""Readers: what does a text answer? One file per kind of answer.

    kind "number":  "So 3 * 4 = 12 eggs.\n#### 1,012.0"  →  "1012"
    kind "choice":  "Kel. (A) Mip (B) Kel. The answer is (B)."  →  "B"
    kind "math":    "Thus $x = \\boxed{\\dfrac{1}{2}}$."          →  "0.5"

A reader is a module with two functions on whole columns. Both give the answer in a *canonical* form, in which two answers
are the same exactly when their texts are equal ("1,000.0" and "1000" are both "1000"); so votes are counted, and compared
with gold, as text. Of mathematics that is true of numbers only: `equivalence` then gives equal answers one spelling. A text without
a readable answer gives null.

    read(rows)  rows: `text` (String), `question` (String), `choices` (List(String))  →  String, one per row
    gold(rows)  rows: `gold` (String), `question`, `choices`                          →  String, one per row

`with_answers` hands each row to the reader of its kind.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Protocol

import polars as pl

from tasks.voting.answers import choice, math, number, text


class Reader(Protocol):
    """What each module of this folder offers."""

    def read(self, rows: pl.DataFrame) -> pl.Series:
        """The answer in canonical form of each `text`; null where none can be read."""

    def gold(self, rows: pl.DataFrame) -> pl.Series:
        """The canonical form of each `gold`; null where it is no answer of this kind."""


READERS = MappingProxyType[str, Reader]({"number": number, "choice": choice, "math": math, "text": text})


def with_answers(rows: pl.DataFrame, of: Callable[[Reader], Callable[[pl.DataFrame], pl.Series]], column: str) -> pl.DataFrame:
    """`rows` (also with `answer_kind`) in the same order with `column`: what the reader of each row's kind reads."""
    kinds = rows["answer_kind"].unique()
    if len(kinds) == 1 and (reader := READERS.get(str(kinds[0]))):
        return rows.with_columns(of(reader)(rows).alias(column))
    rows = rows.with_row_index("place")
    parts = [rows.clear().with_columns(pl.lit(None, pl.String).alias(column))]
    for (kind,), part in rows.partition_by("answer_kind", as_dict=True).items():
        reader = READERS.get(str(kind))
        answers = of(reader)(part) if reader else pl.Series([None], dtype=pl.String).new_from_index(0, part.height)
        parts.append(part.with_columns(answers.alias(column)))
    return pl.concat(parts).sort("place").drop("place")
