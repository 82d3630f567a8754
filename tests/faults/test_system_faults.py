"""Faults of a running system: the Prefect server, or the refresh and its worker, are killed while workers sample into S3.

Afterwards the lake is the one that an undisturbed run in place fills: the same samples, each once, and the same votes.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import operate
from infra.operate import System
from infra.seaweed import BUCKET
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import VOTES

ROOT = Path(__file__).parents[2]
WORLD = ROOT / "tasks" / "world" / "models"
SETTINGS = [
    f'models=[{{name = "ledger", path = "{WORLD}/ledger", replicas = 2}}, {{name = "scribe", path = "{WORLD}/scribe"}}]',
    "benchmarks.embedded.limit={train = 60, validation = 16, test = 32}",
    "sampling.k=30",
    "sampling.chunk=50",
    'routers=[{name = "kmeans-tfidf"}]',
    'evaluation.policies=["argmax"]',
    "evaluation.bootstrap=100",
]
SAMPLES = 108 * 2 * 30

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")]


@pytest.fixture(scope="module")
def in_place(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake that was filled in place."""
    lake = str(tmp_path_factory.mktemp("in-place") / "lake")
    words = [word for setting in SETTINGS for word in ("--set", setting)]
    command = [str(Path(sys.executable).with_name("manyminds")), "run", str(ROOT / operate.RUN_FILE), "--lake", lake, *words]
    subprocess.run(command, check=True, capture_output=True, timeout=400)
    return lake


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with two "GPUs"."""
    workers = [("cpu-1", "cpu"), ("gpu-1", "gpu"), ("gpu-2", "gpu")]
    with operate.system(tmp_path_factory.mktemp("system"), workers_of=workers) as system:
        yield system


@pytest.fixture(autouse=True)
def credentials(running: System, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in running.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)


def test_sampling_goes_on_without_the_server_and_reports_when_it_is_back(running: System, in_place: str) -> None:
    lake = f"s3://{BUCKET}/server"
    refresh = running.refresh(lake, SETTINGS)
    in_the_middle(running, refresh, lake)
    server = running.server.pop("server")
    operate.kill([server.pid, *operate.descendants(server.pid)])
    server.wait()
    before = operate.files_of(lake)
    wait_until(lambda: len(operate.files_of(lake)) > len(before))
    running.start_server()

    assert running.wait(refresh)["state"]["type"] == "COMPLETED"
    launched = running.launched(refresh)
    assert sorted(run["name"] for run in launched) == ["sample ledger", "sample ledger", "sample scribe"]
    assert drawn(running, launched) == SAMPLES  # by all of them together: no replica drew what is another's
    assert before.items() <= operate.files_of(lake).items()
    assert_same(lake, in_place)


def test_a_refresh_that_was_lost_with_its_worker_waits_at_retry_for_what_it_had_launched(running: System, in_place: str) -> None:
    lake = f"s3://{BUCKET}/refresh"
    refresh = running.refresh(lake, SETTINGS)
    in_the_middle(running, refresh, lake)
    before = operate.files_of(lake)
    worker = running.workers.pop("cpu-1")
    operate.kill([worker.pid, *operate.descendants(worker.pid)])
    worker.wait()
    # What the automation does once heartbeats are missing.
    running.ask(f"flow_runs/{refresh}/set_state", {"state": {"type": "CRASHED", "name": "Crashed"}, "force": False})
    running.start_worker("cpu-2", "cpu")
    running.retry(refresh)

    assert running.wait(refresh)["state"]["type"] == "COMPLETED"
    launched = running.launched(refresh)
    assert sorted(run["name"] for run in launched) == ["sample ledger", "sample ledger", "sample scribe"]
    assert drawn(running, launched) == SAMPLES
    assert before.items() <= operate.files_of(lake).items()
    assert_same(lake, in_place)


def in_the_middle(running: System, refresh: str, lake: str) -> None:
    """Wait until models are being sampled: all that there is to launch is launched, something is written, and one is not done."""
    wait_until(lambda: len(running.launched(refresh)) == 3 and bool(operate.files_of(lake)))
    assert any(run["state"]["type"] not in operate.FINAL for run in running.launched(refresh)), "all were done before anything was killed"


def wait_until(condition: Callable[[], bool], seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.2)


def drawn(running: System, launched: list[dict[str, Any]]) -> int:
    """Samples that these flow runs have drawn, as their artifacts say."""
    ids = {"any_": [run["id"] for run in launched]}
    tables = running.ask("artifacts/filter", {"artifacts": {"flow_run_id": ids, "type": {"any_": ["table"]}}})
    return sum(int(row["drawn"].replace(",", "")) for table in tables for row in json.loads(table["data"]))


def assert_same(lake: str, other: str) -> None:
    """The same samples, none twice, and the same votes; only times may differ."""
    samples, expected = (operate.samples_of(place).drop("latency_s", "first_token_s") for place in (lake, other))
    assert samples.height == SAMPLES
    assert samples.sort(operate.EACH_SAMPLE).equals(expected.sort(operate.EACH_SAMPLE))
    votes, expected = (read_table(Lake(place), VOTES).drop("latency_s").sort(VOTES.key) for place in (lake, other))
    assert votes.equals(expected)
