"""The simulation of switching against real models, loaded and dropped on a CPU as a stream of queries comes."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tasks.config import Model, Sampling
from tasks.evaluation.studies.residence import RANKED, RECENT, count
from tasks.sampling.engines import Request

WORLD = Path(__file__).parents[3] / "tasks" / "world" / "models"
NAMES = ("almanac", "atlas", "ledger", "scribe")
QUERIES, PLACES = 60, 2


class Resident:
    """What is in memory: really loaded when it is asked for, really dropped to make room; written without a look at the simulation."""

    def __init__(self, ranking: list[int], stays: frozenset[int]) -> None:
        self.stays = stays
        self.loads = [0] * len(NAMES)
        self.seconds = 0.0
        self.held = {}  # type: dict[int, tuple[object, int]]
        for age, model in enumerate(ranking[:PLACES]):
            self.held[model] = (load(model)[0], -age)

    def ask(self, model: int, now: int) -> object:
        if model not in self.held:
            leaves = min((one for one in self.held if one not in self.stays), key=lambda one: self.held[one][1])
            del self.held[leaves]
            decoder, took = load(model)
            self.loads[model] += 1
            self.seconds += took
            self.held[model] = (decoder, now)
        self.held[model] = (self.held[model][0], now)
        return self.held[model][0]


def load(model: int):
    from tasks.sampling.engines.decoding import Decoder

    began = time.process_time()  # of the processor: the machine may have other things to do
    decoder = Decoder(Model(name=NAMES[model], path=str(WORLD / NAMES[model])), Sampling(max_new_tokens=4), "cpu")
    return decoder, time.process_time() - began


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [RECENT, RANKED])
def test_a_real_stream_loads_what_the_simulation_says_and_takes_as_long(rule: str, one_thread: None) -> None:
    random = np.random.default_rng(5)
    stream, ranking = random.choice(4, size=QUERIES, p=[0.4, 0.3, 0.2, 0.1]).tolist(), [0, 1, 2, 3]
    load(0)  # what a first load imports is no part of the others
    before = [[load(model)[1] for _ in range(2)] for model in range(4)]
    resident = Resident(ranking, frozenset(ranking[: PLACES - 1] if rule == RANKED else []))
    for now, model in enumerate(stream):
        decoder = resident.ask(model, now + 1)
        (said,) = [one for batch in decoder.sample([Request(str(now), 0, "What is 2 plus 3?\n", now)]) for one in batch]  # type: ignore[attr-defined]
        assert said.completion_tokens > 0
    simulated = count(stream, ranking, PLACES, 1, rule)
    assert resident.loads == simulated.tolist()
    assert simulated.sum() > 15
    # How much is right, not how quick: what else the machine does may make a load two or three times as long as another.
    typical = [float(np.median([*before[model], *(load(model)[1] for _ in range(2))])) for model in range(4)]
    assert 0.2 < resident.seconds / float(simulated @ typical) < 5
