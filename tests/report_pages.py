"""Pages of the report that more than one test looks at: with evil names everywhere, and with the figures of all studies."""

from functools import cache

import numpy as np
import polars as pl
from planted_tables import Tables, hand_tables, pool_tables, query_rows

from tasks.evaluation.evaluate import evaluate
from tasks.evaluation.studies import KINDS, make_study, trials_of
from tasks.evaluation.studies import Tables as Studied
from tasks.lake.tables import CLUSTERS, ENDINGS, LOADS, TRIALS
from tasks.report.page import render
from tasks.voting.growth import growth

EVIL = "</script><script>window.hurt=1</script><img src=x onerror=window.hurt=1>{{ 7*7 }}=cmd()$x^2$\"'&"


def evil(tables: Tables) -> Tables:
    """The tables with evil names: of a model, a router, a policy, a benchmark and a subject. The other benchmark is one of the paper's."""
    wicked = pl.col(pl.String).replace(["general", "kmeans-tfidf", "random"], EVIL)
    queries = tables.queries.with_columns(pl.col("benchmark", "subject").replace(["stories", "sums", "facts"], [EVIL, EVIL, "gsm8k"]))
    return Tables(queries, tables.votes.with_columns(wicked), tables.scores.with_columns(wicked), tables.routes.with_columns(wicked))


@cache
def studied() -> tuple[Tables, pl.DataFrame]:
    """Tables with evil names, and the figures of all studies on them. What routers say in trials, and what is measured, is made up."""
    tables, random = evil(pool_tables(60)), np.random.default_rng(0)
    parts = (tables.queries, tables.votes, tables.scores, tables.routes)
    models = tables.votes["model"].unique().sort()
    ids = tables.queries["query_id"]
    clusters = pl.concat(
        pl.DataFrame([(query, EVIL, 4, seed, int(random.integers(4))) for query in ids], schema=CLUSTERS.schema, orient="row")
        for seed in range(2)
    )
    made_up = {
        "clusters": clusters,
        "growth": growth(tables.queries, tables.votes, 0),
        "endings": pl.DataFrame([(EVIL, EVIL, 1000, 300)], schema=ENDINGS.schema, orient="row"),
        "loads": pl.DataFrame([(model, "transformers", EVIL, 5.0, 2.0, None, None) for model in models], schema=LOADS.schema, orient="row"),
    }
    metrics = evaluate(*parts, {}, 100, 0)
    for name in KINDS:
        settings = {"of": "gsm8k"} if name == "reproduction" else {}
        tried = [
            (query, EVIL, trial.setting, model, float(random.random()))
            for trial in trials_of(name, settings, tables.queries, tables.votes, 0)
            for query in trial.queries.filter(pl.col("split") == "test")["query_id"]
            for model in trial.votes["model"].unique().sort()
        ]
        trials = pl.DataFrame(tried, schema=TRIALS.schema, orient="row")
        metrics = pl.concat([metrics, make_study(name, settings, Studied(*parts, metrics, trials, **made_up), 100, 0)])
    return tables, metrics


def page_of_studies(metrics: pl.DataFrame) -> str:
    tables = studied()[0]
    return render("demo", tables.queries, tables.votes, tables.scores, tables.routes, metrics, (), {})


def page_of(tables: Tables, notes: tuple[str, ...] = (), settings: dict[str, str] | None = None, name: str = "demo") -> str:
    metrics = evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {"kmeans-tfidf": 0.0002}, 200, 0)
    return render(name, tables.queries, tables.votes, tables.scores, tables.routes, metrics, notes, settings or {})


def evil_tables() -> Tables:
    """Two models, one with an evil name, on questions, subjects and a benchmark that are evil too."""
    queries = pl.concat(
        [
            query_rows(60, benchmark=EVIL, split="validation", subject=EVIL),
            query_rows(60, benchmark=EVIL, subject=EVIL, first=60),
            query_rows(60, benchmark="plain", subject="plain", first=120),
        ]
    ).with_columns(question=pl.lit(EVIL), gold=pl.lit(EVIL))
    first = [float(number % 3 != 0) for number in range(180)]
    chosen: list[str | None] = [EVIL if value else "owl" for value in first]
    tables = hand_tables(
        {EVIL: [*first], "owl": [1 - value for value in first]}, {(EVIL, EVIL): chosen, (EVIL, "argmax"): chosen}, queries=queries
    )
    cost = pl.when(pl.col("model") == EVIL).then(0.002).otherwise(0.001)
    return Tables(tables.queries, tables.votes.with_columns(cost_usd=cost), tables.scores.with_columns(cost=cost), tables.routes)
