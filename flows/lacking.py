"""Which of the samples that the newest run wants are not in the lake: by model, and by shard.

What is there is counted in the files' footers. Only of a shard whose count is not just what is wanted are the samples' numbers read:
it lacks some, or holds others too (a lower k, fewer queries, another cut into buckets, a sample written twice).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tasks.config import Sampling
from tasks.lake.buckets import buckets
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import QUERIES
from tasks.sampling.shards import Shard, in_shard, lacking
from tasks.sampling.wanted import Wanted, read_failures
from tasks.voting.decided import until_decided

Counts = Mapping[tuple[str, str], Mapping[str, int]]  # (model, recipe) → label of the bucket → rows


@dataclass(frozen=True)
class ShardLeft:
    """A shard that is wanted. `lacking`: samples that are still to be drawn; `why`: what its newest try met, if it failed."""

    shard: Shard
    wanted: int
    lacking: int
    why: str | None


@dataclass(frozen=True)
class ModelLeft:
    """A model by a recipe, as the newest run wants it. `unusable`: why it could not be loaded, if it lacks samples because of that."""

    model: str
    recipe: str
    shards: list[ShardLeft]
    unusable: str | None

    @property
    def wanted(self) -> int:
        """Samples wanted; at most, where sampling stops once a vote is decided."""
        return sum(one.wanted for one in self.shards)

    @property
    def lacking(self) -> int:
        """Samples still to be drawn."""
        return sum(one.lacking for one in self.shards)


def left(lake: Lake, wanted: Wanted, counts: Counts) -> list[ModelLeft]:
    """What is wanted and lacking of each model and recipe, in the order of the run file."""
    is_early = wanted.stop == "decided"
    columns = ["query_id", "benchmark", *(["answer_kind", "question", "choices"] if is_early else [])]
    queries = read_table(lake, QUERIES, columns=columns)
    found = []
    for model, asked in wanted.models.items():
        rows = queries if asked.only is None else queries.filter(pl.col("query_id").is_in(asked.only))
        failure = read_failures(lake, model)
        for recipe in asked.recipes:
            shards = [shard for shard in wanted.shards(model) if shard.recipe == recipe]
            ones = _of_recipe(lake, wanted, shards, rows, counts.get((model, recipe), {}), failure.shards)
            does_lack = any(one.lacking for one in ones)
            found.append(ModelLeft(model, recipe, ones, failure.unusable if does_lack else None))
    return found


def _of_recipe(
    lake: Lake,
    wanted: Wanted,
    shards: Sequence[Shard],
    queries: pl.DataFrame,
    there: Mapping[str, int],
    failures: Mapping[str, str],
) -> list[ShardLeft]:
    full = {shard: in_shard(queries, shard).height * wanted.k for shard in shards}
    is_same_cut = set(there) <= {bucket.label for bucket in buckets(wanted.buckets)}
    unsure = [shard for shard in shards if not (is_same_cut and there.get(shard.bucket.label, 0) == full[shard])]
    decided = until_decided(Sampling.model_validate({"k": wanted.k, "stop": wanted.stop}), queries)
    lacks = dict(lacking(lake, unsure, queries, wanted.k, decided))
    return [ShardLeft(shard, full[shard], lacks.get(shard, 0), failures.get(str(shard)) if lacks.get(shard) else None) for shard in shards]
