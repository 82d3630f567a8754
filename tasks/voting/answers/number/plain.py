r"""Texts without the ways of writing that mean nothing for a number: LaTeX, Unicode's look-alikes, marks of a calculator.

    "It is $\frac{3}{4}$, or \$1{,}250 \text{ a day}"  →  "It is 3/4, or $1,250 a day"
    "9*2 = $<<9*2=18>>18, −3 °C, ½, １０５"             →  "9*2 = $18, -3 °C, 1/2, 105"
    "**18**, \boxed{18}"                               →  "18" between BOLD and END, "18" between BOX and END

Every pattern is linear in the length of a text. What is longer than `LONGEST` is looked at from its end only.
"""

import re
import unicodedata

LONGEST = 10_000  # characters; no answer is that far before the end, and whatever is done stays below a tenth of a second
BOLD, BOX, END = "\ue000", "\ue001", "\ue002"  # of Unicode's private area, so no text's own

_DOLLAR = "\ue003"  # an escaped one, which is money and no delimiter
_THIN = "\ue004"  # a space that may separate thousands


def plain(text: str) -> str:
    """`text` in ASCII as far as numbers go, and with the marks above."""
    if len(text) > LONGEST:
        text = re.sub(r"\A[\d.,]+", "", text[-LONGEST:])  # the cut may have gone through a number
    if not text.isascii():
        text = _POWER_OF_TEN.sub(lambda power: "10^" + unicodedata.normalize("NFKC", power[1]), text)
        text = re.sub(r"\d(?<![0-9])", lambda digit: str(unicodedata.digit(digit[0])), text.translate(_CHARACTERS))
    if "<<" in text:
        text = re.sub(r"<<[^<>\n]*>>(?=[$-]{0,2}\.?\d)", "", text)
        text = re.sub(r"<<([^<>\n]*)>>", r" \1 ", text)
    escaped = "\\" in text or "{,}" in text
    if escaped:
        text = _COMMAND.sub(lambda match: _COMMANDS[match[0]], text)
    if "$" in text:  # what stands between two of them is a formula
        text = re.sub(r"\$\$|\$(?=[^\s$])([^$\n]{0,300}?[^\s$])\$(?!\d)", r" \1 ", text)
    if escaped:
        text = _without_latex(text)
    text = text.replace(_DOLLAR, "$")
    text = re.sub(rf"(\d)[{_THIN}'~](?=\d{{3}}(?!\d))", r"\1,", text).replace(_THIN, " ")
    # A space separates thousands where a number is expected, and not in "5 250 ml bottles".
    if _IN_GROUPS.search(text):
        text = _SPACED.sub(lambda match: match[1] + match[2].replace(" ", ",") + (match[3] or "").replace(",", "."), text)
    if "USD" in text:
        text = re.sub(r"\bUSD ?(?=\d)", "$", text)
    if any(short in text for short in _SHORT):
        text = re.sub(r"\b(Mrs?|Ms|Dr|St|vs|i\.e|e\.g)\. ", r"\1 ", text)  # no ends of sentences
    if "**" in text:
        text = re.sub(r"\*\*([^*\n]{1,400})\*\*", rf"{BOLD}\1{END}", text).replace("**", " ")
    return text.replace("`", " ").replace("~", " ")


def words(text: str) -> frozenset[str]:
    """The words of a list that is written as a text."""
    return frozenset(text.split())


_POWER_OF_TEN = re.compile("(?<![0-9])10([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,9})")
_SHORT = ("Mr", "Ms.", "Dr.", "St.", "vs.", "i.e.", "e.g.")
_IN_GROUPS = re.compile(r"\d \d{3}(?!\d)")
_SPACED = re.compile(
    r"((?:[=:$#]|\bis|\A) ?|(?<![\d.,] )(?<![\d.,])(?=[\d ]{5,15},\d\d\b))([1-9]\d{0,2}(?: \d{3})+)(?!\d)(,\d\d?)?(?![\d/]|[.,]\d{4})"
)


def _characters() -> dict[int, str]:
    """What stands for each character that is not ASCII and matters."""
    table = {ord(character): " " + unicodedata.normalize("NFKC", character).replace("⁄", "/") for character in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
    table |= {ord(full): half for full, half in zip("（）＋，－．／：＝％＄？！；", "()+,-./:=%$?!;", strict=True)}
    table |= dict.fromkeys(map(ord, "\u2212\u2010\u2011\ufe63"), "-")
    table |= dict.fromkeys(map(ord, "\u2009\u202f"), _THIN)
    table |= dict.fromkeys(map(ord, "\u00a0\u2002\u2003\u3000"), " ")
    table |= dict.fromkeys((*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF, *range(0xE000, 0xE005)), "")
    table |= {ord("’"): "'", ord("‘"): "'", ord("“"): '"', ord("”"): '"', ord("—"): " — ", ord("。"): ". ", ord("⁄"): "/", ord("∶"): ":"}
    return table


_CHARACTERS = _characters()

_FRACTION = re.compile(r"(\d\s*)?\\[dtc]?frac\s*(?:\{([^{}]*)\}|(\d))\s*(?:\{([^{}]*)\}|(\d))")
_DRESS = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mathtt|operatorname|mbox|bm|boldsymbol|underline|emph)\s*\{([^{}]*)\}"
)
_COMMANDS = {
    "\\n": "\n", "\\\\": "\n", "\\$": _DOLLAR, "\\%": "%", "\\#": "#", "\\&": "&", "\\_": "_", "{,}": ",", "\\,": _THIN, "\\!": "",
    "\\'": "'", '\\"': '"', "\\;": " ", "\\:": " ", "\\ ": " ", "\\(": " ", "\\)": " ", "\\[": "\n", "\\]": "\n", "\\{": " ", "\\}": " ",
}  # fmt: skip
# Backslash-n is a line break in texts that went through a list's repr, unless a command of LaTeX goes on with it.
_COMMAND = re.compile(r"\\n(?!(?:eq|ot|u|e|i|abla|eg|less|parallel|ewline)\b)|\\['\"\\$%#&_,!;: ()\[\]{}]|\{,\}")
_WORDS = {"times": "×", "cdot": "×", "ast": "×", "div": "÷", "approx": "≈", "circ": "°", "dollar": _DOLLAR, "pounds": "£", "euro": "€"}


def _without_latex(text: str) -> str:
    text = re.sub(r"\\(?:begin|end)\s?\{[^{}]*\}", "\n", text)
    text = re.sub(r"\^\s?\{?\\circ\}?", "°", text)
    for _ in range(3):  # as deep as braces are nested in practice
        text = _DRESS.sub(r" \1 ", text)
        text = _FRACTION.sub(_slash, text)
    text = _boxes(text)
    text = re.sub(r"\\([a-zA-Z]+) ?", lambda match: f" {_WORDS.get(match[1], '')} " if match[1] not in ("left", "right") else "", text)
    return text.replace("&", " ").replace("\\", " ")


def _slash(match: re.Match[str]) -> str:
    whole = f"{match[1]} " if match[1] else ""
    above, below = (match[2] or match[3] or "").strip(), (match[4] or match[5] or "").strip()
    if re.fullmatch(r"-?[\d.,]+", above) and re.fullmatch(r"[\d.,]+", below):
        return f"{whole}{above}/{below} "
    return f"{whole} ({above})/({below}) "


def _boxes(text: str) -> str:
    r"""`\boxed{…}` between marks, up to the brace that closes it, or to the end of its line."""
    parts = re.split(r"\\(?:boxed|fbox)\s*\{", text)
    return parts[0] + "".join(_box(part) for part in parts[1:])


def _box(part: str) -> str:
    depth = 1
    for place, character in enumerate(part[:300]):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return f"{BOX}{part[:place]}{END}{part[place + 1 :]}"
    line, newline, rest = part.partition("\n")
    return f"{BOX}{line}{END}{newline}{rest}"
