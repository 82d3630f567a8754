"""What a question asks for, as far as it helps to tell its answer from other numbers.

    "She sells 9 eggs at $2 each. How much does she make?"   →  kind "money", units {"dollar"}
    "How many more eggs than hens are there?"                →  units {"egg"}, compares
    "At what time does it arrive?"                           →  kind "clock"
"""

import re
from functools import lru_cache
from typing import NamedTuple

from tasks.voting.answers.number.plain import plain
from tasks.voting.answers.number.values import canonical


class Asked(NamedTuple):
    """What a question asks for."""

    units: frozenset[str]  # stems of the words that may follow the answer
    kind: str  # "money", "percent", "clock" or ""
    text: str  # the question, plain
    words: frozenset[str]  # stems of all words of the sentence that asks
    compares: bool  # how many more, times as many
    each: bool  # how many per hour, in each box
    scale: str  # "million", where that is the unit


_MANY = re.compile(r"\b(?:how many|(?:total |whole )?(?:number|amount) of|how much)\s+((?:[\w'$-]+\s*){1,6})", re.IGNORECASE)
_IN = re.compile(
    r"\bin (?:terms of )?(?:total )?(dollars|cents|minutes|hours|seconds|days|weeks|months|years|miles|feet|foot|inches|meters|pounds|ounces|grams|kilograms"
    r"|kilometers|kilos|liters|gallons|square \w+|cubic \w+)\b",
    re.IGNORECASE,
)
_STOP = frozenset(
    "are is was were did does do will would can could should must has have had be been being am if when in of on at for to from per a an the his her their its "
    "my your our he she they it we you i there than that who which and or both left remaining altogether total each every after before still "
    "more less fewer additional extra other whole full different combined in-total".split()
)
_SKIP = frozenset("more less fewer additional extra other whole full different total of the his her their combined".split())
_MONEY = re.compile(
    r"\b(?:money|dollars?|cents?|costs?|prices?|priced?|values?|totals?|pay|paid|spend|spent|earn(?:ed|s|ings)?|profit|bill|salary|wages?|worth|owe[sd]?|"
    r"charged?|savings?|saved?|savings|revenue|income|budget|change|make|made|expenses?|fees?|tax|tip|raised?|balance|debt)\b",
    re.IGNORECASE,
)
_AMOUNTS = frozenset("money profit cost price salary income revenue change cash spending tip rent interest savings amount".split())
_OTHER = {
    "how long": "minute hour day week month year second", "how old": "year", " age": "year", "how far": "mile kilometer km meter foot yard block",
    "distance": "mile kilometer km meter foot yard", "how tall": "inch foot cm meter", "how high": "inch foot meter", "weigh": "pound kilogram kg ounce gram ton lb",
    "how much time": "minute hour day second", "how much longer": "minute hour day week month year inch foot", "how fast": "mile mph", "how heavy": "pound kg",
    "how much water": "gallon liter ounce cup", "what year": "", "area": "square", "perimeter": "foot inch meter",
}  # fmt: skip


@lru_cache(maxsize=10_000)
def asked(question: str) -> Asked:
    """What `question` asks for."""
    text = plain(question)
    asking = text[: text.rfind("?") + 1] or text
    sentence = re.split(r"(?<=[.!?])\s+|\n", asking.rstrip())[-1]
    low = sentence.lower()
    units: set[str] = set()
    for match in _MANY.finditer(sentence):
        if match[0][:8].lower() == "how much" and re.match(r"(?:more|less|money|did|does|do|will|would|is|are|has|was|can|should|in)\b", match[1], re.I):
            continue
        units |= _nouns(match[1])
    explicit = {stem(match[1].split()[0]) for match in _IN.finditer(sentence)}
    for cue, words in _OTHER.items():
        if cue in low:
            units |= set(words.split())
    currency = bool(re.search(r"[$€£¢]|\bdollar|\bcents?\b|\beuros?\b", text))
    money = currency and (bool(units & _AMOUNTS) or (not units and bool(_MONEY.search(sentence) or "how much" in low)))
    units = explicit or units
    kind = "money" if money or units & {"dollar", "cent", "euro"} else ""
    if re.search(r"\b(?:percent|percentage)\b|%", sentence) and re.search(r"\b(?:what|how many|calculate|find|which)\b[^,]*(?:percent|(?<!\d)%)", low):
        kind = "percent"
    if re.search(r"\b(?:what|which) time\b|^\s*when\b|\bwhat hour\b", low):
        kind = "clock"
    if money and not explicit:
        units |= {"dollar"}
    scale = match[1] if (match := re.search(r"(?:how many(?: more)?|in) (dozens?|millions?|thousands?|hundreds?|billions?)\b", low)) else ""
    compares = bool(re.search(r"\b(?:more|less|fewer|times|longer|older|younger|taller|heavier|faster|difference|cheaper)\b", low))
    each = bool(re.search(r"\b(?:each|every|per|apiece|an? (?:hour|day|week|month|year|minute|pound|piece))\b", low))
    return Asked(frozenset(units), kind, text, frozenset(stem(word) for word in re.findall(r"[a-z]+", low)), compares, each, scale.rstrip("s"))


@lru_cache(maxsize=10_000)
def given(text: str) -> frozenset[str]:
    """The numbers in digits of a plain text, in canonical form."""
    return frozenset(canonical(digits.replace(",", "")) for digits in re.findall(r"\d[\d,]*(?:\.\d+)?", text))


def _nouns(phrase: str) -> set[str]:
    """`"full-length red books does he "` → {"full-length", "red", "book"}; the stems of a noun and what describes it."""
    found = set()
    for word in phrase.lower().split():
        if word in _SKIP and not (found and word == "of"):
            continue
        if word in _STOP:
            break
        found.add(stem(word))
    return found


_IRREGULAR = {"feet": "foot", "people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse", "hrs": "hour", "mins": "minute", "min": "minute", "lbs": "pound", "loaves": "loaf", "knives": "knife", "leaves": "leave", "buses": "bus", "kids": "child", "persons": "person"}  # fmt: skip


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
