"""Counting votes: the two most frequent answers of each voter, and whether a sample that was not drawn could change the first.

    k = 10, drawn "11", "12", null, "11", "11", "11", "11" (samples 0 … 6)
      →  majority "11" (5 votes, seen first at 0), runner-up "12" (1 vote): 3 more make 4 at most, so it is decided

Samples that were not drawn can at best all say the same other answer. The runner-up gains most from that, of answers with as many
votes the one seen first; an answer that nobody gave yet starts from none. It wins if it then has more votes than the majority, or as
many and was seen before it, which also a sample that was not drawn can see to.
"""

from collections.abc import Sequence

import polars as pl


def tally(samples: pl.DataFrame, voter: Sequence[str]) -> pl.DataFrame:
    """The two most frequent answers of each voter that has one; of equally frequent ones, first the one seen first.

    `samples`: the columns `voter`, `sample` and `answer`, each sample once. Returns `voter` and, of the first, `majority`,
    `votes` and `seen` (lowest sample); of the second, which may be null, `runner_up`, `runner_up_votes` and `runner_up_seen`.
    """
    return (
        samples.filter(pl.col("answer").is_not_null())
        .group_by(*voter, "answer")
        .agg(votes=pl.len().cast(pl.Int32), seen=pl.col("sample").min())
        .sort(*voter, "votes", "seen", descending=[False] * len(voter) + [True, False])
        .group_by(voter, maintain_order=True)
        .agg(
            majority=pl.col("answer").first(),
            votes=pl.col("votes").first(),
            seen=pl.col("seen").first(),
            runner_up=pl.col("answer").get(1, null_on_oob=True),
            runner_up_votes=pl.col("votes").get(1, null_on_oob=True),
            runner_up_seen=pl.col("seen").get(1, null_on_oob=True),
        )
    )


def first_undrawn() -> pl.Expr:
    """Of a group of rows: the lowest number that no `sample` has. Each sample is there once."""
    return (pl.col("sample").sort() == pl.int_range(pl.len())).sum().cast(pl.Int32)


def is_decided(k: int) -> pl.Expr:
    """Over a `tally` with `drawn` (samples below `k`) and `first_undrawn`: no other answer can become the majority of `k`."""
    undrawn = k - pl.col("drawn").cast(pl.Int32)
    rival = pl.col("runner_up_votes").fill_null(0) + undrawn
    rival_seen = pl.min_horizontal("runner_up_seen", "first_undrawn")
    stays = (rival < pl.col("votes")) | ((rival == pl.col("votes")) & (pl.col("seen") < rival_seen))
    return (undrawn == 0) | stays.fill_null(False)


def still_needed(k: int) -> pl.Expr:
    """Over the same: how many more samples it takes at least until the vote `is_decided`; 0 where it is.

    At best all say what the majority says: 3 : 2 with five to come is 4 : 2 with four, then 5 : 2 with three, so at least two.
    """
    lead = pl.col("votes").fill_null(0) - pl.col("runner_up_votes").fill_null(0)
    undrawn = k - pl.col("drawn").cast(pl.Int32)
    return pl.when(is_decided(k)).then(0).otherwise(pl.max_horizontal((undrawn - lead + 1) // 2, 1))
