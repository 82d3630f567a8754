"""Samples one shard: what the plan says is missing is asked of the engine and written in chunks as it comes.

    sample_shard(lake, sampler, "ledger", recipe, Bucket(3, 16), queries, k=10, seed=0, chunk=2000)
      →  ["generations/model=ledger/recipe=r41d0…/bucket=03-of-16/5f0c….parquet"]

A chunk is one immutable file, written as soon as it is full, beside the engine, which goes on meanwhile. So a killed worker
loses a chunk at most, and the next run's plan has exactly what was lost.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, write_table
from tasks.lake.fingerprints import fingerprint
from tasks.lake.generations import generation_files, generation_folder
from tasks.lake.tables import GENERATIONS
from tasks.sampling.adaptive import Decided, Draws, Wanted
from tasks.sampling.engines import Completion, Request
from tasks.sampling.engines.sampler import Sampler
from tasks.sampling.plan import lacking_beside, present
from tasks.sampling.prompts import render
from tasks.sampling.recipe import Recipe
from tasks.sampling.seeds import sample_seed

TOKENS_PER_SECOND = "tokens_per_second"  # in a file's metadata: the engine's rate until then, which tells how long more would take
_SECONDS_BETWEEN_REPORTS = 0.5


@dataclass(frozen=True)
class Progress:
    """How far a shard is. `wanted` are the samples that were missing at the start, `done` those that have come since."""

    done: int
    wanted: int  # at most, where sampling stops early
    tokens: int  # generated
    tokens_per_second: float
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
    decided: Decided | None = None,
) -> list[str]:
    """Sample what is missing of samples 0 … k-1 of `queries` (rows of the table; those outside the bucket are left out).

    With `decided`, a query's sampling stops once its vote can no longer change. Writes files of `chunk` samples. `progress` is
    called about twice a second and at the end. Returns all files of the shard that are now present. Raises UserError for a
    template that fails or a model that cannot be loaded, RuntimeError if the engine fails; what was finished by then is written.
    """
    queries = queries.filter(bucket.holds())
    there = present(lake, generation_files(lake, model_name, recipe.id, bucket), with_text=decided is not None, mend=True)
    plan = lacking_beside(there, queries["query_id"], k, decided)
    if plan.is_empty():
        return generation_files(lake, model_name, recipe.id, bucket)
    prompts = _prompts(recipe, queries.join(plan, on="query_id", how="semi"))

    def requests(wanted: Wanted) -> list[Request]:
        return [
            Request(query_id, sample, prompts[query_id], sample_seed(seed, query_id, model_name, recipe.id, sample))
            for query_id, sample in wanted
        ]

    draws = Draws(plan.iter_rows(), there, k, decided) if decided is not None else None
    writer = _Writer(lake, model_name, recipe.id, bucket, chunk, seed, lambda: sampler.tokens_per_second)
    report = _Reporter(plan.height, progress)
    try:
        with sampler.stream() as stream:
            stream.add(requests(draws.first() if draws else plan.rows()))
            for completions in stream:
                writer.add(completions)
                if draws:
                    stream.add(requests(draws.next(completions)))  # the engine is not to wait for what is written now
                writer.write_chunks()
                report.add(completions)
        report.finish()
    finally:
        try:
            writer.finish()
        finally:
            sampler.keep(writer.unwritten)  # for the next try, if there is one
    return generation_files(lake, model_name, recipe.id, bucket)


def _prompts(recipe: Recipe, queries: pl.DataFrame) -> dict[str, str]:
    rows = queries.select("query_id", "question", "choices", "subject").iter_rows()
    return {query_id: render(recipe.template, question, choices, subject) for query_id, question, choices, subject in rows}


class _Writer:
    """Collects completions, and writes them as soon as they make a chunk."""

    def __init__(
        self, lake: Lake, model: str, recipe_id: str, bucket: Bucket, chunk: int, seed: int, tokens_per_second: Callable[[], float]
    ) -> None:
        self._lake, self._model, self._recipe_id, self._bucket, self._chunk, self._seed = lake, model, recipe_id, bucket, chunk, seed
        self._tokens_per_second = tokens_per_second
        self.unwritten: list[Completion] = []

    def add(self, completions: Sequence[Completion]) -> None:
        """Take these in."""
        self.unwritten += completions

    def write_chunks(self) -> None:
        """Write what makes whole chunks."""
        while len(self.unwritten) >= self._chunk:
            self._write(self.unwritten[: self._chunk])
            self.unwritten = self.unwritten[self._chunk :]

    def finish(self) -> None:
        """Write what is left, in the same chunks: one that was written although its writing failed has the same name again."""
        self.write_chunks()
        if self.unwritten:
            self._write(self.unwritten)
            self.unwritten = []

    def _write(self, completions: Sequence[Completion]) -> None:
        completions = sorted(completions, key=lambda one: (one.query_id, one.sample))
        rows = {
            "query_id": [one.query_id for one in completions],
            "model": self._model,
            "recipe": self._recipe_id,
            "bucket": self._bucket.label,
            "sample": [one.sample for one in completions],
            "seed": [sample_seed(self._seed, one.query_id, self._model, self._recipe_id, one.sample) for one in completions],
            "text": [one.text for one in completions],
            "finish_reason": [one.finish_reason for one in completions],
            "prompt_tokens": [one.prompt_tokens for one in completions],
            "completion_tokens": [one.completion_tokens for one in completions],
            "latency_s": [one.latency_s for one in completions],
            "first_token_s": [one.first_token_s for one in completions],
        }
        keys = [(one.query_id, one.sample) for one in completions]
        folder = f"{generation_folder(self._model, self._recipe_id)}/bucket={self._bucket.label}"
        path = f"{folder}/{fingerprint(keys)}.parquet".removeprefix(f"{GENERATIONS.name}/")
        notes = {TOKENS_PER_SECOND: f"{self._tokens_per_second():.1f}"}
        write_table(self._lake, GENERATIONS, pl.DataFrame(rows, schema_overrides=GENERATIONS.schema), path, notes)


class _Reporter:
    """Turns completions into reports of progress, not more often than somebody can read."""

    def __init__(self, wanted: int, progress: Callable[[Progress], None] | None) -> None:
        self._wanted, self._progress = wanted, progress
        self._done = self._tokens = 0
        self._began = self._reported = time.monotonic()

    def add(self, completions: Sequence[Completion]) -> None:
        """Count completions."""
        self._done += len(completions)
        self._tokens += sum(one.completion_tokens or 0 for one in completions)
        if time.monotonic() - self._reported >= _SECONDS_BETWEEN_REPORTS:
            self._report(self._wanted)

    def finish(self) -> None:
        """All that was wanted is there."""
        self._report(self._done)

    def _report(self, wanted: int) -> None:
        self._reported = time.monotonic()
        if self._progress is not None:
            seconds = max(self._reported - self._began, 1e-9)
            left = (wanted - self._done) * seconds / max(self._done, 1)
            self._progress(Progress(self._done, wanted, self._tokens, self._tokens / seconds, left))
