"""Readers: what does a text answer? One file per kind of answer.

    kind "number":  "So 3 * 4 = 12 eggs.\n#### 1,012.0"  →  "1012"
    kind "choice":  "Kel. (A) Mip (B) Kel. The answer is (B)."  →  "B"

A reader is a module with two functions on whole columns. Both give the answer in a *canonical* form, in which two answers
are the same exactly when their texts are equal ("1,000.0" and "1000" are both "1000"); so votes are counted, and compared
with gold, as text. A text without a readable answer gives null.

    read(rows)  rows: `text` (String), `question` (String), `choices` (List(String))  →  String, one per row
    gold(rows)  rows: `gold` (String), `question`, `choices`                          →  String, one per row
"""

from types import MappingProxyType
from typing import Protocol

import polars as pl

from tasks.voting.answers import choice, number, text


class Reader(Protocol):
    """What each module of this folder offers."""

    def read(self, rows: pl.DataFrame) -> pl.Series:
        """The answer in canonical form of each `text`; null where none can be read."""

    def gold(self, rows: pl.DataFrame) -> pl.Series:
        """The canonical form of each `gold`; null where it is no answer of this kind."""


READERS = MappingProxyType[str, Reader]({"number": number, "choice": choice, "math": text, "text": text})
