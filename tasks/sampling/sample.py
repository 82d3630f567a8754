"""Samples one shard: what the plan says is missing is asked of the engine and written in chunks as it comes.

    sample_shard(lake, sampler, "ledger", recipe, Bucket(3, 16), queries, k=10, seed=0, chunk=2000)
      →  ["generations/model=ledger/recipe=r41d0…/bucket=03-of-16/5f0c….parquet"]

A chunk is one immutable file, written as soon as it is full; so a killed worker loses a chunk at most, and the next run's plan has
exactly what was lost.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, write_table
from tasks.lake.fingerprints import fingerprint
from tasks.lake.generations import generation_files, generation_folder
from tasks.lake.tables import GENERATIONS
from tasks.sampling.engines import Completion, Request, Sampler
from tasks.sampling.plan import missing
from tasks.sampling.prompts import render
from tasks.sampling.recipe import Recipe
from tasks.sampling.seeds import sample_seed

_SECONDS_BETWEEN_REPORTS = 0.5


@dataclass(frozen=True)
class Progress:
    """How far a shard is. `wanted` are the samples that were missing at the start, `done` those that have come since."""

    done: int
    wanted: int
    tokens_per_second: float  # generated
    seconds_left: float  # at the rate so far


def sample_shard(
    lake: Lake,
    sampler: Sampler,
    model_name: str,
    recipe: Recipe,
    bucket: Bucket,
    queries: pl.DataFrame,
    k: int,
    seed: int,
    chunk: int,
    progress: Callable[[Progress], None] | None = None,
) -> list[str]:
    """Sample what is missing of samples 0 … k-1 of `queries` (rows of the table; those outside the bucket are left out).

    Writes files of about `chunk` samples, a query's new samples together. `progress` is called about twice a second and at
    the end. Returns all files of the shard that are now present. Raises UserError for a template that fails or a model that
    cannot be loaded, RuntimeError if the engine fails; what was finished by then is written.
    """
    queries = queries.filter(bucket.holds())
    plan = missing(lake, model_name, recipe.id, bucket, queries["query_id"], k)
    requests = _requests(plan, queries, model_name, recipe, seed)
    if requests:
        writer = _Writer(lake, model_name, recipe.id, bucket, chunk, requests)
        report = _Reporter(len(requests), progress)
        try:
            for completion in sampler.sample(requests):
                writer.add(completion)
                report.add(completion)
        finally:
            writer.finish()
    return generation_files(lake, model_name, recipe.id, bucket)


def _requests(plan: pl.DataFrame, queries: pl.DataFrame, model: str, recipe: Recipe, seed: int) -> list[Request]:
    """The plan's samples with their prompts and seeds, in the order of the plan."""
    wanted = queries.filter(pl.col("query_id").is_in(plan["query_id"].unique().to_list()))
    prompts = {
        query_id: render(recipe.template, question, choices, subject)
        for query_id, question, choices, subject in wanted.select("query_id", "question", "choices", "subject").iter_rows()
    }
    return [
        Request(query_id, sample, prompts[query_id], sample_seed(seed, query_id, model, recipe.id, sample))
        for query_id, sample in plan.iter_rows()
    ]


class _Writer:
    """Collects completions by query and writes those of finished queries as soon as they make a chunk."""

    def __init__(self, lake: Lake, model: str, recipe_id: str, bucket: Bucket, chunk: int, requests: list[Request]) -> None:
        self._lake, self._model, self._recipe_id, self._bucket, self._chunk = lake, model, recipe_id, bucket, chunk
        self._seeds = {(request.query_id, request.sample): request.seed for request in requests}
        self._left: dict[str, int] = {}  # samples that are still to come, by query
        for request in requests:
            self._left[request.query_id] = self._left.get(request.query_id, 0) + 1
        self._unfinished: dict[str, list[Completion]] = {}
        self._finished: list[Completion] = []

    def add(self, completion: Completion) -> None:
        """Take one in, and write a chunk if that makes one."""
        query_id = completion.query_id
        self._unfinished.setdefault(query_id, []).append(completion)
        self._left[query_id] -= 1
        if not self._left[query_id]:
            self._finished += self._unfinished.pop(query_id)
            if len(self._finished) >= self._chunk:
                self._write()

    def finish(self) -> None:
        """Write what is left."""
        for completions in self._unfinished.values():
            self._finished += completions
        self._write()

    def _write(self) -> None:
        completions = sorted(self._finished, key=lambda one: (one.query_id, one.sample))
        self._finished = []
        if not completions:
            return
        keys = [(one.query_id, one.sample) for one in completions]
        rows = {
            "query_id": [one.query_id for one in completions],
            "model": self._model,
            "recipe": self._recipe_id,
            "bucket": self._bucket.label,
            "sample": [one.sample for one in completions],
            "seed": [self._seeds[key] for key in keys],
            "text": [one.text for one in completions],
            "finish_reason": [one.finish_reason for one in completions],
            "prompt_tokens": [one.prompt_tokens for one in completions],
            "completion_tokens": [one.completion_tokens for one in completions],
            "latency_s": [one.latency_s for one in completions],
        }
        folder = f"{generation_folder(self._model, self._recipe_id)}/bucket={self._bucket.label}"
        path = f"{folder}/{fingerprint(keys)}.parquet".removeprefix(f"{GENERATIONS.name}/")
        write_table(self._lake, GENERATIONS, pl.DataFrame(rows, schema_overrides=GENERATIONS.schema), path)


class _Reporter:
    """Turns completions into reports of progress, not more often than somebody can read."""

    def __init__(self, wanted: int, progress: Callable[[Progress], None] | None) -> None:
        self._wanted, self._progress = wanted, progress
        self._done = self._tokens = 0
        self._began = self._reported = time.monotonic()

    def add(self, completion: Completion) -> None:
        """Count one completion."""
        self._done += 1
        self._tokens += completion.completion_tokens
        now = time.monotonic()
        if self._progress is None or (now - self._reported < _SECONDS_BETWEEN_REPORTS and self._done < self._wanted):
            return
        self._reported = now
        seconds = max(now - self._began, 1e-9)
        left = (self._wanted - self._done) * seconds / self._done
        self._progress(Progress(self._done, self._wanted, self._tokens / seconds, left))
