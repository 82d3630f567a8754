"""The steps of studies: what a study needs beside the tables is made first, then the study."""

import logging
import time
from collections.abc import Sequence

import polars as pl

from tasks.config import Router, RunFile
from tasks.evaluation.studies import Tables, check_study, make_study, trials_of
from tasks.evaluation.studies.settings import Clusters
from tasks.lake.files import Lake, read_table, write_table
from tasks.lake.tables import CLUSTERS, EMBEDDINGS, ENDINGS, GENERATIONS, GROWTH, LOADS, METRICS, QUERIES, TABLES, TRIALS, VOTES
from tasks.routers.saved import encoder_fingerprint
from tasks.steps.scores import seen_queries
from tasks.steps.step import Written, step

logger = logging.getLogger("manyminds")

PREPARED = {table.name: table for table in (TRIALS, CLUSTERS, GROWTH, ENDINGS)}  # made anew for studies


@step(
    "try {router.name} for {name}",
    lambda run, name, router, queries, votes, embeddings, evidence: (
        name,
        run.studies.wanted[name],
        router,
        sorted(queries),
        sorted(votes),
        list(embeddings),
        list(evidence),
        run.seed,
        encoder_fingerprint(router),
    ),
    code=["tasks.routers", "tasks.evaluation", "tasks.lake.views"],
)
def try_out(
    run: RunFile,
    name: str,
    router: Router,
    queries: Sequence[str],
    votes: Sequence[str],
    embeddings: Sequence[str],
    evidence: Sequence[str],
) -> Written:
    """A router trained on what the study `name` asks for → `trials`."""
    from tasks.routers.trials import run_trials

    lake, started = Lake(run.lake), time.monotonic()
    rows, outcomes = seen_queries(run, queries, embeddings, evidence), read_table(lake, VOTES, votes)
    trials = run_trials(router, run.seed, trials_of(name, run.studies.wanted[name], rows, outcomes, run.seed))
    logger.info("try %s for %s: %.1f s", router.name, name, time.monotonic() - started)
    return {"trials": [write_table(lake, TRIALS, trials, f"{name}/")]}


@step(
    "cluster queries",
    lambda run, queries, votes, embeddings: (run.studies.wanted["clusters"], sorted(queries), sorted(votes), sorted(embeddings), run.seed),
    code=["tasks.routers", "tasks.lake.views"],
)
def cluster(run: RunFile, queries: Sequence[str], votes: Sequence[str], embeddings: Sequence[str]) -> Written:
    """`queries` and what encoders made of them → `clusters`. Clusters are made of training queries; the others go to the nearest."""
    from tasks.routers.clusterings import cluster_queries

    lake, settings = Lake(run.lake), check_study("clusters", run.studies.wanted["clusters"])
    assert isinstance(settings, Clusters)
    asked = read_table(lake, VOTES, votes, ["query_id"])["query_id"].unique()
    rows = read_table(lake, QUERIES, queries).filter(pl.col("query_id").is_in(asked.to_list()))
    vectors = read_table(lake, EMBEDDINGS, embeddings)
    found = cluster_queries(rows, vectors, settings.clusters, range(run.seed, run.seed + settings.seeds))
    return {"clusters": [write_table(lake, CLUSTERS, found, "")]}


@step(
    "vote with fewer samples",
    lambda run, queries, votes: (sorted(queries), sorted(votes), run.seed),
    code=["tasks.voting"],
)
def grow(run: RunFile, queries: Sequence[str], votes: Sequence[str]) -> Written:
    """`votes` → `growth`: what the vote would be with one sample, two, …, and how firm it is."""
    from tasks.voting.growth import growth

    lake = Lake(run.lake)
    return {"growth": [write_table(lake, GROWTH, growth(read_table(lake, QUERIES, queries), read_table(lake, VOTES, votes), run.seed), "")]}


@step(
    "count endings",
    lambda run, queries, votes: (sorted(queries), sorted(votes), Lake(run.lake).files(GENERATIONS.name)),
    code=["tasks.voting"],
)
def end(run: RunFile, queries: Sequence[str], votes: Sequence[str]) -> Written:
    """The `generations` behind `votes` → `endings`: how many were cut off."""
    from tasks.voting.endings import endings

    lake = Lake(run.lake)
    asked, outcomes = read_table(lake, QUERIES, queries), read_table(lake, VOTES, votes, ["query_id", "model", "recipe", "wanted"])
    return {"endings": [write_table(lake, ENDINGS, endings(lake, asked, outcomes), "")]}


def loads(run: RunFile) -> list[str]:
    """Paths of what was measured whenever a model was loaded."""
    return Lake(run.lake).files(LOADS.name)


@step(
    "study {name}",
    lambda run, name, files: (name, run.studies.wanted[name], files, run.evaluation.bootstrap, run.seed),
    code=["tasks.evaluation", "tasks.lake.views"],
)
def study(run: RunFile, name: str, files: dict[str, list[str]]) -> Written:
    """The tables, and what was made for the study → its rows of `metrics`. `files`: paths of each table."""
    lake, started = Lake(run.lake), time.monotonic()
    known = TABLES | PREPARED | {LOADS.name: LOADS}
    tables = Tables(**{table: read_table(lake, known[table], paths) for table, paths in files.items()})
    metrics = make_study(name, run.studies.wanted[name], tables, run.evaluation.bootstrap, run.seed)
    logger.info("study %s: %.1f s", name, time.monotonic() - started)
    return {"metrics": [write_table(lake, METRICS, metrics, f"{name}/")]}
