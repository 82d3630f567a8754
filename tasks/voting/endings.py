"""Not built yet."""

import polars as pl

from tasks.lake.files import Lake
from tasks.lake.tables import ENDINGS, empty


def endings(lake: Lake, queries: pl.DataFrame, votes: pl.DataFrame) -> pl.DataFrame:
    """Nothing yet."""
    return empty(ENDINGS)
