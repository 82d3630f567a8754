"""A shard's votes, from the files of its samples to a file of `votes`.

    vote_shard(lake, ["generations/…/5f0c….parquet"], queries, "ledger/00-of-02/", k=10)  →  "votes/ledger/00-of-02/ab12….parquet"

The texts pass through memory in parts, and all that is kept of a sample is its answer; so the files may be larger than memory.
"""

from collections.abc import Iterable, Mapping

import polars as pl

from tasks.config import Labels, Price
from tasks.lake.files import Lake, write_table
from tasks.lake.generations import reduce_generations
from tasks.lake.tables import VOTES
from tasks.voting.vote import READ, count, read, with_gold


def vote_shard(
    lake: Lake,
    files: Iterable[str],
    queries: pl.DataFrame,
    folder: str,
    k: int | None = None,
    prices: Mapping[str, Price] | None = None,
    labels: Labels | None = None,
) -> str:
    """Read the answers in `files` to `queries` (rows of the table), vote, and write `votes` to `folder`; returns the file's path.

    A file that cannot be read is set aside. The other arguments, and what is raised, are those of `vote.vote`.
    """
    asked = with_gold(queries)
    samples = reduce_generations(lake, files, READ, lambda part: read(part, asked, k))
    return write_table(lake, VOTES, count(pl.concat(samples), asked, k, prices, labels), folder)
