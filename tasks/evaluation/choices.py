"""How often each model is chosen, by each router and policy.

`kmeans-tfidf` with argmax sends 180 of 240 queries to general and 60 to ledger: shares 0.75 and 0.25.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from tasks.evaluation.figures import Row, row
from tasks.evaluation.systems import IntArray, System


def shares(systems: Iterable[System], models: Sequence[str], rows: IntArray) -> list[Row]:
    """Share of the queries `rows` sent to each model; where a policy leaves queries unanswered they add up to less than 1."""
    found = []
    for system in systems:
        if system.choice is None:
            continue
        chosen = system.choice[rows]
        share = np.bincount(chosen[chosen >= 0], minlength=len(models)) / len(rows)
        for model, value in zip(models, share, strict=True):
            found.append(row("share", value, len(rows), model=model, router=system.router, policy=system.policy))
    return found
