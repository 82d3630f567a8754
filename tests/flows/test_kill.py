"""Kill -9 in the middle of sampling, start again: nothing is sampled twice, nothing is missing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
MANYMINDS = str(Path(sys.executable).with_name("manyminds"))
MODELS = [f'{{name = "{name}", path = "{ROOT}/tasks/world/models/{name}"}}' for name in ("ledger", "scribe", "atlas")]
SETTINGS = [
    f"models=[{', '.join(MODELS)}]",
    "benchmarks.embedded.limit={train = 64, validation = 16, test = 32}",
    "sampling.chunk=50",
    "sampling.k=5",
    'evaluation.policies=["argmax"]',
    "evaluation.bootstrap=100",
    'routers=[{name = "kmeans-tfidf"}]',
]
SAMPLES = 112 * 3 * 5


def command(lake: Path) -> list[str]:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    return [MANYMINDS, "run", str(ROOT / "infra/runs/demo.toml"), "--lake", str(lake), *settings]


def files(lake: Path) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in lake.glob("generations/**/*.parquet")}


def samples(lake: Path) -> pl.DataFrame:
    frame = pl.scan_parquet(f"{lake}/generations/**/*.parquet", hive_partitioning=True).drop("latency_s", "first_token_s").collect()
    return frame.sort("model", "query_id", "sample")


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    return [int(child) for child in found] + [grandchild for child in found for grandchild in children(int(child))]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def is_server(pid: int) -> bool:
    """Whether it is Prefect's own temporary server, which outlives a killed run: nothing can tell it that the run is gone."""
    try:
        return b"prefect.server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


def start(lake: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A run that is in the middle of sampling, and the processes that it has started."""
    run = subprocess.Popen(command(lake), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(files(lake)) < 8:
        assert run.poll() is None, "the run ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return run, children(run.pid)


def all_gone(pids: list[int]) -> bool:
    """Whether they end within half a minute."""
    deadline = time.monotonic() + 30
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.2)
    return not any(is_running(pid) for pid in pids)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    run, family = start(killed)
    servers = [pid for pid in family if is_server(pid)]
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    before = files(killed)
    assert 0 < sum(pl.read_parquet(file).height for file in before) < SAMPLES
    assert all_gone([pid for pid in family if pid not in servers]), "processes outlived the run"
    for pid in servers:
        os.kill(pid, signal.SIGTERM)

    subprocess.run(command(killed), check=True, capture_output=True, timeout=300)
    assert {file: at for file, at in files(killed).items() if file in before} == before
    drawn = samples(killed)
    assert drawn.height == SAMPLES
    assert not drawn.select("query_id", "model", "recipe", "sample").is_duplicated().any()

    subprocess.run(command(whole), check=True, capture_output=True, timeout=300)
    columns = [name for name in drawn.columns if name != "bucket"]
    assert drawn.select(columns).equals(samples(whole).select(columns))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_run_that_is_told_to_end_takes_all_its_processes_with_it(tmp_path: Path) -> None:
    run, family = start(tmp_path / "lake")
    os.kill(run.pid, signal.SIGTERM)
    assert run.wait(60) == 130
    assert all_gone(family)
