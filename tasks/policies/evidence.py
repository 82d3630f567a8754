"""What a policy that looks before it chooses may know of samples, and what looking costs.

    votes     q1  ledger  answers ["11", "12", "11", "11", "9"]   cost_usd 0.0002  latency_s 0.8  completion_tokens 31
    looks 3   q1  ledger  looks 3  agreement 0.67  cost_usd 0.0002  latency_s 0.8  completion_tokens 31

Nothing here depends on right answers: of the votes only what was sampled is read, never what it was worth.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.config import COST_COLUMNS

_SPENT = {"cost_usd": "spent_usd", "latency_s": "spent_s", "completion_tokens": "spent_tokens"}


def evidence(votes: pl.DataFrame, looks: int) -> pl.DataFrame:
    """One row for each row of `votes`, in its order.

    Args:
        votes: rows of the table; read are `query_id`, `model`, `answers`, `cost_usd`, `latency_s`, `completion_tokens`.
        looks: samples that are looked at, from the first; of a model with fewer, all.

    Returns:
        `query_id`, `model`; `looks`, Int32, samples looked at; `agreement`, Float32, share of these that say what most of them say, 0 where
        none can be read; both null where there are no samples (imported outcomes); and the three costs, each the mean of one sample.
    """
    first = votes.select(row=pl.int_range(pl.len()), answer=pl.col("answers").list.head(looks))
    said = first.explode("answer").drop_nulls().group_by("row", "answer").len()
    most = first.join(said.group_by("row").agg(pl.col("len").max()), on="row", how="left", maintain_order="left")
    seen = pl.col("answer").list.len()
    found = most.select(
        looks=seen.cast(pl.Int32),
        agreement=pl.when(seen > 0).then(pl.col("len").fill_null(0) / seen).cast(pl.Float32),
    )
    return votes.select("query_id", "model", *COST_COLUMNS.values()).hstack(found)


def with_spending(
    routes: pl.DataFrame,
    looked: npt.NDArray[np.bool_] | None,
    query_ids: Sequence[str],
    models: Sequence[str],
    samples: pl.DataFrame,
    by_router: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """`routes` with what was spent on looking: on all samples looked at, less one of the chosen model, which is the answer itself.

    Args:
        routes: one policy's choices, `query_id` and `model`.
        looked: bool (queries, models), whose samples were looked at; None of a policy that never looks, which has nulls.
        samples: the `evidence`. A sample whose cost is not known makes the sum NaN.
        by_router: `query_id`, `model`, `looks` of the samples that the router has looked at; None of one that never looks. Samples
            that the policy looks at as well are the same ones.
    """
    if looked is None and by_router is None:
        return routes.with_columns(pl.lit(None, pl.Float64).alias(spent) for spent in _SPENT.values())
    rows, columns = np.nonzero(np.zeros((len(query_ids), len(models))) if looked is None else looked)
    seen = pl.DataFrame(
        {"query_id": [query_ids[row] for row in rows.tolist()], "seen": [models[column] for column in columns.tolist()]},
        schema={"query_id": pl.String, "seen": pl.String},
    )
    costs = samples.rename({"model": "seen"})
    drawn = seen.join(costs.select("query_id", "seen", "looks"), on=["query_id", "seen"], maintain_order="left")
    if by_router is not None:
        drawn = pl.concat([drawn, by_router.select("query_id", pl.col("model").alias("seen"), "looks")])
    extra = pl.col("looks") - (pl.col("seen") == pl.col("model")).cast(pl.Int32)
    spending = (
        drawn.group_by("query_id", "seen", maintain_order=True)
        .max()
        .join(costs.drop("looks"), on=["query_id", "seen"], how="left", maintain_order="left")
        .join(routes.select("query_id", "model"), on="query_id", maintain_order="left")
        .group_by("query_id")
        .agg((extra * pl.col(column).fill_null(np.nan)).sum().alias(spent) for column, spent in _SPENT.items())
    )
    return routes.join(spending, on="query_id", how="left", maintain_order="left").with_columns(pl.col(*_SPENT.values()).fill_null(0.0))
