"""Pools within the pool, chosen by what the models are worth on training queries.

    general 0.58, atlas 0.41, ledger 0.40, scribe 0.38, almanac 0.20
      →  all; two best: general, atlas; similar strength: atlas, ledger, scribe; different strength: general, atlas, almanac;
         without general; without atlas; …

Similar and different strength are groups of half of the models (rounded up, two at least): those between whose strongest and weakest
there is least and most. Of groups with the same distance it is the one with the lower, or higher, standard deviation, then the stronger.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tasks.evaluation.systems import FloatArray, IntArray
from tasks.lake import views

ALL, TWO_BEST, SIMILAR, DIFFERENT = "all", "two best", "similar strength", "different strength"
MANY = 10  # models; of more, only those that matter most are left out one by one
MATTER = 8


@dataclass(frozen=True)
class Subpool:
    """`models`: the strongest on training queries first, with their mean rewards there. `without`: the one that was left out, if any."""

    setting: str
    models: tuple[str, ...]
    strengths: tuple[float, ...]
    without: str | None = None


def subpools(queries: pl.DataFrame, votes: pl.DataFrame) -> list[Subpool]:
    """The whole pool first, and then the others; of fewer than three models that have training rewards there are none.

    Of many models, those that are left out one by one are the ones that an oracle would ask most on training queries. Two sub-pools may
    be of the same models.
    """
    models = views.pool(votes)
    train = queries.filter(pl.col("split") == "train")["query_id"].sort().to_list()
    rewards = views.matrix(votes, train, models, views.reward()).astype(np.float64)
    known = ~np.isnan(rewards)
    strengths = (np.where(known, rewards, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)).round(9)
    order = np.lexsort((np.arange(len(models)), -strengths))

    def of(setting: str, chosen: IntArray, without: str | None = None) -> Subpool:
        columns = [column for column in order if column in chosen]
        return Subpool(setting, tuple(models[column] for column in columns), tuple(strengths[columns].tolist()), without)

    found = [of(ALL, order)]
    ranked = order[known.sum(axis=0)[order] > 0]  # how strong the others are, nobody knows
    if len(ranked) < 3:
        return found
    half = max(2, (len(ranked) + 1) // 2)
    alike = [ranked[first : first + half] for first in range(len(ranked) - half + 1)]
    unlike = [np.concatenate([ranked[:strong], ranked[len(ranked) - half + strong :]]) for strong in range(half - 1, 0, -1)]
    found += [
        of(TWO_BEST, ranked[:2]),
        of(SIMILAR, min(alike, key=lambda group: _scatter(strengths[group]))),
        of(DIFFERENT, max(unlike, key=lambda group: _scatter(strengths[group]))),
    ]
    left_out = order if len(models) <= MANY else order[np.isin(order, _most_asked(rewards)[:MATTER])]
    return found + [of(f"without {models[column]}", order[order != column], models[column]) for column in left_out]


def only(votes: pl.DataFrame, models: Sequence[str]) -> pl.DataFrame:
    """The votes of these models."""
    return votes.filter(pl.col("model").is_in(list(models)))


def _scatter(strengths: FloatArray) -> tuple[float, float]:
    """Distance of the strongest and the weakest, and standard deviation."""
    return round(float(strengths.max() - strengths.min()), 9), round(float(strengths.std()), 9)


def _most_asked(rewards: FloatArray) -> IntArray:
    """Columns of `rewards` (queries, models): first the one that is best on most queries; those that are equally good share a query."""
    best = rewards == np.fmax.reduce(rewards, axis=1, keepdims=True)
    shares = (best / np.maximum(best.sum(axis=1, keepdims=True), 1)).sum(axis=0).round(9)
    return np.argsort(-shares, kind="stable")
