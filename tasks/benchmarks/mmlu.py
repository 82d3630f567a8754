"""MMLU: multiple-choice questions of 57 subjects (Hendrycks et al., arXiv 2009.03300; MIT).

    {"question": "Find the degree for the given field extension Q(sqrt(2), sqrt(3), sqrt(18)) over Q.", "subject": "abstract_algebra",
     "choices": ["0", "4", "2", "6"], "answer": 1}

The gold is the letter of `choices[answer]`: "B"; an answer that is a letter already stays as it is. MMLU was made to test
models without training them: it has no train questions of its own kind. So its test (14,042), validation (1,531) and dev
(285) questions are taken together, and splits are cut by hash. A file with a column `split` keeps its own.
"""

import string
from collections.abc import Mapping, Sequence

import polars as pl

from tasks.benchmarks.hub import Dataset, fetch
from tasks.benchmarks.reading import Field, read_files, require

HUB = Dataset(
    "cais/mmlu",
    "c30699e8356da336a370243923dbaf21066bb9fe",
    ("all/test-00000-of-00001.parquet", "all/validation-00000-of-00001.parquet", "all/dev-00000-of-00001.parquet"),
)
_FIELDS = {
    "question": Field(required=True),
    "choices": Field("list", required=True),
    "answer": Field(required=True),
    "subject": Field(),
    "split": Field(),
    "source_id": Field(),
}


def load(files: Sequence[str], columns: Mapping[str, str]) -> pl.DataFrame:
    """Rows as `queries.finish` wants them, from the hub or from files in the original shape. Raises UserError."""
    rows = read_files(files or fetch(HUB), columns, _FIELDS)
    letters = list(string.ascii_uppercase)
    by_index = {str(index): letter for index, letter in enumerate(letters)}
    by_letter = {letter: letter for letter in letters}
    gold = pl.col("answer").str.strip_chars().str.to_uppercase().replace_strict(by_index | by_letter, default=None)
    known = gold.is_in(letters).fill_null(False) & (gold.replace_strict(letters, range(26)) < pl.col("choices").list.len())
    require(rows, known.fill_null(False), "answer", "the index (from 0) or the letter of one of the choices")
    return rows.with_columns(gold=gold, answer_kind=pl.lit("choice"))
