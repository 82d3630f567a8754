"""GSM8K: grade-school word problems with a number as the answer (Cobbe et al., arXiv 2110.14168; MIT).

    {"question": "A robe takes 2 bolts of blue fiber and half that much white fiber.  How many bolts in total does it take?",
     "answer": "It takes 2/2=<<2/2=1>>1 bolt of white fiber\\nSo the total amount of fabric is 2+1=<<2+1=3>>3 bolts of fabric\\n#### 3"}

The gold is what follows `####`: "3". 7,473 train and 1,319 test problems; validation is cut out of train.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from tasks.benchmarks.hub import Dataset, fetch
from tasks.benchmarks.queries import split_of_files
from tasks.benchmarks.reading import Field, read_files

GOLD = "a solution that ends in '#### 42'"
HUB = Dataset(
    "openai/gsm8k",
    "e53f048856ff4f594e959d75785d2c2d37b678ee",
    ("main/train-00000-of-00001.parquet", "main/test-00000-of-00001.parquet"),
)
_FIELDS = {
    "question": Field(required=True, blank=True),
    "answer": Field(required=True, blank=True),
    "split": Field(),
    "source_id": Field(),
}


def load(files: Sequence[str], columns: Mapping[str, str]) -> pl.DataFrame:
    """Rows for `load_benchmark`, from the hub or from files in the original shape; `gold` is null where there is none.

    A file without a column `split` is of the split in its name ("test.jsonl"). Raises UserError.
    """
    rows = read_files(files or fetch(HUB), columns, _FIELDS)
    return rows.with_columns(
        split=pl.coalesce("split", split_of_files(rows)),
        gold=pl.col("answer").str.extract(r"####\s*(-?[\d,.]*\d)\.?\s*$"),  # all of it: "1/2" is not 1
        answer_kind=pl.lit("number"),
        choices=pl.lit(None, pl.List(pl.String)),
        subject=pl.lit(None, pl.String),
    )
