r"""Whether two answers that are spelt differently are the same one.

    kind "math":  "\\frac{1}{2}" and "0.5" are the same; "x+1" and "1+x" are

A number, a letter and a text have a canonical form, so equal ones are equal texts and nothing is to be done here. An expression
has none, and comparing two takes milliseconds; so what is compared are distinct pairs, each once, and never samples.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType

import polars as pl

# Of the kinds without a canonical form: pairs (`left`, `right`, both String) → Boolean, one per row; false where it takes too long.
SAME = MappingProxyType[str, Callable[[pl.DataFrame], pl.Series]]({})


def unite(samples: pl.DataFrame, voter: Sequence[str]) -> pl.DataFrame:
    """`samples` in the same order, with one spelling of each answer of a voter: that of its first sample.

    Args:
        samples: `voter`, `sample`, `answer_kind`, `answer` (String; null: none), and any others.
        voter: the columns that name whose samples vote together.
    """
    if samples.filter(pl.col("answer_kind").is_in(list(SAME))).is_empty():
        return samples
    raise NotImplementedError


def right(samples: pl.DataFrame) -> pl.Series:
    """Boolean, one per row of `samples` (`answer_kind`, `answer`, `gold`): whether the answer equals gold; false where there is none."""
    return samples.select((pl.col("answer") == pl.col("gold")).fill_null(False).alias("right")).to_series()
