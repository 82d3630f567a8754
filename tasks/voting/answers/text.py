"""Reads a short text as an answer: a name, a word, an expression.

    "It borders Kel. The answer is: Mip."      →  "mip"
    "Let me think.\\nAnswer: the  Tide Gate"    →  "the tide gate"
    "PARIS"                                    →  "paris"
    "First it rises.\\n\\n**Red Lantern**\\n"     →  "red lantern"
    "  \\n "                                    →  null

What follows the last marker ("the answer is", "Answer:") on its line, else the last line that is not blank. Answers are
the same when they are equal without case, surrounding punctuation and width of spaces, in Unicode normal form KC.
"""

import polars as pl

_MARKED = r"(?i)answer(?:\s+is\b|\W{0,4}:)[^\n]*\S"
_MARKER = r"(?i)^.*answer(?:\s+is\b|\W{0,4}:)"
_PUNCTUATION = " \t\r\n.,;:!?\"'`*_()[]{}“”‘’«»"


def read(rows: pl.DataFrame) -> pl.Series:
    """The answer in each `text`, normalised; null where there is nothing but blanks and punctuation."""
    marked = pl.col("text").str.extract_all(_MARKED).list.last().str.replace(_MARKER, "")
    last_line = pl.col("text").str.strip_chars_end().str.extract(r"([^\n]+)\z")
    return rows.select(answer=pl.coalesce(_normalised(marked), _normalised(last_line))).to_series()


def gold(rows: pl.DataFrame) -> pl.Series:
    """Each `gold`, normalised."""
    return rows.select(answer=_normalised(pl.col("gold"))).to_series()


def _normalised(text: pl.Expr) -> pl.Expr:
    plain = text.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars(_PUNCTUATION)
    return pl.when(plain != "").then(plain)
