"""The flows as deployments (`infra/prefect.yaml`): small parameters that a person can read and change in the UI.

    refresh       the whole DAG on a CPU worker; sampling is launched as flow runs of `sample-model`
    sample-model  one model, or one replica of it, on a GPU worker
    evaluate      everything but sampling

Retry does only what failed. In the parent each launch is a task whose result is kept: those that completed are not launched
again. A launch is known to Prefect by its task run and how often that ran, so the same try is never started twice, and the
next try is a new flow run, which draws only what the lake lacks. A refresh that was lost with its worker leaves flow runs behind
that go on: its Retry, or another refresh, waits for those.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from prefect import Task, flow, task, unmapped
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, State, TaskRun
from prefect.context import TaskRunContext
from prefect.deployments import run_deployment
from prefect.futures import wait
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from flows.refresh import everything
from flows.sampling import AT_ONCE, sample_shards
from flows.secrets import load_secrets
from tasks import steps
from tasks.config import Model, RunFile, load_run
from tasks.errors import ShardsFailed, UserError


def _run_name() -> str:
    return f"{flow_run.flow_name} {Path(flow_run.parameters['file']).stem}"


def _load(file: str, lake: str | None, settings: Sequence[str]) -> RunFile:
    run = load_run(file, settings=settings, lake=lake)
    load_secrets(run)
    return run


@flow(name="refresh", flow_run_name=_run_name)
def refresh(file: str, lake: str | None = None, settings: list[str] | None = None, sample_with: str = "sample-model/sample-model") -> str:
    """Sample what is missing on workers, then redo what that changes. Returns where the report is.

    Args:
        file: the run file, as the workers see it.
        lake: instead of the run file's.
        settings: "key=value" each, as if they stood in the run file.
        sample_with: the deployment that samples a model.
    """
    run = _load(file, lake, settings or [])

    def sample_on_workers(run: RunFile, queries: list[str]) -> None:
        pairs = [(model, replica) for model in run.models for replica in range(model.replicas)]
        parameters = [
            {"file": file, "lake": lake, "settings": settings, "model": model.name, "queries": queries, "replica": replica}
            for model, replica in pairs
        ]
        launches = steps.stored(run, launch).map(unmapped(run), [model for model, _ in pairs], parameters, unmapped(sample_with))
        wait(list(launches))
        failed = [launched.state.result(raise_on_failure=False) for launched in launches if not launched.state.is_completed()]
        if failed:
            raise ShardsFailed("\n".join(str(error) for error in failed))

    return everything(run, sample_on_workers)


def _was_lost(_: Task[Any, Any], __: TaskRun, state: State[Any]) -> bool:
    """A worker that was killed says nothing about the next one. Shards that failed were tried several times already, who cancels
    a flow run means it, and the user's mistake does not pass by itself."""
    return not isinstance(state.result(raise_on_failure=False), ShardsFailed | UserError)


@task(
    task_run_name="launch {model.name}",
    persist_result=True,
    result_serializer="json",
    retries=1,
    retry_delay_seconds=30,
    retry_condition_fn=_was_lost,
)
def launch(run: RunFile, model: Model, parameters: dict[str, Any], sample_with: str) -> str:
    """Sample a model in a flow run of its own, on a worker, if it lacks anything. Returns what came of it; raises ShardsFailed.

    The one retry waits: a flow run that starts while the process of the one before is still ending was seen to crash.
    """
    _wait_for_others(sample_with, parameters)
    shards = steps.plan.fn(run, model, parameters["queries"])[parameters["replica"] :: model.replicas]
    lacking = [count for _, count in shards]
    if not any(lacking):
        return "nothing to draw"
    this = TaskRunContext.get()
    assert this is not None
    child = cast(
        FlowRun,
        run_deployment(
            sample_with,
            parameters=parameters | {"lacking": lacking},
            flow_run_name=f"sample {model.name}",
            tags=[f"model:{model.name}"],
            idempotency_key=f"{this.task_run.id}-{this.task_run.run_count}",
        ),
    )
    assert child.state is not None
    if child.state.is_completed():
        return f"{child.name} ({child.id})"
    message = f"{model.name}: {child.state.message or child.state.name}"
    raise RuntimeError(message) if child.state.is_crashed() else ShardsFailed(message)


def _wait_for_others(sample_with: str, parameters: dict[str, Any]) -> None:
    """Wait until no flow run samples the same into the same lake, whoever launched it: what it draws need not be drawn again."""
    same = ("file", "lake", "settings", "model", "replica")
    flow, deployment = sample_with.split("/")
    filters: dict[str, Any] = {
        "flow_filter": FlowFilter(name=FlowFilterName(any_=[flow])),
        "deployment_filter": DeploymentFilter(name=DeploymentFilterName(any_=[deployment])),
        "flow_run_filter": FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=list(TERMINAL_STATES)))),
    }
    with get_client(sync_client=True) as client:
        while any(all(other.parameters.get(name) == parameters[name] for name in same) for other in client.read_flow_runs(**filters)):
            time.sleep(5)


@flow(name="sample-model", flow_run_name="sample {model}", task_runner=ThreadPoolTaskRunner(max_workers=AT_ONCE))  # type: ignore[arg-type]
def sample_model(
    file: str,
    model: str,
    queries: list[str],
    lake: str | None = None,
    settings: list[str] | None = None,
    replica: int = 0,
    lacking: list[int] | None = None,
) -> State[Any]:
    """Sample what a model, or a replica of it, lacks.

    Args:
        file: the run file, as the workers see it.
        model: as named there.
        queries: the files of the table, as paths in the lake.
        lake: instead of the run file's.
        settings: "key=value" each, as if they stood in the run file.
        replica: which of the model's replicas this is, from 0.
        lacking: how many samples each of its shards lacks, for the progress that is shown.
    """
    run = _load(file, lake, settings or [])
    replicas = next(member.replicas for member in run.models if member.name == model)
    return sample_shards(run, model, queries, replica, replicas, lacking)


@flow(name="evaluate", flow_run_name=_run_name)
def evaluate(file: str, lake: str | None = None, settings: list[str] | None = None) -> str:
    """Redo everything but sampling, from the samples that are there. Returns where the report is."""
    return everything(_load(file, lake, settings or []), lambda run, queries: None)
