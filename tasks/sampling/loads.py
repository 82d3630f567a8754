"""What it took to load a model, kept in the lake: a row of LOADS for each time. Files are added, never removed.

LAKE/loads/ledger/5f0c8a….parquet      ledger  transformers  cpu  0.21 s  0.0018 GB
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict

import polars as pl

from tasks.errors import UserError
from tasks.lake.files import Lake, folder_name, write_table
from tasks.lake.tables import LOADS
from tasks.sampling.engines import Load

logger = logging.getLogger("manyminds")


def keep_loads(lake: Lake, model: str, loads: Sequence[Load]) -> None:
    """Add these. That it cannot be written is said, and no more: the samples are there."""
    if not loads:
        return
    try:
        rows = pl.DataFrame([{"model": model, **asdict(load)} for load in loads], schema=LOADS.schema)
        write_table(lake, LOADS, rows, f"{folder_name(model)}/")
    except (OSError, UserError) as error:
        logger.warning("sample %s: how long it took to load is not kept: %s", model, error)
