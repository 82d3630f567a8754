"""What routers that were trained on something else earned: the reward of the model that each trial is most confident in.

    earned(sheet, trials, ["ledger", "fox"])  →  {("linear", "25 % · draw 1"): [1, 0, nan, 1, …], …}

All trials are judged on the rewards of the run's own `votes`, whatever labels they were trained on.
"""

import numpy as np
import polars as pl

from tasks.evaluation.systems import FloatArray, Sheet
from tasks.lake import views


def earned(sheet: Sheet, trials: pl.DataFrame, order: tuple[str, ...]) -> dict[tuple[str, str], FloatArray]:
    """Router and setting → reward of each of the sheet's queries, float64 (queries,), NaN where the trial or the reward has none.

    `order`: all models, the one that wins a tie first (see `best_first`). Sorted by router and setting.
    """
    query_ids = sheet.queries["query_id"].to_list()
    columns = [sheet.models.index(model) for model in order]
    found = {}
    groups = trials.partition_by("router", "setting", as_dict=True)
    for router, setting in sorted(groups):
        confidences = views.matrix(groups[router, setting], query_ids, order, pl.col("confidence"))
        known = ~np.isnan(confidences).all(axis=1)
        choice = np.where(np.isnan(confidences), -1, confidences).argmax(axis=1)
        rewards = sheet.reward[:, columns][np.arange(len(query_ids)), choice]
        found[str(router), str(setting)] = np.where(known, rewards, np.nan)
    return found


def best_first(queries: pl.DataFrame, votes: pl.DataFrame) -> tuple[str, ...]:
    """All models of `votes`, the most accurate on training queries first: the order in which policies break ties."""
    models = views.pool(votes)
    train = queries.filter(pl.col("split") == "train")["query_id"].to_list()
    rewards = views.matrix(votes, train, models, views.reward())
    known = ~np.isnan(rewards)
    with np.errstate(invalid="ignore"):
        means = np.where(known, rewards, 0).sum(axis=0) / known.sum(axis=0)
    return tuple(models[column] for column in np.lexsort((np.arange(len(models)), -np.nan_to_num(means))))
