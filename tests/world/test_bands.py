"""The pool as a whole: good at different things, sometimes wrong, and worth routing."""

from functools import cache

import numpy as np
import pytest
import torch

from tasks.world.measure import Votes, pool_figures, vote
from tasks.world.mixtures import MIXTURES
from tasks.world.questions import benchmark_problems
from tasks.world.train import WORLD

# Every second test question and half the samples of the real thing: a few points of noise, so the bands are wider here.
K = 5
ASKED = [entry.problem for entry in benchmark_problems() if entry.split == "test"][::2]


@cache
def votes() -> dict[str, Votes]:
    torch.set_num_threads(1)  # on matrices this small, and beside other work, two are many times slower
    return {mixture.name: vote(WORLD / "models" / mixture.name, ASKED, K) for mixture in MIXTURES}


@pytest.mark.slow
def test_the_pool_is_in_its_bands() -> None:
    figures = pool_figures(votes())
    assert 45 <= figures["single"] <= 75
    assert 75 <= figures["oracle"] <= 98
    assert figures["random"] <= figures["single"] - 5
    assert 0.5 <= figures["agreement"] <= 0.92
    assert 1 <= figures["unreadable"] <= 12


@pytest.mark.slow
def test_difficulty_varies_inside_a_skill_so_that_its_best_model_is_not_always_the_same() -> None:
    names = list(votes())
    cells = [(problem.skill, problem.difficulty) for problem in ASKED]
    best: dict[str, set[str]] = {}
    for cell in set(cells):
        where = np.array([one == cell for one in cells])
        best.setdefault(cell[0], set()).add(max(names, key=lambda name: votes()[name].correct[where].mean()))
    assert sum(len(models) > 1 for models in best.values()) >= 5
