r"""Where sentences and clauses of a plain text begin and end.

    "I see The answer is (B). So"  →  ends behind "see ", "(B)." and at the end
    "A is wrong, so B"             →  clauses "A is wrong" and "so B"

A full stop may be missing before "The answer is", and a letter with a full stop may be all of a sentence.
"""

import re
from bisect import bisect_left, bisect_right

from tasks.voting.answers.choice.options import Mention

REACH = 300  # characters of a sentence that are looked at before and behind what it is about
STOP = re.compile(  # where a sentence ends, or another one begins without a full stop
    r"[.!?](?=[\s\"')\]]|$)|\n"
    r"|\s(?=(?:The (?:\w+ )?(?:answer|option) is|(?:So|Thus|Therefore|Hence),? [Tt]he|(?:Final )?Answer:|####))"
)
SPLIT = re.compile(
    r";|,?(?<!ything)(?<!all)\s(?=(?:but|so|hence|therefore|thus|whereas|while|however|yet)\b)|,\s(?=(?:which\s)?leav|it's|it is|that's"
    r"|(?:and"
    r"|then|now)\s|I\s)|\s-+\s(?=(?:no|wait|actually|sorry|scratch)\b)|:\s(?=\()"
)


def ends_of(text: str) -> list[int]:
    """Where each sentence of `text` ends, in order; the last is the end of the text."""
    return [*(stop.end() for stop in STOP.finditer(text)), len(text)]


def begin_of(ends: list[int], place: int) -> int:
    """Where the sentence begins in which `place` is; not further back than `REACH`."""
    before = bisect_right(ends, place)
    return max(ends[before - 1] if before else 0, place - REACH)


def end_of(ends: list[int], place: int) -> int:
    """Where the sentence ends in which `place` is."""
    return ends[bisect_left(ends, place)]


def near(texts: list[Mention], first: int, last: int) -> list[Mention]:
    """Those of `texts` (in order) that begin between two places."""
    return texts[bisect_left(texts, first, key=_start) : bisect_right(texts, last, key=_start)]


def _start(mention: Mention) -> int:
    return mention.start
