"""The invented facts of the embedded world: 64 places and 64 animals that no text on earth mentions.

For example: the place "Gania" has the capital "Nex" and a flag of one colour, and the animal "sitti" lives in some place and has
a fur of one colour. Everything follows from one fixed seed, so that the facts are the same in every process and for
ever: the checkpoints in `models/` learnt exactly these.
"""

import random
from dataclasses import dataclass

COLOURS = ("black", "blue", "gold", "green", "grey", "pink", "red", "white")
NUMBER_OF_PLACES = 64
NUMBER_OF_ANIMALS = 64


@dataclass(frozen=True)
class Place:
    """An invented country."""

    name: str
    capital: str
    flag: str


@dataclass(frozen=True)
class Animal:
    """An invented animal; `home` is where it lives."""

    name: str
    fur: str
    home: Place


def _invented_names(rng: random.Random, count: int, onsets: str, endings: tuple[str, ...]) -> list[str]:
    """`count` different names of one syllable and an ending, in drawing order."""
    names: list[str] = []
    while len(names) < count:
        name = rng.choice(onsets) + rng.choice("aeiou") + rng.choice(endings)
        if name not in names:
            names.append(name)
    return names


def _invent() -> tuple[tuple[Place, ...], tuple[Animal, ...]]:
    """Draw all places and animals. The three kinds of names end differently, so that none can be taken for another."""
    rng = random.Random("the facts of the embedded world")
    place_names = _invented_names(rng, NUMBER_OF_PLACES, "bdfgklmnprstv", ("nia", "ria", "land", "stan"))
    capitals = _invented_names(rng, NUMBER_OF_PLACES, "bdfgklmnprstv", ("l", "m", "n", "r", "x"))
    animal_names = _invented_names(rng, NUMBER_OF_ANIMALS, "bdfgklmnprstvz", ("bo", "ggi", "ppu", "tti"))
    places = tuple(
        Place(name.capitalize(), capital.capitalize(), rng.choice(COLOURS)) for name, capital in zip(place_names, capitals, strict=True)
    )
    animals = tuple(Animal(name, rng.choice(COLOURS), rng.choice(places)) for name in animal_names)
    return places, animals


PLACES, ANIMALS = _invent()
