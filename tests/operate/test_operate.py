"""A real server, real S3, real workers: what Retry does again, and what becomes of flow runs whose process or worker is killed."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import operate
from infra.operate import System
from infra.seaweed import BUCKET

ROOT = Path(__file__).parents[2]
MODELS = [f'{{name = "{name}", path = "{ROOT}/tasks/world/models/{name}"}}' for name in ("ledger", "scribe")]
SETTINGS = [
    f"models=[{', '.join(MODELS)}]",
    "benchmarks.embedded.limit={train = 60, validation = 16, test = 32}",
    'routers=[{name = "kmeans-tfidf"}]',
    'evaluation.policies=["argmax"]',
    "evaluation.bootstrap=100",
]
QUERIES = 108

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with two "GPUs"."""
    workers = [("cpu-1", "cpu"), ("gpu-1", "gpu"), ("gpu-2", "gpu")]
    with operate.system(tmp_path_factory.mktemp("operate"), workers_of=workers) as system:
        yield system


@pytest.fixture(autouse=True)
def credentials(running: System, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in running.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)


def test_retry_samples_only_the_shard_that_failed(running: System) -> None:
    lake = f"s3://{BUCKET}/retry"
    operate.show_retry(running, lake, [*SETTINGS, "sampling.k=2"])  # raises for whatever is not so
    samples = operate.samples_of(lake)
    assert samples.height > 0 and not samples.select(operate.EACH_SAMPLE).is_duplicated().any()


def test_a_model_that_is_retried_by_itself_is_not_launched_again(running: System) -> None:
    lake = f"s3://{BUCKET}/child"
    operate.refuse_writing(running.environment, "child/generations/model=scribe/recipe=*/bucket=00-of-02/*")
    refresh = running.refresh(lake, [*SETTINGS, "sampling.k=2"])
    assert running.wait(refresh)["state"]["type"] == "FAILED"
    launched, before = running.launched(refresh), operate.files_of(lake)
    (failed,) = [run for run in launched if run["state"]["type"] == "FAILED"]
    assert "scribe · bucket 1 of 2" in failed["state"]["message"]
    assert "bucket 2 of 2" not in failed["state"]["message"]

    operate.refuse_writing(running.environment, None)
    running.retry(failed["id"])
    child = running.wait(failed["id"])
    assert (child["state"]["type"], child["run_count"]) == ("COMPLETED", 2)
    after = operate.files_of(lake)
    assert {path: after[path] for path in before} == before
    assert all("/model=scribe/" in path and "/bucket=00-of-02/" in path for path in set(after) - set(before))

    running.retry(refresh)
    assert running.wait(refresh)["state"]["type"] == "COMPLETED"
    assert len(running.launched(refresh)) == len(launched)
    assert operate.files_of(lake) == after
    assert operate.samples_of(lake).height == QUERIES * 2 * 2


def test_what_a_killed_process_and_a_killed_worker_were_doing_is_launched_again(running: System, tmp_path: Path) -> None:
    """The worker says that its process is gone; of the worker that is gone itself, the missing heartbeat tells."""
    automations = yaml.safe_load((ROOT / "infra/automations.yaml").read_text())
    automations["automations"][0]["trigger"]["within"] = 60  # not to wait for two minutes
    (tmp_path / "automations.yaml").write_text(yaml.safe_dump(automations))
    running.prefect("automation", "create", "--from-file", str(tmp_path / "automations.yaml"))

    lake = f"s3://{BUCKET}/killed"
    refresh = running.refresh(lake, [*SETTINGS, "sampling.k=20", "sampling.chunk=50"])
    before = {}
    for child in as_they_begin(running, refresh, lake):
        if child["name"] == "sample ledger":
            operate.kill(running.processes_of(child["id"]))
        else:
            (worker,) = [name for name in ("gpu-1", "gpu-2") if running.processes_of(child["id"], name)]
            lost = running.workers.pop(worker)
            operate.kill([lost.pid, *operate.descendants(lost.pid)])
            lost.wait()
        before |= operate.files_of(lake)

    assert running.wait(refresh)["state"]["type"] == "COMPLETED"
    states = [(run["name"], run["state"]["type"]) for run in running.launched(refresh)]
    assert sorted(states) == [(f"sample {name}", state) for name in ("ledger", "scribe") for state in ("COMPLETED", "CRASHED")]
    after, samples = operate.files_of(lake), operate.samples_of(lake)
    assert {path: after[path] for path in before} == before
    assert samples.height == QUERIES * 2 * 20
    assert not samples.select(operate.EACH_SAMPLE).is_duplicated().any()


def as_they_begin(running: System, refresh: str, lake: str) -> Iterator[dict[str, Any]]:
    """The flow run of each model, as soon as it has written something."""
    awaited, until = {"sample ledger", "sample scribe"}, time.monotonic() + 240
    while awaited:
        assert time.monotonic() < until, f"{awaited} did not begin"
        for child in running.launched(refresh):
            model = child["name"].removeprefix("sample ")
            if child["name"] in awaited and any(f"/model={model}/" in path for path in operate.files_of(lake)):
                assert child["state"]["type"] == "RUNNING", f"{child['name']} was done before it could be killed"
                awaited.remove(child["name"])
                yield child
        time.sleep(0.2)
