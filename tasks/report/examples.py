"""A few test questions to read: where the router was right and the best single model wrong, and the reverse.

They are the first by `query_id`, a hash: an arbitrary choice that nobody made by looking.
"""

from typing import Any

import polars as pl

from tasks.lake import views

EACH = 3
LONGEST = 400  # characters of a question that are shown


def examples(
    queries: pl.DataFrame, votes: pl.DataFrame, routes: pl.DataFrame, best_single: str, router: str, policy: str
) -> list[dict[str, Any]]:
    """Up to three questions of either kind: question, gold, and model, answer and reward of router and best single model."""
    outcomes = votes.select("query_id", "model", views.reward(), answer=pl.col("majority"))
    rows = (
        queries.filter(pl.col("split") == "test")
        .select("query_id", "question", "choices", "gold", "subject", "benchmark")
        .join(routes.filter((pl.col("router") == router) & (pl.col("policy") == policy)).select("query_id", "model"), on="query_id")
        .join(outcomes, on=["query_id", "model"])
        .join(outcomes.filter(pl.col("model") == best_single).drop("model"), on="query_id", suffix="_best")
        .sort("query_id")
    )
    gained = rows.filter(pl.col("reward") > pl.col("reward_best")).head(EACH)
    lost = rows.filter(pl.col("reward") < pl.col("reward_best")).head(EACH)
    return [
        {"won": won, **row, "question": _short(text)}
        for won, found in ((True, gained), (False, lost))
        for row, text in zip(found.iter_rows(named=True), views.question_texts(found), strict=True)
    ]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST].rstrip() + " …"
