"""Completions per second of our engine beside transformers' own `generate`, on the same prompts, in one run.

    make bench

Both sample the embedded model "ledger" at temperature 0.7, ten samples of each prompt. `generate` has one process and one
thread; ours is shown per process, so that the ratio is not one of cores.
"""

import os
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.benchmarks.load import load_benchmark, prompt_template
from tasks.config import Benchmark, Model, Sampling, Splits
from tasks.sampling.engines import Request, open_sampler
from tasks.sampling.prompts import render

FOLDER = Path(__file__).parents[2] / "tasks" / "world" / "models" / "ledger"
K = 10


def main() -> None:
    """Print the table."""
    benchmark = Benchmark(name="embedded", limit={"train": 1, "validation": 1, "test": 200})
    queries, _ = load_benchmark(benchmark, Splits(), 0)
    prompts = [
        render(prompt_template(benchmark), question, choices, None)
        for question, choices in queries.select("question", "choices").iter_rows()
    ]
    generated = _generate(prompts)
    ours = _ours(prompts)
    print(f"\n{len(prompts)} prompts, {K} samples each\n")  # noqa: T201
    for name, (completions, tokens, seconds) in {"transformers generate": generated, "our engine, per process": ours}.items():
        print(f"{name:<26} {completions / seconds:8,.0f} completions/s {tokens / seconds:10,.0f} tokens/s")  # noqa: T201
    print(f"ratio (tokens)             {ours[1] / ours[2] / (generated[1] / generated[2]):8.2f}")  # noqa: T201


def _generate(prompts: list[str]) -> tuple[int, int, float]:
    """Completions, tokens, seconds: sorted by length, 25 prompts a batch, after a warm-up."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    ordered = sorted(prompts, key=len)
    completions = tokens = 0
    began = 0.0
    for batch in [ordered[:25], *(ordered[start : start + 25] for start in range(0, len(ordered), 25))]:
        inputs = tokenizer(batch, return_tensors="pt", padding=True)
        settings = {"do_sample": True, "temperature": 0.7, "top_k": 0, "num_return_sequences": K, "max_new_tokens": 80}
        inputs.pop("token_type_ids", None)
        output = model.generate(**inputs, **settings)[:, inputs["input_ids"].shape[1] :]
        if not began:  # the first batch warmed up
            began = time.perf_counter()
            continue
        completions += len(output)
        tokens += int((output != tokenizer.pad_token_id).sum())
    return completions, tokens, time.perf_counter() - began


def _ours(prompts: list[str]) -> tuple[int, int, float]:
    """Completions, tokens, and seconds times processes, after a warm-up."""
    model = Model(name="ledger", path=str(FOLDER))
    with open_sampler(model, Sampling(max_new_tokens=80)) as sampler:
        list(sampler.sample([Request(str(number), 0, prompt, number) for number, prompt in enumerate(prompts[:50])]))
        began = time.perf_counter()
        requests = [
            Request(str(number), sample, prompt, number * K + sample) for number, prompt in enumerate(prompts) for sample in range(K)
        ]
        drawn = list(sampler.sample(requests))
        seconds = time.perf_counter() - began
    return len(drawn), sum(completion.completion_tokens for completion in drawn), seconds * len(os.sched_getaffinity(0))


if __name__ == "__main__":
    main()
