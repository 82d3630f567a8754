"""A shard is a model, one of its recipes and a slice of the queries: the unit that is sampled, voted on and retried.

shards_of(model, {"gsm8k": "{{ question }}…"}, sampling)[3]  →  Shard("gemma-7b", "r41d0…", Bucket(3, 16), ("gsm8k",))
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tasks.config import Model, Sampling
from tasks.lake.buckets import Bucket, buckets
from tasks.lake.files import Lake
from tasks.lake.generations import generation_folder
from tasks.sampling.adaptive import Decided
from tasks.sampling.plan import missing
from tasks.sampling.recipe import Recipe, recipe_of


@dataclass(frozen=True)
class Shard:
    """Its text is how people see it: "gemma-7b · bucket 4 of 16"."""

    model: str
    recipe: str
    bucket: Bucket
    benchmarks: tuple[str, ...]  # that share the recipe; none for imported generations

    def __str__(self) -> str:
        return f"{self.model} · bucket {self.bucket.index + 1} of {self.bucket.count}"


def recipes_of(model: Model, templates: Mapping[str, str], sampling: Sampling) -> dict[Recipe, tuple[str, ...]]:
    """The model's recipes, one per distinct prompt template, each with the benchmarks that it serves.

    `templates`: benchmark → template.
    """
    served: dict[Recipe, tuple[str, ...]] = {}
    for benchmark, template in templates.items():
        recipe = recipe_of(model, template, sampling)
        served[recipe] = (*served.get(recipe, ()), benchmark)
    return served


def shards_of(model: Model, templates: Mapping[str, str], sampling: Sampling) -> list[Shard]:
    """All shards of the model."""
    recipes = recipes_of(model, templates, sampling)
    return [Shard(model.name, recipe.id, bucket, names) for recipe, names in recipes.items() for bucket in buckets(sampling.buckets)]


def in_shard(queries: pl.DataFrame, shard: Shard) -> pl.DataFrame:
    """The rows of `queries` that lie in the shard, sorted by `query_id`."""
    return queries.filter(shard.bucket.holds() & pl.col("benchmark").is_in(shard.benchmarks)).sort("query_id")


def lacking(lake: Lake, shards: Sequence[Shard], queries: pl.DataFrame, k: int, decided: Decided | None = None) -> list[tuple[Shard, int]]:
    """How many samples each shard still lacks; at most so many where sampling stops once a vote is `decided`."""
    folders = {generation_folder(shard.model, shard.recipe) for shard in shards}
    listed = {folder: lake.files(folder) for folder in folders}  # once, and not for each shard

    def count(shard: Shard) -> int:
        files = listed[generation_folder(shard.model, shard.recipe)]
        return missing(lake, shard.model, shard.recipe, shard.bucket, in_shard(queries, shard)["query_id"], k, decided, files).height

    return [(shard, count(shard)) for shard in shards]
