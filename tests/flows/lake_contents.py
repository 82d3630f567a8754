"""What stands in a run's lake."""

from pathlib import Path

import polars as pl

from tasks.config import RunFile
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import GENERATIONS, TABLES


def generations(run: RunFile) -> pl.DataFrame:
    """All rows of `generations`, as they stand in the files: a sample that was written twice is there twice."""
    lake = Lake(run.lake)
    parts = [read_table(lake, GENERATIONS, [file]) for file in lake.files("generations")]
    return pl.concat(parts).sort("model", "recipe", "query_id", "sample") if parts else pl.DataFrame(schema=GENERATIONS.schema)


def tables(run: RunFile) -> dict[str, list[str]]:
    """Paths of the files of each table."""
    return {name: Lake(run.lake).files(name) for name in TABLES}


def changed(run: RunFile) -> dict[str, int]:
    """Time of the last change of every file in the lake, in nanoseconds; without Prefect's records."""
    folder = Path(run.lake)
    files = [file for file in folder.rglob("*") if file.is_file() and ".results" not in file.parts and file.name != "report.html"]
    return {str(file.relative_to(folder)): file.stat().st_mtime_ns for file in files}
