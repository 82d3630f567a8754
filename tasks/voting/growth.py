"""Not built yet."""

import polars as pl

from tasks.lake.tables import GROWTH, empty


def growth(queries: pl.DataFrame, votes: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Nothing yet."""
    return empty(GROWTH)
