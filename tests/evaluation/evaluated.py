"""Evaluating planted tables, and finding one figure among the rows."""

import polars as pl
from planted_tables import Tables

from tasks.evaluation.evaluate import evaluate
from tasks.lake.tables import METRICS, check

FIGURE = ("benchmark", "subject", "split", "model", "router", "policy", "metric")


def figures(
    tables: Tables,
    router_seconds: dict[str, float] | None = None,
    bootstrap: int = 300,
    seed: int = 0,
    unit: str = "usd",
    looks: int | None = None,
) -> pl.DataFrame:
    metrics = evaluate(tables.queries, tables.votes, tables.scores, tables.routes, router_seconds or {}, bootstrap, seed, unit, looks)
    return check(METRICS, metrics)


def one(metrics: pl.DataFrame, metric: str, split: str = "test", **name: str) -> dict[str, float]:
    wanted = {"metric": metric, "split": split, **name}
    rows = metrics.filter(pl.all_horizontal(pl.col(key).eq_missing(wanted.get(key)) for key in FIGURE))
    assert rows.height == 1, f"{rows.height} rows of {wanted}"
    return rows.row(0, named=True)


def has(metrics: pl.DataFrame, metric: str, **name: str) -> bool:
    return not metrics.filter(metric=metric, **name).is_empty()
