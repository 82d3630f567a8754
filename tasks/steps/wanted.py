"""What a run wants of samples → `wanted.json` in the lake, for `manyminds status`."""

from collections.abc import Sequence

from tasks.config import Model, RunFile
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import QUERIES
from tasks.sampling import wanted
from tasks.sampling.shards import recipes_of
from tasks.steps.generations import templates_of


def keep_wanted(run: RunFile, queries: Sequence[str]) -> None:
    """Write down what is to be sampled, before it is."""
    models = {model.name: _asked(run, model, queries) for model in run.models}
    settings = run.sampling
    wanted.keep_wanted(Lake(run.lake), wanted.Wanted(run.name, settings.k, settings.stop, settings.buckets, models))


def _asked(run: RunFile, model: Model, queries: Sequence[str]) -> wanted.Asked:
    from tasks.benchmarks.only import asked

    recipes = recipes_of(model, templates_of(run, model), run.sampling)
    only = None if model.only is None else asked(read_table(Lake(run.lake), QUERIES, queries), model)["query_id"].sort().to_list()
    return wanted.Asked({recipe.id: list(served) for recipe, served in recipes.items()}, only)
