"""`scores` → `routes`."""

import json
import logging
from collections.abc import Sequence

from tasks.config import RunFile
from tasks.lake.files import Lake, folder_name, read_table, write_table
from tasks.lake.fingerprints import fingerprint
from tasks.lake.tables import EVIDENCE, ROUTES, SCORES, VOTES
from tasks.steps.scores import seen_examples
from tasks.steps.step import Written, step

logger = logging.getLogger("manyminds")


@step(
    "choose with {router}",
    lambda run, router, policies, scores, queries, votes, evidence: (
        router,
        policies,
        sorted(scores),
        sorted(queries),
        sorted(votes),
        list(evidence),
        run.seed,
        run.cost,
    ),
    code=["tasks.policies", "tasks.routers.onboarding", "tasks.routers.shrinkage", "tasks.lake.views"],
)
def choose(
    run: RunFile,
    router: str,
    policies: Sequence[str],
    scores: Sequence[str],
    queries: Sequence[str],
    votes: Sequence[str],
    evidence: Sequence[str],
) -> Written:
    """`scores` → `routes`, and the fitted policies."""
    from tasks.policies.evidence import evidence as of_samples
    from tasks.policies.routes import choose_all

    lake = Lake(run.lake)
    samples = of_samples(read_table(lake, VOTES, votes), run.cost.looks)
    train, validation = seen_examples(run, queries, votes)
    looked = read_table(lake, EVIDENCE, evidence) if evidence else None
    routes, fitted = choose_all(router, policies, read_table(lake, SCORES, scores), samples, train, validation, run.seed, run.cost, looked)
    content = json.dumps(fitted, indent=1).encode()
    path = f"policies/{folder_name(router)}/{fingerprint(content)}.json"
    lake.write(path, content)
    return {"routes": [write_table(lake, ROUTES, routes, f"{folder_name(router)}/")], "policies": [path]}
