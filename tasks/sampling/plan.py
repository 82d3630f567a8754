"""The plan: samples wanted, less samples present. It alone decides what is generated.

Wanted are samples 0, 1, 2 of query "5f0c…"; the lake has 0 and 1; the plan is one row, ("5f0c…", 2).
"""

from collections.abc import Sequence

import polars as pl

from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake
from tasks.lake.generations import generation_files, read_generations
from tasks.sampling.adaptive import Decided

Queries = pl.Series | Sequence[str]


def missing(
    lake: Lake,
    model: str,
    recipe_id: str,
    bucket: Bucket,
    query_ids: Queries,
    k: int,
    decided: Decided | None = None,
    listed: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Samples 0 … k-1 of these queries that the lake does not have: columns `query_id`, `sample` (Int32), sorted.

    `query_ids`: queries of this bucket. With `decided`, a query whose vote can no longer change lacks nothing. `listed`: all files
    of the model and recipe, if they are known.
    """
    there = present(lake, generation_files(lake, model, recipe_id, bucket, listed), with_text=decided is not None)
    return lacking_beside(there, query_ids, k, decided)


def present(lake: Lake, files: Sequence[str], with_text: bool, mend: bool = False) -> pl.DataFrame:
    """The samples that the lake has in these files: columns `query_id`, `sample` and, if wanted, `text`.

    A file that cannot be read is left out, and set aside if `mend`.
    """
    columns = ["query_id", "sample", "text"] if with_text else ["query_id", "sample"]
    return read_generations(lake, files, columns, mend)


def lacking_beside(there: pl.DataFrame, query_ids: Queries, k: int, decided: Decided | None) -> pl.DataFrame:
    """The plan, from what is `present`."""
    queries = pl.DataFrame({"query_id": pl.Series(query_ids, dtype=pl.String).unique()})
    if decided is not None:
        needed = decided(there.join(queries, on="query_id", how="semi").filter(pl.col("sample") < k))
        queries = queries.filter(~pl.col("query_id").is_in([query_id for query_id, count in needed.items() if not count]))
    samples = pl.DataFrame({"sample": pl.int_range(k, dtype=pl.Int32, eager=True)})
    return queries.join(samples, how="cross").join(there, on=["query_id", "sample"], how="anti").sort("query_id", "sample")
