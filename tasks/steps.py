"""Every step as a Prefect task: what it reads, when it is redone, whether a retry makes sense.

A step reads tables and writes one. Its result is small, {"votes": ["votes/ledger/00-of-02/5f0c….parquet"]}, and is kept in
the lake under the fingerprint of all that the step reads: names of immutable files, settings, the code that does the
work. So a step is redone exactly when something that it reads has changed, by any worker, in any later run; and a result
whose files are gone counts for nothing. What a step calls is plain Python in the folders beside this file.

Sampling has no such key: the samples in the lake are themselves the record of what is done.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypedDict, TypeVar, cast

import polars as pl
from prefect import Task, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext

from tasks.config import Benchmark, Model, Router, RunFile
from tasks.errors import UserError
from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, folder_name, keep_only, read_table, write_table
from tasks.lake.fingerprints import fingerprint, source_fingerprint
from tasks.lake.generations import generation_files
from tasks.lake.interfaces import Examples, Pool
from tasks.lake.tables import GENERATIONS, METRICS, QUERIES, ROUTES, SCORES, TABLES, VOTES
from tasks.lake.views import matrix, pool, reward

if TYPE_CHECKING:
    from tasks.sampling.engines import Sampler
    from tasks.sampling.recipe import Recipe

logger = logging.getLogger("manyminds")
P = ParamSpec("P")
R = TypeVar("R")


class Written(TypedDict, total=False):
    """What a step wrote: paths in the lake per table, and what a reader of the report should know."""

    queries: list[str]
    generations: list[str]
    votes: list[str]
    router: list[str]
    scores: list[str]
    routes: list[str]
    policies: list[str]
    metrics: list[str]
    notes: list[str]
    seconds_per_query: float


@dataclass(frozen=True)
class Shard:
    """A model, one of its recipes, a slice of the queries: the unit that is sampled, voted on and retried."""

    model: str
    recipe: str
    bucket: Bucket
    benchmarks: tuple[str, ...]  # whose prompts the recipe has

    def __str__(self) -> str:
        return f"{self.model} · bucket {self.bucket.index + 1} of {self.bucket.count}"


def _is_worth_a_retry(_: Task[Any, Any], __: TaskRun, state: State[Any]) -> bool:
    """A full disk or a network that stumbles may pass; the user's mistake does not."""
    return not isinstance(state.result(raise_on_failure=False), UserError)


def _step(
    name: str, reads: Callable[..., Sequence[object]], code: Sequence[str], retries: int = 0
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A Prefect task that is redone when `reads(**parameters)`, or the code of the packages, has changed."""

    def key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
        function = context.task.fn.__name__
        made_from = fingerprint(function, source_fingerprint(*code), *reads(**parameters))
        lake = Lake(parameters["run"].lake)
        for attempt in range(1000):
            candidate = f"{function}-{made_from}" + (f"-{attempt}" if attempt else "")
            # A record whose files are gone is no record: the next name is taken, and the files are made again.
            if not context.result_store.exists(candidate) or _are_there(lake, context.result_store.read(candidate).result):
                return candidate
        raise RuntimeError(f"{function}: its results in the lake were lost a thousand times")

    return task(
        task_run_name=name,
        cache_key_fn=key,
        persist_result=True,
        result_serializer="json",
        cache_result_in_memory=False,
        retries=retries,
        retry_delay_seconds=5,
        retry_condition_fn=_is_worth_a_retry if retries else None,
    )


def _are_there(lake: Lake, written: Written) -> bool:
    paths = [path for table, value in written.items() if table not in {"notes", "seconds_per_query"} for path in cast(list[str], value)]
    return all(lake.exists(path) for path in paths)


def stored(run: RunFile, step: Task[P, R]) -> Task[P, R]:
    """The step with its results kept in the run's lake."""
    lake = Lake(run.lake)
    return step.with_options(result_storage=Path(lake.location(".results"))) if lake.is_local else step


def publish(run: RunFile, table: str, results: Sequence[Written]) -> list[str]:
    """Make a table consist of what these steps wrote to it, and return its paths."""
    paths = sorted(path for written in results for path in cast(dict[str, list[str]], written).get(table, []))
    keep_only(Lake(run.lake), TABLES[table], paths)
    return paths


def check_names(run: RunFile) -> None:
    """Refuse a router, a setting of it or a policy that there is not, before anything is paid for. Raises UserError."""
    from tasks.policies import make_policy
    from tasks.routers import check_settings

    for router in run.routers:
        check_settings(router)
    for policy in run.evaluation.policies:
        make_policy(policy, run.seed)


def check_distinct(run: RunFile, queries: Sequence[str]) -> None:
    """Refuse a query that comes from two places: it may have two splits, and its votes would count twice. Raises UserError."""
    if len(queries) < 2:
        return
    lake = Lake(run.lake)
    rows = pl.concat([read_table(lake, QUERIES, [path], ["query_id", "benchmark", "question"]) for path in queries])
    double = rows.filter(pl.col("query_id").is_duplicated())
    if not double.is_empty():
        row = double.row(0, named=True)
        raise UserError(
            f"benchmark {row['benchmark']!r}: {double['query_id'].n_unique():,} queries come from two sources, for instance "
            f"{row['question'][:80]!r}; give one of the benchmarks another name"
        )


def _contents(files: Sequence[str]) -> list[str]:
    """Fingerprints of a user's files."""
    import fsspec

    found = []
    for file in files:
        try:
            with fsspec.open(file, "rb") as stream:
                found.append(fingerprint(stream.read()))
        except OSError as error:
            raise UserError(f"{file}: cannot be read: {error.strerror or error}") from error
    return found


# ── queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@_step(
    "load {benchmark.name}",
    lambda run, benchmark: (benchmark, _contents(benchmark.files), run.splits, run.seed),
    code=["tasks.benchmarks", "tasks.world.questions", "tasks.world.skills", "tasks.world.facts"],
    retries=2,
)
def load_queries(run: RunFile, benchmark: Benchmark) -> Written:
    """A benchmark → `queries`."""
    from tasks.benchmarks.load import load_benchmark

    queries, notes = load_benchmark(benchmark, run.splits, run.seed)
    return {"queries": [write_table(Lake(run.lake), QUERIES, queries, f"{folder_name(benchmark.name)}/")], "notes": notes}


@_step(
    "import outcomes",
    lambda run: ([(entry, _contents(entry.files)) for entry in run.outcomes], run.splits, run.seed),
    code=["tasks.benchmarks"],
)
def import_outcomes(run: RunFile) -> Written:
    """Outcomes made elsewhere → `queries` and `votes`."""
    from tasks.benchmarks.outcomes import read_outcomes

    lake, imported = Lake(run.lake), read_outcomes(run.outcomes, run.splits, run.seed)
    queries = write_table(lake, QUERIES, imported.queries, "outcomes/")
    votes = write_table(lake, VOTES, imported.votes, "outcomes/")
    return {"queries": [queries], "votes": [votes], "notes": imported.notes}


@_step(
    "import generations",
    lambda run: ([(entry, _contents(entry.files)) for entry in run.generations], run.splits, run.seed),
    code=["tasks.benchmarks"],
)
def import_generations(run: RunFile) -> Written:
    """Generations made elsewhere → `queries` and `generations`, replacing what was imported before."""
    from tasks.benchmarks.generations import read_generations

    lake, imported = Lake(run.lake), read_generations(run.generations, run.splits, run.seed)
    queries = write_table(lake, QUERIES, imported.queries, "generations/")
    generations = []
    for (model, recipe), rows in imported.generations.partition_by("model", "recipe", as_dict=True, maintain_order=True).items():
        folder = f"model={folder_name(str(model))}/recipe={folder_name(str(recipe))}/bucket={Bucket(0, 1).label}"
        generations.append(write_table(lake, GENERATIONS, rows, f"{folder}/"))
    for path in lake.files(GENERATIONS.name):
        if f"/recipe={IMPORTED}" in path and path not in generations:
            lake.remove(path)
    return {"queries": [queries], "generations": generations, "notes": imported.notes}


IMPORTED = "imported"


# ── generations ──────────────────────────────────────────────────────────────────────────────────────────────────────


def recipes_of(run: RunFile, model: Model) -> list[tuple["Recipe", tuple[str, ...]]]:
    """The model's recipes, one per prompt template, each with the benchmarks that it serves."""
    from tasks.benchmarks.load import prompt_template
    from tasks.sampling.recipe import recipe_of

    served: dict[Recipe, list[str]] = {}
    for benchmark in run.benchmarks:
        served.setdefault(recipe_of(model, prompt_template(benchmark), run.sampling), []).append(benchmark.name)
    return [(recipe, tuple(names)) for recipe, names in served.items()]


def shards_of(run: RunFile, model: Model) -> list[Shard]:
    """All shards of the model."""
    from tasks.lake.buckets import buckets

    return [
        Shard(model.name, recipe.id, bucket, names) for recipe, names in recipes_of(run, model) for bucket in buckets(run.sampling.buckets)
    ]


def in_shard(queries: pl.DataFrame, shard: Shard) -> pl.DataFrame:
    """The rows of `queries` that lie in the shard, sorted by `query_id`."""
    return queries.filter(shard.bucket.holds() & pl.col("benchmark").is_in(shard.benchmarks)).sort("query_id")


def lacking(run: RunFile, model: Model, queries: pl.DataFrame) -> list[tuple[Shard, int]]:
    """How many samples each shard of the model still lacks."""
    from tasks.sampling.plan import missing

    lake, k = Lake(run.lake), run.sampling.k
    return [
        (shard, missing(lake, shard.model, shard.recipe, shard.bucket, in_shard(queries, shard)["query_id"], k).height)
        for shard in shards_of(run, model)
    ]


@task(task_run_name="plan {model.name}", persist_result=False)
def plan(run: RunFile, model: Model, queries: Sequence[str]) -> list[tuple[Shard, int]]:
    """Samples wanted, less samples present: what each shard of the model lacks."""
    return lacking(run, model, read_table(Lake(run.lake), QUERIES, queries))


@task(
    task_run_name="sample {shard}",
    persist_result=False,
    retries=2,
    retry_delay_seconds=5,
    retry_condition_fn=_is_worth_a_retry,
)
def sample_shard(run: RunFile, shard: Shard, queries: Sequence[str], sampler: "Sampler") -> list[str]:
    """What a shard lacks → `generations`."""
    from tasks.sampling.sample import Progress, sample_shard

    said: float | None = None

    def progress(now: Progress) -> None:
        nonlocal said
        said = said or time.monotonic()  # the first sample tells nothing about the rate: the model was loaded before it
        if now.done == now.wanted or time.monotonic() - said > 5:
            said = time.monotonic()
            rate = f"{now.tokens_per_second:,.0f} tokens/s, {now.seconds_left:.0f} s left"
            logger.info("sample %s: %s of %s samples, %s", shard, f"{now.done:,}", f"{now.wanted:,}", rate)

    model = next(model for model in run.models if model.name == shard.model)
    recipe = next(recipe for recipe, _ in recipes_of(run, model) if recipe.id == shard.recipe)
    rows = in_shard(read_table(Lake(run.lake), QUERIES, queries), shard)
    return sample_shard(
        Lake(run.lake), sampler, shard.model, recipe, shard.bucket, rows, run.sampling.k, run.seed, run.sampling.chunk, progress
    )


# ── votes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def imported_shards(run: RunFile, written: Written) -> list[Shard]:
    """One shard per model and recipe among the imported generations."""
    if not written.get("generations"):
        return []
    names = read_table(Lake(run.lake), GENERATIONS, written["generations"], ["model", "recipe"]).unique().sort("model", "recipe")
    return [Shard(model, recipe, Bucket(0, 1), ()) for model, recipe in names.iter_rows()]


def _k_of(run: RunFile, shard: Shard) -> int | None:
    """Imported generations vote with all the samples that there are."""
    return run.sampling.k if shard.benchmarks else None


@_step(
    "vote {shard}",
    lambda run, shard, queries: (
        shard,
        list(queries),
        generation_files(Lake(run.lake), shard.model, shard.recipe, shard.bucket),
        _k_of(run, shard),
        {model.name: model.price for model in run.models if model.name == shard.model},
    ),
    code=["tasks.voting"],
)
def vote(run: RunFile, shard: Shard, queries: Sequence[str]) -> Written:
    """A shard's `generations` → `votes`."""
    from tasks.voting.vote import vote

    lake = Lake(run.lake)
    rows = read_table(lake, QUERIES, queries).filter(shard.bucket.holds()).sort("query_id")
    generations = read_table(lake, GENERATIONS, generation_files(lake, shard.model, shard.recipe, shard.bucket))
    rows = rows.filter(pl.col("query_id").is_in(generations["query_id"].unique().to_list()))
    generations = generations.filter(pl.col("query_id").is_in(rows["query_id"].to_list()))
    prices = {model.name: model.price for model in run.models if model.price is not None}
    votes = vote(generations, rows, _k_of(run, shard), prices)
    return {"votes": [write_table(lake, VOTES, votes, f"{folder_name(shard.model)}/{shard.bucket.label}/")]}


# ── scores ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def examples(run: RunFile, queries: Sequence[str], votes: Sequence[str], split: str) -> Examples:
    """What can be learned from one split of the queries. Raises UserError if it is empty or the pool has one model."""
    lake = Lake(run.lake)
    outcomes = read_table(lake, VOTES, votes)
    rows = read_table(lake, QUERIES, queries).filter(pl.col("split") == split).sort("query_id")
    rows = rows.filter(pl.col("query_id").is_in(outcomes["query_id"].unique().to_list()))
    models = pool(outcomes)
    if len(models) < 2:
        raise UserError(f"a router needs at least two models to choose from; the pool has {', '.join(models) or 'none'}")
    if rows.is_empty():
        raise UserError(f"no query of split {split!r} has votes; a router needs train, validation and test queries")
    return Examples(rows, matrix(outcomes, rows["query_id"].to_list(), models, reward()), tuple(models))


@_step(
    "train {router.name}",
    lambda run, router, queries, votes: (router, sorted(queries), sorted(votes), run.seed, _encoder(router)),
    code=["tasks.routers"],
)
def train(run: RunFile, router: Router, queries: Sequence[str], votes: Sequence[str]) -> Written:
    """`queries` and `votes` of the train and validation splits → a router, saved in the lake."""
    from tasks.routers import make_router

    started = time.monotonic()
    made = make_router(router, run.seed)
    made.fit(examples(run, queries, votes, "train"), examples(run, queries, votes, "validation"))
    lake, folder = Lake(run.lake), f"routers/{folder_name(router.name)}"
    files = made.save()
    name = fingerprint(files)
    for file, content in files.items():
        lake.write(f"{folder}/{name}/{file}", content)
    # Written last: a router whose manifest is there is whole.
    manifest = {"kind": router.of_kind, "files": sorted(files), "models": list(made.models)}
    lake.write(f"{folder}/{name}/manifest.json", json.dumps(manifest, indent=1).encode())
    for path in lake.files(folder, ""):
        if not path.startswith(f"{folder}/{name}/"):
            lake.remove(path)
    logger.info("train %s: %.1f s", router.name, time.monotonic() - started)
    return {"router": [f"{folder}/{name}/manifest.json", *(f"{folder}/{name}/{file}" for file in sorted(files))]}


def _encoder(router: Router) -> str:
    """The encoder's content where it is a folder: other weights make another router."""
    folder = Path(str(router.settings.get("encoder", "")))
    if not folder.is_absolute() or not folder.is_dir():
        return str(folder)
    return fingerprint([(file.name, file.read_bytes()) for file in sorted(folder.iterdir()) if file.is_file()])


@_step(
    "score with {router.name}",
    lambda run, router, trained, queries: (router.name, trained["router"], sorted(queries)),
    code=["tasks.routers"],
)
def score(run: RunFile, router: Router, trained: Written, queries: Sequence[str]) -> Written:
    """A trained router and `queries` → `scores`, and the seconds that the router needs for a query."""
    lake = Lake(run.lake)
    loaded = load_trained(lake, trained["router"])
    rows = read_table(lake, QUERIES, queries).sort("query_id")
    started = time.perf_counter()
    confidences = loaded.confidences(rows)
    seconds = (time.perf_counter() - started) / max(rows.height, 1)
    scores = pl.DataFrame(
        {
            "query_id": rows["query_id"].repeat_by(len(loaded.models)).explode(),
            "router": router.name,
            "model": list(loaded.models) * rows.height,
            "confidence": confidences.reshape(-1),
        }
    )
    return {"scores": [write_table(lake, SCORES, scores, f"{folder_name(router.name)}/")], "seconds_per_query": seconds}


def load_trained(lake: Lake, paths: Sequence[str]) -> Any:
    """A router from the files that `train` wrote."""
    from tasks.routers import load_router

    manifest_path = next(path for path in paths if path.endswith("/manifest.json"))
    manifest = json.loads(lake.read(manifest_path))
    folder = manifest_path.removesuffix("manifest.json")
    return load_router(manifest["kind"], {file: lake.read(folder + file) for file in manifest["files"]})


# ── routes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@_step(
    "choose with {router}",
    lambda run, router, policies, scores, queries, votes: (router, policies, sorted(scores), sorted(queries), sorted(votes), run.seed),
    code=["tasks.policies"],
)
def choose(
    run: RunFile, router: str, policies: Sequence[str], scores: Sequence[str], queries: Sequence[str], votes: Sequence[str]
) -> Written:
    """`scores` → `routes`: policies are fitted on validation queries, then choose for all."""
    from tasks.policies import make_policy

    lake = Lake(run.lake)
    train_rows, validation = examples(run, queries, votes, "train"), examples(run, queries, votes, "validation")
    rows = read_table(lake, SCORES, scores)
    ids = rows["query_id"].unique().sort().to_list()
    confidences = matrix(rows, ids, train_rows.models, pl.col("confidence"))
    fitted_on = matrix(rows, validation.queries["query_id"].to_list(), train_rows.models, pl.col("confidence"))
    members = Pool(train_rows.models, _training_accuracy(train_rows))
    chosen, states = [], {}
    for name in policies:
        policy = make_policy(name, run.seed).fit(fitted_on, validation.labels, members)
        states[name] = policy.save()
        choice = policy.choose(confidences, ids)
        frame = pl.DataFrame({"query_id": ids, "router": router, "policy": name, "choice": choice})
        chosen.append(frame.filter(pl.col("choice") >= 0))  # -1: the policy as published gives no answer
    routes = (
        pl.concat(chosen)
        .with_columns(pl.col("choice").replace_strict(dict(enumerate(train_rows.models)), return_dtype=pl.String).alias("model"))
        .join(rows, on=["query_id", "router", "model"], how="left", maintain_order="left")
        .select(list(ROUTES.columns))
    )
    path = write_table(lake, ROUTES, routes, f"{folder_name(router)}/")
    fitted = json.dumps({"models": list(members.models), "policies": states}, indent=1).encode()
    state = f"policies/{folder_name(router)}/{fingerprint(fitted)}.json"
    lake.write(state, fitted)
    for other in lake.files(f"policies/{folder_name(router)}", ".json"):
        if other != state:
            lake.remove(other)
    return {"routes": [path], "policies": [state]}


def _training_accuracy(train_rows: Examples) -> Any:
    import numpy as np

    known = ~np.isnan(train_rows.labels)
    sums = np.where(known, train_rows.labels, 0).astype(np.float64).sum(axis=0)
    return sums / np.maximum(known.sum(axis=0), 1)


# ── metrics and report ───────────────────────────────────────────────────────────────────────────────────────────────


@_step(
    "evaluate",
    lambda run, tables, seconds: (tables, seconds, run.evaluation.bootstrap, run.seed),
    code=["tasks.evaluation", "tasks.lake.views"],
)
def evaluate(run: RunFile, tables: dict[str, list[str]], seconds: dict[str, float]) -> Written:
    """`queries`, `votes`, `scores`, `routes` → `metrics`."""
    from tasks.evaluation.evaluate import evaluate

    lake = Lake(run.lake)
    queries, votes, scores, routes = (read_table(lake, table, tables[table.name]) for table in (QUERIES, VOTES, SCORES, ROUTES))
    metrics = evaluate(queries, votes, scores, routes, seconds, run.evaluation.bootstrap, run.seed)
    return {"metrics": [write_table(lake, METRICS, metrics, "evaluation/")]}


@task(task_run_name="report", persist_result=False)
def report(run: RunFile, tables: dict[str, list[str]], notes: list[str]) -> str:
    """All tables → `LAKE/report.html` and a Markdown artifact; returns where the page is."""
    from tasks.report.page import render
    from tasks.report.words import markdown

    lake = Lake(run.lake)
    queries, votes, scores, routes, metrics = (
        read_table(lake, table, tables[table.name]) for table in (QUERIES, VOTES, SCORES, ROUTES, METRICS)
    )
    made_from = fingerprint(source_fingerprint("tasks.report"), tables, notes, run)
    mark = f"<!-- {made_from} -->".encode()
    if not lake.exists("report.html") or not lake.read("report.html").rstrip().endswith(mark):
        page = render(run.name, queries, votes, scores, routes, metrics, notes, settings_of(run))
        lake.write("report.html", page.encode() + b"\n" + mark)
    create_markdown_artifact(markdown(run.name, metrics, notes), key="verdict", description=f"Is routing worth it for {run.name}?")
    return lake.location("report.html")


def settings_of(run: RunFile) -> dict[str, str]:
    """What the report says at its bottom, so that a figure can be traced."""
    from importlib.metadata import version

    settings = {"lake": run.lake, "seed": str(run.seed)}
    if run.models:
        sampling = run.sampling
        settings["sampling"] = f"k = {sampling.k}, temperature {sampling.temperature:g}, at most {sampling.max_new_tokens} new tokens"
        settings["recipes"] = ", ".join(f"{model.name} {recipe.id}" for model in run.models for recipe, _ in recipes_of(run, model))
    settings["routers"] = ", ".join(
        f"{router.name} ({', '.join(f'{key} = {value}' for key, value in router.settings.items()) or 'defaults'})" for router in run.routers
    )
    settings["versions"] = ", ".join(f"{package} {version(package)}" for package in ("manyminds", "polars", "scikit-learn", "transformers"))
    return settings
