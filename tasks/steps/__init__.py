"""Every step as a Prefect task: what it reads, when it is redone, whether a retry makes sense.

A step reads tables and writes one. Its result is small, {"votes": ["votes/ledger/00-of-02/5f0c….parquet"]}, and is kept in
the lake under the fingerprint of all that the step reads: names of immutable files, settings, the code that does the
work. So a step is redone exactly when something that it reads has changed, by any worker, in any later run; and a result
whose files are gone counts for nothing. What a step calls is plain Python in the folders beside this file.

Sampling has no such key: the samples in the lake are themselves the record of what is done.
"""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypedDict, TypeVar, cast

import polars as pl
from prefect import Task, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.filesystems import WritableFileSystem
from prefect.settings import PREFECT_API_URL

from tasks.config import COST_COLUMNS, Benchmark, Model, Router, RunFile
from tasks.errors import Stopped, UserError, nearest
from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, folder_name, keep_only, read_table, write_table
from tasks.lake.fingerprints import fingerprint, source_fingerprint
from tasks.lake.generations import IMPORTED, generation_files, generation_folder, query_generations
from tasks.lake.interfaces import Examples
from tasks.lake.tables import EMBEDDINGS, EVIDENCE, GENERATIONS, METRICS, QUERIES, ROUTES, SCORES, VOTES
from tasks.lake.views import check_learnable, examples, matrix, pool, score_rows
from tasks.routers.saved import encoder_fingerprint, load_saved, save_router
from tasks.sampling.shards import Shard, in_shard, lacking, recipes_of, shards_of

if TYPE_CHECKING:
    from tasks.sampling.engines.sampler import Sampler

logger = logging.getLogger("manyminds")
_RESULTS = ".results"
# Shards that vote at once in a process, however many task runs there are: each has some texts in memory, and uses all cores.
_VOTING = ThreadPoolExecutor(2, "vote")
P = ParamSpec("P")
R = TypeVar("R")


class Written(TypedDict, total=False):
    """What a step wrote: paths in the lake per folder, and what a reader of the report should know."""

    queries: list[str]
    generations: list[str]
    votes: list[str]
    embeddings: list[str]
    evidence: list[str]
    costs: list[str]
    routers: list[str]
    encoders: list[str]
    scores: list[str]
    routes: list[str]
    policies: list[str]
    metrics: list[str]
    trials: list[str]
    clusters: list[str]
    growth: list[str]
    endings: list[str]
    notes: list[str]
    seconds_per_query: float


def _is_worth_a_retry(_: Task[Any, Any], __: TaskRun, state: State[Any]) -> bool:
    """A full disk or a network that stumbles may pass; the user's mistake does not, nor does the end of the run."""
    return not isinstance(state.result(raise_on_failure=False), UserError | Stopped)


def _may_pass(_: Task[Any, Any], __: TaskRun, state: State[Any]) -> bool:
    """A lake that does not answer may answer later; what a step computes would come out the same."""
    return isinstance(state.result(raise_on_failure=False), OSError)


def _step(
    name: str,
    reads: Callable[..., Sequence[object]],
    code: Sequence[str],
    is_worth_a_retry: Callable[[Task[Any, Any], TaskRun, State[Any]], bool] = _may_pass,
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A Prefect task that is redone when `reads(**parameters)`, or the code of the packages, has changed."""

    def key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
        function = context.task.fn.__name__
        made_from = fingerprint(function, source_fingerprint(*code), *reads(**parameters))
        lake = Lake(parameters["run"].lake)
        # A record whose files are gone is no record: the files are made again, under the next name. The newest record counts.
        attempt, valid = 0, None
        while context.result_store.exists(candidate := f"{function}-{made_from}-{attempt}"):
            valid = candidate if _are_there(lake, context.result_store.read(candidate).result) else valid
            attempt += 1
        return valid or candidate

    return task(
        task_run_name=name,
        cache_key_fn=key,
        persist_result=True,
        result_serializer="json",
        cache_result_in_memory=False,
        retries=2,
        retry_delay_seconds=5,
        retry_condition_fn=is_worth_a_retry,
    )


def _are_there(lake: Lake, written: Written) -> bool:
    folders = set(written) - {"notes", "seconds_per_query"}
    return all(lake.exists(path) for folder in folders for path in cast(dict[str, list[str]], written)[folder])


class LakeResults(WritableFileSystem):
    """Prefect's results in a lake on S3: a block that knows where, while credentials come from the environment, as for all else."""

    _block_type_name = "Manyminds Lake"
    _block_type_slug = "manyminds-lake"

    lake: str

    def read_path(self, path: str, _sync: bool = True) -> bytes:  # type: ignore[override]
        """The bytes of a result. Raises FileNotFoundError."""
        return _result(self.lake, path)

    def write_path(self, path: str, content: bytes, _sync: bool = True) -> None:  # type: ignore[override]
        """Keep a result."""
        Lake(self.lake).write(f"{_RESULTS}/{path}", content)

    async def aread_path(self, path: str) -> bytes:
        """The same, without holding up the event loop."""
        return await asyncio.to_thread(self.read_path, path)

    async def awrite_path(self, path: str, content: bytes) -> None:
        """The same, without holding up the event loop."""
        await asyncio.to_thread(self.write_path, path, content)


@lru_cache(maxsize=4096)
def _result(lake: str, path: str) -> bytes:
    """Prefect reads a result three or four times on its way; one that was written never changes."""
    return Lake(lake).read(f"{_RESULTS}/{path}")


@cache
def _results_of(lake: str, server: str | None) -> LakeResults:
    """Known to the server, as Prefect wants it, once for each process: a block given by its name is looked up for every task."""
    block = LakeResults(lake=lake)
    block.save(f"lake-{fingerprint(lake)}", overwrite=True, _sync=True)  # type: ignore[call-arg]
    return block


def stored(run: RunFile, step: Task[P, R]) -> Task[P, R]:
    """The step with its results kept in the run's lake."""
    lake = Lake(run.lake)
    place = Path(lake.location(_RESULTS)) if lake.is_local else _results_of(run.lake, PREFECT_API_URL.value())
    return step.with_options(result_storage=place)


def publish(run: RunFile, folder: str, results: Sequence[Written]) -> list[str]:
    """Make a table (or the routers, or the policies) consist of what these steps wrote to it, and return its paths."""
    paths = sorted(path for written in results for path in cast(dict[str, list[str]], written).get(folder, []))
    keep_only(Lake(run.lake), folder, paths)
    return paths


def check_names(run: RunFile) -> None:
    """Refuse a router, a setting of it or a policy that there is not, before anything is paid for. Raises UserError."""
    from tasks.policies.rules import make_policy
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
                digest = hashlib.sha256()
                while part := stream.read(2**22):  # a file may be larger than memory
                    digest.update(part)
                found.append(digest.hexdigest())
        except OSError as error:
            raise UserError(f"{file}: cannot be read: {error.strerror or error}") from error
    return found


# ── queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_alone(run: RunFile, queries: pl.DataFrame, models: Sequence[str], source: str) -> None:
    """Where all queries of the run come from one place, refuse it before it is written if nothing can be learned from it."""
    if len(run.benchmarks) + bool(run.outcomes) + bool(run.generations) == 1:
        check_learnable(queries, models, source)


@_step(
    "load {benchmark.name}",
    lambda run, benchmark: (benchmark, _contents(benchmark.files), run.splits, run.seed),
    code=["tasks.benchmarks", "tasks.world.questions", "tasks.world.skills", "tasks.world.facts"],
    is_worth_a_retry=_is_worth_a_retry,
)
def load_queries(run: RunFile, benchmark: Benchmark) -> Written:
    """A benchmark → `queries`."""
    from tasks.benchmarks.load import load_benchmark
    from tasks.voting.vote import check_gold, with_gold

    queries, notes = load_benchmark(benchmark, run.splits, run.seed)
    check_gold(with_gold(queries))  # before anything is sampled
    _check_alone(run, queries, [model.name for model in run.models], f"benchmark {benchmark.name!r}")
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
    _check_alone(run, imported.queries, pool(imported.votes), run.outcomes[0].files[0])
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


# ── generations ──────────────────────────────────────────────────────────────────────────────────────────────────────


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
    retry_condition_fn=_is_worth_a_retry,
)
def sample_shard(run: RunFile, shard: Shard, queries: Sequence[str], sampler: "Sampler") -> Sampled:
    """What a shard lacks → `generations`. Two or more of a model run at once, so that the engine never waits for the next one."""
    from tasks.benchmarks.only import asked
    from tasks.sampling.records import keep_recipe
    from tasks.sampling.sample import Progress, sample_shard
    from tasks.voting.decided import until_decided

    began, said, last = time.monotonic(), 0.0, Progress(0, 0, 0, 0.0, 0.0)

    def progress(now: Progress) -> None:
        nonlocal said, last
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
    return {"shard": str(shard), "drawn": last.done, "tokens": last.tokens, "seconds": time.monotonic() - began}


# ── votes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


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


@_step(
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


# ── scores ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def encoders(run: RunFile) -> dict[str, list[tuple[str, int]]]:
    """The encoders that each router takes as they are, and how many tokens of a query they read."""
    from tasks.routers import check_settings
    from tasks.routers.embeddings import encoders_of

    return {router.name: encoders_of(check_settings(router)) for router in run.routers}


@_step(
    "embed with {encoder}",
    lambda run, encoder, max_length, queries: (
        encoder_fingerprint(Router(name="embed", encoder=encoder)),
        max_length,
        sorted(queries),
    ),
    code=[f"tasks.routers.{file}" for file in ("embeddings", "embedders", "encoders", "packaged", "prefixes", "tfidf")]
    + ["tasks.lake.views"],
)
def embed(run: RunFile, encoder: str, max_length: int, queries: Sequence[str]) -> Written:
    """What an encoder makes of `queries`, for all routers that use it, and the seconds that it needs for a query."""
    from tasks.routers.embeddings import embed

    rows = read_table(Lake(run.lake), QUERIES, queries)
    started = time.perf_counter()
    embeddings = embed(rows, encoder, max_length)
    seconds = (time.perf_counter() - started) / max(rows.height, 1)
    logger.info("embed with %s: %s queries, %.1f s", encoder, f"{rows.height:,}", seconds * rows.height)
    return {"embeddings": [write_table(Lake(run.lake), EMBEDDINGS, embeddings, f"{folder_name(encoder)}/")], "seconds_per_query": seconds}


def looks(run: RunFile) -> dict[str, tuple[str, int]]:
    """Of each router that looks at samples before it chooses, the model and how many of its samples."""
    from tasks.routers import check_settings
    from tasks.routers.settings import LookingSettings

    found = {router.name: check_settings(router) for router in run.routers}
    return {name: (settings.model, settings.looks) for name, settings in found.items() if isinstance(settings, LookingSettings)}


def _samples_of(run: RunFile, model: str) -> list[str]:
    return Lake(run.lake).files(f"{GENERATIONS.name}/model={folder_name(model)}")


@_step(
    "look at {model}",
    lambda run, model, looks, votes: (model, looks, sorted(votes), _samples_of(run, model)),
    code=["tasks.routers.looks"],
)
def look(run: RunFile, model: str, looks: int, votes: Sequence[str]) -> Written:
    """What there is to see in the first samples of a model → `evidence`."""
    from tasks.routers.looks import evidence, first_samples

    lake = Lake(run.lake)
    outcomes = read_table(lake, VOTES, votes)
    if model not in (models := pool(outcomes)):
        raise UserError(f"a router that looks at samples of {model!r}: there is no such model{nearest(model, models)}")
    samples, _ = query_generations(lake, _samples_of(run, model), lambda rows: first_samples(rows, looks))
    found = evidence(outcomes, samples, model, looks)
    if found.is_empty():
        raise UserError(
            f"a router that looks at samples of {model!r}: there are none; expected [[models]] that are sampled, or [[generations]]"
        )
    return {"evidence": [write_table(lake, EVIDENCE, found, f"{folder_name(model)}/")]}


@_step(
    "expect costs",
    lambda run, queries, votes: (sorted(queries), sorted(votes), run.cost.unit),
    code=["tasks.routers.costs", "tasks.lake.views"],
)
def expect_costs(run: RunFile, queries: Sequence[str], votes: Sequence[str]) -> Written:
    """What an answer of each model is expected to cost, from `votes` on training queries."""
    from tasks.routers.costs import fit_costs

    lake = Lake(run.lake)
    rows, outcomes = read_table(lake, QUERIES, queries), read_table(lake, VOTES, votes)
    train = examples(rows, outcomes, "train")
    paid = matrix(outcomes, train.queries["query_id"].to_list(), train.models, pl.col(COST_COLUMNS[run.cost.unit]))
    state = {"unit": run.cost.unit, "models": train.models, **fit_costs(train.queries, paid.astype("float64")).save()}
    content = json.dumps(state, indent=1).encode()
    path = f"costs/{fingerprint(content)}.json"
    lake.write(path, content)
    return {"costs": [path]}


def _queries(run: RunFile, queries: Sequence[str], embeddings: Sequence[str], evidence: Sequence[str]) -> pl.DataFrame:
    """The queries with what encoders made of them, and with what is seen in samples."""
    from tasks.routers.embeddings import with_embeddings
    from tasks.routers.looks import with_evidence

    lake = Lake(run.lake)
    rows = with_embeddings(read_table(lake, QUERIES, queries), [read_table(lake, EMBEDDINGS, [path]) for path in embeddings])
    return with_evidence(rows, [read_table(lake, EVIDENCE, [path]) for path in evidence])


def _examples(
    run: RunFile, queries: Sequence[str], votes: Sequence[str], embeddings: Sequence[str] = (), evidence: Sequence[str] = ()
) -> tuple[Examples, Examples]:
    """The train and validation splits, which are all that a router or a policy ever sees."""
    from tasks.routers.onboarding import complete

    rows, outcomes = _queries(run, queries, embeddings, evidence), read_table(Lake(run.lake), VOTES, votes)
    return complete(examples(rows, outcomes, "train")), examples(rows, outcomes, "validation")


@_step(
    "train {router.name}",
    lambda run, router, queries, votes, embeddings, evidence: (
        router,
        sorted(queries),
        sorted(votes),
        list(embeddings),
        list(evidence),
        run.seed,
        encoder_fingerprint(router),
    ),
    code=["tasks.routers", "tasks.lake.views"],
)
def train(
    run: RunFile, router: Router, queries: Sequence[str], votes: Sequence[str], embeddings: Sequence[str], evidence: Sequence[str]
) -> Written:
    """`queries` and `votes` of the train and validation splits → a router, saved in the lake."""
    from tasks.routers import check_settings, make_router
    from tasks.routers.calibration import calibrated
    from tasks.routers.leaving import find_reusable, keep_origin, origin_of, without

    lake, started = Lake(run.lake), time.monotonic()
    seen, held_out = _examples(run, queries, votes, embeddings, evidence)
    origin = origin_of(router, run.seed, seen, held_out)
    if reusable := find_reusable(lake, origin):
        trained = without(load_saved(lake, reusable), seen.models)
    else:
        trained = make_router(router, run.seed).fit(seen, held_out)
    trained = calibrated(trained, held_out, check_settings(router).calibration)
    logger.info("train %s: %.1f s", router.name, time.monotonic() - started)
    paths = keep_origin(lake, origin, save_router(lake, router.name, router.of_kind, trained))
    own = [path for path in paths if path.startswith("routers/")]
    return {"routers": own, "encoders": [path for path in paths if path not in own], "notes": getattr(trained, "notes", [])}


@_step(
    "score with {router.name}",
    lambda run, router, trained, queries, embeddings, evidence, costs: (
        router.name,
        trained["routers"],
        sorted(queries),
        list(embeddings),
        list(evidence),
        list(costs),
    ),
    code=["tasks.routers", "tasks.lake.views"],
)
def score(
    run: RunFile,
    router: Router,
    trained: Written,
    queries: Sequence[str],
    embeddings: Sequence[str],
    evidence: Sequence[str],
    costs: Sequence[str],
) -> Written:
    """A trained router and `queries` → `scores`, and the seconds that the router needs for a query, beside its encoders."""
    from tasks.routers.costs import Costs
    from tasks.routers.looking import model_looked_at
    from tasks.routers.looks import with_looking

    lake = Lake(run.lake)
    loaded = load_saved(lake, trained["routers"])
    rows = _queries(run, queries, embeddings, evidence).sort("query_id")
    started = time.perf_counter()
    confidences = loaded.confidences(rows)
    seconds = (time.perf_counter() - started) / max(rows.height, 1)
    expected = Costs.load(json.loads(lake.read(costs[0]))).expected(rows)
    if model := model_looked_at(loaded):
        expected = with_looking(expected, rows, loaded.models, model)
    scores = score_rows(rows["query_id"], router.name, loaded.models, confidences, expected)
    return {"scores": [write_table(lake, SCORES, scores, f"{folder_name(router.name)}/")], "seconds_per_query": seconds}


# ── routes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@_step(
    "choose with {router}",
    lambda run, router, policies, scores, queries, votes, evidence: (
        router,
        policies,
        sorted(scores),
        sorted(queries),
        sorted(votes),
        list(evidence),
        run.seed,
        run.cost,
    ),
    code=["tasks.policies", "tasks.routers.onboarding", "tasks.routers.shrinkage", "tasks.lake.views"],
)
def choose(
    run: RunFile,
    router: str,
    policies: Sequence[str],
    scores: Sequence[str],
    queries: Sequence[str],
    votes: Sequence[str],
    evidence: Sequence[str],
) -> Written:
    """`scores` → `routes`, and the fitted policies."""
    from tasks.policies.evidence import evidence as of_samples
    from tasks.policies.routes import choose_all

    lake = Lake(run.lake)
    samples = of_samples(read_table(lake, VOTES, votes), run.cost.looks)
    train, validation = _examples(run, queries, votes)
    looked = read_table(lake, EVIDENCE, evidence) if evidence else None
    routes, fitted = choose_all(router, policies, read_table(lake, SCORES, scores), samples, train, validation, run.seed, run.cost, looked)
    content = json.dumps(fitted, indent=1).encode()
    path = f"policies/{folder_name(router)}/{fingerprint(content)}.json"
    lake.write(path, content)
    return {"routes": [write_table(lake, ROUTES, routes, f"{folder_name(router)}/")], "policies": [path]}


# ── metrics and report ───────────────────────────────────────────────────────────────────────────────────────────────


@_step(
    "evaluate",
    lambda run, tables, seconds: (tables, seconds, run.evaluation.bootstrap, run.seed, run.cost.unit, looks(run)),
    code=["tasks.evaluation", "tasks.lake.views"],
)
def evaluate(run: RunFile, tables: dict[str, list[str]], seconds: dict[str, float]) -> Written:
    """`queries`, `votes`, `scores`, `routes` → `metrics`."""
    from tasks.evaluation.evaluate import evaluate

    lake = Lake(run.lake)
    queries, votes, scores, routes = (read_table(lake, table, tables[table.name]) for table in (QUERIES, VOTES, SCORES, ROUTES))
    counted = _look(lake, tables)
    metrics = evaluate(queries, votes, scores, routes, seconds, run.evaluation.bootstrap, run.seed, run.cost.unit, counted, looks(run))
    return {"metrics": [write_table(lake, METRICS, metrics, "evaluation/")]}


def _look(lake: Lake, tables: dict[str, list[str]]) -> int:
    """How often the test split has been looked at, this time included. To look at the same routes again is not another look."""
    look = f"looks/{fingerprint(*(sorted(tables[name]) for name in ('queries', 'votes', 'routes')))}.json"
    if not lake.exists(look):
        lake.write(look, json.dumps({name: sorted(tables[name]) for name in ("queries", "votes", "routes")}, indent=1).encode())
    return len(lake.files("looks", ".json"))


@task(task_run_name="report", persist_result=False)
def report(run: RunFile, tables: dict[str, list[str]], notes: list[str]) -> str:
    """All tables → `LAKE/report.html` and a Markdown artifact; returns where the page is."""
    from tasks.report.page import render
    from tasks.report.settings import settings_of
    from tasks.report.words import markdown

    lake = Lake(run.lake)
    metrics = read_table(lake, METRICS, tables[METRICS.name])
    made_from = fingerprint(source_fingerprint("tasks.report"), tables, notes, run)
    mark = f"<!-- {made_from} -->".encode()
    if not lake.exists("report.html") or not lake.read("report.html").rstrip().endswith(mark):
        queries, votes, scores, routes = (read_table(lake, table, tables[table.name]) for table in (QUERIES, VOTES, SCORES, ROUTES))
        recipes = [
            f"{model.name} {recipe.id}" for model in run.models for recipe in recipes_of(model, templates_of(run, model), run.sampling)
        ]
        page = render(run.name, queries, votes, scores, routes, metrics, notes, settings_of(run, recipes), run.cost.unit)
        lake.write("report.html", page.encode() + b"\n" + mark)
    create_markdown_artifact(markdown(run.name, metrics, notes), key="verdict", description=f"Is routing worth it for {run.name}?")
    return lake.location("report.html")
