"""Benchmarks, and what was made elsewhere → `queries` (and `generations`, `votes`)."""

import hashlib
import logging
from collections.abc import Sequence

import polars as pl

from tasks.config import Benchmark, RunFile
from tasks.errors import UserError
from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, folder_name, read_table, write_table
from tasks.lake.generations import IMPORTED, generation_folder
from tasks.lake.tables import GENERATIONS, QUERIES, VOTES
from tasks.lake.views import check_learnable, pool
from tasks.steps.step import Written, is_worth_a_retry, step

logger = logging.getLogger("manyminds")


def _check_alone(run: RunFile, queries: pl.DataFrame, models: Sequence[str], source: str) -> None:
    """Where all queries of the run come from one place, refuse it before it is written if nothing can be learned from it."""
    if len(run.benchmarks) + bool(run.outcomes) + bool(run.generations) == 1:
        check_learnable(queries, models, source)


@step(
    "load {benchmark.name}",
    lambda run, benchmark: (benchmark, _contents(benchmark.files), run.splits, run.seed),
    code=["tasks.benchmarks", "tasks.world.questions", "tasks.world.skills", "tasks.world.facts"],
    retry_if=is_worth_a_retry,
)
def load_queries(run: RunFile, benchmark: Benchmark) -> Written:
    """A benchmark → `queries`."""
    from tasks.benchmarks.load import load_benchmark
    from tasks.voting.vote import check_gold, with_gold

    queries, notes = load_benchmark(benchmark, run.splits, run.seed)
    check_gold(with_gold(queries))  # before anything is sampled
    _check_alone(run, queries, [model.name for model in run.models], f"benchmark {benchmark.name!r}")
    return {"queries": [write_table(Lake(run.lake), QUERIES, queries, f"{folder_name(benchmark.name)}/")], "notes": notes}


@step(
    "import outcomes",
    lambda run: ([(entry, _contents(entry.files)) for entry in run.outcomes], run.splits, run.seed),
    code=["tasks.benchmarks"],
)
def import_outcomes(run: RunFile) -> Written:
    """Outcomes made elsewhere → `queries` and `votes`."""
    from tasks.benchmarks.outcomes import read_outcomes

    lake, imported = Lake(run.lake), read_outcomes(run.outcomes, run.splits, run.seed)
    _check_alone(run, imported.queries, pool(imported.votes), run.outcomes[0].files[0])
    queries = write_table(lake, QUERIES, imported.queries, "outcomes/")
    votes = write_table(lake, VOTES, imported.votes, "outcomes/")
    return {"queries": [queries], "votes": [votes], "notes": imported.notes}


@step(
    "import generations",
    lambda run: ([(entry, _contents(entry.files)) for entry in run.generations], run.splits, run.seed),
    code=["tasks.benchmarks"],
)
def import_generations(run: RunFile) -> Written:
    """Generations made elsewhere → `queries` and `generations`, replacing what was imported before."""
    from tasks.benchmarks.generations import read_generations

    lake, imported = Lake(run.lake), read_generations(run.generations, run.splits, run.seed)
    _check_alone(run, imported.queries, pool(imported.generations), run.generations[0].files[0])
    by_recipe = imported.generations.partition_by("model", "recipe", as_dict=True, maintain_order=True)
    parts = [
        (f"{generation_folder(str(model), str(recipe))}/bucket={Bucket(0, 1).label}/".removeprefix(f"{GENERATIONS.name}/"), rows)
        for (model, recipe), rows in by_recipe.items()
    ]
    queries = write_table(lake, QUERIES, imported.queries, "generations/")
    generations = [write_table(lake, GENERATIONS, rows, folder) for folder, rows in parts]
    for path in lake.files(GENERATIONS.name):
        if f"/recipe={IMPORTED}" in path and path not in generations:
            lake.remove(path)
    return {"queries": [queries], "generations": generations, "notes": imported.notes}


def check_distinct(run: RunFile, queries: Sequence[str]) -> None:
    """Refuse what only shows in all of them: a query that comes from two places, or a split without any. Raises UserError.

    Such a query may have two splits, and its votes would count twice.
    """
    if len(queries) < 2:
        return
    lake = Lake(run.lake)
    rows = pl.concat([read_table(lake, QUERIES, [path], ["query_id", "benchmark", "split", "question"]) for path in queries])
    double = rows.filter(pl.col("query_id").is_duplicated())
    if not double.is_empty():
        row = double.row(0, named=True)
        raise UserError(
            f"benchmark {row['benchmark']!r}: {double['query_id'].n_unique():,} queries come from two sources, for instance "
            f"{row['question'][:80]!r}; give one of the benchmarks another name"
        )
    if not run.outcomes and not run.generations:  # whose models are not known yet
        check_learnable(rows, [model.name for model in run.models], "the benchmarks")


def _contents(files: Sequence[str]) -> list[str]:
    """Fingerprints of a user's files."""
    import fsspec

    found = []
    for file in files:
        try:
            with fsspec.open(file, "rb") as stream:
                digest = hashlib.sha256()
                while part := stream.read(2**22):  # a file may be larger than memory
                    digest.update(part)
                found.append(digest.hexdigest())
        except OSError as error:
            raise UserError(f"{file}: cannot be read: {error.strerror or error}") from error
    return found
