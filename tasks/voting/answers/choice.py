r"""Reads the letter that a text chooses.

    "Kel. (A) Mip (B) Tav (C) Kel. The answer is (C)."    →  "C"
    "Answer: c"                                           →  "C"
    "I rule out (A) and (D), which leaves **B**"          →  "B"
    "C) because the flag is blue"                         →  "C"
    "s s s = 3. (A) 4. I am not sure."                    →  null

The last letter that follows a marker ("the answer is", "Answer:", `\boxed{`), else the last that stands in brackets, in
bold or alone on its line. A bare letter after a marker counts only where the sentence ends with it or goes on with a reason, so
that "The answer is a triangle" chooses nothing. A letter that the question has no option for is unreadable.
"""

import string

import polars as pl

from tasks.voting.answers.refusal import is_refusal

_TAIL = 160  # characters that are searched first

_DRESS = r"[ \t\n*_:\"'`$\\{(\[]{0,8}(?:(?:text|mathrm|textbf)\{)?\(?"  # what may stand between a marker and its letter
_AFTER = r"(?:[.,:;!?)\]}*_\"'`$\\<]|\s*$|[ \t]*[\r\n]|\s+(?:because|since|as|is|which|for|and|so)[ ,])"
_MARKED = rf"(?i)(?:answer(?:\s+is|[ *_]{{0,4}}:)(?:\s+(?:option|choice))?|\\boxed\{{|#### ?){_DRESS}([a-z]){_AFTER}"
_LOOSE = (
    r"(?m)\([A-J]\)"  # (C)
    r"|\b[A-J]\)"  # C)
    r"|\*\*\(?[A-J](?:[.:)]|\*\*)"  # **C**, **C. black**
    r"|^[ \t]*[A-J][ \t]*[.:]?[ \t\r]*$"  # alone on its line
    r"|\A\s*[A-J][.:]\s"  # "C. black"
)


def read(rows: pl.DataFrame) -> pl.Series:
    """The letter that each `text` chooses; null where there is none, or the question has no such option."""
    found = rows.select("text", "choices", marked=_last(pl.col("text").str.tail(_TAIL), _MARKED))
    # No marker in the tail does not mean that there is none before it.
    long = pl.col("text").str.len_bytes() > _TAIL
    whole = pl.when(_unmarked() & long & _may_be_marked()).then("text")
    found = found.with_columns(marked=pl.coalesce("marked", _last(whole, _MARKED)))
    found = found.with_columns(loose=_last(pl.when(_unmarked()).then("text"), _LOOSE))
    loose = pl.when(~is_refusal(pl.col("text"))).then(pl.col("loose").str.extract("([A-J])"))
    letter = pl.coalesce(pl.col("marked").str.extract(_MARKED).str.to_uppercase(), loose)
    return found.select(answer=_of_an_option(letter)).to_series()


def gold(rows: pl.DataFrame) -> pl.Series:
    """The letter of each `gold`."""
    return rows.select(answer=_of_an_option(pl.col("gold").str.to_uppercase().str.extract(r"^\W*([A-Z])\W*$"))).to_series()


def _last(text: pl.Expr, pattern: str) -> pl.Expr:
    return text.str.extract_all(pattern).list.last()


def _unmarked() -> pl.Expr:
    return pl.col("marked").is_null()


def _may_be_marked() -> pl.Expr:
    return pl.col("text").str.contains_any(["answer", "boxed", "####"], ascii_case_insensitive=True)


def _of_an_option(letter: pl.Expr) -> pl.Expr:
    """Null for a letter beyond the options. Without options every letter will do."""
    place = letter.replace_strict(list(string.ascii_uppercase), range(26), return_dtype=pl.UInt32)
    return pl.when((place < pl.col("choices").list.len()).fill_null(True)).then(letter)
