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
import unicodedata
from fractions import Fraction
from functools import lru_cache

from tasks.voting.answers.math.expression import exact

LONGEST = 1000  # characters; what is longer answers nothing

_CHARACTERS = {
    **dict.fromkeys("−–—‐‑﹣－", "-"),
    **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff\x00", ""),
    **{"×": r"\cdot ", "·": r"\cdot ", "⋅": r"\cdot ", "∗": r"\cdot ", "÷": "/", "⁄": "/", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne "},
    **{
        "∞": r"\infty ",
        "π": r"\pi ",
        "°": r"^\circ ",
        "±": r"\pm ",
        "∪": r"\cup ",
        "∩": r"\cap ",
        "∈": r"\in ",
        "≈": r"\approx ",
        "∅": r"\emptyset ",
    },
    **{"ℝ": r"\mathbb{R}", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ", "φ": r"\phi ", "√": r"\sqrt "},
    **{"¼": r"\frac{1}{4}", "½": r"\frac{1}{2}", "¾": r"\frac{3}{4}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "“": "", "”": ""},
    **{mark: f"^{digit}" for digit, mark in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{mark: f"_{digit}" for digit, mark in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}
_TABLE = str.maketrans(_CHARACTERS)

_FONT = r"text|textbf|textit|textrm|textnormal|texttt|textsf|mathrm|mathbf|mathit|mathsf|mathtt|mbox|hbox|boldsymbol|bm|operatorname\*?"
# In this order.
_REWRITTEN: list[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}", r"\1"),
        (r"\\begin\{(?:[pbvBV]?matrix|smallmatrix|array)\}(?:\s*\{[lcr| ]*\})?", r"\\begin{matrix}"),
        (r"\\end\{(?:[pbvBV]?matrix|smallmatrix|array)\}", r"\\end{matrix}"),
        (r"\\(?:begin|end)\{(?:aligned|align\*?|equation\*?|gathered|split)\}", ""),
        (r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|middle)(?![a-zA-Z])\.?", ""),
        (r"(?:[(\[|]\s*)?(\\begin\{matrix\}.*?\\end\{matrix\})(?:\s*[)\]|])?", r"\1"),
        (r"(?<=\d)(?:\{,\}|\\,|\\!\s*,?|,\s*\\!)(?=\d{3}(?!\d))", ""),
        (r"(?<!\\)\\(?:[,;:!> ~]|q?quad(?![a-zA-Z])|hspace\{[^{}]*\})|~", " "),
        (r"\\[()\[\]](?![a-zA-Z])|(?<!\\)\$|\\\$|[£€]", ""),
        (r"\\(?:math(?:bf|it|sf|rm)|boldsymbol|bm)\s*\{\s*(-?[\d.,]+|[a-zA-Z])\s*\}", r"\1 "),
        (rf"\\(?:{_FONT})\s*\{{", r"\\text{"),
        (r"(?i)^(?:\\text\{)?\s*(?:the\s+)?(?:final\s+|correct\s+)?answer(?:\s+is|:)\s*:?\s*\}?", ""),
        (r"\\text\{\s*\(?([A-Z]{1,3})\)?\s*(?:(?:,|and|or|, and)\s*\(?([A-Z]{1,3})\)?\s*)?\}", r"\\text{\1}, \\text{\2}"),
        (r", \\text\{\}", ""),
        (r"(^|[,(=])\s*\\text\{\s*([A-Z]{1,3})\s*\}", r"\1\2"),
        (r"\\text\{\s*(?::|to)\s*\}|(?<=\d)\s+to\s+(?=\d)", ":"),
        (r"(?<![\w.])(\d+(?:\.\d+)?)[eE]([-+]?\d{1,4})(?![\w.])", r"\1\\cdot 10^{\2}"),
        (r"(?<=\d)\s*[xX]\s*(?=10\s*\^)", r"\\cdot "),
        (r"\{\s*([^{}]*)\\choose\s+([^{}]*)\}", r"\\binom{\1}{\2}"),
        (r"\{\\(?:rm|bf|it)\s+([^{}]*)\}", r"\\text{\1}"),
        (r"\\mathbb\s*\{?\s*([A-Z])\s*\}?", r"\\mathbb{\1}"),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\lg(?![a-zA-Z])", r"\\log"),
        (r"\\text\{\s*\}|\\(?:bf|it|rm|color\s*\{[^{}]*\}|[vh]?phantom\s*\{[^{}]*\})(?![a-zA-Z])", " "),
        (r"\\textcolor\s*\{[^{}]*\}", ""),
        (r"^.*\\equiv(?![a-zA-Z])|\\p?mod\s*(?:\{\s*\w+\s*\}|\w+)\s*$|\(\s*\\[bp]?mod\s*\w+\s*\)\s*$", ""),
        (r"(?<![\\a-zA-Z])(?:sqrt|frac|infty|cdot|pi|sin|cos|tan|log|ln)(?![a-zA-Z])", r"\\\g<0>"),
        (r"(?i)(?<![\\a-zA-Z])(?:infinity|inf)(?![a-zA-Z])", r"\\infty "),
        (r"\\(?:cdot|times|ast)(?![a-zA-Z])|\*(?!\*)", r"\\cdot "),
        (r"\*\*", "^"),
        (r"\\leq?(?:slant)?(?![a-zA-Z])|<=", r"\\le "),
        (r"\\geq?(?:slant)?(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\neq?(?![a-zA-Z])|!=", r"\\ne "),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\[lr]?vert(?![a-zA-Z])|\\mid(?![a-zA-Z])", "|"),
        (r"\\lbrace(?![a-zA-Z])", r"\\{"),
        (r"\\rbrace(?![a-zA-Z])", r"\\}"),
        (r"\\mathbb\{R\}\s*(?:\\setminus|\\backslash|-)\s*\\\{([^{},]*)\\\}", r"(-\\infty,\1)\\cup (\1,\\infty)"),
        (r"^\\\{\s*[a-zA-Z]\s*(?:\\in\s*\\mathbb\{R\})?\s*[|:](.*)\\\}$", r"\1"),
        (r"\\varnothing(?![a-zA-Z])|\\\{\s*\\\}", r"\\emptyset "),
        (r"\\(?:ldots|dots|cdots)(?![a-zA-Z])", r"\\ldots "),
        (r"\\text\{\s*(?:,?\s*(?:and|or),?)\s*\}|(?<![\\a-zA-Z])(?:and|or)(?![a-zA-Z])|;", ","),
        (r"\\%|(?i:\\text\{\s*(?:percent|%|\\%)\s*\}|(?<![a-zA-Z])percent\b)", "%"),
        (r"\\sqrt\s*(\d+|[a-zA-Z])", r"\\sqrt{\1}"),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\w)\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*\{([^{}]*)\}\s*(\w)", r"\\frac{\1}{\2}"),
        (r"\\log_(\d)(?=\d)", r"\\log_{\1}"),
        (r"([\^_])\s*(\w)\s+(?=\d)", r"\1{\2}"),
        (r"([\^_])\s*\{\s*(\w)\s*\}(?!\s*\d)", r"\1\2"),
        (r"(\d)\s+(\d+)\s*/\s*(\d+)", r"\1\\frac{\2}{\3}"),
        (r"(?<![\w./])(\d+)/(\d+)(?=\s*[a-zA-Z(\\])(?!\s*\\cdot|\s*\\text|\s*\\c[ua]p)", r"\\frac{\1}{\2}"),
        (r",(?:\s*,)+", ","),
    ]
]
_TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
_DEGREES = re.compile(r"\^\s*\{?\s*\\circ(?![a-zA-Z])\s*\}?|\\degree(?![a-zA-Z])|(?<![a-zA-Z])degrees?(?![a-zA-Z])")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_DOTS = re.compile(r"(\d*\.\d*?)(\d)\2\2+\s*(?:\.\.\.|\\[lc]?dots)")
_REPEATING = re.compile(r"(\d*)\.(\d*)\\overline\s*\{\s*(\d{1,20})\s*\}")
_ASKS_PERCENT = re.compile(r"(?i)\b(?:what|which|as a|how many|find the|in|the|compute the|is)\s+(?:\w+\s+)?percent")
_TOKEN = re.compile(r"\\text\{([^{}]*)\}|\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|\S")
_WORDS = re.compile(r"[A-Za-z][A-Za-z'’ .-]*")
_LETTER = re.compile(
    rf"(?i:option|choice)?\s*\(?(?:\\(?:{_FONT})\s*\{{)?\s*(?i:option|choice)?\s*\(?\s*([A-Z])\s*\)?\s*\}}?\)?|\\(?:{_FONT})\{{\s*\(([A-Z])\)\s*\}}.*"
)
_TIME = re.compile(r"(\d{1,2})\s*:\s*(\d\d)\s*(?:\\text\{)?\s*([ap])\.?\s?m\.?\s*\}?", re.IGNORECASE)
_SPACED = re.compile(r"-?\d{1,3}(?:\s\d{3})+(?:\.\d+)?")
_APPROXIMATION = re.compile(r"^(.*?)\s*\\approx(?![a-zA-Z])\s*(.*)$", re.DOTALL)
_BASE = re.compile(r"\(?([0-9A-F]+)\)?_\{?\s*(?:\\text\{)?\s*(\d+|[a-z]+)\s*\}{0,2}(?:\\text\{.*\})?")
_NUMERALS = {
    name: number for number, name in enumerate(re.findall(r"\w+", "zero one two three four five six seven eight nine ten eleven twelve"))
}
_NOTHING, _EVERYTHING = r"\emptyset", r"\mathbb{R}"
_PHRASES = {
    **{name: str(number) for name, number in _NUMERALS.items()},
    **dict.fromkeys(("one half", "one-half", "half"), "0.5"),
    **dict.fromkeys(("no solution", "no solutions", "no real solution", "no real solutions"), _NOTHING),
    **dict.fromkeys(("all real numbers", "all reals", "the set of all real numbers"), _EVERYTHING),
    "dne": r"\text{does not exist}",
}

_UNITS = {
    "m": "m meter meters metre metres",
    "cm": "cm centimeter centimeters centimetre centimetres",
    "mm": "mm millimeter millimeters",
    "km": "km kilometer kilometers kilometre kilometres",
    "in": "in inch inches",
    "ft": "ft foot feet",
    "yd": "yd yard yards",
    "mi": "mi mile miles",
    "g": "g gram grams",
    "kg": "kg kilogram kilograms",
    "mg": "mg milligram milligrams",
    "lb": "lb lbs pound pounds",
    "oz": "oz ounce ounces",
    "s": "s sec second seconds",
    "min": "min minute minutes",
    "h": "h hr hrs hour hours",
    "day": "day days",
    "week": "week weeks",
    "month": "month months",
    "year": "yr year years",
    "l": "l liter liters litre litres",
    "ml": "ml milliliter milliliters",
    "mi/h": "mph",
    "km/h": "kmh kph",
    "cent": "cent cents ¢",
    "dollar": "dollar dollars usd",
    "rad": "rad radian radians",
}
_UNIT = {name: unit for unit, names in _UNITS.items() for name in names.split()}
_TRAILING_TEXT = re.compile(r"^(.*?[\w})!%.])\s*\\text\{([^{}]*)\}\s*(\^\s*\{?\s*[23]\s*\}?)?$", re.DOTALL)
_TRAILING_WORDS = re.compile(r"^([-+$\d.,/\s]*\d[\d.,]*|.*\})\s*(?<!\\)\b([a-zA-Z][a-zA-Z/. ]*)(\^\s*\{?\s*[23]\s*\}?)?$", re.DOTALL)


@lru_cache(maxsize=50_000)
def asks_percent(question: str) -> bool:
    """Whether the answer is a number of percent, so that its sign may be left out."""
    return bool(_ASKS_PERCENT.search(question))


@lru_cache(maxsize=50_000)
def spelling(written: str, percent: bool = False) -> str | None:
    """The canonical spelling of an answer; null where nothing is left. `percent`: the question asks for percent."""
    if len(written) > LONGEST:
        return None
    text = _DOTS.sub(r"\1\\overline{\2}", unicodedata.normalize("NFKC", written.translate(_TABLE)))
    text = text.strip().strip("*`\"'").rstrip(".,:; \n").strip()
    if letter := _LETTER.fullmatch(text):
        return letter[1] or letter[2]
    for pattern, replacement in _REWRITTEN:
        text = pattern.sub(replacement, text)
    text = _DEGREES.sub(r"\\frac{\\pi}{180}" if _TRIGONOMETRY.search(text) else "", text)
    text = re.sub(r"^\\text\{\s*(-?[\d.].*)\}$", r"\1", text.strip().rstrip(".,:;\\ ").lstrip(",:;+ "))
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
    if base := _BASE.fullmatch(re.sub(r"\s+base\s+", "_", text)):
        named = base[2] if base[2].isdigit() else _NUMERALS.get(base[2])
        return f"{base[1]}_{named}" if named else None
    if text.startswith("{") and text.find("}") == len(text) - 1:
        text = text[1:-1].strip()
    if words := _words(text):
        return words
    text, unit = _unit(text)
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


def _words(text: str) -> str | None:
    r"""`Even`, `\text{Even}` → `\text{even}`; `\text{June } 20` → `\text{june 20}`. A bare `xyz` is a product, `5 apples` a number."""
    is_text = text.startswith("\\text{")
    words = " ".join(re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text).lower().split()).strip(" .,:;()\"'")
    if words == "dne":
        return _PHRASES[words]
    if not re.fullmatch(r"[a-z][a-z0-9'’ ,.-]*", words) or (not is_text and not _is_word(words)):
        return text[6:-1].strip() if is_text and len(words) == 1 and text.endswith("}") else None
    if len(words) == 1:
        return re.sub(r"\\text\{\s*|\s*\}|[().]", "", text).strip()
    return _PHRASES.get(words, f"\\text{{{words}}}")


def _is_word(words: str) -> bool:
    """Rather a word than the product of its letters, which would be few, or in order."""
    longest = max(re.findall(r"[a-z]+", words), key=len)
    if len(longest) < 3:
        return words in ("yes", "no")
    return bool(set(longest) & set("eiou")) or (len(longest) > 3 and list(longest) != sorted(longest))


def _unit(text: str) -> tuple[str, str]:
    r"""`12 \text{ square cm}` → `12`, `cm^2`. What is counted is no unit."""
    is_text = _TRAILING_TEXT.match(text)
    found = is_text or _TRAILING_WORDS.match(text)
    if not found:
        return text, ""
    words = re.split(r"[\s/-]+", found[2].lower().replace(".", "").strip())
    name = " ".join(words)
    if not is_text and (len(name) < 2 or not (_is_word(name) or any(word in _UNIT for word in words))):
        return text, ""
    power = found[3] and found[3].strip("^{} \t")
    if {"square", "squared", "sq"} & set(words):
        power = "2"
    if {"cubic", "cubed", "cu"} & set(words):
        power = "3"
    units = [_UNIT[word] for word in words if word in _UNIT]
    per = "/".join(units)
    return found[1], per + (f"^{power}" if power and per else "")


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
