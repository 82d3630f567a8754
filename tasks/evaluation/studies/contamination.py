"""Contamination: has a model been trained on the questions that routers learn from, and what becomes of routers that do not believe it?

    benchmark  model   setting       metric            value  ci_low  ci_high
    embedded   atlas   null          train_accuracy     0.49    0.44     0.54    split train
    embedded   atlas   null          test_accuracy      0.38    0.31     0.44    split test
    embedded   atlas   null          excess             0.11    0.04     0.18    split test
    embedded   atlas   null          excess_corrected   0.11    0.01     0.20    split test
    embedded   atlas   null          contaminated       1       null     null    split test
    embedded   null    without atlas gain_over_believed 0.02   -0.01     0.05    router linear

`excess` is how much more accurate the model is on training queries than their subjects and their ease explain (`excess.py`); it is
`contaminated` if that is at least five points and `excess_corrected`, whose interval holds for all models and benchmarks at once, is above
0. Every model has these figures on every benchmark with at least 50 training and 50 test queries; `judged` says how many queries of both
there are, of each benchmark that has any.

Where a model is contaminated, routers are trained three times and compared on the test queries of the benchmark:

    as it is                 its training labels are believed
    without atlas            it is no part of the pool
    discounted in hindsight  its right training labels are made wrong, at random, until its training accuracy is what is left of it
                             without the excess. That takes test labels, so no router could have been trained that way: it shows
                             what its labels cost, not what to do.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from tasks.config import Settings
from tasks.evaluation.figures import Row, row
from tasks.evaluation.intervals import Resamples, interval, mean
from tasks.evaluation.studies import Tables
from tasks.evaluation.studies.excess import Excess, contaminated, excesses
from tasks.evaluation.studies.tried import best_first, earned
from tasks.evaluation.systems import sheet_of
from tasks.lake.interfaces import Trial
from tasks.lake.tables import VOTES

AS_IT_IS, DISCOUNTED = "as it is", "discounted in hindsight"
FEWEST_MODELS = 2  # that a router can choose among


def study(tables: Tables, settings: Settings, bootstrap: int, seed: int) -> list[Row]:
    """Rows of METRICS without `study`. Nothing where no benchmark has both training and test queries."""
    found = excesses(tables.queries, tables.votes, seed)
    rows = _sizes(tables.queries, tables.votes)
    for one in found:
        rows += _of_a_model(one)
    return rows + _tried(tables, contaminated(found), bootstrap, seed)


def trials(queries: pl.DataFrame, votes: pl.DataFrame, settings: Settings, seed: int) -> Iterator[Trial]:
    """Routers that believe the labels of contaminated models, and that do not; nothing where there are none."""
    found = excesses(queries, votes, seed)
    flagged = contaminated(found)
    if flagged:
        yield Trial(AS_IT_IS, queries, votes)
        honest = votes.filter(~pl.col("model").is_in(list(flagged)))
        if honest["model"].n_unique() >= FEWEST_MODELS:
            yield Trial(_without(flagged), queries, honest)
        yield Trial(DISCOUNTED, queries, _discounted(queries, votes, found, seed))


def _of_a_model(one: Excess) -> list[Row]:
    both = one.train_queries + one.test_queries
    (train_low, train_high), (test_low, test_high) = one.train_interval, one.test_interval
    rows = [
        row("train_accuracy", one.train_accuracy, one.train_queries, low=train_low, high=train_high) | {"split": "train"},
        row("test_accuracy", one.test_accuracy, one.test_queries, low=test_low, high=test_high),
        row("excess", one.value, both, low=one.own[0], high=one.own[1]),
        row("excess_corrected", one.value, both, low=one.corrected[0], high=one.corrected[1]),
        row("contaminated", float(one.contaminated), both),
    ]
    return [{"benchmark": one.benchmark, "model": one.model, "split": "test"} | figure for figure in rows]


def _sizes(queries: pl.DataFrame, votes: pl.DataFrame) -> list[Row]:
    """How many training and test queries with votes each benchmark has."""
    asked = queries.filter(pl.col("split").is_in(["train", "test"])).join(votes.select("query_id"), on="query_id", how="semi")
    counts = asked.group_by("benchmark", "split").len().sort("benchmark", "split")
    return [row("judged", n, n, benchmark=benchmark, split=split) for benchmark, split, n in counts.iter_rows()]


def _tried(tables: Tables, flagged: dict[str, list[str]], bootstrap: int, seed: int) -> list[Row]:
    """Accuracy of the routers of the trials on each benchmark with a contaminated model, and what is gained over believing it."""
    sheet = sheet_of(tables.queries, tables.votes, "test")
    if not flagged or tables.trials.is_empty():
        return []
    resamples = Resamples(sheet.queries["benchmark"].to_list(), bootstrap, seed)
    names = sheet.queries["benchmark"].to_numpy()
    rows = []
    rewards = earned(sheet, tables.trials, best_first(tables.queries, tables.votes))
    for benchmark in sorted({name for of in flagged.values() for name in of}):
        asked = np.flatnonzero(names == benchmark)
        for router, setting in sorted(rewards):
            believed = rewards.get((router, AS_IT_IS))
            figures = {"accuracy": rewards[router, setting]}
            if believed is not None and setting != AS_IT_IS:
                figures["gain_over_believed"] = rewards[router, setting] - believed
            values = np.column_stack(list(figures.values()))
            averages, n = mean(values[asked])
            low, high = interval(resamples.means(values, asked), n)
            rows += [
                row(metric, averages[column], n[column], low=low[column], high=high[column])
                | {"benchmark": benchmark, "split": "test", "router": router, "setting": setting}
                for column, metric in enumerate(figures)
                if n[column]
            ]
    return rows


def _without(flagged: dict[str, list[str]]) -> str:
    return f"without {', '.join(flagged)}"


def _discounted(queries: pl.DataFrame, votes: pl.DataFrame, found: list[Excess], seed: int) -> pl.DataFrame:
    """The votes, with so many labels of contaminated models on training queries made 0, at random, as their excess is of their accuracy."""
    train = queries.filter(pl.col("split") == "train").select("query_id", "benchmark").sort("query_id")
    doubted = []
    for number, one in enumerate(found):
        if one.contaminated:
            asked = train.filter(pl.col("benchmark") == one.benchmark)["query_id"]
            share = min(1.0, one.value / one.train_accuracy)
            dropped = np.random.default_rng([seed, number]).random(len(asked)) < share
            doubted.append(pl.DataFrame({"query_id": asked.filter(pl.Series(dropped)), "model": one.model}))
    marked = votes.join(pl.concat(doubted).with_columns(doubted=True), on=["query_id", "model"], how="left", maintain_order="left")
    right = pl.when(pl.col("doubted")).then(0.0).otherwise(pl.col("label"))
    return marked.with_columns(label=right).select(VOTES.columns.keys())
