"""Not built yet."""

from collections.abc import Iterable

import polars as pl

from tasks.lake.tables import CLUSTERS, empty


def cluster_queries(queries: pl.DataFrame, embeddings: pl.DataFrame, counts: Iterable[int], seeds: Iterable[int]) -> pl.DataFrame:
    """Nothing yet."""
    return empty(CLUSTERS)
