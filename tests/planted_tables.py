"""Tables whose truth is planted: which model can answer what, and what each router chooses.

`hand_tables({"fox": [1, 0], "owl": [0, 1]}, {("perfect", "argmax"): ["fox", "owl"]})` for cases that are checked by hand;
`pool_tables()` for a pool of five models on two benchmarks that looks like a real one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tasks.lake.tables import QUERIES, ROUTES, SCORES, VOTES, check


@dataclass(frozen=True)
class Tables:
    queries: pl.DataFrame
    votes: pl.DataFrame
    scores: pl.DataFrame
    routes: pl.DataFrame


def query_rows(count: int, *, benchmark: str = "sums", split: str = "test", subject: str | None = None, first: int = 0) -> pl.DataFrame:
    numbers = range(first, first + count)
    return pl.DataFrame(
        {
            "query_id": [f"{number * 2654435761 % 2**32:016x}" for number in numbers],
            "source_id": [str(number) for number in numbers],
            "benchmark": benchmark,
            "split": split,
            "subject": [subject] * count,
            "question": [f"What is {number} + 1?" for number in numbers],
            "choices": [None] * count,
            "gold": [str(number + 1) for number in numbers],
            "answer_kind": "number",
        },
        schema=QUERIES.schema,
    )


def vote_rows(
    queries: pl.DataFrame,
    model: str,
    rates: Sequence[float | None],
    *,
    k: int | None = 10,
    latency_s: float | None = 1.0,
    cost_usd: float | None = 0.001,
) -> pl.DataFrame:
    """Votes of one model with these success rates; a missing rate is a hole."""
    rows = [(query, rate) for query, rate in zip(queries.iter_rows(named=True), rates, strict=True) if rate is not None]
    return pl.DataFrame(
        [
            {
                "query_id": query["query_id"],
                "model": model,
                "recipe": "r1" if k else "imported",
                "k": k,
                "wanted": k,
                "stop": "all" if k else None,
                "answers": [query["gold"]] * round(rate * k) + [None] + ["0"] * (k - 1 - round(rate * k)) if k and rate < 1 else None,
                "majority": (query["gold"] if rate > 0.5 else "0") if k else None,
                "agreement": max(rate, 1 - rate) if k else None,
                "runner_up": None,
                "runner_up_votes": None,
                "valid": (k if rate == 1 else k - 1) if k else None,
                "correct": rate > 0.5,
                "success_rate": float(rate),
                "label": float(rate > 0.5) if k else float(rate),
                "ambiguous": abs(rate - 0.5) < 0.05,
                "cost_usd": cost_usd,
                "latency_s": latency_s,
            }
            for query, rate in rows
        ],
        schema=VOTES.schema,
    )


def decided_early(votes: pl.DataFrame, share: float) -> pl.DataFrame:
    """The same votes, of which the first `share` of the rows stopped at 6 of 10 samples; of 20 tokens each."""
    early = pl.int_range(pl.len()) < share * pl.len()
    return votes.with_columns(
        k=pl.when(early).then(6).otherwise(10).cast(pl.Int32),
        wanted=pl.lit(10, pl.Int32),
        stop=pl.when(early).then(pl.lit("decided")).otherwise(pl.lit("all")),
        completion_tokens=pl.lit(20.0),
    )


def score_rows(
    queries: pl.DataFrame, router: str, confidences: Mapping[str, Sequence[float]], costs: Mapping[str, float] | None = None
) -> pl.DataFrame:
    """Scores of one router; `costs`: what each model is expected to cost, whatever the query."""
    return pl.concat(
        pl.DataFrame(
            {
                "query_id": queries["query_id"],
                "router": router,
                "model": model,
                "confidence": list(values),
                "cost": (costs or {}).get(model),
            },
            schema_overrides=SCORES.schema,
        )
        for model, values in confidences.items()
    ).cast(SCORES.schema)


def route_rows(queries: pl.DataFrame, router: str, policy: str, chosen: Sequence[str | None]) -> pl.DataFrame:
    rows = [
        (query_id, router, policy, model, 0.5, None, None, None)
        for query_id, model in zip(queries["query_id"], chosen, strict=True)
        if model is not None
    ]
    return pl.DataFrame(rows, schema=ROUTES.schema, orient="row")


def hand_tables(
    rates: Mapping[str, Sequence[float | None]],
    chosen: Mapping[tuple[str, str], Sequence[str | None]],
    *,
    best: str | None = None,
    queries: pl.DataFrame | None = None,
    k: int | None = 10,
    latencies: Mapping[str, float | None] | None = None,
    cost_usd: float | None = 0.001,
) -> Tables:
    """One benchmark unless `queries` are given; "best-single" and "benchmark" always choose `best` (default: first by name)."""
    count = len(next(iter(rates.values())))
    queries = query_rows(count) if queries is None else queries
    best = best or min(rates)
    votes = pl.concat(
        vote_rows(queries, model, values, k=k, latency_s=(latencies or {}).get(model, 1.0), cost_usd=cost_usd)
        for model, values in rates.items()
    )
    routers = {("best-single", "argmax"): [best] * count, ("benchmark", "argmax"): [best] * count, **chosen}
    routes = pl.concat(route_rows(queries, router, policy, models) for (router, policy), models in routers.items())
    scores = pl.concat(
        score_rows(queries, router, {model: [0.9 if choice == model else 0.2 for choice in models] for model in rates})
        for (router, policy), models in routers.items()
        if policy == "argmax"
    )
    return Tables(check(QUERIES, queries), check(VOTES, votes), check(SCORES, scores), check(ROUTES, routes))


SKILLS = {  # benchmark → subject → success rate of each model
    "stories": {
        "sums": {"abacus": 0.8, "general": 0.6, "ledger": 0.5, "scholar": 0.2, "small": 0.25},
        "clock times": {"abacus": 0.45, "general": 0.6, "ledger": 0.8, "scholar": 0.15, "small": 0.2},
        "prices": {"abacus": 0.35, "general": 0.55, "ledger": 0.75, "scholar": 0.25, "small": 0.2},
    },
    "facts": {
        "animals": {"abacus": 0.3, "general": 0.6, "ledger": 0.35, "scholar": 0.8, "small": 0.3},
        "places": {"abacus": 0.25, "general": 0.65, "ledger": 0.3, "scholar": 0.55, "small": 0.35},
    },
}
SPEED = {"abacus": 0.7, "general": 2.4, "ledger": 1.1, "scholar": 1.6, "small": 0.2}


def pool_tables(per_subject: int = 100, *, seed: int = 0, subjects: bool = True, measured: bool = True) -> Tables:
    """A pool of five models, of which `general` is the best single one; `kmeans-tfidf` knows the subject, `constant` nothing.

    `measured`: whether latency and cost are known. A third of the queries is train, a sixth validation, half test.
    """
    random = np.random.default_rng(seed)
    models = sorted(SPEED)
    parts, votes, known, first = [], [], {}, 0
    for benchmark, skills in SKILLS.items():
        for subject, rates in skills.items():
            for split, share in (("train", 1 / 3), ("validation", 1 / 6), ("test", 1 / 2)):
                count = max(1, round(per_subject * share))
                queries = query_rows(count, benchmark=benchmark, split=split, subject=subject if subjects else None, first=first)
                first += count
                easy = random.normal(0, 1.2, count)
                for model in models:
                    logit = np.log(rates[model] / (1 - rates[model])) + easy + random.normal(0, 1, count)
                    drawn = random.binomial(10, 1 / (1 + np.exp(-logit))) / 10
                    speed = SPEED[model] if measured else None
                    votes.append(vote_rows(queries, model, drawn.tolist(), latency_s=speed, cost_usd=speed and speed / 4000))
                known |= dict.fromkeys(queries["query_id"], (benchmark, subject, rates))
                parts.append(queries)
    queries = pl.concat(parts)
    ids = queries["query_id"].to_list()
    by_benchmark = {
        benchmark: max(models, key=lambda model: sum(rates[model] for rates in skills.values())) for benchmark, skills in SKILLS.items()
    }
    skilled = [max(models, key=known[query_id][2].__getitem__) for query_id in ids]
    unsure = [model if random.random() < 0.8 else models[random.integers(5)] for model in skilled]
    chosen: dict[tuple[str, str], list[str | None]] = {
        ("best-single", "argmax"): ["general"] * len(ids),
        ("benchmark", "argmax"): [by_benchmark[known[query_id][0]] for query_id in ids],
        ("kmeans-tfidf", "argmax"): [*skilled],
        ("kmeans-tfidf", "random"): [*unsure],
        ("kmeans-tfidf", "prediction-as-published"): [model if random.random() < 0.9 else None for model in skilled],
        ("roberta-multi-label", "argmax"): ["general"] * len(ids),
        ("roberta-multi-label", "random"): [models[random.integers(5)] for _ in ids],
    }
    routes = pl.concat(route_rows(queries, router, policy, models) for (router, policy), models in chosen.items())
    rate = {model: np.array([known[query_id][2][model] for query_id in ids]) for model in models}
    noise = {
        "best-single": {model: np.full(len(ids), 0.9 if model == "general" else 0.1) for model in models},
        "benchmark": {model: np.full(len(ids), rate[model].mean()) for model in models},
        "kmeans-tfidf": {model: np.clip(rate[model] + random.normal(0, 0.05, len(ids)), 0, 1) for model in models},
        "roberta-multi-label": {model: random.uniform(0.3, 1, len(ids)) for model in models},
    }
    expected = {model: speed / 4000 for model, speed in SPEED.items()} if measured else None
    scores = pl.concat(score_rows(queries, router, confidences, expected) for router, confidences in noise.items())
    return Tables(check(QUERIES, queries), check(VOTES, pl.concat(votes)), check(SCORES, scores), check(ROUTES, routes))
