"""What a router sees that looks at samples before it chooses: rows of the table `evidence`, and a column of the queries.

    samples of ledger on query 5f0c…   "11" (20 tokens), nothing that can be read (80 tokens, cut off), "11" (23 tokens), …
    evidence(votes, samples, "ledger", 3)   →   5f0c…  ledger  looks 3  readable 0.67  agreement 0.67  tokens 41  cut_off 0.33
    with_evidence(queries, [rows])          →   queries with the column "evidence ledger", {"looks": 3, "readable": 0.67, …}

Only samples that are paid for are read: means over all samples of a vote would tell what the others say. Nothing depends on right answers.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.lake.tables import EVIDENCE

Floats = npt.NDArray[np.float64]

FEATURES = ("readable", "agreement", "tokens", "cut_off")


def first_samples(generations: pl.LazyFrame, looks: int) -> pl.LazyFrame:
    """Of rows of `generations`: tokens and ends of each query's first samples. A sample that is there twice counts once."""
    once = generations.select("query_id", "model", "recipe", "sample", "completion_tokens", "finish_reason")
    return (
        once.unique(["query_id", "model", "recipe", "sample"], keep="first", maintain_order=True)
        .sort("sample")
        .group_by("query_id", "model", "recipe")
        .agg(
            tokens=pl.col("completion_tokens").head(looks).cast(pl.Float64).mean(),
            cut_off=(pl.col("finish_reason").head(looks) == "length").cast(pl.Float64).mean(),
        )
    )


def evidence(votes: pl.DataFrame, samples: pl.DataFrame, model: str, looks: int) -> pl.DataFrame:
    """Rows of EVIDENCE, sorted by query, for each query of which there are samples of the model.

    Args:
        votes: rows of the table; read are `query_id`, `model`, `recipe`, `answers`.
        samples: `first_samples` of these votes; may lack some, whose lengths are not known then.
        model: whose samples are looked at.
        looks: how many samples, from the first; of a query with fewer, all.
    """
    said = pl.col("first").list.drop_nulls()
    votes_of_most = said.list.eval(pl.element().unique_counts().max()).list.first().fill_null(0)
    return (
        votes.filter((pl.col("model") == model) & (pl.col("answers").list.len() > 0))
        .select("query_id", "model", "recipe", first=pl.col("answers").list.head(looks))
        .join(samples, on=["query_id", "model", "recipe"], how="left")
        .with_columns(looks=pl.col("first").list.len().cast(pl.Int32))
        .with_columns(readable=said.list.len() / pl.col("looks"), agreement=votes_of_most / pl.col("looks"))
        .select(list(EVIDENCE.columns))
        .sort("query_id")
    )


def with_evidence(queries: pl.DataFrame, tables: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The queries with a column for each model in the `tables`, rows of `evidence`; null where a query has none."""
    for table in tables:
        for (model,), rows in table.group_by("model", maintain_order=True):
            own = rows.select("query_id", pl.struct("looks", *FEATURES).alias(_column(str(model))))
            queries = queries.join(own, on="query_id", how="left", maintain_order="left")
    return queries


def looked_at(queries: pl.DataFrame, model: str) -> npt.NDArray[np.int64]:
    """How many samples of the model each of the queries comes with, (queries,)."""
    if _column(model) not in queries.columns:
        return np.zeros(queries.height, dtype=np.int64)
    return queries[_column(model)].struct.field("looks").fill_null(0).cast(pl.Int64).to_numpy()


def features(queries: pl.DataFrame, model: str) -> Floats:
    """What the samples look like, float64 (queries, features); NaN where it is not known. Tokens as logarithms."""
    seen = queries.select(pl.col(_column(model)).struct.field(*FEATURES)).with_columns(pl.col("tokens").clip(1).log())
    return seen.select(pl.all().cast(pl.Float64).fill_null(np.nan)).to_numpy()


def with_looking(expected: Floats, queries: pl.DataFrame, models: Sequence[str], model: str) -> Floats:
    """Expected costs, float64 (queries, models), with those of looking: the samples looked at, one of which is that model's answer."""
    looks, column = looked_at(queries, model), list(models).index(model)
    total = expected + np.where(looks > 0, looks * expected[:, column], 0)[:, None]
    total[:, column] -= np.where(looks > 0, expected[:, column], 0)
    return total


def _column(model: str) -> str:
    return f"evidence {model}"
