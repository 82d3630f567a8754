"""The disk of the lake is full while models are sampled: a clear error, and the next run draws exactly what could not be written."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
MODELS = [f'{{name = "{name}", path = "{ROOT}/tasks/world/models/{name}"}}' for name in ("ledger", "scribe")]
SETTINGS = [
    f"models=[{', '.join(MODELS)}]",
    "benchmarks.embedded.limit={train = 60, validation = 16, test = 32}",
    "sampling.k=10",
    "sampling.chunk=100",
    'routers=[{name = "kmeans-tfidf"}]',
    'evaluation.policies=["argmax"]',
    "evaluation.bootstrap=100",
]
SAMPLES = 108 * 2 * 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk on which there is room for the queries and for some samples."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=160k"]
    if subprocess.run(["mount", *options, "tmpfs", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def run(lake: Path) -> "subprocess.CompletedProcess[str]":
    words = [word for setting in SETTINGS for word in ("--set", setting)]
    command = [str(Path(sys.executable).with_name("manyminds")), "run", str(ROOT / "infra/runs/demo.toml"), "--lake", str(lake), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)


def samples(lake: Path) -> pl.DataFrame:
    return pl.scan_parquet(f"{lake}/generations/**/*.parquet", hive_partitioning=True).collect()


def files(lake: Path) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in lake.rglob("generations/**/*.parquet")}


@pytest.mark.slow
def test_a_disk_that_is_full_in_the_middle_of_sampling(small_disk: Path) -> None:
    lake = small_disk / "lake"
    failed = run(lake)
    assert failed.returncode != 0
    assert "No space left on device" in failed.stderr
    before = files(lake)
    there = samples(lake)
    assert 0 < there.height < SAMPLES
    assert not [file for file in lake.rglob("*") if file.name.endswith(".unfinished")]

    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    again = run(lake)
    assert again.returncode == 0, again.stderr
    assert before.items() <= files(lake).items()
    whole = samples(lake)
    assert whole.height == SAMPLES
    assert not whole.select("query_id", "model", "recipe", "sample").is_duplicated().any()
    to_draw = [int(line.split(": ")[1].split()[0].replace(",", "")) for line in again.stderr.splitlines() if "samples to draw" in line]
    assert sum(to_draw) == SAMPLES - there.height
