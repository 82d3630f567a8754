r"""Whether two answers that are spelt differently are the same one.

    kind "math":  "x+1" and "1+x" are the same; of a voter's answers ["x+1", "7", "1+x"] the last becomes "x+1"

A number, a letter and a text have a canonical form, so equal ones are equal texts and nothing is to be done here. An expression
has none, and comparing two may take milliseconds; so what is compared are distinct pairs, each once, and never samples.
"""

from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType

import polars as pl

from tasks.voting.answers import math

# Of the kinds without a canonical form: pairs (`left`, `right`, both String) → Boolean, one per row; false where it takes too long.
SAME = MappingProxyType[str, Callable[[pl.DataFrame], pl.Series]]({"math": math.same})


def unite(samples: pl.DataFrame, voter: Sequence[str]) -> pl.DataFrame:
    """`samples` in the same order, with one spelling of each answer of a voter: that of its first sample.

    Args:
        samples: `voter`, `sample`, `answer_kind`, `answer` (String; null: none), and any others.
        voter: the columns that name whose samples vote together.

    An answer is compared with those seen before it that are the same as none before them, in this order.
    """
    for kind in _kinds(samples):
        samples = _united(samples, voter, kind)
    return samples


def right(samples: pl.DataFrame) -> pl.Series:
    """Boolean, one per row of `samples` (`answer_kind`, `answer`, `gold`): whether the answer equals gold; false where there is none."""
    equal = samples.select((pl.col("answer") == pl.col("gold")).fill_null(False).alias("right")).to_series()
    for kind in _kinds(samples):
        pairs = samples.select(left="answer", right="gold")
        asked = pairs.filter((samples["answer_kind"] == kind) & ~equal).drop_nulls().unique()
        same = pl.DataFrame(sorted(_same(asked.iter_rows(), kind)), schema=asked.schema, orient="row")
        found = pairs.join(same.with_columns(right_=True), on=["left", "right"], how="left", maintain_order="left")["right_"]
        equal = equal | (found.fill_null(False) & (samples["answer_kind"] == kind))
    return equal


def _kinds(samples: pl.DataFrame) -> list[str]:
    """Those of `samples` that have no canonical form."""
    return [kind for kind in SAME if (samples["answer_kind"] == kind).any()]


def _same(pairs: Iterable[tuple[str, str]], kind: str) -> set[tuple[str, str]]:
    """Those of the pairs that are the same answer."""
    asked = pl.DataFrame(sorted(set(pairs)), schema={"left": pl.String, "right": pl.String}, orient="row")
    return set(asked.filter(SAME[kind](asked)).iter_rows())


def _united(samples: pl.DataFrame, voter: Sequence[str], kind: str) -> pl.DataFrame:
    of_kind = samples.filter((pl.col("answer_kind") == kind) & pl.col("answer").is_not_null())
    seen = of_kind.group_by(*voter, "answer").agg(pl.col("sample").min()).sort(*voter, "sample", "answer")
    voters = seen.group_by(voter, maintain_order=True).agg("answer").filter(pl.col("answer").list.len() > 1)
    spellings = []
    left = [(tuple(row[:-1]), row[-1]) for row in voters.iter_rows()]
    while left:
        same = _same(((first, other) for _, (first, *others) in left for other in others), kind)
        spellings += [(*name, other, first) for name, (first, *others) in left for other in others if (first, other) in same]
        rest = [(name, [other for other in others if (first, other) not in same]) for name, (first, *others) in left]
        left = [(name, answers) for name, answers in rest if len(answers) > 1]
    if not spellings:
        return samples
    schema = [*voters.drop("answer").schema.items(), ("answer", pl.String()), ("spelling", pl.String())]
    known = pl.DataFrame(spellings, schema=schema, orient="row").with_columns(answer_kind=pl.lit(kind, samples.schema["answer_kind"]))
    united = samples.join(known, on=[*voter, "answer_kind", "answer"], how="left", maintain_order="left", nulls_equal=True)
    return united.with_columns(answer=pl.coalesce("spelling", "answer")).drop("spelling")
