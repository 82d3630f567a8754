r"""What the options of a question look like in a text.

    options_of(("Paris", "A triangle", "$13.50"), "?")  →  texts ("paris", "triangle", "$13.50"), numbers (None, None, "13.5")

An option's own text may stand for its letter. So may its number where the options are numbers ("$13.50" and "13.5 dollars"),
or where the question numbers them ("1. Venus 2. Mars"). Of options that contain each other the longest counts.
"""

import re
import string
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from tasks.voting.answers.choice.plain import plain
from tasks.voting.answers.choice.restated import words

LETTERS = string.ascii_uppercase
# "A)" or "(a)" before a choice.
_LABEL = re.compile(r"^\s*(?:([A-Z])[.):]|\(([A-Za-z])\))\s*")
_ARTICLE = re.compile(r"^(?:an?|the|because|that|both|to|by|in|it is|they are) (?=.)")
# Not the 4 in "4th", "x4" or "1/4"
_NUMBER = re.compile(r"(?<![\w.,/])-?[$€£]?(?:\d{1,3}(?:,\d{3})+|\d{1,40})(?:\.\d{1,40})?(?!\w*\d|[.,/]\d|(?:st|nd|rd|th)\b)")
_ONLY_NUMBER = re.compile(rf"{_NUMBER.pattern}\s?(?:%|°?\s?[a-zµ²³/^0-9]{{1,12}}\.?)?")
_PLURAL = re.compile(r"(?<=[a-z]{3})e?s(?!\w)")
# "None of these", "all the options are", which mean the same as "none of the above"
_ABOVE = re.compile(
    r"\b(none|neither|all) (?:of )?(?:(?:the|these|those) )?(?:above|these|those|them|others?|(?:options?|choices?|answers?|statements?)"
    r"(?: (?:above|given|listed|provided|presented))?)(?=\W|$)(?! (?:options?|choices?|answers?|above)\b)",
    re.IGNORECASE,
)
# "… A) Mars B) Jupiter" in a question.
_IN_QUESTION = re.compile(r"(?:^|\s)\(?([A-Z])[.)]\s*(.+?)(?=\s+\(?[A-Z][.)]\s|\s*$)", re.DOTALL)
_ASKS_FOR_FALSE = re.compile(r"\b(?:NOT|EXCEPT|FALSE|LEAST|INCORRECT|[Ee]xcept|false|incorrect|untrue|least|wrong|not)\b")


class Options(NamedTuple):
    """The options of one question.

    Attributes:
        texts: in small letters, without label and article; "" where it would say nothing (a single letter).
        numbers: value as text where an option is a number that no other is; None: it is none.
        letters: the letter of an option by all letters that may stand for it: its own, else one in its text ("Type O").
        sets: the letter of an option by the letters that it names, such as {"A", "B"} of "Both A and B".
        numbered: whether the question or the options themselves number them.
        above: whether an option is "all" or "none of the above".
        asks_for_false: whether the question asks for what is not so.
        asked: the words of the question that say something.
    """

    texts: tuple[str, ...]
    numbers: tuple[str | None, ...]
    letters: Mapping[str, str]
    sets: Mapping[frozenset[str], str]
    numbered: bool
    above: bool
    asks_for_false: bool
    asked: frozenset[str]


class Mention(NamedTuple):
    """Where an option's own text stands."""

    start: int
    end: int
    letter: str


@lru_cache(maxsize=200)
def options_of(choices: tuple[str, ...] | None, question: str) -> Options:
    """The options `choices` (at most 26 count), or those that stand in the question itself where `choices` is None."""
    known = [plain(choice or "").strip() for choice in choices or _in_question(question)][: len(LETTERS)]
    asks_for_false = bool(_ASKS_FOR_FALSE.search(re.sub("(?i)true or false|false or true", "", question)))
    asked = words(lower(question))
    if not known:
        return Options((), (), dict(zip(LETTERS, LETTERS, strict=True)), {}, False, False, asks_for_false, asked)
    numbers = [re.match(r"\(?(\d{1,2})[.):]\s", text) for text in known]
    numbered = all(label is not None and int(label[1]) == place for place, label in enumerate(numbers, 1))
    if numbered or _labelled(known):
        known = [re.sub(r"^\(?\w{1,2}[.):]\s*", "", text) for text in known]
    bare = [above(text.strip(" .\n")) for text in known]
    low = [lower(text) for text in bare]
    short = [_ARTICLE.sub("", text) for text in low]
    values = [value(match[0]) if (match := _ONLY_NUMBER.fullmatch(text)) else None for text in low]
    own = dict(zip(LETTERS, LETTERS[: len(known)], strict=False))
    by_text = _by_letter_in_text(bare)
    sets = {_named_by(text): letter for letter, text in zip(LETTERS, bare, strict=False)}
    if "all of the above" in low:
        everything = LETTERS[low.index("all of the above")]
        sets[frozenset(own) - {everything}] = everything
    return Options(
        texts=tuple("" if re.fullmatch(r"\W*[a-z]?\W*", text) else text for text in (short if len(set(short)) == len(set(low)) else low)),
        numbers=tuple(one if values.count(one) == 1 else None for one in values),
        letters=by_text | own,
        sets={letters: letter for letters, letter in sets.items() if len(letters) > 1},
        numbered=numbered or _numbers(question, low),
        above=any("of the above" in text for text in low),
        asks_for_false=asks_for_false,
        asked=asked,
    )


def mentions(options: Options, low: str) -> list[Mention]:
    """The options whose own text stands in `low` (small letters), in order; the longest where some overlap."""
    found: list[Mention] = []
    for letter, text, number in zip(LETTERS, options.texts, options.numbers, strict=False):
        if text and number is None and text in low:
            found += [Mention(start, start + len(text), letter) for start in _places(low, text)]
    if any(options.numbers):
        of = {number: letter for letter, number in zip(LETTERS, options.numbers, strict=False) if number is not None}
        found += [Mention(*match.span(), of[number]) for match in _NUMBER.finditer(low) if (number := value(match[0])) in of]
    kept: list[Mention] = []
    for mention in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or mention.start >= kept[-1].end:
            kept.append(mention)
        elif mention.end - mention.start > kept[-1].end - kept[-1].start:
            kept[-1] = mention
    return kept


def lower(text: str) -> str:
    """In small letters, and of the same length (of a few letters the small one is longer)."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(one.lower() if len(one.lower()) == 1 else one for one in text)


def above(text: str) -> str:
    """`"None of these options"` → `"none of the above"`."""
    return _ABOVE.sub(lambda match: f"{'all' if match[1].lower() == 'all' else 'none'} of the above", text)


def value(number: str) -> str:
    """`"$1,350.50"` → `"1350.5"`."""
    if number.isdecimal() and not number.startswith("0"):
        return number
    match = _NUMBER.search(number)
    whole, _, fraction = re.sub(r"[^\d.]", "", match[0] if match else number).partition(".")
    digits = (whole.lstrip("0") or "0") + f".{fraction}".rstrip("0").rstrip(".")
    return f"-{digits}" if number.startswith("-") and digits != "0" else digits


def _places(low: str, text: str) -> list[int]:
    """Where `text` stands as whole words."""
    places: list[int] = []
    start = low.find(text)
    while start >= 0 and len(places) < 100:
        end = start + len(text)
        inside = (start > 0 and low[start - 1].isalnum() and text[0].isalnum()) or (
            end < len(low) and low[end].isalnum() and text[-1].isalnum() and not _PLURAL.match(low, end)
        )
        if not inside:
            places.append(start)
        start = low.find(text, end)
    return places


def _by_letter_in_text(texts: list[str]) -> dict[str, str]:
    """Letters that stand alone in the text of only one option."""
    found = [(one, letter) for letter, text in zip(LETTERS, texts, strict=False) for one in set(re.findall(r"(?<!\w)[B-HJ-Z](?!\w)", text))]
    return {one: letter for one, letter in found if sum(one == other for other, _ in found) == 1}


def _named_by(text: str) -> frozenset[str]:
    """Of "Both A and B" or "(A), (B) only" the letters; none where there is anything else."""
    rest = re.sub(r"(?i)\b(?:both|only|and|options?|choices?|are|correct|true)\b", " ", text)
    return frozenset(re.findall("[A-Z]", rest)) if re.fullmatch(r"(?:\W*(?<!\w)[A-Z](?!\w))+\W*", rest) else frozenset()


def _labelled(choices: list[str]) -> bool:
    """Whether each choice begins with its own letter: "A) 21", "B) 22"."""
    labels = [_LABEL.match(choice) for choice in choices]
    return all(label and (label[1] or label[2]).upper() == letter for label, letter in zip(labels, LETTERS, strict=False))


def _numbers(question: str, texts: list[str]) -> bool:
    """Whether the question numbers its options: "1. Venus 2. Mars"."""
    if "1" not in question or not re.search(r"(?<!\w)\(?1[.):]", question):
        return False
    low = lower(plain(question))
    return all(re.search(rf"(?<!\w)\(?{place}[.):] ?{re.escape(text)}(?!\w)", low) for place, text in enumerate(texts, 1))


def _in_question(question: str) -> tuple[str, ...]:
    found = _IN_QUESTION.findall(question[-5000:])
    labels = "".join(label for label, _ in found)
    return tuple(text.strip() for _, text in found) if len(labels) > 1 and LETTERS.startswith(labels) else ()
