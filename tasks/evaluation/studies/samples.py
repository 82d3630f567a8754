"""Alarms of what was sampled: answers that cannot be read, that were cut off, that are too few.

    ledger on sums: 48 of 2,400 samples unreadable, of 240 queries   →  unreadable_share 0.02, interval 0.013 … 0.031; unreadable 0

The samples of one query are alike, so that 2,400 of them tell less than 2,400 queries would. The interval is Clopper and Pearson's, of so
many independent samples as have the variance that is found between queries (Korn and Graubard, Survey Methodology 24, 1998).
"""

import numpy as np
import polars as pl
from scipy.stats import beta

from tasks.evaluation.figures import Row, row
from tasks.evaluation.studies import Tables
from tasks.evaluation.systems import FloatArray

OFTEN = 0.05  # of a model's samples on a benchmark


def sample_alarms(tables: Tables) -> list[Row]:
    """Rows `unreadable`, `cut_off` and `incomplete`, with the figures behind them; none for imported outcomes, which have no samples."""
    asked = tables.votes.join(tables.queries.select("query_id", "benchmark"), on="query_id")
    sampled = asked.filter(pl.col("k") > 0).with_columns(pl.col("valid").fill_null(0)).sort("benchmark", "model", "query_id")
    rows = []
    queries = {}
    for (benchmark, model), of_model in sampled.group_by("benchmark", "model", maintain_order=True):
        drawn, valid = of_model["k"].to_numpy().astype(np.float64), of_model["valid"].to_numpy().astype(np.float64)
        value, low, high = share(np.maximum(drawn - valid, 0.0), drawn)
        queries[benchmark, model] = of_model.height
        rows += [
            row("unreadable_share", value, of_model.height, low=low, high=high, benchmark=str(benchmark), model=str(model)),
            row("unreadable", float(low > OFTEN), of_model.height, benchmark=str(benchmark), model=str(model)),
        ]
    for benchmark, model, samples, cut_off in tables.endings.sort("benchmark", "model").iter_rows():
        # How many were cut off of each query is not known: as if all samples of a query ended alike.
        n = queries.get((benchmark, model), samples)
        low, high = _interval(cut_off / samples, n)
        rows += [
            row("cut_off_share", cut_off / samples, n, low=low, high=high, benchmark=benchmark, model=model),
            row("cut_off", float(low > OFTEN), n, benchmark=benchmark, model=model),
        ]
    stops = (
        sampled.filter(pl.col("stop").is_not_null()).group_by("model").agg(pl.len(), pl.col("stop").eq("incomplete").sum().alias("short"))
    )
    for model, n, short in stops.sort("model").iter_rows():
        rows += [row("incomplete_share", short / n, n, model=model), row("incomplete", float(short > 0), n, model=model)]
    return rows


def share(found: FloatArray, drawn: FloatArray) -> tuple[float, float, float]:
    """Sum of `found` by sum of `drawn`, both float64 (queries,), and its 95 % interval."""
    value = float(found.sum() / drawn.sum())
    n = len(found)
    variance = float(((found - value * drawn) ** 2).sum() / drawn.sum() ** 2 * n / max(n - 1, 1))
    independent = value * (1 - value) / variance if variance > 0 else n
    return value, *_interval(value, min(independent, float(drawn.sum())))


def _interval(value: float, n: float) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a share of `n`, which need not be whole."""
    hits, misses = value * n, (1 - value) * n
    low = float(beta.ppf(0.025, hits, misses + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(0.975, hits + 1, misses)) if misses > 0 else 1.0
    return low, high
