"""Numbers where they stand in a plain text, and their one spelling.

    "-$1,250.50 for 7 1/2 days"         →  "-1250.5" at 2, "7.5" at 16
    "2 hours and 30 minutes, 6/8, 1/3"  →  "2.5", "0.75", "1/3"
    "twenty-four, 2 dozen, 2.5e3, 50%"  →  "24", "24", "2500", "50"
    "2:00 pm, 2:15 pm, x^2, 3rd"        →  "2", "2:15", nothing, "3" as an ordinal

The one spelling (*canonical form*) of a value is a decimal number without superfluous zeros where there is one, else a reduced
fraction: 1/3 is "1/3" and neither "0.33" nor "0.333", for nobody can say how many digits would do. Percent are numbers of their
own: 50% is "50", and not "0.5". Of a time of day whole hours are the hour. Beyond a thousand digits the form is scientific, so that
"1e999999999" costs nothing.
"""

import re
from fractions import Fraction
from typing import NamedTuple

from tasks.voting.answers.number.plain import BOLD, BOX, END


class Number(NamedTuple):
    """A number in a text, at [start, end)."""

    start: int
    end: int
    value: str  # in canonical form
    kind: str = ""  # "money", "percent", "clock", "ordinal" or "word", where it is one
    unit: str = ""  # "dollar"; of two parts ("2 hours 30 minutes") the larger


_PLAIN = (
    r"(?:\d{1,3}(?:\.\d{3})+,\d{1,2}(?!\d|,\d)"  # 1.234,50
    r"|\d{1,3}(?:\.\d{3}){2,}(?![\d.])"  # 1.000.000
    r"|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?"  # 1,234.50
    r"|\d{1,2}(?:,\d\d)+,\d{3}(?!\d)(?:\.\d+)?"  # 12,50,000, as in India
    r"|\d+,\d{1,2}(?!\d|,\d)"  # 12,5
    r"|\d+(?:\.\d+)?|\.\d+)"
)
_POWER = r"(?:[eE][+-]?\d{1,9}(?!\d)|\s{0,3}[×x*]\s{0,3}10\s?\^\s?[{(]?\s?-?\d{1,9}(?!\d)\s?[)}]?)?"
_NUMBER = re.compile(
    r"(?<![\w^])(?<!\^[{(])(?<!\d[.:/])(?:"
    r"(?P<clock>\d{1,2}:\d\d)(?::\d\d)?(?![\d:])"
    r"|(?P<ratio>\d{1,9}:\d{1,9})"
    r"|(?P<mixed>\d{1,9}(?: and)? (?P<above>\d{1,9})/(?P<below>\d{1,9})(?![\d/]))"
    rf"|(?P<top>{_PLAIN})\s?/\s?(?P<bottom>{_PLAIN})(?!\s?/|\d)"
    rf"|(?P<plain>{_PLAIN}){_POWER})"
)
_BEFORE = re.compile(rf"(-|\u2013|\bminus |\bnegative )?[ {BOLD}]?([$€£¥₹])?\s?(-|\u2013)?\Z", re.IGNORECASE)
_AFTER = re.compile(
    rf"{END}?(?P<ordinal>(?:st|nd|rd|th)\b)"
    r"|(?P<and>(?: [a-z]+)? and (?:a half|a quarter|one[ -]half|three[ -]quarters)\b)?"
    rf"(?P<scale> ?(?:hundred|thousand|million|billion|trillion|dozen)\b|[kKM]\b|)"
    rf"{END}?\s?(?P<kind>%|\$(?! ?\d)|percent\b|per cent\b|dollars?\b|bucks\b|cents?\b|¢|€|£|USD\b|euros?\b|[ap]\.?m\b)?",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r" ?[-+*/=)<>×÷] ?|\.?\n|\.?\Z")  # so that nothing after a number belongs to it
_PARTS = {"half": Fraction(1, 2), "a quarter": Fraction(1, 4), "quarters": Fraction(3, 4)}
_SCALES = {"hundred": 100, "thousand": 1000, "k": 1000, "million": 10**6, "m": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}


def canonical(written: str, shift: int = 0, negative: bool = False) -> str:
    """`"007.50"` → `"7.5"`; `shift` is a power of ten."""
    whole, _, part = written.partition(".")
    figures = (whole + part).lstrip("0")
    digits = figures.rstrip("0")
    shift += len(figures) - len(digits) - len(part)
    point = len(digits) + shift
    if not digits:
        return "0"
    if not -1000 < point < 1000 or len(digits) > 1000:
        value = f"{digits}e{shift}"
    elif shift >= 0:
        value = digits + "0" * shift
    else:
        value = digits[:point] + "." + digits[point:] if point > 0 else "0." + "0" * -point + digits
    return "-" + value if negative else value


def exactly(value: Fraction) -> str:
    """The canonical form of a fraction."""
    rest, places = value.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest //= prime
            power += 1
        places = max(places, power)
    if rest > 1:
        return f"{value.numerator}/{value.denominator}"
    return canonical(str(abs(value.numerator) * 10**places // value.denominator), -places, value < 0)


def combined(value: str, factor: Fraction, more: Fraction = Fraction(0)) -> str:
    """`value` times `factor`, and `more` away from zero; `value` itself if it is too long to calculate with."""
    if len(value) > 60 or not re.fullmatch(r"-?[\d.]+(?:/\d+)?", value):
        return value
    product = Fraction(value) * factor
    return exactly(product - more if value.startswith("-") else product + more)


def numbers(text: str, asked_scale: str = "", start: int = 0) -> list[Number]:
    """Those in digits from `start` on, in order. A scale that is asked for ("how many million") is the unit, and no part of the number."""
    found = [_number(text, match, asked_scale) for match in _NUMBER.finditer(text, start)]
    return _joined(text, found)


def _number(text: str, match: re.Match[str], asked_scale: str) -> Number:
    start, end = match.span()
    close = text[max(0, start - 9) : start]
    plainly = close[-2:-1].isalpha() and not close.lower().endswith(("minus ", "negative "))  # most often, and quick to see
    before = None if plainly else _BEFORE.search(text, max(0, start - 12), start)
    after = None if _GOES_ON.match(text, end) else _AFTER.match(text, end)
    sign, currency, inner = before.groups() if before else (None, None, None)
    minus = bool(inner and currency) or _is_sign(text, before.start(1 if sign else 3) if before else start, sign or inner)
    value = _value(match, minus)
    if after is None:
        return Number(start, end, value, "money" if currency else "", "dollar" if currency == "$" else "")
    scale = (after["scale"] or "").strip().lower()
    kind = (after["kind"] or "").lower()
    if after["and"]:
        part = next(part for words, part in _PARTS.items() if words in after["and"].lower().replace("-", " "))
        value, end = combined(value, Fraction(1), part), after.end("and")
    if scale and scale not in asked_scale and (scale not in "km" or currency):
        value, end = combined(value, Fraction(_SCALES[scale])), after.end("scale")
    if after["ordinal"]:
        return Number(start, after.end(), value, "ordinal")
    if match["clock"] or (kind[:1] in ("a", "p") and kind.rstrip(".")[-1] == "m"):
        return Number(start, after.end() if kind else end, value, "clock")
    if kind in ("%", "percent", "per cent"):
        return Number(start, after.end(), value, "percent")
    if not currency and not kind:
        return Number(start, end, value)
    return Number(start, end, value, "money", "dollar" if currency == "$" or kind.startswith(("dollar", "$")) else "")


def _is_sign(text: str, place: int, sign: str | None) -> bool:
    """Whether the sign at `place` belongs to the number, and is no difference, range, hyphen or bullet."""
    if sign is None:
        return False
    head = text[:place].rstrip()
    if sign.lower() == "negative ":
        return True
    if sign.lower() == "minus ":
        return not head or bool(re.search(r"(?:\b(?:is|was|be|to|at|of|about|only|from|than|reach(?:es|ed)?|or)|[=:(])\Z", head[-10:]))
    spaced = text[place + 1 : place + 2].isspace()
    if head and head[-1] in "=≈":
        return True
    if spaced or (head and len(head) == place and (head[-1].isalnum() or head[-1] in ")]%.")):
        return False
    return not (head and (head[-1].isdigit() or head[-1] in ")%°"))


def _value(match: re.Match[str], negative: bool) -> str:
    if match[0].isdecimal() and len(match[0]) < 19:  # most often, and quick to see
        whole = match[0].lstrip("0") or "0"
        return "-" + whole if negative and whole != "0" else whole
    if match["clock"]:
        hour, minute = match["clock"].split(":")
        return canonical(hour) if minute == "00" and not match[0].count(":") > 1 else match[0].lstrip("0")
    if match["ratio"]:
        return match["ratio"]
    if match["mixed"]:
        below = int(match["below"])
        return exactly((-1) ** negative * (int(match[0].split()[0]) + Fraction(int(match["above"]), below))) if below else "0"
    if match["top"]:
        top, bottom = _decimal(match["top"]), _decimal(match["bottom"])
        if len(top) + len(bottom) > 60 or not Fraction(bottom):
            return canonical(top, 0, negative)
        return exactly((-1) ** negative * Fraction(top) / Fraction(bottom))
    power = re.search(r"(?:[eE]|\^\s?[{(]?\s?)([+-]?\d+)", match[0][len(match["plain"]) :])
    return canonical(_decimal(match["plain"]), int(power[1]) if power else 0, negative)


def _decimal(written: str) -> str:
    """`"1.234,50"` → `"1234.50"`, `"1,234"` → `"1234"`, `"12,5"` → `"12.5"`."""
    if written.count(".") > 1 and "," not in written:
        return written.replace(".", "")
    head, comma, tail = written.rpartition(",")
    if comma and len(tail) < 3:
        return head.replace(".", "").replace(",", "") + "." + tail
    return written.replace(",", "")


# Larger unit, smaller unit, how many of these it has.
_TWO_PARTS = {
    **{("dollar", "cent"): 100, ("euro", "cent"): 100, ("dozen", "egg"): 12, ("foot", "inch"): 12, ("feet", "inch"): 12},
    **{("hour", "minute"): 60, ("hour", "min"): 60, ("hr", "min"): 60, ("h", "min"): 60, ("minute", "second"): 60, ("day", "hour"): 24},
    **{("year", "month"): 12, ("week", "day"): 7, ("pound", "ounce"): 16, ("kilogram", "gram"): 1000, ("kilometer", "meter"): 1000},
    ("meter", "centimeter"): 100,
}
_LARGER = re.compile(r"\s?([a-z]+?)s?,?(?: and)? \$?\Z")
_SMALLER = re.compile(r"\s?([a-z]+?)(?:(?<=ch)es|s)?\b")


def parts_of(unit: str) -> tuple[str, int] | None:
    """The smaller unit that goes with a larger one, and how many make one of it."""
    return next(((small, many) for (large, small), many in _TWO_PARTS.items() if large == unit), None)


def _joined(text: str, found: list[Number]) -> list[Number]:
    """`found` with amounts in two parts as one number of the larger unit."""
    whole: list[Number] = []
    for number in found:
        if whole and number.start - whole[-1].end < 16 and not number.value.startswith("-"):
            last = whole[-1]
            large = _LARGER.match(text, last.end, number.start)
            small = _SMALLER.match(text, number.end)
            many = large and small and _TWO_PARTS.get((large[1], small[1]))
            if large and small and many and re.fullmatch(r"[\d.]+", number.value) and len(number.value) < 12:
                value = combined(last.value, Fraction(1), Fraction(number.value) / many)
                whole[-1] = Number(last.start, small.end(), value, "money" if large[1] in ("dollar", "euro") else "", large[1])
                continue
        whole.append(number)
    return whole


_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = dict(zip(_ONES.split(), range(20), strict=True)) | dict(zip(_TENS.split(), range(20, 100, 10), strict=True))
_COUNTS = frozenset(_WORDS) | {"a", "an"}
_PIECES = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
_SPELLED = re.compile(
    rf"\b(?P<minus>minus |negative )?(?P<number>(?:{'|'.join(_WORDS)}|half a (?=dozen|million)"
    r"|an?(?= (?:hundred|thousand|million|dozen)\b| (?:half|third|quarter|fifth|tenth) of\b))"
    rf"(?:(?:-| and (?!one[ -]half)| |, )?(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))}"
    r"|hundred|thousand|million|billion|dozen)\b){0,12})"
    rf"(?:(?:[ -](?:halves|(?:{'|'.join(_PIECES)})s?))|(?P<and>(?: [a-z]+)? and (?:a half|a quarter|one[ -]half|three[ -]quarters)))?\b"
    r"(?: ?(?P<kind>percent|dollars?|cents?)\b)?"
    r"|\b(?P<none>none|nothing)(?= (?:of|is|are|left|remains?)\b)|\b(?P<half>half)(?= (?:an?|the|of)\b)",
    re.IGNORECASE,
)


def may_be_spelled(text: str) -> bool:
    """Whether there can be a number in words before another word."""
    return not _COUNTS.isdisjoint(text.lower().replace("-", " ").split())


def spelled(text: str, asked_scale: str = "") -> list[Number]:
    """Those in words, in order."""
    return _joined(text, [_from_words(match, asked_scale) for match in _SPELLED.finditer(text)])


def _from_words(match: re.Match[str], asked_scale: str) -> Number:
    start, end = match.span()
    if match["none"] or match["half"]:
        return Number(start, end, "0" if match["none"] else "0.5", "word")
    total = group = Fraction(0)
    for word in re.findall(r"[a-z]+", match["number"].lower()):
        if word in _WORDS:
            group += _WORDS[word]
        elif word in _SCALES and word not in asked_scale:
            group = (group or Fraction(1)) * _SCALES[word]
            if _SCALES[word] >= 1000:
                total, group = total + group, Fraction(0)
        elif word in ("a", "an"):
            group = group or Fraction(1)
        elif word == "half":
            group = Fraction(1, 2)
    value = total + group
    rest = match[0][match.end("number") - start :].lower()
    if match["and"]:
        value += next(part for words, part in _PARTS.items() if words in rest.replace("-", " "))
    elif piece := re.match(r"[ -]([a-z]+)", rest):
        value = value / _PIECES.get(piece[1].replace("halves", "half").rstrip("s"), 1)
    kind = "percent" if match["kind"] == "percent" else "money" if match["kind"] else "word"
    if kind == "money":
        end = match.start("kind")
    return Number(start, end, exactly(-value if match["minus"] else value), kind)


def unmarked(text: str) -> str:
    """`text` without the marks of bold type and boxes."""
    return text.translate({ord(BOLD): " ", ord(BOX): " ", ord(END): " "})
