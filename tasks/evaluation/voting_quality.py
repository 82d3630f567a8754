"""How the samples of a model voted: how sure, how often undecided, how often unreadable.

ledger, 240 queries of 10 samples: agreement 0.74, ambiguous 0.18, unreadable 0.03 (72 of 2,400 samples had no answer to read).
Imported outcomes had no vote and get no rows.
"""

import polars as pl

from tasks.evaluation.figures import Row, row


def voting_quality(votes: pl.DataFrame) -> list[Row]:
    """Rows `agreement` (mean over queries with a readable sample), `ambiguous` (share of queries), `unreadable` (share of samples)."""
    sampled = (
        votes.filter(pl.col("k").is_not_null())
        .group_by("model")
        .agg(
            n=pl.len(),
            agreement=pl.col("agreement").sort().mean(),
            agreement_n=pl.col("agreement").count(),
            ambiguous=pl.col("ambiguous").mean(),
            unreadable=1 - pl.col("valid").fill_null(0).sum() / pl.col("k").sum(),
        )
    )
    rows = []
    for model in sampled.sort("model").iter_rows(named=True):
        if model["agreement_n"]:
            rows.append(row("agreement", model["agreement"], model["agreement_n"], model=model["model"]))
        rows.append(row("ambiguous", model["ambiguous"], model["n"], model=model["model"]))
        rows.append(row("unreadable", model["unreadable"], model["n"], model=model["model"]))
    return rows
