"""Which votes can no longer change, so that sampling may stop there.

    decided(samples, queries, k=10)  →  ["5f0c…"]: five samples say "11", so five others could only tie, and "11" was seen first

Exact: a query is decided if and only if every text that its other samples could have leaves `majority` as it is (`tally.py` says
why). With fewer than half of the samples no query ever is.
"""

from collections.abc import Callable

import polars as pl

from tasks.config import Sampling
from tasks.voting.answers import with_answers
from tasks.voting.tally import first_undrawn, is_decided, tally


def decided(samples: pl.DataFrame, queries: pl.DataFrame, k: int) -> list[str]:
    """Ids of the queries whose majority of samples 0 … k-1 is known, sorted.

    Args:
        samples: rows `query_id`, `sample`, `text` of one model and recipe, in any order; there may be gaps. Samples from k on do
            not vote, and those of other queries are left out.
        queries: rows of the table.
        k: samples that vote.
    """
    kinds = queries.select("query_id", "answer_kind", "question", "choices")
    rows = samples.filter(pl.col("sample") < k).join(kinds, on="query_id")
    rows = rows.sort("query_id", "sample", "text").unique(["query_id", "sample"], keep="first")
    # Reading is what takes time, and with fewer than half of the samples nothing can be decided.
    drawn = rows.group_by("query_id").agg(drawn=pl.len(), first_undrawn=first_undrawn()).filter(2 * pl.col("drawn") >= k)
    read = with_answers(rows.join(drawn, on="query_id", how="semi"), lambda reader: reader.read, "answer")
    counted = drawn.join(tally(read, ["query_id"]), on="query_id", how="left")
    return counted.filter(is_decided(k))["query_id"].sort().to_list()


def until_decided(sampling: Sampling, queries: pl.DataFrame) -> Callable[[pl.DataFrame], list[str]] | None:
    """What sampling has to ask to know where it may stop (`samples` → ids), or None where all k samples are to be drawn."""
    if sampling.stop == "all":
        return None
    return lambda samples: decided(samples, queries, sampling.k)
