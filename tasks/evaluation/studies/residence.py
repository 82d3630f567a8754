"""How often models are loaded while a stream of queries comes, when only some of them have room at once: a simulation.

    count([0, 1, 0, 1], ranking=[0, 1], places=1, window=1, rule=RECENT)    →  [1, 2]: model 0 is loaded once, model 1 twice
    count([0, 1, 0, 1], ranking=[0, 1], places=1, window=4, rule=RECENT)    →  [0, 1]: both queries of each model at once

It starts with the `places` models resident that are asked most (the first of `ranking`). A query to a resident model costs nothing;
another one is loaded first, in place of

    RECENT     the model that has not been used for longest ("least recently used", LRU)
    RANKED     whatever is in the last place: the others are kept for the models that are asked most, which always stay
    HINDSIGHT  the model that is not asked again for longest (Bélády, IBM Systems Journal 5, 1966): of all rules the fewest loads, but
               it knows the queries to come. A bound for what any rule could reach, no rule

A *window* is so many queries that are collected and then answered model by model: those of resident models first, the others in
the order in which they came.
"""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from tasks.evaluation.systems import IntArray

RECENT, RANKED, HINDSIGHT = "least recently used leaves", "most asked stay", "best in hindsight"


def count(stream: Sequence[int], ranking: Sequence[int], places: int, window: int, rule: str) -> IntArray:
    """How often each model is loaded, int64 (models,).

    `stream`: the model of each query, in their order; `ranking`: all models, the one that is asked most first. `places`: models that
    have room at once, 1 or more. HINDSIGHT is for windows of one query. Raises ValueError for another rule or window.
    """
    found = np.zeros(len(ranking), dtype=np.int64)
    for model in sequence(stream, ranking, places, window, rule):
        found[model] += 1
    return found


def sequence(stream: Sequence[int], ranking: Sequence[int], places: int, window: int, rule: str) -> Iterator[int]:
    """The models that are loaded, one after the other."""
    if rule == HINDSIGHT and window == 1:
        yield from _in_hindsight(stream, ranking, places)
        return
    if rule not in (RECENT, RANKED) or window < 1 or places < 1:
        raise ValueError(f"there is no rule {rule!r} with {places} places and windows of {window}")
    kept = frozenset(ranking[: places - 1]) if rule == RANKED else frozenset()
    # The others, those first that leave first: at the start, those that are asked least.
    others = [model for model in ranking[:places] if model not in kept][::-1]
    for start in range(0, len(stream), window):
        asked = dict.fromkeys(stream[start : start + window])
        for model in sorted(asked, key=lambda model: model not in kept and model not in others):
            if model in kept:
                continue
            if model in others:
                others.remove(model)
            else:
                others.pop(0)
                yield model
            others.append(model)


def _in_hindsight(stream: Sequence[int], ranking: Sequence[int], places: int) -> Iterator[int]:
    """Models are loaded when they are asked, not before; who is not asked again leaves first."""
    times: dict[int, deque[int]] = {model: deque() for model in ranking}
    for time, model in enumerate(stream):
        times[model].append(time)
    resident = set(ranking[:places])
    for model in stream:
        times[model].popleft()
        if model not in resident:
            resident.remove(max(resident, key=lambda other: (times[other][0] if times[other] else len(stream), other)))
            resident.add(model)
            yield model
