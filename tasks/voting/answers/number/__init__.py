r"""Reads the number that a text answers.

    "… so she makes 9 * 2 = $18 every day.\n#### 18"               →  "18"
    "The total is \boxed{1{,}250.50} dollars."                     →  "1250.5"
    "She makes $18 a day by selling 9 eggs at $2 each."            →  "18"
    "The temperature fell from 10 to −5.0 degrees"                 →  "-5"
    "8 * 2 = 16. I am not sure."                                   →  null

Numbers are compared by value and never by likeness: 1,000.0 is 1000 and 3/4 is 0.75, but 25 is not 2500, 50% is not 0.5 and 0.33 is
not 1/3. Most answers are clear at once (`clear`, on whole columns); of the others each distinct one is read with care (`ending`).
Where the question asks for cents, $0.25 is 25, and where it asks for minutes, 1 hour 30 minutes are 90.

    plain      what LaTeX, Unicode and Markdown write in their own ways
    values     numbers, and their one spelling
    asked      what the question asks for
    sentence   which of several numbers in a sentence is meant
    ending     where in a text the answer stands
    clear      all of this, at once, for most texts
"""

import polars as pl

from tasks.voting.answers.number.clear import FEW, NUMBER_ALONE, clear
from tasks.voting.answers.number.ending import answer


def read(rows: pl.DataFrame) -> pl.Series:
    """The number that each `text` answers to its `question`, in canonical form; null where there is none."""
    question = pl.col("question").fill_null("")
    texts = rows.select("text", question, cents=question.str.contains("cents", literal=True)).with_row_index("place")
    told = texts.filter(pl.col("text").is_not_null())
    if told.height < FEW:
        return _in_order(texts, [_careful(told)])
    at_once, rest = clear(told)
    found = at_once.select("place", answer=_spelt(at_once["found"]))
    return _in_order(texts, [found, _careful(rest)])


def gold(rows: pl.DataFrame) -> pl.Series:
    """The canonical form of each `gold`, in the unit that its `question` asks for."""
    questions = pl.col("question").fill_null("") if "question" in rows.columns else pl.lit("")
    golds = rows.select(text="gold", question=questions).with_row_index("place")
    golds = golds.with_columns(found=pl.col("text").str.extract(NUMBER_ALONE))
    alone, rest = golds.filter(pl.col("found").is_not_null()), golds.filter(pl.col("found").is_null() & pl.col("text").is_not_null())
    return _in_order(golds, [alone.select("place", answer=_spelt(alone["found"])), _careful(rest)])


def _in_order(rows: pl.DataFrame, parts: list[pl.DataFrame]) -> pl.Series:
    """The answers of all `rows`, null for those (without a text) that are in no part."""
    empty = rows.filter(pl.col("text").is_null()).select("place", answer=pl.lit(None, pl.String))
    return pl.concat([*parts, empty]).sort("place")["answer"]


def _careful(rows: pl.DataFrame) -> pl.DataFrame:
    """`place` and `answer` of `rows` (`place`, `text`, `question`); what is the same is read once."""
    pairs = rows.select("text", "question").unique()
    answers = pl.Series([answer(text, question) for text, question in pairs.iter_rows()], dtype=pl.String)
    return rows.join(pairs.with_columns(answer=answers), on=["text", "question"]).select("place", "answer")


def _spelt(found: pl.Series) -> pl.Series:
    """`"-$007.50"` → `"-7.5"`, for numbers that are written in digits."""
    distinct = found.drop_nulls().unique()
    digits = pl.col("found").str.replace_many(["\\", "$", ",", "-"], ["", "", "", ""])
    shortened = digits.str.strip_chars_end("0").str.strip_chars_end(".")
    digits = pl.when(digits.str.contains(".", literal=True)).then(shortened).otherwise(digits)
    digits = digits.str.strip_chars_start("0")
    value = pl.when((digits == "") | digits.str.starts_with(".")).then(pl.concat_str(pl.lit("0"), digits)).otherwise(digits)
    minus = pl.col("found").str.contains("-", literal=True) & (value != "0")
    spelling = distinct.to_frame("found").select(pl.when(minus).then(pl.concat_str(pl.lit("-"), value)).otherwise(value)).to_series()
    return found.replace_strict(distinct, spelling, default=None, return_dtype=pl.String)
