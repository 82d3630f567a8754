"""One model: load it when the first sample is wanted, work through its shards, name those that failed.

On one machine this flow runs in place, inside the refresh; where there are workers it is a deployment, one flow run per model
and replica (`deployments.py`). Its shards are its task runs, two at a time: while one drains, the next one's requests are there.
"""

from collections.abc import Sequence
from typing import Any

from prefect import flow, unmapped
from prefect.client.schemas.objects import State
from prefect.context import TagsContext
from prefect.futures import wait
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from tasks import steps
from tasks.config import RunFile
from tasks.errors import ModelUnusable, ShardsFailed, UserError
from tasks.lake.files import Lake
from tasks.sampling.engines import open_sampler
from tasks.sampling.loads import keep_loads
from tasks.sampling.wanted import failure_of, keep_failure
from tasks.steps.artifacts import show_shards
from tasks.steps.progress import shown_progress

AT_ONCE = 2


@flow(
    name="sample-model",
    flow_run_name="sample {model}",
    validate_parameters=False,
    task_runner=ThreadPoolTaskRunner(max_workers=AT_ONCE),  # type: ignore[arg-type]
)
def sample_model(run: RunFile, model: str, queries: Sequence[str], lacking: Sequence[int] | None = None) -> State[Any]:
    """Sample in place what `model` lacks. `lacking`: how many samples, for each of its shards."""
    return sample_shards(run, model, queries, replica=0, replicas=1, lacking=lacking)


def sample_shards(
    run: RunFile, model: str, queries: Sequence[str], replica: int, replicas: int, lacking: Sequence[int] | None
) -> State[Any]:
    """Sample what this replica's shards lack: every `replicas`-th one. A shard that fails does not stop the others.

    All shards are task runs, also those that lack nothing (which load no model), so that a run that is retried finds each
    under the same name. Returns a Failed state that names the shards that failed, if any; its data is the error, a UserError
    if that is what all of them met. `lacking`: samples that each of these shards lacks, as far as that is known; for the progress.
    """
    member = next(member for member in run.models if member.name == model)
    shards = steps.shards(run, member)[replica::replicas]
    with _untagged(), shown_progress(model, shards, lacking) as sampling, open_sampler(member, run.sampling) as sampler:
        futures = steps.sample_shard.map(
            unmapped(run), shards, queries=unmapped(queries), sampler=unmapped(sampler), sampling=unmapped(sampling)
        )
        wait(list(futures))
    keep_loads(Lake(run.lake), model, sampler.loads)
    rows: list[dict[str, Any]] = []
    errors: dict[str, object] = {}
    for shard, future in zip(shards, futures, strict=True):
        if future.state.is_completed():
            rows.append({"state": "done", **future.result()})
        else:
            rows.append({"state": "failed", "shard": str(shard)})
            errors[str(shard)] = future.state.result(raise_on_failure=False)
    show_shards(model, rows)
    keep_failure(Lake(run.lake), model, replica, failure_of(errors))
    if not errors:
        return Completed(message=f"{model} is sampled")
    failed = "\n".join(f"sample {shard}: {error}" for shard, error in errors.items())
    if unusable := next((error for error in errors.values() if isinstance(error, ModelUnusable)), None):
        failed = f"sample {model}: {unusable}"  # every shard says the same
    kind = UserError if all(isinstance(error, UserError) for error in errors.values()) else ShardsFailed
    return Failed(message=failed, data=kind(failed))


def _untagged() -> TagsContext:
    """Task runs without the flow run's tags: for a tagged one Prefect asks the server for a concurrency slot, which can take seconds."""
    return TagsContext(current_tags=set())
