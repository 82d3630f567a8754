"""How many of the samples behind the votes were cut off at the length limit: the table `endings`.

    samples of ledger on sums: "stop", "stop", "length", null  →  sums  ledger  samples 3  cut_off 1

An answer that is cut off before it is given counts as wrong, so a limit that is too short makes a model look worse than it is. How a sample
ended is not in `votes`; it stands in `generations`, which are counted where they lie, query by query and part after part: memory holds the
counts of `_PART` queries, whatever the size of the lake.
"""

import polars as pl

from tasks.lake.buckets import buckets
from tasks.lake.files import Lake, folder_name
from tasks.lake.generations import generation_files, generation_folder, query_generations
from tasks.lake.tables import ENDINGS, GENERATIONS, empty

_PART = 100_000  # queries whose samples are counted at once
_LENGTH = "length"  # how a sample ends that was cut off


def endings(lake: Lake, queries: pl.DataFrame, votes: pl.DataFrame) -> pl.DataFrame:
    """Rows of ENDINGS, sorted by key; none for a model of which no `generations` say how they ended.

    Args:
        lake: where the generations are. A file that cannot be read is left out and named in the log.
        queries: rows of the table; read are `query_id`, `benchmark`.
        votes: rows of the table; read are `query_id`, `model`, `recipe`, `wanted`. Samples that did not vote are not counted, and a sample
            that was written twice counts once.
    """
    voted = votes.select("query_id", "model", "recipe", "wanted").join(queries.select("query_id", "benchmark"), on="query_id")
    with_samples = set(lake.names(GENERATIONS.name))
    found = [empty(ENDINGS)]
    for (model, recipe), of_recipe in voted.partition_by("model", "recipe", as_dict=True).items():
        if f"model={folder_name(model)}" in with_samples:
            found += _of_recipe(lake, model, recipe, of_recipe)
    return (
        pl.concat(found).group_by("benchmark", "model").agg(pl.col("samples", "cut_off").sum()).select(*ENDINGS.columns).sort(ENDINGS.key)
    )


def _of_recipe(lake: Lake, model: str, recipe: str, voted: pl.DataFrame) -> list[pl.DataFrame]:
    """Counts of one model by one recipe, a part of the queries after the other. `voted`: query_id, wanted, benchmark."""
    listed = lake.files(generation_folder(model, recipe))
    found = []
    for bucket in buckets(-(-voted.height // _PART)):
        here = voted.filter(bucket.holds()).select("query_id", "wanted", "benchmark").lazy()
        files = generation_files(lake, model, recipe, bucket, listed)
        if files:
            found.append(query_generations(lake, files, lambda rows, here=here: _counts(rows, here))[0])  # type: ignore[misc]
    return [counts.with_columns(model=pl.lit(model)).select(*ENDINGS.columns) for counts in found]


def _counts(generations: pl.LazyFrame, voted: pl.LazyFrame) -> pl.LazyFrame:
    """Samples and cut-off ones of each benchmark, of the queries that are `voted` on."""
    once = generations.select("query_id", "sample", "finish_reason").join(voted, on="query_id")
    return (
        once.filter(pl.col("finish_reason").is_not_null() & (pl.col("wanted").is_null() | (pl.col("sample") < pl.col("wanted"))))
        .group_by("query_id", "sample", "benchmark")
        .agg(cut_off=(pl.col("finish_reason") == _LENGTH).any())
        .group_by("benchmark")
        .agg(samples=pl.len().cast(pl.Int64), cut_off=pl.col("cut_off").sum().cast(pl.Int64))
    )
