r"""Reads the number that a text answers.

    "… so she makes 9 * 2 = $18 every day.\n#### 18"               →  "18"
    "The total is \boxed{1{,}250.50} dollars."                     →  "1250.5"
    "He drives 250 days. The answer is $4,800 for 12 months."      →  "4800"
    "The temperature fell from 10 to −5.0 degrees"                 →  "-5"
    "I do not know."                                               →  null

The last number that directly follows a marker (`####`, `\boxed{`, "the answer is", "Answer:"), else the last number. A
marker followed by a calculation ("the answer is 3 + 4 = 7") marks nothing. "$", "%" and separators of thousands do not
count; a minus counts where no digit stands before it ("10-5" is a difference, or a range, not a -5).
Numbers are compared by value, exactly and as text, so of any length: "007.50" is "7.5", and 25 is never 2500.
"""

import polars as pl

# Most texts end soon after their answer; only where nothing is found here the whole text is searched, which is slower.
_TAIL = 160  # characters

_VALUE = r"(?:\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_NUMBER = rf"-?\$?-?{_VALUE}"
# What may follow a marked number: "**" of bold type, or anything but a digit, a sign of a calculation, or ".5" and ",5" that belong to it.
_END = r"[ \t]*(?:\*\*|[^\d \t+\-*/=×^.,]|[.,](?:\D|$)|$)"
_MARKED = (
    r"(?i)(?:####[^\w\n.\-]{0,6}"  # "#### 18", "#### $18"; not the heading "#### Step 2"
    r"|\\boxed\{[^\d\n}.\-]{0,20}"  # "\boxed{x = 18}"
    r"|answer\W{0,3} is[^\d\n\-]{0,40}"  # "the answer is approximately **18"
    r"|answer\W{0,4}:[^\w\n.\-]{0,8})"  # "Answer: $18"; not "Answer: she has 16 eggs"
    rf"{_NUMBER}{_END}"
)


def read(rows: pl.DataFrame) -> pl.Series:
    """The number that each `text` answers, in canonical form; null where there is none."""
    found = rows.select(text=pl.col("text"), tail=_plain(pl.col("text").str.tail(_TAIL)))
    found = found.with_columns(marked=_last(pl.col("tail"), _MARKED), number=_last(pl.col("tail"), _NUMBER))
    # A number at the very start of the tail may have been cut in two, and no marker in the tail does not mean none before.
    whole = pl.when(pl.col("marked").is_null() & (pl.col("text").str.len_bytes() > _TAIL)).then("text")
    found = found.with_columns(whole=_plain(pl.when(_may_be_marked(whole)).then(whole)))
    cut = pl.col("tail").str.starts_with(pl.col("number")) & (pl.col("text").str.len_bytes() > _TAIL)
    found = found.with_columns(
        marked=pl.coalesce("marked", _last(pl.col("whole"), _MARKED)),
        number=pl.when(pl.col("number").is_not_null() & ~cut).then("number"),
        rest=pl.when((pl.col("number").is_null() | cut) & (pl.col("text").str.len_bytes() > _TAIL)).then("text"),
    )
    answer = pl.coalesce(pl.col("marked").str.extract(f"({_NUMBER})"), "number", _last(_plain(pl.col("rest")), _NUMBER))
    return found.select(answer=_canonical(answer)).to_series()


def gold(rows: pl.DataFrame) -> pl.Series:
    """The canonical form of each `gold`."""
    return rows.select(answer=_canonical(_last(_plain(pl.col("gold")), _NUMBER))).to_series()


def _last(text: pl.Expr, pattern: str) -> pl.Expr:
    return text.str.extract_all(pattern).list.last()


def _may_be_marked(text: pl.Expr) -> pl.Expr:
    return text.str.contains_any(["####", "boxed", "answer", "Answer", "ANSWER"])


def _plain(text: pl.Expr) -> pl.Expr:
    """One sign for minus, and none where it joins two numbers; LaTeX's separators of thousands as commas."""
    return text.str.replace_many(["−", "–", "{,}", r"\,", r"\!", r"\$"], ["-", "-", ",", ",", "", "$"]).str.replace_all(r"(\d)-", "$1 - ")


def _canonical(number: pl.Expr) -> pl.Expr:
    """`"-$007.50"` → `"-7.5"`."""
    digits = number.str.replace_all("[$,-]", "")
    whole = digits.str.extract(r"^0*(\d*)", 1)
    part = digits.str.extract(r"\.(\d+)$", 1).fill_null("").str.strip_chars_end("0")
    whole = pl.when(whole == "").then(pl.lit("0")).otherwise(whole)
    value = pl.when(part == "").then(whole).otherwise(pl.concat_str(whole, pl.lit("."), part))
    return pl.when(number.str.contains("-", literal=True) & (value != "0")).then(pl.concat_str(pl.lit("-"), value)).otherwise(value)
