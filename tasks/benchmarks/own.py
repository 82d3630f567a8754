"""A user's own table: Parquet, JSONL or CSV with a question and its right answer in each row.

    {"question": "Which tide gate closes first?", "choices": ["north", "south"], "gold": "B", "split": "train"}

The gold is the letter of a choice or the choice itself ("south"), a number, or a text; which of them, is told by
`answer_kind`, else by the rows (`gold.py`). Columns `question` and `gold` are required; `choices`, `split`, `subject`,
`source_id` and `answer_kind` are optional; `columns = {gold = "solution"}` maps other names.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from tasks.benchmarks.reading import Field, read_files

GOLD = "a gold, and two options or more where it has any"
_FIELDS = {
    "question": Field(required=True, blank=True),
    "gold": Field(required=True, blank=True),
    "choices": Field("list"),
    "split": Field(),
    "subject": Field(),
    "source_id": Field(),
    "answer_kind": Field(),
}


def load(files: Sequence[str], columns: Mapping[str, str]) -> pl.DataFrame:
    """Rows for `load_benchmark`, as they stand in the files. Raises UserError that names file, row and column."""
    return read_files(files, columns, _FIELDS)
