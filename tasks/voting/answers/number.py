r"""Reads the number that a text answers.

    "… so she makes 9 * 2 = $18 every day.\n#### 18"               →  "18"
    "The total is \boxed{1{,}250.50} dollars."                     →  "1250.5"
    "He drives 250 days. The answer is $4,800 for 12 months."      →  "4800"
    "The temperature fell from 10 to −5.0 degrees"                 →  "-5"
    "8 * 2 = 16. I am not sure."                                   →  null

The last number that directly follows a marker (`####`, `\boxed{`, "the answer is", "Answer:"), else the last number. A
marker followed by a calculation ("the answer is 3 + 4 = 7") marks nothing. "$", "%" and separators of thousands do not
count; a minus counts where no digit stands before it ("10-5" is a difference, or a range, not a -5).
Numbers are compared by value, exactly and as text, so of any length: "007.50" is "7.5", and 25 is never 2500.
"""

import polars as pl

from tasks.voting.answers.refusal import is_refusal

# Most texts end soon after their answer; only where nothing is found here the whole text is searched, which is slower.
_TAIL = 160  # characters

# Classes are ASCII, [0-9] rather than \d: quicker to compile and to run, and other digits are no answer that gold could equal.
_VALUE = r"(?:[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_NUMBER = rf"-?\$?-?{_VALUE}"
# What may follow a marked number: "**" of bold type, or anything but a digit, a sign of a calculation, or ".5" and ",5"
# that belong to it.
_END = r"[ \t]*(?:\*\*|[^0-9 \t+\-*/=×^.,]|[.,](?:[^0-9]|$)|$)"
_DRESS = r"[ \t*_:~$€£\\(\[{\"'`]"  # what may stand between a marker and its number
_MARKED = (
    rf"(?i)(?:####{_DRESS}{{0,6}}"  # "#### 18", "#### $18"; not the heading "#### Step 2"
    r"|\\boxed\{[^0-9\n}.\-]{0,20}"  # "\boxed{x = 18}"
    rf"|answer[ *_]{{0,3}} is[^0-9\n.\-]{{0,40}}"  # "the answer is approximately **18"
    rf"|answer[ *_]{{0,4}}:{_DRESS}{{0,8}})"  # "Answer: $18"; not "Answer: she has 16 eggs"
    rf"{_NUMBER}{_END}"
)


def read(rows: pl.DataFrame) -> pl.Series:
    """The number that each `text` answers, in canonical form; null where there is none."""
    found = rows.lazy().select(text=pl.col("text"), tail=_plain(pl.col("text").str.tail(_TAIL)))
    found = found.with_columns(long=pl.col("text").str.len_bytes() > _TAIL, marked=_last(pl.col("tail"), _MARKED))
    # No marker in the tail does not mean that there is none before it.
    found = found.with_columns(
        marked=pl.coalesce("marked", _last(_plain(_where(_unmarked() & pl.col("long") & _may_be_marked())), _MARKED))
    )
    found = found.with_columns(number=_last(pl.when(_unmarked()).then("tail"), _NUMBER))
    # A number at the very start of the tail may have been cut in two.
    whole = pl.col("number").is_not_null() & ~(pl.col("tail").str.starts_with(pl.col("number")) & pl.col("long"))
    found = found.with_columns(number=pl.when(whole).then("number"), rest=_where(_unmarked() & ~whole & pl.col("long")))
    marked = pl.col("marked").str.extract(f"({_NUMBER})")
    loose = pl.when(~is_refusal(pl.col("text"))).then(pl.coalesce("number", _last(_plain(pl.col("rest")), _NUMBER)))
    found = found.select(answer=pl.coalesce(marked, loose))
    return found.select(_canonical("answer")).collect().to_series()


def gold(rows: pl.DataFrame) -> pl.Series:
    """The canonical form of each `gold`."""
    return rows.select(_last(_plain(pl.col("gold")), _NUMBER)).select(_canonical("gold")).to_series()


def _last(text: pl.Expr, pattern: str) -> pl.Expr:
    return text.str.extract_all(pattern).list.last()


def _unmarked() -> pl.Expr:
    return pl.col("marked").is_null()


def _may_be_marked() -> pl.Expr:
    return pl.col("text").str.contains_any(["####", "boxed", "answer"], ascii_case_insensitive=True)


def _where(wanted: pl.Expr) -> pl.Expr:
    """The whole texts that are wanted; null, which costs nothing to search, in place of the others."""
    return pl.when(wanted).then("text")


def _plain(text: pl.Expr) -> pl.Expr:
    """One sign for minus, and none where it joins two numbers; LaTeX's separators of thousands as commas."""
    return text.str.replace_many(["−", "–", "{,}", r"\,", r"\!", r"\$"], ["-", "-", ",", ",", "", "$"]).str.replace_all(
        r"([0-9])-", "$1 - "
    )


def _canonical(column: str) -> pl.Expr:
    """`"-$007.50"` → `"-7.5"`."""
    digits = pl.col(column).str.replace_many(["$", ",", "-"], ["", "", ""])
    fraction = digits.str.contains(".", literal=True)
    digits = pl.when(fraction).then(digits.str.strip_chars_end("0").str.strip_chars_end(".")).otherwise(digits).str.strip_chars_start("0")
    value = pl.when((digits == "") | digits.str.starts_with(".")).then(pl.concat_str(pl.lit("0"), digits)).otherwise(digits)
    negative = pl.col(column).str.contains("-", literal=True) & (value != "0")
    return pl.when(negative).then(pl.concat_str(pl.lit("-"), value)).otherwise(value)
