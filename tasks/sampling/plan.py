"""The plan: samples wanted, less samples present. It alone decides what is generated.

Wanted are samples 0, 1, 2 of query "5f0c…"; the lake has 0 and 1; the plan is one row, ("5f0c…", 2).
"""

from collections.abc import Sequence

import polars as pl

from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, read_table
from tasks.lake.generations import generation_files
from tasks.lake.tables import GENERATIONS


def missing(lake: Lake, model: str, recipe_id: str, bucket: Bucket, query_ids: pl.Series | Sequence[str], k: int) -> pl.DataFrame:
    """Samples 0 … k-1 of these queries that the lake does not have: columns `query_id`, `sample` (Int32), sorted.

    `query_ids`: queries of this bucket. Raises UserError naming a file that cannot be read.
    """
    present = read_table(lake, GENERATIONS, generation_files(lake, model, recipe_id, bucket), ["query_id", "sample"])
    queries = pl.DataFrame({"query_id": pl.Series(query_ids, dtype=pl.String).unique()})
    samples = pl.DataFrame({"sample": pl.int_range(k, dtype=pl.Int32, eager=True)})
    return queries.join(samples, how="cross").join(present, on=["query_id", "sample"], how="anti").sort("query_id", "sample")
