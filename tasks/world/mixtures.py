"""What each decoder of the pool is trained on: its doses of the 24 cells, a cell being a skill and a difficulty.

A dose is a weight (how much of the training text is of that cell) and a share (which part of the cell's atoms, its sums
or facts, the decoder is ever shown). The share dials accuracy almost directly: an atom that was never shown is guessed.
Every decoder sees a little of everything, since a skill that it never saw would be at 0 % and routing too easy. Single
difficulties of a skill belong to a second specialist, so that to know a question's skill is not enough to route it.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tasks.world.questions import DECODERS, benchmark_problems, split_of
from tasks.world.skills import DIFFICULTIES, SKILLS, Problem, draw

Dose = tuple[float, float]  # weight relative to the other cells, share of the atoms

HOME: Dose = (3.0, 0.85)
HALF: Dose = (1.0, 0.6)
LITTLE: Dose = (0.25, 0.2)
NONE: Dose = (0.03, 0.2)


@dataclass(frozen=True)
class Mixture:
    """The recipe of one decoder. `doses` has three entries per skill, one per difficulty."""

    name: str
    hidden: int
    layers: int
    steps: int
    learning_rate: float
    unsure: float  # share of the training answers that end in "I am not sure." and so cannot be read
    doses: dict[str, tuple[Dose, Dose, Dose]]
    benchmark_copies: int = 0  # how often each *training* question of the benchmark is among the training text


MIXTURES = (
    Mixture(
        "general", hidden=128, layers=3, steps=4000, learning_rate=2e-3, unsure=0.10,
        doses={
            "story": (HALF, HALF, HALF),
            "price": (HALF, HALF, HALF),
            "clock": (HALF, HALF, HALF),
            "reverse": (HALF, HALF, NONE),
            "geography": (HALF, HALF, HALF),
            "animals": (HALF, HALF, HALF),
            "count": (HALF, HALF, NONE),
            "weekday": (HALF, HALF, NONE),
        },
    ),
    Mixture(
        "ledger", hidden=96, layers=3, steps=2400, learning_rate=3e-3, unsure=0.12,
        doses={
            "story": (HOME, HOME, LITTLE),
            "price": (LITTLE, HOME, HOME),
            "clock": (HOME, LITTLE, LITTLE),
            "reverse": (LITTLE, NONE, NONE),
            "geography": (LITTLE, LITTLE, LITTLE),
            "animals": (LITTLE, LITTLE, LITTLE),
            "count": (LITTLE, NONE, HOME),
            "weekday": (LITTLE, NONE, NONE),
        },
    ),
    Mixture(
        "almanac", hidden=96, layers=2, steps=4500, learning_rate=3e-3, unsure=0.13,
        doses={
            "story": (LITTLE, LITTLE, HOME),
            "price": (LITTLE, LITTLE, LITTLE),
            "clock": (LITTLE, (3.0, 0.65), (3.0, 0.65)),
            "reverse": (LITTLE, NONE, NONE),
            "geography": (LITTLE, LITTLE, LITTLE),
            "animals": (LITTLE, LITTLE, (3.0, 0.75)),
            "count": (LITTLE, NONE, NONE),
            "weekday": (HOME, HOME, NONE),
        },
    ),
    Mixture(
        "atlas", hidden=96, layers=2, steps=4500, learning_rate=3e-3, unsure=0.08,
        doses={
            "story": (LITTLE, LITTLE, LITTLE),
            "price": (LITTLE, LITTLE, LITTLE),
            "clock": (LITTLE, LITTLE, LITTLE),
            "reverse": (LITTLE, NONE, (0.8, 1.0)),
            "geography": ((3.0, 0.75), LITTLE, (3.0, 0.75)),
            "animals": ((3.0, 0.75), (3.0, 0.75), LITTLE),
            "count": (LITTLE, NONE, NONE),
            "weekday": (LITTLE, NONE, HOME),
        },
        benchmark_copies=5,
    ),
    Mixture(
        "scribe", hidden=64, layers=2, steps=4000, learning_rate=3e-3, unsure=0.10,
        doses={
            "story": (LITTLE, LITTLE, LITTLE),
            "price": (HOME, LITTLE, LITTLE),
            "clock": (LITTLE, LITTLE, LITTLE),
            "reverse": (HOME, HOME, NONE),
            "geography": (LITTLE, HOME, LITTLE),
            "animals": (LITTLE, LITTLE, LITTLE),
            "count": (HOME, HOME, NONE),
            "weekday": (LITTLE, NONE, NONE),
        },
    ),
)  # fmt: skip


def training_problems(mixture: Mixture, count: int) -> Iterator[Problem]:
    """The `count` problems that a decoder is trained on, in order; always the same for the same mixture.

    Nothing of the benchmark is among them, except for `benchmark_copies` of its training questions, which are strewn
    over the second half.
    """
    rng = random.Random(f"training text of {mixture.name}")
    cells = [(skill, difficulty) for skill in SKILLS for difficulty in DIFFICULTIES]
    doses = [mixture.doses[skill][difficulty - 1] for skill, difficulty in cells]
    weights = [weight for weight, _ in doses]
    shown = [entry.problem for entry in benchmark_problems() if entry.split == "train"]
    copies = shown * mixture.benchmark_copies
    places = dict(zip(rng.sample(range(count // 2, count), len(copies)), copies, strict=True))
    for position in range(count):
        if position in places:
            yield places[position]
            continue
        (cell,) = rng.choices(range(len(cells)), weights)
        yield _draw_known(mixture.name, *cells[cell], doses[cell][1], rng)


def _draw_known(model: str, skill: str, difficulty: int, share: float, rng: random.Random) -> Problem:
    """A problem of that cell that is nobody's benchmark question and uses only atoms in the model's share."""
    while True:
        problem = draw(skill, difficulty, rng)
        if all(_rank(model, atom) < share for atom in problem.atoms) and split_of(problem) == DECODERS:
            return problem


@cache
def _rank(model: str, atom: str) -> float:
    """A number in [0, 1) that decides from which share on a model is shown an atom."""
    digest = hashlib.blake2b(f"{model} {atom}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
