r"""Finds where a text lists the options again, which chooses none of them, unless the list says which one is right.

    "A) Lyon: wrong\nB) Paris: correct\nC) Nice: wrong"   →  concluded B
    "A. Lyon\nB. Paris" or "(A) Lyon, (B) Paris"          →  nothing

Such lines are left out of what is read further.
"""

import re

from tasks.voting.answers.choice.claims import Claim, Weight
from tasks.voting.answers.choice.options import LETTERS, Options, lower

# A line that begins with a label: "A) Lyon", "| B | correct |"; not one that says an answer.
_ITEM = re.compile(
    r"^[^\w\n(#]*(?:option |choice )?\(?([A-Z])(?:\)|[.:]|\s-|\s\|)(?!\w)(?!.*\b(?:answer|option)(?::| is\b| would\b)).*$",
    re.MULTILINE | re.IGNORECASE,
)
_GOOD = re.compile(r"(?i)(?<!not )\b(?:correct|true|right|yes|the answer|best answer)\b|[✓✔✅☑]")
_BAD = re.compile(r"(?i)\b(?:incorrect|wrong|false|not|isn't|no|eliminated?|cannot|can't)\b|[❌✗✘✕✖]")


def without_lists(text: str, options: Options) -> tuple[str, list[Claim], bool]:
    """The text with blanks where it lists the options again, what these lists say of them, and whether it begins with one."""
    items = list(_ITEM.finditer(text))
    letters = [item[1].upper() for item in items]
    if len(set(letters)) < 2 or not set(letters) <= set(options.letters):
        span = _list_in_line(text, options)
        return (text[: span[0]] + " " * (span[1] - span[0]) + text[span[1] :] if span else text), [], span is not None and span[0] < 5
    good = [
        (item.start(), letter) for item, letter in zip(items, letters, strict=True) if _GOOD.search(item[0]) and not _BAD.search(item[0])
    ]
    verdicts = []
    if len({letter for _, letter in good}) == 1 and not options.asks_for_false:
        verdicts = [Claim(good[-1][0], Weight.CONCLUDED, good[-1][1])]
    return _ITEM.sub(lambda item: " " * len(item[0]), text), verdicts, not text[: items[0].start()].strip()


def _list_in_line(text: str, options: Options) -> tuple[int, int] | None:
    """Where "(A) Lyon, (B) Paris, …" repeats all options; None: nowhere."""
    if not all(options.texts) or len(options.texts) < 2:
        return None
    low, begin, end = lower(text), -1, 0
    for letter, option in zip(LETTERS.lower(), options.texts, strict=False):
        place = low.find(option, end)
        label = re.search(rf"\(?{letter}[.):]\s?(?:an?\s|the\s)?$", low[max(end, place - 8) : place]) if place >= 0 else None
        if label and begin >= 0 and not re.fullmatch(r"[\s,;.|/&]*(?:(?:and|or)\s)?", low[end : place - len(label[0])]):
            return None
        if not label:
            return None
        begin = place - len(label[0]) if begin < 0 else begin
        end = place + len(option)
    return begin, end
