"""What `stop = "decided"` saves: samples, tokens and time, and whether any vote changes.

    .venv/bin/python tests/benchmarks/adaptive.py

First live: each model of the embedded pool answers the embedded questions twice, all ten samples and as few as decide the vote,
one after the other on the same engine, so that both are warm. The votes of both are compared. Time is that of all cores, as
`/proc` counts it for this process and the engine's, so that whatever else the machine does does not count. Then replays: the samples of the
first run, drawn in order until the vote is decided; and shares of right samples of real LLMs on GSM8K (RouterDC), of which it is
not known what the wrong ones said: they are taken to say all the same, and all something else, in between which the truth lies.
"""

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl

from tasks.benchmarks.load import load_benchmark, prompt_template
from tasks.config import Benchmark, Model, Sampling, Splits
from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import GENERATIONS, QUERIES
from tasks.sampling.engines import Request, open_sampler
from tasks.sampling.recipe import recipe_of
from tasks.sampling.sample import sample_shard
from tasks.voting.decided import decided, until_decided
from tasks.voting.vote import vote

ROOT = Path(__file__).parents[2]
MODELS = ("general", "ledger", "atlas", "scribe", "almanac")
ROUTERDC = ROOT.parent / "shared" / "data" / "routerdc" / "outcomes-train.parquet"
K = 10
BUCKET = Bucket(0, 1)
SETTINGS = {"k": K, "max_new_tokens": 80, "temperature": 0.7}
LINE = "{:<34}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}"


def main() -> None:
    """Print both tables."""
    benchmark = Benchmark(name="embedded")
    queries, _ = load_benchmark(benchmark, Splits(), 0)
    print(LINE.format("live, decided instead of all", "samples", "tokens", "time", "s all", "s early", "changed"))  # noqa: T201
    samples = []
    for name in MODELS:
        model = Model(name=name, path=str(ROOT / "tasks" / "world" / "models" / name))
        (everything, seconds), (early, early_seconds) = _both(model, prompt_template(benchmark), queries)
        samples.append(everything)
        size = [1 - early.height / everything.height, 1 - early["completion_tokens"].sum() / everything["completion_tokens"].sum()]
        shares = [f"{share:.1%}" for share in (*size, 1 - early_seconds / seconds)]
        changed = _changed(everything, early, queries)
        print(LINE.format(name, *shares, f"{seconds:.1f}", f"{early_seconds:.1f}", changed))  # noqa: T201
    print("\n" + LINE.format("replay", "samples", "tokens", "votes", "", "", "changed"))  # noqa: T201
    for everything in samples:
        _print_replay(f"embedded, {everything['model'][0]}", everything, queries)
    if not ROUTERDC.exists():
        print(f"real LLMs on GSM8K: skipped, there is no {ROUTERDC}")  # noqa: T201
        return
    for words, wrong in {"wrong all alike": lambda _: "0", "wrong all different": lambda number: f"{number + 2}"}.items():
        _print_replay(f"7 LLMs, GSM8K, {words}", *_of_shares(wrong))


def _both(model: Model, template: str, queries: pl.DataFrame) -> list[tuple[pl.DataFrame, float]]:
    """Rows of generations, and the seconds on a core that they took: all samples, and those that decide the vote."""
    recipe = recipe_of(model, template, Sampling(**SETTINGS))
    found = []
    with open_sampler(model, Sampling(**SETTINGS)) as sampler:
        warm = [Request(str(number), 0, question, number) for number, question in enumerate(queries["question"].head(50))]
        list(sampler.sample(warm))
        for stop in ("all", "decided"):
            with tempfile.TemporaryDirectory() as folder:
                lake, until = Lake(folder), until_decided(Sampling(**SETTINGS, stop=stop), queries)
                began = _cpu_seconds()
                sample_shard(lake, sampler, model.name, recipe, BUCKET, queries, K, 0, 2000, decided=until)
                seconds = _cpu_seconds() - began
                found.append((read_table(lake, GENERATIONS), seconds))
    return found


def _cpu_seconds() -> float:
    """Seconds on a core of all processes of this one's group, so far."""
    ticks = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[2]) == os.getpgrp():
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _changed(everything: pl.DataFrame, early: pl.DataFrame, queries: pl.DataFrame) -> int:
    """Queries and models whose majority, or whether it is right, is not the same."""
    columns = ["query_id", "model", "majority", "correct"]
    full, short = (vote(rows, queries, K).select(columns) for rows in (everything, early))
    return full.height - full.join(short, on=columns, nulls_equal=True).height


def _print_replay(name: str, everything: pl.DataFrame, queries: pl.DataFrame) -> None:
    early = pl.concat([_until_decided(rows, queries) for rows in everything.partition_by("model")])
    tokens = everything["completion_tokens"].sum()
    shares = [1 - early.height / everything.height, 1 - early["completion_tokens"].sum() / tokens if tokens else None]
    votes = everything.select("query_id", "model").n_unique()
    cells = ["–" if share is None else f"{share:.1%}" for share in shares]
    print(LINE.format(name, *cells, f"{votes:,}", "", "", _changed(everything, early, queries)))  # noqa: T201


def _until_decided(samples: pl.DataFrame, queries: pl.DataFrame) -> pl.DataFrame:
    """Of one model's samples those that are drawn until the vote is decided."""
    counts = pl.DataFrame({"query_id": samples["query_id"].unique(), "needed": K})
    for count in range(K - 1, 0, -1):
        done = decided(samples.filter(pl.col("sample") < count), queries, K)
        counts = counts.with_columns(needed=pl.when(pl.col("query_id").is_in(done)).then(count).otherwise("needed"))
    return samples.join(counts, on="query_id").filter(pl.col("sample") < pl.col("needed")).drop("needed")


def _of_shares(wrong: Callable[[int], str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Generations and queries that have these shares of right samples (which say 1), in a random order."""
    order = random.Random(0)
    outcomes = pl.read_parquet(ROUTERDC).filter(pl.col("benchmark") == "gsm8k")
    rows = []
    for query_id, model, score in outcomes.select("query_id", "model", "score").iter_rows():
        right = round(score * K)
        texts = ["1"] * right + [wrong(number) for number in range(K - right)]
        order.shuffle(texts)
        rows += [{"query_id": query_id, "model": model, "recipe": "r", "sample": at, "text": text} for at, text in enumerate(texts)]
    asked = outcomes.unique("query_id").select("query_id", "question", source_id="query_id", benchmark="benchmark", split="split")
    queries = asked.with_columns(gold=pl.lit("1"), answer_kind=pl.lit("number"))
    missing = {name: pl.lit(None, dtype=dtype) for name, dtype in QUERIES.schema.items() if name not in queries.columns}
    return pl.DataFrame(rows, schema=GENERATIONS.schema), queries.with_columns(**missing).select(*QUERIES.columns)


if __name__ == "__main__":
    main()
