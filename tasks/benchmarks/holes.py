"""Rows that cannot be asked or judged: no question, no right answer, fewer than two options, an empty option.

    row 4  {"question": "Which gate?", "choices": ["north", "south"], "gold": ""}   →  "no gold in row 4"
    row 9  {"question": "Which tide?", "choices": ["low"], "gold": "A"}             →  "one option in row 9"

They are refused, or left out and counted: "benchmark 'shop': 2 of 120 rows have holes and were left out: no gold in row 4;
one option in row 9".
"""

import polars as pl

from tasks.benchmarks.reading import stem
from tasks.errors import UserError

_NAMED = 5  # rows of each kind that are named; the others are counted


def without_holes(rows: pl.DataFrame, benchmark: str, expected: str, skip: bool) -> tuple[pl.DataFrame, list[str]]:
    """The rows without holes, and a note on those that were left out.

    Args:
        rows: `question`, `gold` (String), `choices` (List(String), null or empty where there are none), `answer_kind`
            (null where it is still to be inferred), `file`, `row`, and any others.
        benchmark: its name, for the note.
        expected: what a gold looks like in the files, for the error.
        skip: leave such rows out. Otherwise one is a UserError, and so it is in any case if no row is left.
    """
    bad = rows.with_columns(hole=hole()).filter(pl.col("hole").is_not_null())
    if bad.is_empty():
        return rows, []
    have = f"{bad.height:,} of {rows.height:,} rows {'has' if bad.height == 1 else 'have'} holes"
    if not skip or bad.height == rows.height:
        hint = "" if skip else '; holes = "skip" leaves them out'
        raise UserError(
            f"{', '.join(bad['file'].unique().sort())}: {have}: {_listed(bad)}; expected in each a question and {expected}{hint}"
        )
    were = "was" if bad.height == 1 else "were"
    return rows.filter(hole().is_null()), [f"benchmark {benchmark!r}: {have} and {were} left out: {_listed(bad)}"]


def hole() -> pl.Expr:
    """What a row lacks first; null where it lacks nothing."""
    options = pl.col("choices").list.len().fill_null(0)
    return (
        pl.when(_is_blank(pl.col("question")))
        .then(pl.lit("no question"))
        .when((options == 0) & (pl.col("answer_kind") == "choice").fill_null(False))
        .then(pl.lit("no options"))
        .when(options == 1)
        .then(pl.lit("one option"))
        .when(pl.col("choices").list.eval(_is_blank(pl.element())).list.any().fill_null(False))
        .then(pl.lit("an empty option"))
        .when(_is_blank(pl.col("gold")))
        .then(pl.lit("no gold"))
    )


def _is_blank(text: pl.Expr) -> pl.Expr:
    return text.is_null() | (text.str.strip_chars() == "")


def _listed(bad: pl.DataFrame) -> str:
    """ "no gold in rows 4, 17; one option in row 9", by file where they are of several."""
    files = bad["file"].unique().sort()
    parts = []
    for (file, kind), part in bad.sort("file", "row").group_by("file", "hole", maintain_order=True):
        numbers = part["row"].to_list()
        named = ", ".join(str(number) for number in numbers[:_NAMED])
        more = f" and {len(numbers) - _NAMED:,} more" if len(numbers) > _NAMED else ""
        of_file = f" of {stem(str(file))}" if len(files) > 1 else ""
        parts.append(f"{kind} in row{'s' if len(numbers) > 1 else ''} {named}{more}{of_file}")
    return "; ".join(parts)
