"""`generations` → `votes`, shard by shard."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from tasks.config import RunFile
from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, folder_name, read_table
from tasks.lake.generations import generation_files, query_generations
from tasks.lake.tables import QUERIES
from tasks.sampling.shards import Shard
from tasks.steps.generations import shards
from tasks.steps.step import Written, step

logger = logging.getLogger("manyminds")

# Shards that vote at once in a process, however many task runs there are: each has some texts in memory, and uses all cores.
_VOTING = ThreadPoolExecutor(2, "vote")


def shards_to_vote(run: RunFile, gathered: Sequence[Written]) -> list[Shard]:
    """Every shard of every model, and one for each model and recipe among imported generations."""
    lake = Lake(run.lake)
    found = [shard for model in run.models for shard in shards(run, model)]
    for written in gathered:
        if files := written.get("generations"):
            names, _ = query_generations(lake, files, lambda rows: rows.select("model", "recipe").unique().sort("model", "recipe"))
            found += [Shard(model, recipe, Bucket(0, 1), ()) for model, recipe in names.iter_rows()]
    return found


def _k_of(run: RunFile, shard: Shard) -> int | None:
    """Imported generations vote with all the samples that there are."""
    return run.sampling.k if shard.benchmarks else None


@step(
    "vote {shard}",
    lambda run, shard, queries: (
        shard,
        list(queries),
        generation_files(Lake(run.lake), shard.model, shard.recipe, shard.bucket),
        _k_of(run, shard),
        run.labels,
        {model.name: model.price for model in run.models if model.name == shard.model},
    ),
    code=["tasks.voting"],
)
def vote(run: RunFile, shard: Shard, queries: Sequence[str]) -> Written:
    """A shard's `generations` → `votes`."""
    from tasks.voting.shard import vote_shard

    lake = Lake(run.lake)
    files = generation_files(lake, shard.model, shard.recipe, shard.bucket)
    prices = {model.name: model.price for model in run.models if model.price is not None}
    folder = f"{folder_name(shard.model)}/{shard.bucket.label}/"

    def votes() -> str:
        rows = read_table(lake, QUERIES, queries, where=shard.bucket.holds())
        return vote_shard(lake, files, rows, folder, _k_of(run, shard), prices, run.labels)

    return {"votes": [_VOTING.submit(copy_context().run, votes).result()]}
