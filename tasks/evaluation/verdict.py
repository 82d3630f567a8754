"""What the figures mean: beats, ties or loses to the best single model; a constant in disguise; the router to use.

gain 0.062, interval 0.021 … 0.103  →  verdict 1 (beats)
gain 0.003, interval -0.01 … 0.016  →  verdict 0 (a tie: the difference is inside the noise)
"""

from collections.abc import Iterable, Sequence

import numpy as np

from tasks.config import LOOKING
from tasks.evaluation.figures import Row, row
from tasks.evaluation.systems import AS_PUBLISHED, FloatArray, System

# Two systems that differ on five queries or fewer cannot be told apart: even if one wins all five, a fair coin does so in
# 2 · (1/2)^5 = 6 % of cases (exact sign test, which is McNemar's test). The bootstrap alone would call four of four a win.
FEWEST_DIFFERENT = 6
CONSTANT = 0.98  # a router that sends this share of the queries to one model decides nothing
BASELINES = ("best-single", "benchmark", "subject")  # with policies; what is compared are the others
AUTO = ("auto", "argmax")


def verdict(gains: FloatArray, low: float, high: float) -> int:
    """1, -1 or 0 for `gains` (queries,) over the best single model, whose mean has the interval `low` … `high`."""
    if np.count_nonzero(np.nan_to_num(gains)) < FEWEST_DIFFERENT:
        return 0
    return int(low > 0) - int(high < 0)


def certainty(draws: FloatArray) -> float:
    """Share of the resampled mean gains (draws,) that are above zero, ties counted half: 0.5 is a coin's toss."""
    return float((draws > 0).mean() + (draws == 0).mean() / 2)


def constants(systems: Iterable[System]) -> list[Row]:
    """1 for each router and policy that sends at least 98 % of the queries that it answers to one model, else 0."""
    rows = []
    for system in systems:
        if system.choice is None:
            continue
        answered = system.choice[system.choice >= 0]
        share = np.bincount(answered).max() / len(answered)
        rows.append(row("constant", float(share >= CONSTANT), len(answered), router=system.router, policy=system.policy))
    return rows


def unknowns(systems: Iterable[System]) -> list[Row]:
    """Share of queries sent to a model whose answer is not known: they are left out of the figures, which flatters the router."""
    rows = []
    for system in systems:
        if system.choice is not None:
            sent = system.choice >= 0
            rows.append(
                row("unknown", float(np.isnan(system.accuracy[sent]).mean()), int(sent.sum()), router=system.router, policy=system.policy)
            )
    return rows


def best_single(systems: Sequence[System], models: Sequence[str]) -> list[Row]:
    """The best single model, chosen on training queries: what the router "best-single" answers with."""
    for system in systems:
        if system.router == "best-single" and system.choice is not None:
            answered = system.choice[system.choice >= 0]
            return [row("best_single", 1.0, len(answered), model=models[int(np.bincount(answered).argmax())])]
    return []


def hindsight_best(system: System | None) -> list[Row]:
    """The single model that is best on the test queries themselves: a figure to compare with, never a choice."""
    if system is None:
        return []
    return [row("hindsight_best", 1.0, int(np.isfinite(system.accuracy).sum()), model=system.model)]


def default(validation: Iterable[Row]) -> list[Row]:
    """The router and policy to use unless one is named: `auto` with argmax, which chose among the others by training queries alone.

    Without it, the most accurate on *validation* queries, never on test. Baselines, as-published policies and those that look at samples
    (of a new question there are none) are no candidates; ties go to argmax, then to the first by name.
    """
    candidates = [
        (
            (found["router"], found["policy"]) != AUTO,
            -found["value"],
            found["policy"] != "argmax",
            found["router"],
            found["policy"],
            found["n"],
        )
        for found in validation
        if found["metric"] == "accuracy" and found.get("benchmark") is None and found.get("subject") is None
        if found.get("policy") and found["router"] not in BASELINES and not found["policy"].endswith(AS_PUBLISHED)
        if found["policy"] not in LOOKING
    ]
    if not candidates:
        return []
    *_, router, policy, n = min(candidates)
    return [row("default", 1.0, n, router=router, policy=policy)]
