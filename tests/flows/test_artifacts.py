"""What a run leaves in the Prefect UI: tables of each step, progress, the verdict with its pictures; and nothing hangs on it."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import Artifact, FlowRun

from flows.refresh import refresh
from tasks.config import RunFile
from tasks.errors import UserError
from tasks.lake.buckets import Bucket
from tasks.sampling.sample import Progress
from tasks.sampling.shards import Shard
from tasks.steps import artifacts, progress
from tasks.steps.progress import Sampling, duration

SHARDS = [Shard("fox", "r1", Bucket(number, 2), ("sums",)) for number in range(2)]


def left_by(run: FlowRun) -> dict[str, Artifact]:
    """The newest artifact of each key that a flow run left."""
    found: dict[str, Artifact] = {}
    with get_client(sync_client=True) as client:
        filters = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
        for one in sorted(client.read_artifacts(artifact_filter=filters), key=lambda one: one.created or 0):  # type: ignore[arg-type, return-value]
            if one.key:
                found[one.key] = one
    return found


def newest(**filters: Any) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(sort="START_TIME_DESC", limit=5, **filters)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_each_step_leaves_what_there_is_to_see(make_run: Callable[..., RunFile]) -> None:
    run = make_run(name="small_pool")
    refresh(run)
    parent = next(one for one in newest() if one.name == "refresh small_pool")
    found = left_by(parent)
    assert {"queries", "votes", "routers", "routes", "metrics", "studies", "verdict", "report", "tables"} <= set(found)
    rows = json.loads(str(found["votes"].data))
    assert {row["model"] for row in rows} == {"ledger", "scribe"} and all(row["samples"] == "144" for row in rows)
    text = str(found["verdict"].data)
    assert text.startswith("# small\\_pool: is routing worth it?") and "(data:image/svg+xml;base64," in text
    assert run.lake in str(found["report"].data) and run.lake in str(found["tables"].data)
    children = newest(flow_run_filter=FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent.id])))
    assert sorted(child.name for child in children) == ["sample ledger", "sample scribe"]
    ledger = next(child for child in children if child.name == "sample ledger")
    assert "model:ledger" in ledger.tags
    of_model = left_by(ledger)
    assert float(str(of_model["sampling-ledger"].data)) == 100
    assert "144 of 144 samples" in str(of_model["sampling-ledger"].description)
    shards = json.loads(str(of_model["shards-of-ledger"].data))
    assert [row["state"] for row in shards] == ["done", "done"] and sum(int(row["drawn"]) for row in shards) == 144


def test_a_server_that_takes_no_artifacts_stops_nobody(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("the disk of the server is full")

    for module in (artifacts, progress):
        for name in [name for name in vars(module) if name.startswith(("create_", "update_"))]:
            monkeypatch.setattr(module, name, refuse)
    with caplog.at_level("WARNING", "manyminds"):
        artifacts.show_shards("fox", [{"state": "done", "shard": "fox · bucket 1 of 2", "seconds": 1.5}])
        with progress.shown_progress("fox", SHARDS, [100, 60]) as sampling:
            sampling.report(SHARDS[0], Progress(40, 100, 800, 10.0, 5.0), 100.0)
    assert caplog.text.count("not shown in the Prefect UI") == 2 and sampling.done == 40


@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_a_flow_run_that_failed_says_why_in_the_words_of_the_terminal(make_run: Callable[..., RunFile]) -> None:
    run = make_run(models=[{"name": "ledger", "path": "no/such/folder/x"}, {"name": "scribe", "path": "no/such/folder/y"}])
    with pytest.raises(UserError) as told:
        refresh(run)
    failed = next(one for one in newest() if one.name == "refresh small")
    assert failed.state is not None and str(told.value).splitlines()[0] in str(failed.state.message)


def test_progress_counts_what_was_lacking_and_tells_how_long_it_takes() -> None:
    sampling = Sampling(SHARDS, [100, 60])
    assert sampling.now() == (0.0, "0 of 160 samples")
    sampling.report(SHARDS[0], Progress(40, 100, 800, 10.0, 5.0), 100.0)
    assert sampling.now() == (25.0, "40 of 160 samples · 100 tokens/s · 24 s left")
    sampling.finish(SHARDS[0])
    sampling.report(SHARDS[1], Progress(60, 60, 1200, 10.0, 0.0), 100.0)
    assert sampling.now(has_ended=True) == (100.0, "160 of 160 samples · 100 tokens/s")


def test_progress_that_ended_early_says_so() -> None:
    sampling = Sampling(SHARDS, [100, 60])
    sampling.report(SHARDS[0], Progress(40, 100, 800, 10.0, 5.0), 100.0)
    assert sampling.now(has_ended=True)[1] == "40 of 160 samples · ended before all were drawn · 100 tokens/s"


@pytest.mark.parametrize(("seconds", "told"), [(45, "45 s"), (80, "1 min 20 s"), (5400, "1 h 30 min")])
def test_durations_are_told_as_people_do(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_a_name_becomes_a_key_that_prefect_takes() -> None:
    assert artifacts.key_of("shards-of", "Org/Gemma 7B<script>") == "shards-of-org-gemma-7b-script"
    assert re.fullmatch("sampling-[0-9a-f]{8}", artifacts.key_of("sampling", "模型"))
    assert artifacts.key_of("sampling", "模型") != artifacts.key_of("sampling", "模型二")
