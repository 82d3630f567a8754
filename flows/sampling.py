"""One model: load it when the first sample is wanted, work through its shards, name those that failed.

On one machine this flow runs in place, inside the refresh; the model's shards are its task runs.
"""

from collections.abc import Sequence
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks import steps
from tasks.config import RunFile
from tasks.errors import ModelUnusable, ShardsFailed, UserError
from tasks.sampling.engines import open_sampler


@flow(name="sample model", flow_run_name="sample {model}", validate_parameters=False)
def sample_model(run: RunFile, model: str, queries: Sequence[str]) -> State[Any]:
    """Sample what `model` lacks; a shard that fails does not stop the others.

    Returns a Failed state that names the shards that failed, if any; its data is the error, a UserError if that is what
    all of them met.
    """
    member = next(member for member in run.models if member.name == model)
    failed: list[str] = []
    errors: list[object] = []
    with open_sampler(member, run.sampling) as sampler:
        for shard, lacking in steps.plan(run, member, queries):
            if not lacking or any(isinstance(error, ModelUnusable) for error in errors):
                continue
            state = steps.sample_shard(run, shard, queries, sampler, return_state=True)
            if not state.is_completed():
                errors.append(state.result(raise_on_failure=False))
                failed.append(f"sample {shard}: {errors[-1]}")
    if not failed:
        return Completed(message=f"{model} is sampled")
    kind = UserError if all(isinstance(error, UserError) for error in errors) else ShardsFailed
    return Failed(message="\n".join(failed), data=kind("\n".join(failed)))
