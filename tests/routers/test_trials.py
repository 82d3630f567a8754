"""Routers that are trained for studies."""

import numpy as np
import polars as pl
from planted_tables import query_rows, vote_rows

from tasks.config import Router
from tasks.lake.interfaces import Trial
from tasks.routers.trials import run_trials


def test_a_trial_that_cannot_be_learned_from_is_left_out_and_the_others_are_made() -> None:
    random = np.random.default_rng(0)
    queries = pl.concat(
        query_rows(count, split=split, first=first) for first, (split, count) in enumerate([("train", 60), ("validation", 20), ("test", 9)])
    ).with_row_index("row")
    queries = queries.with_columns(query_id=pl.format("q{}", "row")).drop("row")
    votes = pl.concat(vote_rows(queries, model, random.random(queries.height).round(1).tolist()) for model in ("fox", "owl"))
    trials = [
        Trial("no training", queries.filter(pl.col("split") != "train"), votes),
        Trial("no validation", queries.filter(pl.col("split") != "validation"), votes),
        Trial("one model", queries, votes.filter(pl.col("model") == "fox")),
        Trial("whole", queries, votes),
    ]
    found = run_trials(Router(name="linear"), 0, trials)
    assert found["setting"].unique().to_list() == ["whole"] and found.height == 2 * 9
