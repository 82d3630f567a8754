"""A bucket is a slice of the queries by `query_id`.

`query_id` is a uniform hash, so bucket 3 of 16 holds the queries whose id lies in [3/16, 4/16) of the hash's range: about
a sixteenth of them, always the same ones, whatever else is in the table. A bucket keeps every step bounded in memory.
Another number of buckets only cuts the same line elsewhere: files that were written under the old cut are still found,
because it can be told from two labels whether they overlap.
"""

from dataclasses import dataclass

import polars as pl

from tasks.errors import UserError


@dataclass(frozen=True)
class Bucket:
    """Slice `index` (from 0) of `count` equal slices of the range of `query_id`."""

    index: int
    count: int

    @property
    def label(self) -> str:
        """As it stands in paths and run names: `"03-of-16"`."""
        return f"{self.index:02d}-of-{self.count:02d}"

    def overlaps(self, other: "Bucket") -> bool:
        """Whether a query can lie in both."""
        return self.index * other.count < (other.index + 1) * self.count and other.index * self.count < (self.index + 1) * other.count

    def holds(self) -> pl.Expr:
        """Polars expression over `query_id`: whether the row lies in this bucket; a range, so that who reads Parquet can skip others."""
        first, beyond = (-(-place * 2**32 // self.count) for place in (self.index, self.index + 1))
        at_least = pl.col("query_id") >= f"{first:08x}"
        return at_least if beyond == 2**32 else at_least & (pl.col("query_id") < f"{beyond:08x}")


def buckets(count: int) -> list[Bucket]:
    """All `count` buckets, in order."""
    return [Bucket(index, count) for index in range(count)]


def parse_bucket(label: str) -> Bucket:
    """`"03-of-16"` → `Bucket(3, 16)`. Raises UserError for anything else."""
    index, separator, count = label.partition("-of-")
    if not (separator and index.isdigit() and count.isdigit()):
        raise UserError(f"{label!r} is not a bucket; expected something like '03-of-16'")
    return Bucket(int(index), int(count))
