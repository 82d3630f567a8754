"""Every step as a Prefect task: what it reads, when it is redone, whether a retry makes sense.

A step reads tables and writes one. Its result is small, {"votes": ["votes/ledger/00-of-02/5f0c….parquet"]}, and is kept in
the lake under the fingerprint of all that the step reads: names of immutable files, settings, the code that does the
work. So a step is redone exactly when something that it reads has changed, by any worker, in any later run; and a result
whose files are gone counts for nothing. What a step calls is plain Python in the folders beside this one.

One file per table, in the order of the data.
"""

from tasks.steps.generations import Sampled, plan, sample_shard, shards, templates_of
from tasks.steps.metrics import evaluate
from tasks.steps.page import report
from tasks.steps.queries import check_distinct, import_generations, import_outcomes, load_queries
from tasks.steps.routes import choose
from tasks.steps.scores import embed, encoders, expect_costs, look, looks, score, train
from tasks.steps.step import LakeResults, Written, publish, stored
from tasks.steps.votes import shards_to_vote, vote
from tasks.steps.wanted import keep_wanted

__all__ = [
    "LakeResults",
    "Sampled",
    "Written",
    "check_distinct",
    "choose",
    "embed",
    "encoders",
    "evaluate",
    "expect_costs",
    "import_generations",
    "import_outcomes",
    "keep_wanted",
    "load_queries",
    "look",
    "looks",
    "plan",
    "publish",
    "report",
    "sample_shard",
    "score",
    "shards",
    "shards_to_vote",
    "stored",
    "templates_of",
    "train",
    "vote",
]
