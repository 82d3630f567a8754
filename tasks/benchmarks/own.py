"""A user's own table: Parquet, JSONL or CSV with a question and its right answer in each row.

    {"question": "Which tide gate closes first?", "choices": ["north", "south"], "gold": "B", "split": "train"}

The gold is the letter of a choice or the choice itself ("south"), a number, or a text; which of them, is told by
`answer_kind`, else by the rows (`gold.py`). Columns `question` and `gold` are required; `choices`, `split`, `subject`,
`source_id` and `answer_kind` are optional; `columns = {gold = "solution"}` maps other names.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from tasks.benchmarks.gold import settle
from tasks.benchmarks.reading import Field, read_files

_FIELDS = {
    "question": Field(required=True),
    "gold": Field(required=True),
    "choices": Field("list"),
    "split": Field(),
    "subject": Field(),
    "source_id": Field(),
    "answer_kind": Field(),
}


def load(files: Sequence[str], columns: Mapping[str, str], name: str, answer_kind: str | None) -> pl.DataFrame:
    """Rows of benchmark `name` as `queries.finish` wants them. Raises UserError that names file, row and column."""
    rows = read_files(files, columns, _FIELDS).with_columns(benchmark=pl.lit(name))
    return settle(rows.with_columns(answer_kind=pl.coalesce(pl.lit(answer_kind, pl.String), "answer_kind")))
