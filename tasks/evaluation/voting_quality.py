"""How the samples of a model voted: how sure, how often undecided, how often unreadable, and what stopping early saved.

ledger, 240 queries of 10 samples: agreement 0.74, ambiguous 0.18, unreadable 0.03 (72 of 2,400 samples had no answer to read).
With sampling stopped once a vote is decided: decided_early 0.82, samples_saved 0.37 (888 of 2,400 samples were not drawn).
Imported outcomes had no vote and get no rows.

Where votes were decided early, the first three are censored: they are of the samples drawn. A query that agrees from the start
counts with the five that agreed, one without readable answers with all ten.
"""

import numpy as np
import polars as pl

from tasks.evaluation.figures import Row, row


def voting_quality(votes: pl.DataFrame) -> list[Row]:
    """Rows of each model, of its sampled votes.

    `agreement` (mean over queries with a readable sample), `ambiguous` (share of queries), `unreadable` (share of samples). Where
    it is known how many samples were wanted: `decided_early`, `incomplete` (shares of queries: stopped because the vote was
    decided, short of samples though it was not) and `samples_saved` (share of the wanted samples that were not drawn because of
    that). Where they are known, `tokens_saved` and `seconds_saved`: estimated shares of the tokens and of the seconds that all
    samples would have taken, if those not drawn are as long as the same query's others.
    """
    sampled = votes.filter(pl.col("k").is_not_null()).sort("model", "query_id")
    rows = []
    for (model,), of_model in sampled.group_by("model", maintain_order=True):
        rows += [found | {"model": model} for found in [*_agreement(of_model), *_saved(of_model.filter(pl.col("wanted").is_not_null()))]]
    return rows


def _agreement(votes: pl.DataFrame) -> list[Row]:
    found = votes.select(
        agreement=pl.col("agreement").sort().mean(),
        ambiguous=pl.col("ambiguous").mean(),
        unreadable=1 - pl.col("valid").fill_null(0).sum() / pl.col("k").sum(),
    ).row(0, named=True)
    counts = {"agreement": votes["agreement"].count()}
    return [row(metric, value, counts.get(metric, votes.height)) for metric, value in found.items() if value is not None]


def _saved(votes: pl.DataFrame) -> list[Row]:
    if votes.is_empty():
        return []
    stops = {"decided_early": "decided", "incomplete": "incomplete"}
    shares = votes.select((pl.col("stop") == stop).mean().alias(metric) for metric, stop in stops.items()).row(0, named=True)
    rows = [row(metric, value, votes.height) for metric, value in shares.items()]
    saved = pl.when(pl.col("stop") == "decided").then(pl.col("wanted") - pl.col("k")).otherwise(0)
    sizes = {"samples_saved": pl.lit(1.0), "tokens_saved": pl.col("completion_tokens"), "seconds_saved": pl.col("latency_s")}
    for metric, size in sizes.items():
        known = votes.select(saved=saved * size, whole=pl.col("wanted") * size).drop_nulls()
        share = known.select(pl.col("saved").sum() / pl.col("whole").sum()).item()
        if known.height and np.isfinite(share):
            rows.append(row(metric, share, known.height))
    return rows
