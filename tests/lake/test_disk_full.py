"""A disk that is full while a chunk is written: a clear error, nothing half written, and the next run goes on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tasks.lake.files import Lake, read_table, write_table
from tasks.lake.tables import SCORES


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_nothing_half_written(small_disk: Path) -> None:
    lake = Lake(str(small_disk / "lake"))
    rows = pl.DataFrame({"query_id": [str(number) for number in range(100)], "router": "r", "model": "m", "confidence": 0.5, "cost": None})
    kept = write_table(lake, SCORES, rows, "r/")
    (small_disk / "filler").write_bytes(bytes(os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize - 4096))
    with pytest.raises(OSError, match="No space left on device"):
        lake.create("scores/r/large.parquet", os.urandom(100_000))
    assert [file.name for file in (small_disk / "lake").rglob("*") if file.is_file()] == [Path(kept).name]
    (small_disk / "filler").unlink()
    lake.create("scores/r/large.parquet", os.urandom(100_000))
    assert len(lake.files("scores")) == 2


def test_a_file_that_grows_beyond_what_is_allowed_leaves_nothing_half_written(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys; from tasks.lake.files import Lake; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)); Lake(sys.argv[1]).create('scores/a.parquet', bytes(20_000))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "File too large" in done.stderr.splitlines()[-1]
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
    assert read_table(Lake(str(tmp_path)), SCORES).is_empty()
