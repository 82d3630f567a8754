"""All policies on the same confidences; and does the confidence in a model help at all?

    router  policy   metric                                value  ci_low  ci_high
    linear  argmax   accuracy                               0.64    0.58    0.70
    linear  random   gain_over_argmax                      -0.03   -0.07    0.01   (interval and verdict for all that are compared at once)
    linear  random   verdict                                   0
    linear  argmax   gain_over_random_choice                0.21    0.16    0.26
    linear  argmax   gain_over_shuffled                     0.12    0.07    0.17
    linear  argmax   gain_over_shuffled_within_benchmark    0.03   -0.01    0.07   (where there are several benchmarks)
    linear  argmax   constant                                  0

*Shuffled*: every query gets the confidences of another one, drawn at random. Then argmax sends as many queries to each model as before,
but not because of what they ask: a query earns the mean of the models' rewards, weighted by how often each model is chosen. That is the
expectation over all shuffles, so none has to be drawn. Within a benchmark, the shares are those of its own queries: what is gained over
that is known beyond the benchmark. Other queries would be sent to each model a little more or less often, and the intervals allow for
that: what is resampled is each query's influence on the gain (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section
2.7), of which the influence by the shares is part.
"""

import numpy as np
import polars as pl

from tasks.config import Settings
from tasks.evaluation.figures import Row
from tasks.evaluation.intervals import Resamples
from tasks.evaluation.studies import Tables
from tasks.evaluation.studies.means import Named, compared_rows, mean_rows
from tasks.evaluation.systems import FloatArray, IntArray, Sheet, System, random_choice, routed, sheet_of
from tasks.evaluation.verdict import BASELINES, constants

ARGMAX = "argmax"


def study(tables: Tables, settings: Settings, bootstrap: int, seed: int) -> list[Row]:
    """Rows of METRICS without `study`; nothing where there are no routes on test queries."""
    sheet = sheet_of(tables.queries, tables.votes, "test")
    systems = routed(sheet, tables.routes.filter(~pl.col("router").is_in(BASELINES)), {})
    if sheet.queries.is_empty() or not systems:
        return []
    resamples = Resamples(sheet.queries["benchmark"].to_list(), bootstrap, seed)
    by_confidence = {system.router: system for system in systems if system.policy == ARGMAX}
    rows = mean_rows([(_name(system, "accuracy"), system.accuracy) for system in systems], resamples)
    rows += compared_rows(
        [
            (_name(system, "gain_over_argmax"), system.accuracy - by_confidence[system.router].accuracy)
            for system in systems
            if system.policy != ARGMAX and system.router in by_confidence
        ],
        resamples,
    )
    chance = random_choice(sheet).accuracy
    rows += mean_rows([figure for system in by_confidence.values() for figure in _worth(sheet, system, chance)], resamples)
    rows += constants(by_confidence.values())
    return [{"split": "test"} | found for found in rows]


def _worth(sheet: Sheet, system: System, chance: FloatArray) -> list[Named]:
    """What the choice by confidence earns beyond random choice, and beyond itself on shuffled confidences."""
    assert system.choice is not None
    everywhere = np.zeros(len(system.choice), dtype=np.int64)
    names, benchmark = np.unique(sheet.queries["benchmark"].to_numpy().astype(str), return_inverse=True)
    gains = {
        "gain_over_random_choice": system.accuracy - chance,
        "gain_over_shuffled": gain_over_shuffled(sheet.reward, system.accuracy, system.choice, everywhere),
    }
    if len(names) > 1:
        gains["gain_over_shuffled_within_benchmark"] = gain_over_shuffled(sheet.reward, system.accuracy, system.choice, benchmark)
    return [(_name(system, metric), values) for metric, values in gains.items()]


def gain_over_shuffled(rewards: FloatArray, earned: FloatArray, choice: IntArray, group: IntArray) -> FloatArray:
    """Values (queries,) whose mean is that of `earned` less `shuffled`, and whose spread is that of the mean's own error.

    A query that is sent to a good model makes the good model's share larger, and with it what shuffling earns: so much its value is lower.
    """
    gains = earned - shuffled(rewards, choice, group)
    for number in range(int(group.max()) + 1):
        members = np.flatnonzero((group == number) & (choice >= 0) & ~np.isnan(gains))
        if len(members):
            known = ~np.isnan(rewards[group == number])
            means = np.nan_to_num(rewards[group == number]).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
            shares = np.bincount(choice[members], minlength=rewards.shape[1]) / len(members)
            gains[members] -= means[choice[members]] - shares @ means
    return gains


def shuffled(rewards: FloatArray, choice: IntArray, group: IntArray) -> FloatArray:
    """What each query earns on average if the choices are dealt out anew among the queries of its group; float64 (queries,).

    `rewards`: (queries, models), NaN where a model is missing: such a model is not dealt to the query. `choice`: index of the chosen
    model, -1 where there is none. NaN where nothing that may be dealt to a query is known.
    """
    shares = np.zeros_like(rewards)
    for number in range(int(group.max()) + 1):
        members = group == number
        dealt = choice[members & (choice >= 0)]
        shares[members] = np.bincount(dealt, minlength=rewards.shape[1])
    shares = np.where(np.isnan(rewards), 0.0, shares)
    with np.errstate(invalid="ignore"):
        earned: FloatArray = (np.nan_to_num(rewards) * (shares / shares.sum(axis=1, keepdims=True))).sum(axis=1)
    return earned


def _name(system: System, metric: str) -> Row:
    return {"router": system.router, "policy": system.policy, "metric": metric}
