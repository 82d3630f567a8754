"""Peak memory of voting one million and ten million generations, bucket by bucket, as the step `vote` does.

    .venv/bin/python tests/benchmarks/memory.py 1000000 10000000      # make bench-readers

Seven models, ten samples of each to each question, sixteen buckets, chunks of 2,000 samples, as in a run with the default settings;
more generations are more questions. Texts are those of texts.py. Shards are voted on one after the other, and as many at once as the flow
`refresh` does. Each time is in a process of its own, which says how much memory was resident at most (`VmHWM`; `ru_maxrss` would also
count the process that started it).
"""

import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl
import texts

from tasks.config import RunFile
from tasks.lake.buckets import Bucket, buckets
from tasks.lake.files import Lake, write_table
from tasks.lake.tables import GENERATIONS, QUERIES
from tasks.sampling.shards import Shard
from tasks.steps import vote

K = 10
RUN = RunFile.model_validate({"models": [{"name": f"model-{number}", "path": "none"} for number in range(7)]})
SHARDS = [Shard(model.name, "r0", bucket, ("memory",)) for model in RUN.models for bucket in buckets(RUN.sampling.buckets)]
POOL = 500  # texts of each kind, which take their answers from the questions


def main(sizes: list[int]) -> None:
    """Print the memory of each size."""
    print("| generations | lake, MB | shards at once | peak memory, MB | of the first size | CPU-seconds |\n|" + " ---: |" * 6)  # noqa: T201
    first: dict[int, float] = {}
    for wanted in sizes:
        size = wanted // (K * len(RUN.models)) * K * len(RUN.models)
        with tempfile.TemporaryDirectory() as folder:
            queries = _write(Lake(folder), size)
            lake = sum(file.stat().st_size for file in Path(folder).rglob("*.parquet")) / 1e6
            for at_once in (1, len(SHARDS)):  # as many as Prefect starts; the step itself lets two at once work
                with ProcessPoolExecutor(1, get_context("spawn")) as process:
                    votes, peak, seconds = process.submit(_vote, folder, queries, at_once).result()
                if votes != size // K:
                    raise RuntimeError(f"{votes:,} votes of {size:,} generations")
                share = peak / first.setdefault(at_once, peak)
                print(f"| {size:,} | {lake:,.0f} | {at_once} | {peak:,.0f} | {share:.2f} | {seconds:,.0f} |", flush=True)  # noqa: T201


def _vote(folder: str, queries: str, at_once: int) -> tuple[int, float, float]:
    """Vote on all shards of the lake; returns how many votes there are, the peak of memory in MB, and CPU-seconds."""
    run = RUN.model_copy(update={"lake": folder})
    began = time.process_time()
    with ThreadPoolExecutor(at_once) as threads:
        written = list(threads.map(lambda shard: vote.fn(run, shard, [queries])["votes"], SHARDS))
    seconds = time.process_time() - began
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    files = [f"{folder}/{path}" for paths in written for path in paths]
    return pl.scan_parquet(files).select(pl.len()).collect().item(), int(peak.split()[1]) / 1000, seconds


def _write(lake: Lake, size: int) -> str:
    """Fill the lake, a model's bucket at a time; returns the path of the queries."""
    queries = _queries(size // K // len(RUN.models)).sort("query_id")  # as a benchmark's are
    pool = _pool()
    for place, (bucket, model) in enumerate((bucket, model) for bucket in buckets(RUN.sampling.buckets) for model in RUN.models):
        rows = _samples(queries.filter(bucket.holds()), pool, model.name, bucket, place)
        for chunk in rows.iter_slices(RUN.sampling.chunk):
            write_table(lake, GENERATIONS, chunk, f"model={model.name}/recipe=r0/bucket={bucket.label}/")
    return write_table(lake, QUERIES, queries, "all/")


def _queries(count: int) -> pl.DataFrame:
    """Half of them of either kind, with ids that are spread evenly, as hashes are."""
    told = texts.solutions()
    rows = pl.select(place=pl.int_range(count))
    return rows.select(
        query_id=pl.Series(
            [f"{number:08x}{place:08x}" for place, number in enumerate(np.random.default_rng(0).integers(2**32, size=count))]
        ),
        source_id=pl.col("place").cast(pl.String),
        benchmark=pl.lit("memory"),
        split=pl.lit("train"),
        subject=pl.lit(None, pl.String),
        question=pl.format(
            "{} ({})", pl.lit(pl.Series([question for question, _, _ in told])).gather(pl.col("place") % len(told)), "place"
        ),
        choices=pl.when(pl.col("place") % 2 == 1).then(pl.lit(["a fifth", "a third", "a half", "all of it"])),
        gold=pl.when(pl.col("place") % 2 == 1).then(pl.lit("B")).otherwise((pl.col("place") * 7).cast(pl.String)),
        answer_kind=pl.when(pl.col("place") % 2 == 1).then(pl.lit("choice")).otherwise(pl.lit("number")),
    )


def _pool() -> pl.DataFrame:
    """`answer_kind`, `number` (0 … POOL-1) and a `body` that has "@@" in the place of an answer."""
    order, told = random.Random(0), texts.solutions()
    return pl.DataFrame(
        {"answer_kind": kind, "number": number, "body": texts.text(order, order.choice(told)[1], kind, "@@", order.choice(told)[0])}
        for kind in texts.ENDINGS
        for number in range(POOL)
    )


def _samples(queries: pl.DataFrame, pool: pl.DataFrame, model: str, bucket: Bucket, seed: int) -> pl.DataFrame:
    """Rows of `generations`, K for each query: a third of the answers are wrong."""
    drawn = np.random.default_rng(seed)
    rows = queries.select("query_id", "answer_kind", "gold").join(pl.select(sample=pl.int_range(K, dtype=pl.Int32)), how="cross")
    rows = rows.with_columns(number=pl.Series(drawn.integers(POOL, size=rows.height)), wrong=pl.Series(drawn.random(rows.height) < 1 / 3))
    wrong = pl.when(pl.col("answer_kind") == "choice").then(pl.lit("C")).otherwise(pl.col("gold") + "1")
    rows = rows.join(pool, on=["answer_kind", "number"], how="left", maintain_order="left").with_columns(
        model=pl.lit(model),
        recipe=pl.lit("r0"),
        bucket=pl.lit(bucket.label),
        text=pl.col("body").str.replace_all("@@", pl.when("wrong").then(wrong).otherwise("gold"), literal=True),
        prompt_tokens=pl.lit(120),
        completion_tokens=pl.col("body").str.len_bytes() // 4,
        latency_s=pl.lit(0.5),
    )
    missing = {name: pl.lit(None, dtype) for name, dtype in GENERATIONS.schema.items() if name not in rows.columns}
    return rows.with_columns(**missing).select(*GENERATIONS.columns)


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [1_000_000, 10_000_000])
