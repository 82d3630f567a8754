"""`queries`, `votes`, `scores`, `routes` → `metrics`."""

import json
import logging

from tasks.config import RunFile
from tasks.lake.files import Lake, read_table, write_table
from tasks.lake.fingerprints import fingerprint
from tasks.lake.tables import METRICS, QUERIES, ROUTES, SCORES, VOTES
from tasks.steps.scores import looks
from tasks.steps.step import Written, step

logger = logging.getLogger("manyminds")


@step(
    "evaluate",
    lambda run, tables, seconds: (tables, seconds, run.evaluation.bootstrap, run.seed, run.cost.unit, looks(run)),
    code=["tasks.evaluation", "tasks.lake.views"],
)
def evaluate(run: RunFile, tables: dict[str, list[str]], seconds: dict[str, float]) -> Written:
    """`queries`, `votes`, `scores`, `routes` → `metrics`."""
    from tasks.evaluation.evaluate import evaluate

    lake = Lake(run.lake)
    queries, votes, scores, routes = (read_table(lake, table, tables[table.name]) for table in (QUERIES, VOTES, SCORES, ROUTES))
    counted = _look(lake, tables)
    metrics = evaluate(queries, votes, scores, routes, seconds, run.evaluation.bootstrap, run.seed, run.cost.unit, counted, looks(run))
    return {"metrics": [write_table(lake, METRICS, metrics, "evaluation/")]}


def _look(lake: Lake, tables: dict[str, list[str]]) -> int:
    """How often the test split has been looked at, this time included. To look at the same routes again is not another look."""
    look = f"looks/{fingerprint(*(sorted(tables[name]) for name in ('queries', 'votes', 'routes')))}.json"
    if not lake.exists(look):
        lake.write(look, json.dumps({name: sorted(tables[name]) for name in ("queries", "votes", "routes")}, indent=1).encode())
    return len(lake.files("looks", ".json"))
