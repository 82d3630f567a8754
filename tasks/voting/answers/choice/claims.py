r"""What a text claims about the options of a question.

    "Answer: b) Paris"                 →  marked B
    "A is wrong, so B."                →  excluded A; concluded B
    "The answer could be A"            →  hedged A
    "(A) Lyon"                         →  mentioned A
    "The answer is either A or B"      →  marked, but none

A claim says how directly a text names its answer. markers.py and statements.py find claims, reading.py decides which of them counts.
"""

from enum import IntEnum
from typing import NamedTuple


class Weight(IntEnum):
    """How directly an answer is named."""

    MENTIONED = 0  # "(B)"
    HEDGED = 1  # "the answer could be B"
    RESTATED = 2  # "Paris is the capital", which is what the question asks for
    CONCLUDED = 3  # "so B", "B is correct", "I choose B"
    MARKED = 4  # "the answer is B", "Answer: B", "\boxed{B}"


class Claim(NamedTuple):
    """That the answer is `letter`, or, with None, that it is no single option."""

    place: int
    weight: Weight
    letter: str | None


class Claims(NamedTuple):
    """All that a text claims.

    Attributes:
        made: in order of their place.
        excluded: letters that are denied, and the place where each is last.
        unread: last place where an answer is announced that is none of the options; -1: nowhere.
    """

    made: list[Claim]
    excluded: dict[str, int]
    unread: int
