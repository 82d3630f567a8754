"""How long routers take for a query, beside its embedding, and beside the shapes of two of RouteLLM's routers.

    .venv/bin/python tests/benchmarks/routing_speed.py [../shared/data/routerdc/outcomes-train.parquet [KIND …]]

Each router is trained on 2,000 queries, saved and loaded again, and asked about others: one after the other, and 2,000 at once. It is given
MiniLM's vectors, and sees nothing else, or reads words too (TF-IDF), which it then computes itself. All take turns, on one thread, and CPU
time is what counts: where the machine does nothing else, it is the time that passes. Without a file the queries are invented. The encoders
of classifiers, which no training makes quicker, are left as they are.

RouteLLM (arXiv 2406.18665) in its published sizes with random weights, which take as long as others: a BERT-base that reads the query, with
three outputs; matrix factorisation, which is given an embedding of 1,536 numbers, projects it to 128 and weighs its product with a
model's 128, for two models. Its other routers call an API or a language model of 8B.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import routing_data
import torch
from threadpoolctl import threadpool_limits
from transformers import BertConfig, BertForSequenceClassification

from tasks.config import Router
from tasks.lake.interfaces import Examples
from tasks.lake.views import question_texts
from tasks.routers import KINDS, load_router, make_router
from tasks.routers.embedders import load_embedder
from tasks.routers.encoders import Encoder
from tasks.routers.features import Features
from tasks.routers.settings import ClassifierSettings, VectorSettings

TRAINING = 2000
BATCH = 2000
SINGLE = 100  # queries that are asked one by one in each round
ROUNDS = 4
SLOW = 5  # the same of what takes longer than a hundredth of a second
SLOW_BATCH = 32
ENCODER = "all-MiniLM-L6-v2"
LEFT_OUT = ("auto", "looking")  # the first takes as long as the router that it chooses; the other needs samples of the queries
VOCABULARY = 4000


def main(file: str | None, kinds: list[str]) -> None:
    everything = routing_data.read(file) if file else _invented()
    order = np.random.default_rng(0).permutation(everything.queries.height)
    train, others = (np.sort(part) for part in (order[:TRAINING], order[TRAINING : TRAINING + BATCH]))
    queries = routing_data.embedded(everything.queries, [], routing_data.section("domains", ENCODER))
    examples = Examples(queries[train], everything.labels[train], everything.models)
    asked = queries[others].drop("benchmark", "subject")
    print(f"{file or 'invented queries'}: {len(train):,} training queries, {len(everything.models)} models\n")  # noqa: T201

    calls: dict[str, Callable[[pl.DataFrame], Any]] = {}
    for kind, settings in KINDS.items():
        if kind in LEFT_OUT or (kinds and kind not in kinds):
            continue
        print(kind, file=sys.stderr)  # noqa: T201
        router = routing_data.section(kind, ENCODER)
        if not issubclass(settings, VectorSettings):
            untrained = {"epochs": 0} if issubclass(settings, ClassifierSettings) else {}
            calls[kind] = _trained(router.model_copy(update=untrained), examples)
            continue
        for features, name in ([ENCODER], kind), (["words", ENCODER], f"{kind}, and words"):
            calls[name] = _trained(router.model_copy(update={"features": features}), examples)
    embedder = load_embedder(ENCODER, routing_data.MAX_LENGTH)
    assert isinstance(embedder, Encoder)
    calls[f"embedding alone: {ENCODER}"] = lambda rows: embedder.embed(question_texts(rows))
    for name in ("words", "characters"):
        features = Features([name], routing_data.MAX_LENGTH, 0)
        features.fit(examples.queries)
        calls[f"embedding alone: {name}"] = features.vectors
    calls["RouteLLM's shape: BERT"] = _bert(embedder)
    calls["RouteLLM's shape: matrix factorisation"] = _matrix_factorisation()
    _report(measured(calls, asked))


def measured(calls: dict[str, Callable[[pl.DataFrame], Any]], asked: pl.DataFrame) -> dict[str, tuple[np.ndarray, float]]:
    """Seconds of each single query, and queries per second in batches: the best round, which the rest of the machine disturbed least."""
    rows = [asked[place : place + 1] for place in range(SINGLE)]
    singles: dict[str, list[float]] = {name: [] for name in calls}
    rates = dict.fromkeys(calls, 0.0)
    slow = set()
    for name, call in calls.items():
        if min(_seconds(call, row) for row in rows[:4]) > 0.01:
            slow.add(name)
    for turn in range(ROUNDS):
        print(f"round {turn + 1} of {ROUNDS}", file=sys.stderr)  # noqa: T201
        for name, call in calls.items():
            singles[name] += [_seconds(call, row) for row in (rows[turn * SLOW : (turn + 1) * SLOW] if name in slow else rows)]
            batch = asked[:SLOW_BATCH] if name in slow else asked
            rates[name] = max(rates[name], batch.height / _seconds(call, batch))
    return {name: (np.array(singles[name]), rates[name]) for name in calls}


def _report(found: dict[str, tuple[np.ndarray, float]]) -> None:
    embedding = np.median(found[f"embedding alone: {ENCODER}"][0])
    head = ["", "one query, p50, µs", "p99, µs", "of MiniLM's embedding, %", "queries/s at once"]
    print(f"| {' | '.join(head)} |\n| --- |{' ---: |' * (len(head) - 1)}")  # noqa: T201
    for name, (single, rate) in found.items():
        p50, p99 = np.quantile(single, (0.5, 0.99))
        print(f"| {name} | {1e6 * p50:,.0f} | {1e6 * p99:,.0f} | {100 * p50 / embedding:,.1f} | {rate:,.0f} |")  # noqa: T201


def _seconds(call: Callable[[pl.DataFrame], Any], rows: pl.DataFrame) -> float:
    began = time.process_time()
    call(rows)
    return time.process_time() - began


def _trained(section: Router, examples: Examples) -> Callable[[pl.DataFrame], Any]:
    """The confidences of the router as it is loaded where queries are routed."""
    nothing = Examples(examples.queries[:0], examples.labels[:0], examples.models)
    fitted = make_router(section, 0).fit(examples, nothing)
    return load_router(section.of_kind, fitted.save()).confidences


def _bert(embedder: Encoder) -> Callable[[pl.DataFrame], Any]:
    """BERT-base with three outputs. MiniLM's tokenizer is BERT's."""
    network = BertForSequenceClassification(BertConfig(num_labels=3)).eval()

    def call(rows: pl.DataFrame) -> Any:
        batch = embedder.batch(embedder.tokens(question_texts(rows)))
        with torch.inference_mode():
            return torch.softmax(network(**batch).logits, dim=1)[:, 1:].sum(dim=1).numpy()

    return call


def _matrix_factorisation() -> Callable[[pl.DataFrame], Any]:
    """Two models out of 64; the embedding is given."""
    models = torch.nn.functional.normalize(torch.nn.Embedding(64, 128)(torch.tensor([24, 36])), dim=1)
    project, weigh = torch.nn.Linear(1536, 128, bias=False), torch.nn.Linear(128, 1, bias=False)
    given = torch.randn(BATCH, 1536)

    def call(rows: pl.DataFrame) -> Any:
        with torch.inference_mode():
            logits = weigh(models * project(given[: rows.height])[:, None]).squeeze(2)
            return torch.sigmoid(logits[:, 0] - logits[:, 1]).numpy()

    return call


def _invented() -> Examples:
    """Questions of five benchmarks, each with words of its own, and seven models, each better on some."""
    random = np.random.default_rng(0)
    benchmark = random.integers(5, size=2 * TRAINING)
    words = np.array([f"word{number}" for number in range(VOCABULARY)])
    texts = [" ".join(words[(random.zipf(1.3, size=random.integers(10, 120)) * (1 + one)) % VOCABULARY]) for one in benchmark]
    labels = (random.random((len(texts), 7)) < random.uniform(0.3, 0.9, size=(5, 7))[benchmark]).astype(np.float32)
    queries = pl.DataFrame(
        {
            "query_id": [f"q{number:05d}" for number in range(len(texts))],
            "benchmark": [f"benchmark-{one}" for one in benchmark],
            "subject": pl.Series([None] * len(texts), dtype=pl.String),
            "question": texts,
            "choices": pl.Series([None] * len(texts), dtype=pl.List(pl.String)),
        }
    )
    return Examples(queries, labels, tuple(f"model-{number}" for number in range(7)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with threadpool_limits(1):
        main(sys.argv[1] if len(sys.argv) > 1 else None, sys.argv[2:])
