"""What kind of answer a row asks for, and its right answer in the form that the table `queries` keeps.

    choices ["black", "green"], gold "green"  →  answer_kind "choice", gold "B"
    no choices, gold "1,080"                  →  answer_kind "number", gold "1,080" (the readers compare by value)
    no choices, gold "Paris"                  →  answer_kind "text"

A benchmark whose golds without choices are numbers throughout asks for numbers; one other gold makes all of them text.
"""

import string
from typing import get_args

import polars as pl

from tasks.benchmarks.reading import require
from tasks.config import AnswerKind

KINDS = list(get_args(AnswerKind))
LETTERS = list(string.ascii_uppercase)
# Only what the reader of numbers reads whole: "1,00" and "- 5" are refused here rather than taken for 0 and 5 there. A table of "3/4" and
# "2e3" may be one of dates and names: these are numbers where the answer kind says so.
_NUMBER = r"^(?:[-−+]?\$?|\$[-−])(?:(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)\s*%?$"
_OTHER_NUMBER = r"^[-−+]?(?:(?:[0-9]+ )?[0-9]+/0*[1-9][0-9]*|[0-9]+(?:\.[0-9]+)?[eE][-+]?[0-9]{1,3})$"


def settle(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with `answer_kind` where it was null, and letters as the gold of choices.

    Args:
        rows: `benchmark`, `choices` (List(String), null or empty where there are none), `gold` (String), `answer_kind`
            (null: inferred), `file` and `row`, and any others.

    Raises UserError, by file and row, for an unknown kind and a gold that cannot be of its kind. For a choice the gold is
    the letter of an option; failing that, the option's text.
    """
    require(rows, pl.col("answer_kind").is_in(KINDS), "answer_kind", f"one of {', '.join(KINDS)}")
    has_choices = (pl.col("choices").list.len() > 0).fill_null(False)
    is_number = pl.col("gold").str.strip_chars().str.contains(_NUMBER)
    numbers = (is_number | has_choices).all().over("benchmark")
    inferred = pl.when(has_choices).then(pl.lit("choice")).when(numbers).then(pl.lit("number")).otherwise(pl.lit("text"))
    rows = rows.with_columns(answer_kind=pl.coalesce("answer_kind", inferred), gold=pl.col("gold").str.strip_chars())
    is_choice = pl.col("answer_kind") == "choice"
    require(rows, ~is_choice | has_choices, "choices", "a list of options, because answer_kind is 'choice'")
    require(rows, ~is_choice | (pl.col("choices").list.len() <= len(LETTERS)), "choices", "at most 26 options")
    golds = [_gold(*row) for row in rows.select("answer_kind", "choices", "gold").iter_rows()]
    rows = rows.with_columns(letter=pl.Series(golds, dtype=pl.String))
    require(rows, pl.col("letter").is_not_null(), "gold", "the letter of one of the choices, or one of the choices")
    require(
        rows,
        (pl.col("answer_kind") != "number") | is_number | pl.col("gold").str.contains(_OTHER_NUMBER),
        "gold",
        "a number such as 1,080, -3.5 or 3/4; answer_kind = 'math' or 'text' takes others",
    )
    return rows.with_columns(gold=pl.col("letter")).drop("letter")


def _gold(kind: str, choices: list[str] | None, gold: str) -> str | None:
    """The letter of a choice; null if there is none. Other golds stay as they are."""
    if kind != "choice":
        return gold
    letter, options = gold.strip("(). ").upper(), [choice.strip() for choice in choices or ()]
    if letter in LETTERS[: len(options)]:
        return letter
    return LETTERS[options.index(gold)] if gold in options else None
