"""What more than one folder needs to see in the tables: what a router reads, what an answer is worth.

A *reward* is what a query's answer counts for, the column `label` of the votes: 1 or 0 by the majority vote where the model was
sampled (or by another rule of the run file's `[labels]`); the score itself (for instance 0.7, seven of ten samples right) where an
outcome was imported and there was no vote.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.errors import UserError
from tasks.lake.interfaces import Examples

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def reward() -> pl.Expr:
    """Expression over `votes`: what the model's answer counts for, Float64 in 0 … 1."""
    return pl.col("label").alias("reward")


def pool(votes: pl.DataFrame) -> list[str]:
    """Names of the models that have votes, sorted: the order of models everywhere."""
    return sorted(votes["model"].unique().to_list())


def matrix(votes: pl.DataFrame, query_ids: Sequence[str], models: Sequence[str], value: pl.Expr) -> npt.NDArray[np.float32]:
    """`value` of each (query, model) as float32 (queries, models); NaN where the model is missing on the query.

    Raises ValueError for a query and model that stand there twice.
    """
    rows = {query_id: row for row, query_id in enumerate(query_ids)}
    columns = {model: column for column, model in enumerate(models)}
    cells = votes.select("query_id", "model", value.alias("value")).filter(
        pl.col("query_id").is_in(list(rows)) & pl.col("model").is_in(list(columns))
    )
    if cells.select("query_id", "model").is_duplicated().any():
        raise ValueError("a query and model stand there twice: which row counts would be chance")
    table = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
    if cells.is_empty():
        return table
    at_row = cells["query_id"].replace_strict(rows, return_dtype=pl.Int64).to_numpy()
    at_column = cells["model"].replace_strict(columns, return_dtype=pl.Int64).to_numpy()
    table[at_row, at_column] = cells["value"].cast(pl.Float32).fill_null(np.nan).to_numpy()
    return table


def question_texts(queries: pl.DataFrame) -> list[str]:
    """What a router reads of each query: the question, and its options on a line each: "(A) black"."""
    texts = []
    for question, choices in zip(
        queries["question"].to_list(), queries["choices"].to_list(), strict=True
    ):  # a query alone: quicker than a select
        options = [f"({letter}) {choice}" for letter, choice in zip(LETTERS, choices or (), strict=False)]
        texts.append("\n".join([question, *options]))
    return texts


def check_learnable(queries: pl.DataFrame, models: Sequence[str], source: str) -> None:
    """Refuse, before anything is written, what no router could be trained or tested on. Raises UserError naming `source`."""
    if len(models) < 2:
        raise UserError(f"{source}: a router needs at least two models to choose from; there is {', '.join(models) or 'none'}")
    splits = set(queries["split"])
    for split in ("train", "validation", "test"):
        if split not in splits:
            raise UserError(
                f"{source}: no query of split {split!r}; expected some of train, validation and test "
                "(where all are train, or there is no column 'split', the others are cut by hash, for which these are too few)"
            )


def examples(queries: pl.DataFrame, votes: pl.DataFrame, split: str) -> Examples:
    """What can be learned from one split of the queries; the pool is all models of `votes`.

    Raises UserError if the pool has fewer than two models, or no query of the split has a vote.
    """
    models = pool(votes)
    if len(models) < 2:
        raise UserError(f"a router needs at least two models to choose from; the pool has {', '.join(models) or 'none'}")
    rows = queries.filter((pl.col("split") == split) & pl.col("query_id").is_in(votes["query_id"].unique().to_list())).sort("query_id")
    if rows.is_empty():
        raise UserError(f"no query of split {split!r} has votes; a router needs train, validation and test queries")
    return Examples(rows, matrix(votes, rows["query_id"].to_list(), models, reward()), tuple(models))


def score_rows(
    query_ids: pl.Series, router: str, models: Sequence[str], confidences: npt.NDArray[np.float32], costs: npt.NDArray[np.float64]
) -> pl.DataFrame:
    """Confidences, float32 (queries, models), and expected `costs`, float64, NaN if not known, as rows of the table `scores`."""
    return pl.DataFrame(
        {
            "query_id": np.repeat(query_ids.to_numpy(), len(models)),
            "router": router,
            "model": list(models) * len(query_ids),
            "confidence": confidences.reshape(-1),
            "cost": pl.Series(costs.reshape(-1)).fill_nan(None),
        },
        schema_overrides={"query_id": pl.String, "cost": pl.Float64},
    )
