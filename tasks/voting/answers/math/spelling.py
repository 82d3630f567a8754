r"""The spelling that most equal answers share, so that they are equal texts and nobody has to compare them.

    "\dfrac12", "0.50", "$\frac{3}{6}$"       →  "0.5"
    "\left( x , \; -3 \right)."               →  "(x,-3)"
    "12 \mathrm{ square centimeters}"         →  "12\text{cm^2}"
    "\text{Evelyn}", "EVELYN"                 →  "\text{evelyn}"
    "x = 1 or x = 2"                          →  "x=1,x=2"
    "25\%" where percent are asked            →  "25"; else "25%"

A rational number is a decimal where it ends, else a reduced fraction. Units of measure and the base of a number (1011_2) stay, since 3 cm
are not 3 m; "$", degrees and what was counted ("5 apples") go. Nothing is known here of what expressions mean beyond that.
"""

import re
from fractions import Fraction
from functools import lru_cache

from tasks.voting.answers.math.notation import FONT, in_one_notation
from tasks.voting.answers.math.units import without_unit
from tasks.voting.answers.math.values import exact
from tasks.voting.answers.math.words import NUMERALS, in_words

LONGEST = 1000  # characters; what is longer answers nothing

_PLAIN_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
_DEGREES = re.compile(r"\^\s*\{?\s*\\circ(?![a-zA-Z])\s*\}?|\\degree(?![a-zA-Z])|(?<![a-zA-Z])degrees?(?![a-zA-Z])")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_REPEATING = re.compile(r"(\d*)\.(\d*)\\overline\s*\{\s*(\d{1,20})\s*\}")
_ASKS_PERCENT = re.compile(r"(?i)\b(?:what|which|as a|how many|find the|in|the|compute the|is)\s+(?:\w+\s+)?percent")
_TOKEN = re.compile(r"\\text\{([^{}]*)\}|\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|\S")
_LETTER = re.compile(
    rf"(?i:option|choice)?\s*\(?(?:\\(?:{FONT})\s*\{{)?\s*(?i:option|choice)?\s*\(?\s*([A-Z])\s*\)?\s*\}}?\)?|\\(?:{FONT})\{{\s*\(?([A-Z])[.:)]\s*\}}.*"
)
_TIME = re.compile(r"(\d{1,2})\s*:\s*(\d\d)\s*(?:\\text\{)?\s*([ap])\.?\s?m\.?\s*\}?", re.IGNORECASE)
_SPACED = re.compile(r"-?\d{1,3}(?:\s\d{3})+(?:\.\d+)?")
_APPROXIMATION = re.compile(r"^(.*?)\s*\\approx(?![a-zA-Z])\s*(.*)$", re.DOTALL)
_BASE = re.compile(r"\(?(\d+|[0-9A-Fa-f]{2,}(?=\)?_\{?1[1-6]))\)?_\{?\s*(?:\\text\{)?\s*(\d+|[a-z]+)\s*\}{0,2}(?:\\text\{.*\})?")


@lru_cache(maxsize=50_000)
def asks_percent(question: str) -> bool:
    """Whether the answer is a number of percent, so that its sign may be left out."""
    return bool(_ASKS_PERCENT.search(question))


@lru_cache(maxsize=50_000)
def spelling(written: str, percent: bool = False) -> str | None:
    """The canonical spelling of an answer; null where nothing is left. `percent`: the question asks for percent."""
    if len(written) > LONGEST:
        return None
    if _PLAIN_NUMBER.fullmatch(written):  # as most are
        return spelled(Fraction(written))
    if letter := _LETTER.fullmatch(written.strip().rstrip(".,:; \n")):
        return letter[1] or letter[2]
    text = in_one_notation(written)
    text = _DEGREES.sub(r"\\frac{\\pi}{180}" if _TRIGONOMETRY.search(text) else "", text)
    text = re.sub(r"^\\text\{\s*(-?[\d.].*)\}$", r"\1", text.strip().rstrip(".,:;=\\ ").lstrip(",:;=+ "))
    if not re.search(r"[(\[{]", text):
        text = _THOUSANDS.sub(lambda number: number[0].replace(",", ""), text)
    if approximation := _APPROXIMATION.match(text):
        text = (
            approximation[2]
            if not approximation[1]
            else "=".join(approximation.groups())
            if len(approximation[1]) == 1
            else approximation[1]
        )
    if time := _TIME.fullmatch(text):
        return f"{time[1]}:{time[2]}\\text{{{time[3].lower()}m}}"
    if _SPACED.fullmatch(text):
        text = "".join(text.split())
    text = _REPEATING.sub(_repeating, text)
    if percent:
        text = text.removesuffix("%").strip()
    base = _BASE.fullmatch(re.sub(r"\s+base\s+", "_", text))
    if base and (named := base[2] if base[2].isdigit() else NUMERALS.get(base[2])):
        return f"{base[1].upper()}_{named}"
    if text.startswith("{") and text.find("}") == len(text) - 1:
        text = text[1:-1].strip()
    if words := in_words(text):
        return words
    text, unit = without_unit(text)
    return _of_tokens(text, unit)


def spelled(value: Fraction) -> str:
    """`Fraction(1, 2)` → "0.5", `Fraction(2, 3)` → "2/3"."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest > 1:
        return f"{value.numerator}/{value.denominator}"
    places = 0
    while value.denominator != 1 and 10**places % value.denominator:
        places += 1
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def _repeating(decimal: re.Match[str]) -> str:
    r"""`0.1\overline{6}` → `\frac{1}{6}`."""
    whole, before, period = decimal.groups()
    shift = 10 ** len(before)
    value = Fraction(int((whole + before) or 0), shift) + Fraction(int(period), shift * (10 ** len(period) - 1))
    return f"\\frac{{{value.numerator}}}{{{value.denominator}}}"


def _of_tokens(text: str, unit: str) -> str | None:
    suffix = f"\\text{{{unit}}}" if unit else ""
    percent = text.rstrip().endswith("%")
    number = exact(text.rstrip(" %") if percent else text) if any(character.isdigit() for character in text) else None
    if number is not None:
        return spelled(number) + "%" * percent + suffix
    written = ""
    for token in _TOKEN.finditer(text):
        piece = token[0] if token[1] is None else f"\\text{{{' '.join(token[1].lower().split())}}}"
        command = re.search(r"\\[a-zA-Z]+$", written)
        written += f" {piece}" if command and piece[0].isalpha() else piece
    written = written.strip("., ") if written != "." else ""
    return written + suffix if written else None
