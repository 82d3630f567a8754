r"""Finds sentences that answer in the words of the question.

    "Therefore, the most likely diagnosis is asthma."     "What is the most likely diagnosis?"
    "Asthma is the most likely diagnosis in this case."   "What is the most likely diagnosis?"
    "Leonardo painted the Mona Lisa."                     "Who painted the Mona Lisa?"
    "A shark is not a mammal."                            "Which of these is NOT a mammal?"

What is only said of an option, such as "asthma causes wheezing", answers nothing.
"""

import re

# Words that say nothing about what is asked for.
_EMPTY = frozenset(
    re.split(
        r"\s+",
        """a an the this that these those it its his her their our in on of at to for from by with as and or is are was were be been being
do does did has have had will would can could should must which what who whom whose when where why how following option options
choice choices answer statement one only most best more likely probable correct right true given here case question above listed patient
patients person man woman child described context scenario therefore thus hence so then clearly actually indeed
definitely first also among there not you me i we s""",
    )
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_ENDING = re.compile(r"(?<=\w{3})(?:ies|ied|ing|ed|es|s|e|y)$")
_BE = r"(?:is|are|was|were|(?:must|would|should|has to|can only) be)(?P<not>\snot|n't)?"
# "so the diagnosis in this patient is" before an option
_IS = re.compile(
    rf"(?:^|[,:]\s|\b(?:that|so|thus|therefore|hence)\s)\W*(?P<what>(?:the|this|our|his|her|its|their)\s[^,:;]{{2,90}}?)\s{_BE}"
    rf"(?:\s(?:the|an?|called|known as|therefore|thus|clearly|probably|most likely|likely|definitely|indeed|by))*\s[\"'(]*$"
)
_CLOSES = re.compile(r"[\"')\s]*(?:$|[.,;:!(…]|-|(?:because|since|as|which|due|not|rather|here|and\snot)\b)")
# " is the diagnosis in this patient" behind an option
_IS_WHAT = re.compile(rf"[\"')]*\s{_BE}\s(?:\w+ly\s)?(?:the|an?)\s(?P<what>[^.,:;!?…]{{2,90}})")


def words(text: str) -> frozenset[str]:
    """The words in `text` (small letters) that say something, without their endings."""
    return frozenset(_ENDING.sub("", word) for word in _WORD.findall(text) if word not in _EMPTY)


def restates(before: str, after: str, wanted: frozenset[str], *, asks_for_false: bool) -> bool:
    """Whether a sentence (small letters) says of the option between `before` and `after` what is `wanted`: the words of the question."""
    if not wanted:
        return False
    is_what = _IS_WHAT.match(after)
    before_is = _IS.search(before) if not is_what and _CLOSES.match(after) else None
    if what := is_what or before_is:
        named = words(what["what"])
        if named and named <= wanted:
            return asks_for_false == bool(what["not"])
    if asks_for_false:
        return False
    said = words(f"{before} {after}")
    common = len(said & wanted)
    return common >= 0.6 * len(wanted) and common >= 0.6 * len(said)
