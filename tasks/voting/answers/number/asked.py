"""What a question asks for, as far as it helps to tell its answer from other numbers.

"She sells 9 eggs at $2 each. How much does she make?"   →  kind "money", units {"dollar"}
"How many more eggs than hens are there?"                →  units {"egg"}, compares
"At what time does it arrive?"                           →  kind "clock"
"""

import re
from functools import lru_cache
from typing import NamedTuple

from tasks.voting.answers.number.plain import plain, words
from tasks.voting.answers.number.values import canonical


class Asked(NamedTuple):
    """What a question asks for."""

    units: frozenset[str]  # stems of the words that may follow the answer
    kind: str  # "money", "percent", "clock" or ""
    text: str  # the question, plain
    words: frozenset[str]  # stems of all words of the sentence that asks
    wanted: frozenset[str]  # of these, the telling ones of the clause that asks, without "if …"
    names: frozenset[str]  # and of these those that are written with a capital
    compares: bool  # how many more, times as many
    share: bool  # a fraction or a probability, which 25 % is 0.25 of
    each: bool  # how many per hour, in each box
    scale: str  # "million", where that is the unit


_MANY = re.compile(r"\b(?:how many|(?:total |whole )?(?:number|amount) of|how much)\s+((?:[\w'$-]+\s*){1,6})", re.IGNORECASE)
_IN = re.compile(
    r"\bin (?:terms of )?(?:total )?(dollars|cents|minutes|hours|seconds|days|weeks|months|years|miles|feet|foot|inches|meters|pounds"
    r"|ounces|grams|kilograms|kilometers|kilos|liters|gallons|square \w+|cubic \w+)\b",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"\b(?:money|dollars?|cents?|costs?|prices?|priced?|values?|totals?|pay|paid|spend|spent|earn(?:ed|s|ings)?|profit|bill|salary|wages?|worth"
    r"|owe[sd]?|charged?|savings?|saved?|revenue|income|budget|change|make|made|expenses?|fees?|tax|tip|raised?|balance|debt)\b",
    re.IGNORECASE,
)
_NO_UNIT = re.compile(r"(?:more|less|money|did|does|do|will|would|is|are|has|was|can|should|in)\b", re.IGNORECASE)  # "how much does …"
_PERCENT = re.compile(r"\b(?:what|how many|calculate|find|which)\b[^,]*(?:percent|(?<!\d)%)")
_COMPARES = re.compile(r"\b(?:more|less|fewer|times|longer|older|younger|taller|heavier|faster|difference|cheaper)\b")
_EACH = re.compile(r"\b(?:each|every|per|apiece|an? (?:hour|day|week|month|year|minute|pound|piece))\b")
_ARE = re.compile(r"\bhow many (?:\w+ ){1,4}(?:are|were) (?:not )?(\w+)", re.IGNORECASE)  # "how many students are boys"
_SHARE = re.compile(r"\b(?:fraction|probability)\b")
_SCALE = re.compile(r"(?:how many(?: more)?|in) (dozen|million|thousand|hundred|billion)s?\b")

MEASURES = words(
    "second minute hour day week month year inch foot yard mile meter kilometer cm km ounce pound kilogram gram kg ton lb cup liter gallon"
)
_ASKED_VERB = re.compile(r"\b(?:do|does|did|will|would) (?:he|she|they|it|we|you) ([a-z]+)")
_OPENS = re.compile(r"\b(?:how|what|which)\b")
COMMON = words(
    """how many much the does did for and are will has have had his her their she they that this with from what which total was were one
    get gets"""
)
_AMOUNTS = words("money profit cost price salary income revenue change cash spending tip rent interest savings amount")
_SKIPPED = words("more less fewer additional extra other whole full different total of the his her their combined")
_NO_NOUN = words(
    """are is was were did does do will would can could should must has have had be been being am if when in on at for to from per a an its
    my your our he she they it we you i there than that who which and or both left remaining altogether each every after before still"""
)
_UNITS = {  # of what is asked for without a unit
    "how long": words("minute hour day week month year second"),
    "how much time": words("minute hour day second"),
    "how much longer": words("minute hour day week month year inch foot"),
    "how old": words("year"),
    " age": words("year"),
    "how far": words("mile kilometer km meter foot yard block"),
    "distance": words("mile kilometer km meter foot yard"),
    "how tall": words("inch foot cm meter"),
    "how high": words("inch foot meter"),
    "perimeter": words("foot inch meter"),
    "area": words("square"),
    "weigh": words("pound kilogram kg ounce gram ton lb"),
    "how heavy": words("pound kg"),
    "how fast": words("mile mph"),
    "how much water": words("gallon liter ounce cup"),
}


@lru_cache(maxsize=200)
def asked(question: str) -> Asked:
    """What `question` asks for."""
    text = plain(question)
    asking = text[: text.rfind("?") + 1] or text
    sentence = re.split(r"(?<=[.!?])\s+|\n", asking.rstrip())[-1]
    low = sentence.lower()
    units: set[str] = set()
    for match in _MANY.finditer(sentence):
        if match[0][:8].lower() != "how much" or not _NO_UNIT.match(match[1]):
            units |= _nouns(match[1])
    units |= {stem(word) for word in _ARE.findall(sentence)}
    for cue, usual in _UNITS.items():
        if cue in low:
            units |= usual
    currency = re.search(r"[$€£¢]|\bdollar|\bcents?\b|\beuros?\b", text)
    about_money = bool(units & _AMOUNTS) or (not units and bool(_MONEY.search(sentence) or "how much" in low))
    money = "money" in units or "how much money" in low or (bool(currency) and about_money)
    explicit = {stem(match[1].split()[0]) for match in _IN.finditer(sentence)}
    units = explicit or (units | {"dollar"} if money else units)
    kind = "money" if money or units & {"dollar", "cent", "euro"} else ""
    if _PERCENT.search(low):
        kind = "percent"
    if re.search(r"\b(?:what|which) time\b|^\s*when\b|\bwhat hour\b", low):
        kind = "clock"
    scale = _SCALE.search(low)
    opens = _OPENS.search(low)
    clause = re.split(r" (?:if|when)\b", low[opens.start() :] if opens else low)[0]
    wanted = set(re.findall(r"[a-z]{3,}", clause)) - COMMON - set(_ASKED_VERB.findall(clause))
    return Asked(
        units=frozenset(units),
        kind=kind,
        text=text,
        words=frozenset(map(stem, re.findall(r"[a-z]+", low))),
        wanted=frozenset(map(stem, wanted)),
        names=frozenset(stem(word) for word in wanted if word.capitalize() in sentence),
        compares=bool(_COMPARES.search(low)),
        share=bool(_SHARE.search(low)) and kind != "percent" and "percent" not in text,
        each=bool(_EACH.search(low)),
        scale=scale[1] if scale else "",
    )


@lru_cache(maxsize=200)
def given(text: str) -> frozenset[str]:
    """The numbers in digits of a plain text, in canonical form."""
    return frozenset(canonical(digits.replace(",", "")) for digits in re.findall(r"\d[\d,]*(?:\.\d+)?", text))


def _nouns(phrase: str) -> set[str]:
    """`"full-length red books does he "` → {"full-length", "red", "book"}; the stems of a noun and what describes it."""
    found: set[str] = set()
    for word in phrase.lower().split():
        if word in _SKIPPED and not (found and word == "of"):
            continue
        if word in _NO_NOUN or word == "of":
            break
        found.add(stem(word))
    return found


_IRREGULAR = {
    **{"feet": "foot", "people": "person", "persons": "person", "children": "child", "kids": "child", "men": "man", "women": "woman"},
    **{
        "mice": "mouse",
        "hrs": "hour",
        "mins": "minute",
        "min": "minute",
        "lbs": "pound",
        "loaves": "loaf",
        "knives": "knife",
        "buses": "bus",
    },
}


@lru_cache(maxsize=200)
def stem(word: str) -> str:
    """Without the plural: "boxes" → "box", "berries" → "berry"."""
    word = word.lower()
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
