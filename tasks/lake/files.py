"""Where the tables live: a folder or a bucket, in immutable files that are written whole or not at all.

    LAKE/votes/ledger/03-of-16/5f0c8a….parquet

Files are never changed. A table's new state is new files, after which those it no longer consists of are removed
(`keep_only`). The lake knows nothing about what is in the tables beyond `tables.py`, nor about who computes them.
"""

import io
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote

import polars as pl

from tasks.errors import UserError
from tasks.lake.entry import Entry
from tasks.lake.fingerprints import fingerprint
from tasks.lake.folder import Folder
from tasks.lake.s3 import S3
from tasks.lake.tables import Table, check, empty

T = TypeVar("T")
_ROWS_AT_ONCE = 20_000  # in a row group: who reads part of a table need not hold all of it
LONGEST_NAME = 200  # bytes; file systems take 255, and "model=" stands before it


@dataclass(frozen=True)
class Lake:
    """A folder or `s3://bucket/prefix`. Paths given to its methods are relative to it, with forward slashes."""

    url: str

    @cached_property
    def _store(self) -> Folder | S3:
        return S3(self.url) if self.url.startswith("s3://") else Folder(self.url)

    @property
    def filesystem(self) -> Any:
        """The fsspec filesystem that the lake is on."""
        return self._store.filesystem

    @property
    def is_local(self) -> bool:
        """Whether the lake is a folder of this machine."""
        return self._store.is_local

    @property
    def scan_options(self) -> dict[str, Any]:
        """What `polars.scan_parquet` has to be told to read from the lake."""
        return self._store.scan_options

    def location(self, path: str = "") -> str:
        """The full path or URL of `path`, as Polars, pyarrow and people want it."""
        return self._store.location(path)

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        return self._store.exists(path)

    def files(self, folder: str, ending: str = ".parquet") -> list[str]:
        """Paths of all finished files below `folder`, sorted. A folder that is not there has none."""
        return sorted(self.changed(folder, ending))

    def changed(self, folder: str, ending: str = ".parquet") -> dict[str, datetime]:
        """All finished files below `folder` → when each was written."""
        return {path: entry.changed for path, entry in self.entries(folder, ending).items()}

    def entries(self, folder: str, ending: str = ".parquet") -> dict[str, Entry]:
        """The same → when each was written, and its size."""
        return {path: entry for path, entry in self._store.listed(folder).items() if path.endswith(ending)}

    def names(self, folder: str) -> list[str]:
        """Names of the folders and files directly in `folder`, sorted; what is in those folders is not listed."""
        return self._store.names(folder)

    def read(self, path: str) -> bytes:
        """The file's bytes. Raises FileNotFoundError."""
        return self._store.read(path)

    def write(self, path: str, data: bytes) -> None:
        """Write the whole file or nothing, over what is there: a new name and a rename in a folder, one PUT on S3."""
        self._store.write(path, data)

    def create(self, path: str, data: bytes) -> None:
        """The same for a file whose name says what is in it: one that is there stays, and is not written again."""
        self._store.create(path, data)

    def alone(self) -> AbstractContextManager[None]:
        """While it lasts no other run publishes tables here: it would remove files that this one still reads. In a folder only."""
        return self._store.alone()

    def is_had(self) -> bool | None:
        """Whether a run has the lake `alone` at this moment; None where that cannot be told, as on S3."""
        return self._store.is_had()

    def remove(self, *paths: str) -> None:
        """Remove the files, those that are there."""
        self._store.remove(paths)


def open_lake(url: str) -> Lake:
    """The lake, once it has been found that it can be used: the door of everything that starts. Raises UserError saying what to do."""
    lake = Lake(url)
    lake._store.check()
    return lake


def write_table(lake: Lake, table: Table, frame: pl.DataFrame, path: str, notes: dict[str, str] | None = None) -> str:
    """Check `frame` against the table's schema and write it as one Parquet file below `LAKE/<table>/`.

    `path` is the file's, ending in ".parquet", or a folder's, ending in "/" or empty: then the file is named by its content, so that
    a step that is redone and comes to the same rows leaves everything downstream as it was. Columns of the path
    (`Table.hive`) are left out of the file. `notes` are put into the file's own metadata. Returns the path in the lake.
    """
    buffer = io.BytesIO()
    check(table, frame).drop(table.hive).write_parquet(buffer, compression="zstd", row_group_size=_ROWS_AT_ONCE, metadata=notes)
    content = buffer.getvalue()
    full = f"{table.name}/{path}"
    full += f"{fingerprint(content)}.parquet" if full.endswith("/") else ""
    lake.create(full, content)
    return full


def read_table(
    lake: Lake, table: Table, paths: Iterable[str] | None = None, columns: Iterable[str] | None = None, where: pl.Expr | None = None
) -> pl.DataFrame:
    """Rows of the table, from `paths` (as `write_table` returned them) or from all its files; empty if there are none.

    Rows come in the order of the paths, each key once even if it was written twice; only those `where` it is true, if given, and
    the others are never in memory.
    """
    wanted = list(columns) if columns is not None else list(table.columns)
    files = sorted(paths) if paths is not None else lake.files(table.name)
    if not files:
        return empty(table).select(wanted)
    names = list(dict.fromkeys([*wanted, *table.key]))
    here = where if where is not None else pl.lit(True)
    rows = use_files(lake, table, files, lambda rows: rows.filter(here).select(names).collect(engine="streaming"))
    if isinstance(rows, Broken):
        place = lake.location(rows.files[0] if rows.files else table.name)
        said = rows.error.splitlines()[0].partition(", hint: ")[0]  # a hint of Polars, to programmers
        raise UserError(
            f"{place}: cannot be read as table {table.name!r} ({said}); another version wrote it, or it is damaged: "
            "delete it and run again to make it anew"
        )
    return rows.unique(table.key, keep="first", maintain_order=True).select(wanted)


@dataclass(frozen=True)
class Broken:
    """Files that cannot be read, and what Polars said."""

    files: list[str]
    error: str


def collect(lake: Lake, table: Table, files: list[str], query: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame | Broken:
    """What `query` makes of the files; or which of them are broken, as `use_files` does."""
    return use_files(lake, table, files, lambda rows: query(rows).collect())


def use_files(lake: Lake, table: Table, files: list[str], use: Callable[[pl.LazyFrame], T]) -> T | Broken:
    """What `use` makes of the files' rows; or which of them are broken, if it fails and not because the lake does not answer.

    Raises OSError, or UserError, if it is the lake that does not answer.
    """
    try:
        return use(scan_files(lake, table, files))
    except (pl.exceptions.PolarsError, OSError) as error:
        failed = error
    broken = [file for file in files if is_broken(table, lake.read(file))]  # each by itself: Polars does not say which it was
    if not broken and isinstance(failed, OSError):
        raise OSError(f"lake {lake.url}: {table.name} could not be read just now ({type(failed).__name__})")
    return Broken(broken, str(failed))


def scan_files(lake: Lake, table: Table, files: list[str]) -> pl.LazyFrame:
    """The files as one lazy frame with the table's types, columns of the path included."""
    hive = {name: table.columns[name].dtype for name in table.hive}
    return pl.scan_parquet(
        [lake.location(file) for file in files],
        **_inside(table),
        hive_partitioning=bool(hive),
        hive_schema=hive or None,
        glob=False,
        **lake.scan_options,
    )


def is_broken(table: Table, content: bytes) -> bool:
    """Whether this is no file of the table: cut off, or something else."""
    try:
        pl.scan_parquet(io.BytesIO(content), **_inside(table)).collect()
    except (pl.exceptions.PolarsError, OSError):
        return True
    return False


def _inside(table: Table) -> dict[str, Any]:
    """The types of what stands in a file. A column that the table got later is null in it: what was paid for stays readable."""
    return {"schema": {name: dtype for name, dtype in table.schema.items() if name not in table.hive}, "missing_columns": "insert"}


def keep_only(lake: Lake, folder: str, paths: Iterable[str]) -> None:
    """Make a folder of the lake, for instance a table's, consist of exactly `paths`: remove what an earlier run left."""
    lake.remove(*sorted(set(lake.files(folder, "")) - set(paths)))


def folder_name(value: str) -> str:
    """A value as one part of a path, the way hive readers decode it: `"google/gemma"` → `"google%2Fgemma"`.

    Raises UserError for a name that file systems would not take.
    """
    name = quote(value, safe="") if value.strip(".") else value.replace(".", "%2E")
    if len(name) > LONGEST_NAME:
        raise UserError(f"{value[:40]!r}… is too long for a name: {len(name)} bytes in a path, expected at most {LONGEST_NAME}")
    return name
