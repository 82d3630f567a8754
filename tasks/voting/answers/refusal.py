"""Whether a text ends by saying that it has no answer, which is an answer of its own kind and never a vote.

"8 * 2 = 16. I am not sure."                  →  true: 16 was on the way to an answer that never came
"I was not sure at first. It is 16."          →  false
"There is not enough information to answer."  →  true
"""

import re

import polars as pl

_TAIL = 80  # characters
_REFUSAL = (
    r"(?i)\b(?:(?:not|un)\s?(?:sure|certain)|do(?:es)?(?:n['’]t| not) know|no idea"
    r"|can(?:not|['’]t| not)(?: be)? (?:answer(?:ed)?|determined?|say|said|tell|told|solved?)"
    r"|(?:not|n['’]t) (?:have |provide |given? )?enough information|insufficient information"
    r"|impossible to (?:answer|determine|say|tell|know))"
    r"[^.,;:()*\n0-9]{0,40}[.!\s]*$"
)


def is_refusal(text: pl.Expr) -> pl.Expr:
    """Boolean expression over a column of texts."""
    return text.str.tail(_TAIL).str.contains(_REFUSAL)


def refuses(text: str) -> bool:
    """The same of one text."""
    return re.search(_REFUSAL, text[-_TAIL:]) is not None
