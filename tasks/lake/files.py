"""Where the tables live: a folder or any fsspec URL, in immutable files that are written whole or not at all.

    LAKE/votes/ledger/03-of-16/5f0c8a….parquet

Files are never changed. A table's new state is new files, after which those it no longer consists of are removed
(`keep_only`). The lake knows nothing about what is in the tables beyond `tables.py`, nor about who computes them.
"""

import io
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

import fsspec
import polars as pl
from fsspec.implementations.local import LocalFileSystem

from tasks.errors import UserError
from tasks.lake.fingerprints import fingerprint
from tasks.lake.tables import Table, check, empty

LONGEST_NAME = 200  # bytes; file systems take 255, and "model=" stands before it


@dataclass(frozen=True)
class Lake:
    """A folder or `s3://bucket/prefix`. Paths given to its methods are relative to it, with forward slashes."""

    url: str

    @cached_property
    def _place(self) -> tuple[fsspec.AbstractFileSystem, str]:
        filesystem, root = fsspec.core.url_to_fs(self.url)
        if isinstance(filesystem, LocalFileSystem) and filesystem.isfile(root):
            raise UserError(f"lake {self.url}: is a file; expected a folder, or a name that is free")
        return filesystem, root.rstrip("/")

    @property
    def filesystem(self) -> fsspec.AbstractFileSystem:
        """The fsspec filesystem that the lake is on."""
        return self._place[0]

    @property
    def is_local(self) -> bool:
        """Whether the lake is a folder of this machine."""
        return isinstance(self.filesystem, LocalFileSystem)

    def location(self, path: str = "") -> str:
        """The full path or URL of `path`, as Polars, pyarrow and people want it."""
        filesystem, root = self._place
        full = f"{root}/{path}".rstrip("/")
        return full if self.is_local else str(filesystem.unstrip_protocol(full))

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        filesystem, root = self._place
        return bool(filesystem.exists(f"{root}/{path}"))

    def files(self, folder: str, ending: str = ".parquet") -> list[str]:
        """Paths of all finished files below `folder`, sorted. A folder that is not there has none."""
        filesystem, root = self._place
        found = filesystem.find(f"{root}/{folder}".rstrip("/"))
        return sorted(path[len(root) + 1 :] for path in found if path.endswith(ending))

    def read(self, path: str) -> bytes:
        """The file's bytes. Raises FileNotFoundError."""
        filesystem, root = self._place
        return bytes(filesystem.cat_file(f"{root}/{path}"))

    def write(self, path: str, data: bytes) -> None:
        """Write the whole file or nothing: a new name and a rename in a folder, one PUT elsewhere."""
        filesystem, root = self._place
        full = f"{root}/{path}"
        if not self.is_local:
            filesystem.pipe_file(full, data)
            return
        filesystem.makedirs(full.rpartition("/")[0], exist_ok=True)
        unfinished = f"{full}.{uuid.uuid4().hex}.unfinished"
        try:
            filesystem.pipe_file(unfinished, data)
            filesystem.mv(unfinished, full)
        except BaseException:
            if filesystem.exists(unfinished):
                filesystem.rm_file(unfinished)
            raise

    def remove(self, path: str) -> None:
        """Remove the file, if it is there."""
        filesystem, root = self._place
        if filesystem.exists(f"{root}/{path}"):
            filesystem.rm_file(f"{root}/{path}")


def write_table(lake: Lake, table: Table, frame: pl.DataFrame, path: str) -> str:
    """Check `frame` against the table's schema and write it as one Parquet file below `LAKE/<table>/`.

    `path` is the file's, ending in ".parquet", or a folder's, ending in "/": then the file is named by its content, so that
    a step that is redone and comes to the same rows leaves everything downstream as it was. Columns of the path
    (`Table.hive`) are left out of the file. Returns the path in the lake.
    """
    buffer = io.BytesIO()
    check(table, frame).drop(table.hive).write_parquet(buffer, compression="zstd")
    content = buffer.getvalue()
    full = f"{table.name}/{path}" + (f"{fingerprint(content)}.parquet" if path.endswith("/") else "")
    lake.write(full, content)
    return full


def read_table(lake: Lake, table: Table, paths: Iterable[str] | None = None, columns: Iterable[str] | None = None) -> pl.DataFrame:
    """Rows of the table, from `paths` (as `write_table` returned them) or from all its files; empty if there are none.

    Rows come in the order of the paths, each key once even if it was written twice.
    """
    wanted = list(columns) if columns is not None else list(table.columns)
    files = sorted(paths) if paths is not None else lake.files(table.name)
    if not files:
        return empty(table).select(wanted)
    try:
        rows = scan_files(lake, table, files).select(list(dict.fromkeys([*wanted, *table.key]))).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        broken = _first_broken(lake, table, files) or table.name
        raise UserError(
            f"{lake.location(broken)}: cannot be read as table {table.name!r}; delete it and run again to make it anew: {error}"
        ) from error
    return rows.unique(table.key, keep="first", maintain_order=True).select(wanted)


def scan_files(lake: Lake, table: Table, files: list[str]) -> pl.LazyFrame:
    """The files as one lazy frame with the table's types, columns of the path included."""
    hive = {name: table.columns[name].dtype for name in table.hive}
    inside = {name: dtype for name, dtype in table.schema.items() if name not in hive}
    locations = [lake.location(file) for file in files]
    # A column that the table got after a file was written is null in it: what was paid for stays readable.
    return pl.scan_parquet(
        locations, schema=inside, missing_columns="insert", hive_partitioning=bool(hive), hive_schema=hive or None, glob=False
    )


def _first_broken(lake: Lake, table: Table, files: list[str]) -> str | None:
    """The first of the files that cannot be read by itself, for the message: Polars does not say which it was."""
    for file in files:
        try:
            scan_files(lake, table, [file]).select(table.key).collect()
        except (pl.exceptions.PolarsError, OSError):
            return file
    return None


def keep_only(lake: Lake, folder: str, paths: Iterable[str]) -> None:
    """Make a folder of the lake, for instance a table's, consist of exactly `paths`: remove what an earlier run left."""
    kept = set(paths)
    for path in lake.files(folder, ""):
        if path not in kept:
            lake.remove(path)


def folder_name(value: str) -> str:
    """A value as one part of a path, the way hive readers decode it: `"google/gemma"` → `"google%2Fgemma"`.

    Raises UserError for a name that file systems would not take.
    """
    name = quote(value, safe="") if value.strip(".") else value.replace(".", "%2E")
    if len(name) > LONGEST_NAME:
        raise UserError(f"{value[:40]!r}… is too long for a name: {len(name)} bytes in a path, expected at most {LONGEST_NAME}")
    return name
