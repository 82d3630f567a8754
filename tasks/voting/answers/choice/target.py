r"""Reads what follows a marker such as "the answer is".

    "(B) because A is wrong"     →  Target(B)          "therefore Paris, not Lyon"  →  Target(A)
    "either A or B"              →  Target(None)       "a triangle"                 →  None: no option
    "A and B" (option D)         →  Target(D)          "not C but D"                →  Target(D)

Two options at once, or one that there is not, are an answer, too: none.
"""

import re
from typing import NamedTuple

from tasks.voting.answers.choice.letters import AFTER_BARE, DRESSED, KIND, LIST, is_dressed, letters_of
from tasks.voting.answers.choice.options import LETTERS, Mention, Options, lower, mentions


class Target(NamedTuple):
    """An answer: an option's letter, or None for two options at once or one that there is not."""

    letter: str | None


# What may stand between a marker and its answer: "is, of course, **option** B"
FILLERS = re.compile(
    r"(?:[\s:,*_\"'`#>=~{\[|]|-+(?=\s)|\\|\.{2,}|<answer>|[是为為は은]"
    r"|(?:the\s)?(?:final\s|correct\s|best\s|right\s)?(?:answer|option|choice|letter|alternative)s?(?:\s(?:is|would be)\b|\s?:"
    r"|(?=\s{0,4}\(?[A-Za-z]\b|\s?\d|\"))"
    r"|\b(?:therefore|thus|hence|then|clearly|probably|likely|most|definitely|indeed|actually|still|simply|just|obviously|certainly|now"
    r"|given|by|as follows"
    r"|that|it|it's|is|be|really|only|in fact|of course|to be|going|with|best|described|undoubtedly|surely|la|el|die|der|das"
    r"|le|a(?=\s(?:letra|op[cç]))|also|daher|somit|folglich|donc|por tanto|por lo tanto|quindi|dunque|portanto|option|opci[oó]n"
    r"|opção|opzione|lettre|letra|lettera)\b,?){1,20}",
    re.IGNORECASE,
)
_NOT = re.compile(r"(?:not|neither|n't|nicht|pas|no|não|non|definitely not|certainly not|cannot)\b")
# What follows is said of others, or why.
_CONTRAST = re.compile(
    r"\b(?:not|rather than|instead of|unlike|because|since|as|whereas|while|although|though|but|over|compared|than|which|where|for|if"
    r"|unless"
    r"|except|however|due to|when|after|so)\b|[;(]|n't\b|\s-+\s"
)
# What may stand before an option's own text.
_TO_TEXT = re.compile(r"[\"'(\[\s]*(?:(?:an?|the|both|that|because|to|it is|in|by)\s)?[\"'(\[\s]*")
# "2", "option 2", "(2)"; not "2 m" or "2.5"
_NUMBER_OF = re.compile(rf"(?P<kind>{KIND}\s|number\s|no\.\s?)?\(?#?(?P<number>[1-9]\d?)\)?(?![\w%°]|[.,]\d|\s?[a-z°$%])")


def read_target(target: str, options: Options) -> Target | None:
    """The answer at the start of `target`, which ends with its sentence; None where there is none."""
    filler = FILLERS.match(target)
    target = target[filler.end() :] if filler else target
    if target.startswith("( "):
        return None  # the letter did not come
    low = lower(target)
    texts = mentions(options, low)
    to_text = _TO_TEXT.match(low)
    first = next((one for one in texts if one.start <= (to_text.end() if to_text else 0)), None)
    if _NOT.match(low) and not first:
        turn = re.search(r"\b(?:but|sondern|sino|mais|ma|mas)\s(?:is\s|rather\s)?(?!not)", low)
        return read_target(target[turn.end() :], options) if turn else None
    either = re.match(r"(?:either|between|both|all of|one of)\s", low)
    start = either.end() if either else 0
    written = LIST.match(target, start)
    letters = letters_of(written[0]) if written else []
    if first and first.end > (written.end() if written else 0) and not (len(letters) == 1 and _is_label(target, first)):
        return _text_at_start(low, first, texts, options)
    if len(set(letters)) > 1:
        return Target(options.sets.get(frozenset(letters)))
    if (
        letters
        and written
        and (is_dressed(written[0]) or AFTER_BARE.match(target, written.end()) or _text_after(low, written.end(), texts, letters))
    ):
        return Target(options.letters.get(letters[0]))
    if re.match(r"\([A-Z]\s?(?:[/,|&]|or\b|and\b)\s?[A-Z]\b", target):
        return Target(None)  # a form to fill in
    if cut := re.match(r"\(([A-Za-z])\W*$", target):
        return Target(options.letters.get(cut[1].upper()))
    if small := re.match(r"([a-z])(?:\)|[\"'}]|\s*(?:$|[.:!\n,]))", target):
        return Target(options.letters.get(small[1].upper()))
    if number := _label_number(low, options):
        return Target(number)
    return _within(target, low, texts, options)


def _is_label(target: str, text: Mention) -> bool:
    """Whether the letter before an option's text is its label: "B: vitamin B12", "(A) and B"; not so "A and B"."""
    return bool(re.match(r"\(?\w[).:]", target)) and text.start > 0


def _text_at_start(low: str, first: Mention, texts: list[Mention], options: Options) -> Target:
    """Options' texts from the start: one, or a calculation that leads to the last, or two at once."""
    others = [one for one in texts if one.start >= first.end and one.letter != first.letter]
    if not others:
        return Target(first.letter)
    between = low[first.end : others[0].start]
    if "=" in between or (re.match(r"\s?[-+*/×]", between) and "=" in low[: others[-1].start]):
        return Target(others[-1].letter)
    joined = re.fullmatch(r"\s?(?:,|/|&|and|or|,\s?(?:and|or))\s(?:the\s|an?\s)?", between)
    return Target(options.sets.get(frozenset(one.letter for one in texts)) if joined else first.letter)


def _text_after(low: str, start: int, texts: list[Mention], letters: list[str]) -> bool:
    return any(one.letter in letters and one.start >= start and not low[start : one.start].strip(" :.-\"'") for one in texts)


def _label_number(low: str, options: Options) -> str | None:
    """The option by its number, where the question numbers them or the text says "option 2"."""
    match = _NUMBER_OF.match(low)
    if not match or not (options.numbered or (match["kind"] and options.texts)) or match["number"] in options.numbers:
        return None
    return options.letters.get(LETTERS[int(match["number"]) - 1]) if int(match["number"]) <= len(LETTERS) else None


def _within(target: str, low: str, texts: list[Mention], options: Options) -> Target | None:
    """The only option that is named further on, before a contrast."""
    contrast = _CONTRAST.search(low, 1)
    clause = low[: contrast.start()] if contrast else low
    after = clause.rfind("=") + 1
    named = {one.letter for one in texts if after <= one.start < len(clause)}
    named = named or {
        letter for match in re.finditer(rf"{DRESSED}|{KIND}\s[A-Za-z]\b", target[: len(clause) + 4]) for letter in letters_of(match[0])
    }
    if named:
        return Target(options.letters.get(named.pop()) if len(named) == 1 else None)
    part = re.sub(r"^(?:an?|the|that)\s", "", clause.partition(",")[0]).strip(" .\"'!)")
    holding = [
        letter
        for letter, text in zip(LETTERS, options.texts, strict=False)
        if len(part) > 3 and re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text)
    ]
    return Target(holding[0]) if len(holding) == 1 else None
