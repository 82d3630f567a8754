"""A lake in a folder of this machine, or on any other filesystem that fsspec knows.

A file is written under another name and then renamed, so that nobody ever sees half of it.
"""

import errno
import fcntl
import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from tasks.errors import UserError
from tasks.lake.entry import Entry

logger = logging.getLogger("manyminds")

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


class Folder:
    """The files in a folder. Paths are relative to it."""

    def __init__(self, url: str) -> None:
        try:
            self.filesystem, root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:  # a library that is not installed; no such protocol
            raise UserError(f"lake {url}: {error}; expected a folder or s3://bucket/prefix") from None
        self._root = root.rstrip("/")
        self.is_local = isinstance(self.filesystem, LocalFileSystem)
        if self.is_local and self.filesystem.isfile(self._root):
            raise UserError(f"lake {url}: is a file; expected a folder, or a name that is free")

    def location(self, path: str) -> str:
        """The full path, or URL, of `path`."""
        full = f"{self._root}/{path}".rstrip("/")
        return full if self.is_local else str(self.filesystem.unstrip_protocol(full))

    def check(self) -> None:
        """A folder is made when the first file is written."""

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        return bool(self.filesystem.exists(f"{self._root}/{path}"))

    def listed(self, folder: str) -> dict[str, Entry]:
        """Every file below `folder` → when it was written, and its size."""
        found = self.filesystem.find(f"{self._root}/{folder}".rstrip("/"), detail=True)
        return {
            path[len(self._root) + 1 :]: Entry(_moment(entry.get("mtime", entry.get("created"))), entry.get("size") or 0)
            for path, entry in found.items()
        }

    def names(self, folder: str) -> list[str]:
        """Names of the folders and files directly in `folder`, sorted. A folder that is not there has none."""
        try:
            found = self.filesystem.ls(f"{self._root}/{folder}", detail=False)
        except FileNotFoundError:
            return []
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def read(self, path: str) -> bytes:
        """The file's bytes. Raises FileNotFoundError."""
        return bytes(self.filesystem.cat_file(f"{self._root}/{path}"))

    def write(self, path: str, data: bytes) -> None:
        """Write the whole file or nothing, over what is there."""
        full = f"{self._root}/{path}"
        if not self.is_local:
            self.filesystem.pipe_file(full, data)
            return
        unfinished = f"{full}.{uuid.uuid4().hex}.unfinished"
        try:
            self.filesystem.makedirs(full.rpartition("/")[0], exist_ok=True)
            self.filesystem.pipe_file(unfinished, data)
            self.filesystem.mv(unfinished, full)
        except BaseException as error:
            if self.filesystem.exists(unfinished):
                self.filesystem.rm_file(unfinished)
            if isinstance(error, OSError):
                raise self._explained(error, path, len(data)) from None
            raise

    def create(self, path: str, data: bytes) -> None:
        """Write the whole file or nothing; a file that is there already stays as it is."""
        if not self.exists(path):
            self.write(path, data)

    def remove(self, paths: Sequence[str]) -> None:
        """Remove these files, those that are there."""
        for path in paths:
            if self.exists(path):
                try:
                    self.filesystem.rm_file(f"{self._root}/{path}")
                except OSError as error:
                    raise self._explained(error, path, 0) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other run has the lake, and have it. The lock is the operating system's: who is killed has it no longer."""
        if not self.is_local:
            yield
            return
        try:
            self.filesystem.makedirs(self._root, exist_ok=True)
            lock = Path(self._root, ".lock").open("ab")  # noqa: SIM115  closed below
        except OSError as error:
            raise self._explained(error, "", 0) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                logger.info("another run is at work on %s; waiting until it ends", self._root)
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError:  # a file system that has no locks
                logger.debug("%s cannot be locked", self._root)
            yield

    def is_had(self) -> bool | None:
        """Whether a run has the lake `alone` at this moment; None where that cannot be told. Nothing is written."""
        if not self.is_local:
            return None
        try:
            with Path(self._root, ".lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        except OSError:
            return None
        return False

    def _explained(self, error: OSError, path: str, size: int) -> Exception:
        """The error with what to do: UserError, unless it may pass by itself or needs no other command."""
        place = self.location(path)
        said = error.strerror or str(error) or type(error).__name__
        if error.errno in _NO_ROOM:
            text = f"{place}: {said}: {size:,} bytes could not be written; make room, or give --lake a place that has more"
            return _said(error, text)
        if error.errno in _NO_RIGHT:
            return UserError(f"lake {self._root}: cannot be written to: {said} ({place}); make it writable, or give --lake another place")
        return _said(error, f"{place}: {said}")

    @property
    def scan_options(self) -> dict[str, Any]:
        """What `polars.scan_parquet` has to be told: nothing."""
        return {}


def _said(error: OSError, text: str) -> OSError:
    """An error of the same number in these words, without the "[Errno 28]" that Python puts in front."""
    said = OSError(text)
    said.errno = error.errno
    return said


def _moment(when: float | datetime | None) -> datetime:
    return when if isinstance(when, datetime) else datetime.fromtimestamp(when or 0, UTC)
