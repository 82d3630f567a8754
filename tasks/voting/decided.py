"""Which votes can no longer change, so that sampling may stop there.

    still_needed(samples, queries, k=10)  →  {"5f0c…": 0}: five samples say "11", so five others could only tie, and "11" was seen first

Exact: a query is decided (0) if and only if every text that its other samples could have leaves `majority` as it is (`tally.py`
says why). Of kind "math" that is so as long as samples are drawn in order: one that is missing before others could give their answers
another spelling. With fewer than half of the samples no query ever is.
"""

from collections.abc import Callable

import polars as pl

from tasks.config import Sampling
from tasks.voting import tally
from tasks.voting.answers import with_answers
from tasks.voting.answers.equivalence import unite


def still_needed(samples: pl.DataFrame, queries: pl.DataFrame, k: int) -> dict[str, int]:
    """Of each query that has a sample: how many more it takes at least until its majority of samples 0 … k-1 is known; 0: it is.

    Args:
        samples: rows `query_id`, `sample`, `text` of one model and recipe, in any order; there may be gaps. Samples from k on do
            not vote, and those of other queries are left out.
        queries: rows of the table.
        k: samples that vote.
    """
    kinds = queries.select("query_id", "answer_kind", "question", "choices")
    rows = samples.filter(pl.col("sample") < k).join(kinds, on="query_id")
    once = rows.select("query_id", "sample").unique()
    drawn = once.group_by("query_id").agg(drawn=pl.len(), first_undrawn=tally.first_undrawn())
    # Reading is what takes time, and with fewer than half of the samples there is nothing to be read from them.
    few = 2 * pl.col("drawn") < k
    read = with_answers(rows.join(drawn.filter(~few), on="query_id", how="semi"), lambda reader: reader.read, "answer")
    read = read.sort("query_id", "sample", "answer", nulls_last=True).unique(["query_id", "sample"], keep="first", maintain_order=True)
    counted = drawn.join(tally.tally(unite(read, ["query_id"]), ["query_id"]), on="query_id", how="left").sort("query_id")
    needed = pl.when(few).then((k + 1) // 2 - pl.col("drawn").cast(pl.Int32)).otherwise(tally.still_needed(k))
    return dict(counted.select("query_id", needed).iter_rows())


def decided(samples: pl.DataFrame, queries: pl.DataFrame, k: int) -> list[str]:
    """Ids of the queries that need no more samples, sorted."""
    return [query_id for query_id, count in still_needed(samples, queries, k).items() if not count]


def until_decided(sampling: Sampling, queries: pl.DataFrame) -> Callable[[pl.DataFrame], dict[str, int]] | None:
    """What sampling has to ask to know where it may stop (`samples` → `still_needed`), or None where all k samples are to be drawn."""
    if sampling.stop == "all":
        return None
    return lambda samples: still_needed(samples, queries, sampling.k)
