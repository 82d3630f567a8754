"""Routers trained on something else than the training split as it is, for studies.

run_trials(Router(name="kmeans-tfidf"), seed=0, trials=[Trial("25 % · draw 1", queries, votes), …])  →  rows of TRIALS
"""

import logging
import time
from collections.abc import Iterable

import numpy as np
import polars as pl

from tasks.config import Router as Section
from tasks.errors import UserError
from tasks.lake.interfaces import Trial
from tasks.lake.tables import TRIALS, empty
from tasks.lake.views import examples
from tasks.routers import make_router
from tasks.routers.onboarding import complete

logger = logging.getLogger("manyminds")


def run_trials(section: Section, seed: int, trials: Iterable[Trial]) -> pl.DataFrame:
    """What the router says of each trial's test queries once it is trained on that trial's others; rows of TRIALS.

    It is trained as in a run, but not calibrated: that would change no choice. A trial without training or validation queries that have
    votes, or with fewer than two models, cannot be learned from and is left out.
    """
    found, said = [empty(TRIALS)], time.monotonic()
    for number, trial in enumerate(trials, 1):
        try:
            train, validation = (examples(trial.queries, trial.votes, split) for split in ("train", "validation"))
        except UserError as error:
            logger.info("try %s: %s is left out: %s", section.name, trial.setting, error)
            continue
        router = make_router(section, seed).fit(complete(train), validation)
        test = trial.queries.filter(pl.col("split") == "test").sort("query_id")
        if not test.is_empty():
            found.append(_rows(test["query_id"], section.name, trial.setting, router.models, router.confidences(test)))
        if time.monotonic() - said > 5:
            said = time.monotonic()
            logger.info("try %s: %s trials done", section.name, number)
    return pl.concat(found)


def _rows(
    query_ids: pl.Series, router: str, setting: str, models: tuple[str, ...], confidences: "np.typing.NDArray[np.float32]"
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "query_id": np.repeat(query_ids.to_numpy(), len(models)),
            "router": router,
            "setting": setting,
            "model": list(models) * len(query_ids),
            "confidence": confidences.reshape(-1),
        },
        schema=TRIALS.schema,
    )
