"""Studies: questions about a pool and its routers that the tables can answer, each in a file of its own.

    make_study("training-size", {}, tables, bootstrap=2000, seed=0)  →  rows of METRICS with study "training-size"

A study is a module with a function `study(tables, settings, bootstrap, seed) -> list[Row]`. What it varies stands in the column
`setting` ("25 %", "without atlas"). Where it has to see routers trained on something else, it has a function
`trials(queries, votes, settings, seed) -> Iterator[Trial]` too, and finds what came of them in `tables.trials`; it trains nothing itself.
A new study is its file, a line in `settings.py` and in the run file's `Studies`, and its section of the report.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import polars as pl

from tasks.evaluation.studies.settings import KINDS, check_study
from tasks.lake.interfaces import Trial
from tasks.lake.tables import CLUSTERS, ENDINGS, GROWTH, LOADS, METRICS, TRIALS, empty

__all__ = ["KINDS", "Tables", "check_study", "has_trials", "make_study", "trials_of"]


@dataclass(frozen=True)
class Tables:
    """What studies read, whole tables. Those with a default are there for the studies that ask for them."""

    queries: pl.DataFrame
    votes: pl.DataFrame
    scores: pl.DataFrame
    routes: pl.DataFrame
    metrics: pl.DataFrame = field(default_factory=partial(empty, METRICS))  # of the evaluation; for `health` of all other studies too
    trials: pl.DataFrame = field(default_factory=partial(empty, TRIALS))
    clusters: pl.DataFrame = field(default_factory=partial(empty, CLUSTERS))
    growth: pl.DataFrame = field(default_factory=partial(empty, GROWTH))
    endings: pl.DataFrame = field(default_factory=partial(empty, ENDINGS))
    loads: pl.DataFrame = field(default_factory=partial(empty, LOADS))


def make_study(name: str, settings: Mapping[str, Any], tables: Tables, bootstrap: int, seed: int) -> pl.DataFrame:
    """The study's rows of METRICS; none where the tables do not tell. `bootstrap`: resamples behind each interval.

    Raises UserError for settings that the study does not have. The order of rows and models in the tables changes nothing.
    """
    rows = _module(name).study(tables, check_study(name, settings), bootstrap, seed)
    return pl.DataFrame([{"study": name, **found} for found in rows], schema=METRICS.schema, orient="row")


def trials_of(name: str, settings: Mapping[str, Any], queries: pl.DataFrame, votes: pl.DataFrame, seed: int) -> Iterator[Trial]:
    """What routers are to be trained on for the study; nothing, where it needs none. Columns beside those of the tables are kept."""
    trials = getattr(_module(name), "trials", None)
    return iter(()) if trials is None else trials(queries, votes, check_study(name, settings), seed)


def has_trials(name: str) -> bool:
    """Whether the study has routers trained on something else."""
    return hasattr(_module(name), "trials")


def _module(name: str) -> ModuleType:
    return import_module(f"tasks.evaluation.studies.{name.replace('-', '_')}")
