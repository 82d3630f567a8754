"""Does vLLM ever wait for us? Tokens per second of the raw engine beside those of our flow, on the same prompts and seeds.

    make bench-vllm                 # or: .venv-vllm/bin/python tests/benchmarks/saturation.py [MODEL FOLDER] [QUERIES] [REPEATS]

Raw: `LLM.generate` once over everything, prompts and answers in memory. Ours: the flow `sample_model` on a Prefect server, eight
shards of a benchmark into Parquet. Both from the first request to a loaded and warm engine until the last answer is there, or
the last file written; each repeat starts both engines anew, in turn. `n = k` is raw as well, one request per prompt with k answers:
its seeds and times are not per sample, so it is no alternative, but it shows what a request per sample costs.
"""

import gc
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from prefect.testing.utilities import prefect_test_harness

from flows.sampling import sample_model
from tasks import steps
from tasks.config import RunFile
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import GENERATIONS, QUERIES
from tasks.sampling import engines
from tasks.sampling.engines.vllm_processes import prepare
from tasks.sampling.prompts import render
from tasks.sampling.seeds import sample_seed

LEDGER = Path(__file__).parents[2] / "tasks" / "world" / "models" / "ledger"
K = 10
TOKENS = 80
SHARDS = 8


def main(model: str = str(LEDGER), queries: str = "300", repeats: str = "3") -> None:
    """Print a line per repeat, then the medians."""
    rates: dict[str, list[float]] = {"raw": [], "ours": [], "n = k": []}
    with tempfile.TemporaryDirectory() as scratch, prefect_test_harness(server_startup_timeout=120):
        prepare(Path(scratch) / "raw.log")
        for number in range(int(repeats)):
            run = _run(model, int(queries), f"{scratch}/lake-{number}")
            tables = steps.load_queries(run, run.benchmarks[0])["queries"]
            for name, rate in {**_raw(run, tables), "ours": _ours(run, tables)}.items():
                rates[name].append(rate)
            print("  ".join(f"{name} {values[-1]:,.0f} tokens/s" for name, values in rates.items()), flush=True)  # noqa: T201
    print(f"\n{queries} queries, {K} samples each, {SHARDS} shards, medians of {repeats} repeats\n")  # noqa: T201
    for name, values in rates.items():
        print(f"{name:<6} {statistics.median(values):10,.0f} tokens/s")  # noqa: T201
    ratios = [ours / raw for ours, raw in zip(rates["ours"], rates["raw"], strict=True)]
    print(f"saturation (ours / raw) {statistics.median(ratios):.3f}   of each repeat: {', '.join(f'{one:.3f}' for one in ratios)}")  # noqa: T201


def _run(model: str, queries: int, lake: str) -> RunFile:
    content: dict[str, Any] = {
        "lake": lake,
        "benchmarks": [{"name": "embedded", "limit": {"train": queries // 2, "validation": queries // 4, "test": queries // 4}}],
        "models": [{"name": name, "path": model} for name in ("ledger", "another")],  # a run has two; one is sampled
        "sampling": {"k": K, "engine": "vllm", "max_new_tokens": TOKENS, "buckets": SHARDS},
    }
    return RunFile.model_validate(content)


def _raw(run: RunFile, tables: list[str]) -> dict[str, float]:
    """Tokens per second of vLLM alone: a request per sample, and one per prompt."""
    from vllm import LLM, SamplingParams

    model, sampling = run.models[0], run.sampling
    (recipe,) = steps.recipes_of(model, steps.templates_of(run, model), sampling)
    rows = read_table(Lake(run.lake), QUERIES, tables).sort("query_id").select("query_id", "question", "choices", "subject").rows()
    prompts = [render(recipe.template, question, choices, subject) for _, question, choices, subject in rows]
    seeds = [[sample_seed(run.seed, row[0], model.name, recipe.id, sample) for sample in range(K)] for row in rows]
    settings = {"temperature": sampling.temperature, "max_tokens": TOKENS}
    each = [SamplingParams(**settings, seed=seed) for of_query in seeds for seed in of_query]
    together = [SamplingParams(**settings, seed=of_query[0], n=K) for of_query in seeds]

    # As our engine starts it on a CPU; on a GPU both leave all this to vLLM.
    from vllm.platforms import current_platform

    cpu = {"dtype": "float32", "enforce_eager": True, "enable_chunked_prefill": False, "block_size": 32, "kv_cache_memory_bytes": 2**30}
    llm = LLM(model.path, **(cpu if current_platform.is_cpu() else {}))
    rates = {}
    for name, asked, params in (("raw", [one for one in prompts for _ in range(K)], each), ("n = k", prompts, together)):
        llm.generate(["warm up"], SamplingParams(max_tokens=4), use_tqdm=False)
        llm.reset_prefix_cache()
        began = time.time()
        outputs = llm.generate(asked, params, use_tqdm=False)
        seconds = time.time() - began
        rates[name] = sum(len(one.token_ids) for output in outputs for one in output.outputs) / seconds
    llm.llm_engine.engine_core.shutdown()
    del llm
    gc.collect()
    return rates


def _ours(run: RunFile, tables: list[str]) -> float:
    """Tokens per second of the flow, from the moment in which its engine is loaded and warm."""
    loaded: list[float] = []
    start = engines.start

    def started(*arguments: Any) -> engines.Engine:
        engine = start(*arguments)
        loaded.append(time.time())
        return engine

    engines.start = started
    try:
        state = sample_model(run, "ledger", tables, return_state=True)
    finally:
        engines.start = start
    assert state.is_completed(), state.message
    lake = Lake(run.lake)
    files = lake.files(GENERATIONS.name)
    written = max(Path(lake.location(file)).stat().st_mtime for file in files)
    tokens = read_table(lake, GENERATIONS, files, ["completion_tokens"])["completion_tokens"].sum()
    return tokens / (written - loaded[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
