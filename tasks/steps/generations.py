"""What is lacking of `generations`, and drawing it.

Sampling has no cache key: the samples in the lake are themselves the record of what is done.
"""

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from prefect import task

from tasks.config import Model, RunFile
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import QUERIES
from tasks.sampling.shards import Shard, in_shard, lacking, recipes_of, shards_of

if TYPE_CHECKING:
    from tasks.sampling.engines.sampler import Sampler
from tasks.steps.progress import Sampling
from tasks.steps.step import is_worth_a_retry

logger = logging.getLogger("manyminds")


def templates_of(run: RunFile, model: Model) -> dict[str, str]:
    """The prompt template of each benchmark for this model."""
    from tasks.benchmarks.load import prompt_template

    return {benchmark.name: prompt_template(benchmark, model.chat) for benchmark in run.benchmarks}


def shards(run: RunFile, model: Model) -> list[Shard]:
    """All shards of a model, always in the same order."""
    return shards_of(model, templates_of(run, model), run.sampling)


@task(task_run_name="plan {model.name}", persist_result=False)
def plan(run: RunFile, model: Model, queries: Sequence[str]) -> list[tuple[Shard, int]]:
    """Samples wanted, less samples present: what each shard of the model lacks."""
    from tasks.benchmarks.only import asked
    from tasks.voting.decided import until_decided

    rows = asked(read_table(Lake(run.lake), QUERIES, queries), model)
    return lacking(Lake(run.lake), shards(run, model), rows, run.sampling.k, until_decided(run.sampling, rows))


class Sampled(TypedDict):
    """What became of a shard."""

    shard: str
    drawn: int
    tokens: int
    seconds: float


@task(
    task_run_name="sample {shard}",
    persist_result=False,
    retries=2,
    retry_delay_seconds=5,
    retry_condition_fn=is_worth_a_retry,
)
def sample_shard(run: RunFile, shard: Shard, queries: Sequence[str], sampler: "Sampler", sampling: Sampling | None = None) -> Sampled:
    """What a shard lacks → `generations`. Two or more of a model run at once, so that the engine never waits for the next one.

    `sampling`: where progress is told, for all shards of the model together.
    """
    from tasks.benchmarks.only import asked
    from tasks.sampling.records import keep_recipe
    from tasks.sampling.sample import Progress, sample_shard
    from tasks.voting.decided import until_decided

    began, said, last = time.monotonic(), 0.0, Progress(0, 0, 0, 0.0, 0.0)

    def progress(now: Progress) -> None:
        nonlocal said, last
        if sampling:
            sampling.report(shard, now, sampler.tokens_per_second)
        said, last = said or time.monotonic(), now  # the first samples tell nothing about the rate: the model was loaded before them
        if now.done == now.wanted or time.monotonic() - said > 5:
            said = time.monotonic()
            rate = f"{now.tokens_per_second:,.0f} tokens/s, {now.seconds_left:.0f} s left"
            logger.info("sample %s: %s of %s samples, %s", shard, f"{now.done:,}", f"{now.wanted:,}", rate)

    lake, settings = Lake(run.lake), run.sampling
    model = next(model for model in run.models if model.name == shard.model)
    recipe = next(recipe for recipe in recipes_of(model, templates_of(run, model), settings) if recipe.id == shard.recipe)
    rows = in_shard(asked(read_table(lake, QUERIES, queries), model), shard)
    decided = until_decided(run.sampling, rows)
    keep_recipe(lake, recipe, model)
    sample_shard(lake, sampler, shard.model, recipe, shard.bucket, rows, settings.k, run.seed, settings.chunk, progress, decided)
    if sampling:
        sampling.finish(shard)
    return {"shard": str(shard), "drawn": last.done, "tokens": last.tokens, "seconds": time.monotonic() - began}
