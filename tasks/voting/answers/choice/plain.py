r"""Brings a text that answers a choice into a plain shape, and cuts off what is no part of the answer.

    plain(r"So **Answer:** $\boxed{\text{B}}$")              →  "So Answer: #### {(B)}"
    plain("The answer is Ⓑ")                                 →  "The answer is (B)"
    segments("B\n\nQuestion: And of Spain?\nAnswer: C")      →  ["B\n", " And of Spain?\nAnswer: C"]

A letter in bold, quotes, braces or a circle becomes a letter in brackets, so that whoever looks for an answer knows one shape
only. Nothing here knows the question or its options.
"""

import re
import unicodedata
from collections.abc import Iterable

# Of a longer text the start and the end are read, where answers stand.
_LONGEST = 4_000  # characters of each

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CIRCLED = {
    first + place: f"({letter})"
    for first in (0x249C, 0x24B6, 0x24D0, 0x1F110, 0x1F130, 0x1F150, 0x1F170)  # ⒜ Ⓐ ⓐ 🄐 🄰 🅐 🅰
    for place, letter in enumerate(_LETTERS)
}
_TYPOGRAPHY = str.maketrans("“”„«»‘’`´−–—‐‑。、【】「」", '"""""\'\'\'\'-----.,[][]')
_COMMAND = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt)?|math(?:rm|bf|sf|it)|emph|left|right|bf|rm|[lL]arge|quad|[,;!])(?![a-z])|\\(?=(?:log|ln|sin|cos|tan|pi)\b)"
)
_FRACTION = re.compile(r"\\[dt]?frac\s*\{(-?\w{1,20})\}\s*\{(\w{1,20})\}")
_POWER = re.compile(r"\^\{(\w{1,9})\}")
_BOX = re.compile(r"\\f?box(?:ed)?\s*(?=\{)")
# A list with one line in bold: that line is ticked.
_BOLD_LINE = re.compile(r"^([ *#>-]*)\*\*(\(?[A-Z][.):][^*\n]*)\*\*[ ]*$", re.MULTILINE)
# "- [x] B) Paris"
_TICKED = re.compile(r"^([ *-]*)\[([ xX])\] ", re.MULTILINE)
# **B**, _B_, "B", `B.`.
_EMPHASIS = re.compile(r"(?<![\w*_])(\*{1,3}|_{1,3}|[\"'`])\s*\(?([A-Z])\s*[.:)]{0,2}\s*\1")
# [B], {B}, <B>.
_BRACES = re.compile(r"(?<![\w\]])[\[{<]\s*\(?([A-Za-z])\)?[.:]?\s*[\]}>]")
_MARKS = {  # what goes, by the character that has to be there
    "*": re.compile(r"\*"),
    "_": re.compile(r"(?<!\w)_{1,3}|_{1,3}(?!\w)"),
    "\\": re.compile(r"\\(?=[\[\]()$])"),
    "$": re.compile(r"\$(?!\d)"),
    "`": re.compile(r"```\w*"),
}
_BLANKS = re.compile(r" {2,}|[\u00a0\u2000-\u200a\u202f\u3000][ \u00a0\u2000-\u200a\u202f\u3000]*")
_SIMPLE = re.compile(r"[A-Za-z0-9,.%]*(?: [A-Za-z0-9,.%]+)*")
_STRUCK = re.compile(r"~~[^~\n]{1,200}~~")
# "i think its b", "I'd say b)"
_SMALL = re.compile(r"(?i:\b(?:it'?s|say|choose|pick|think|guess|with))\s([b-z])(?=\)?[.! ]*$)")
_NEXT_TO_IDEOGRAPH = re.compile(r"(?<=[\u3040-\ud7af])(?=[A-Za-z0-9(])|(?<=[A-Za-z0-9)])(?=[\u3040-\ud7af])")

_THOUGHT = re.compile(r"(?is)^.*</(?:think|thinking|thought|reasoning)>")
_NEXT = re.compile(  # where somebody else speaks, or another question begins
    r"(?:^|[\s*#.)>])(?:[Qq]uestion|QUESTION|(?<!\w )Q|Problem|Exercise|Human|User|USER|Next question) ?#?\d{0,4} ?:(?!\w)"
    r"|\n#{1,4} ?(?:Question|Problem|Instruction|Input|User|Human)\b"
    r"|<\|?/?(?:im_end|im_start|endoftext|eot_id|end|user|s|END_ANSWER|end_of_turn|start_of_turn)\|?>|\[/?INST\]"
    r"|\nThe following (?:is|are) "
    r"|\n[^\n]{5,500}\? ?\n\s{0,5}(?=\(?A[.):] ?[^\n]{1,300}\n\s{0,5}\(?B[.):])"
)
_NEXT_WORDS = (
    "uestion",
    "QUESTION",
    "Q",
    "Problem",
    "Exercise",
    "Human",
    "User",
    "USER",
    "Instruct",
    "Input",
    "<|",
    "</",
    "<s",
    "<e",
    "<i",
    "<u",
    "<E",
    "INST]",
    "following",
    "?\n",
    "? \n",
)


def plain(text: str) -> str:
    """`text` without markup, typographic variants and invisible characters; the middle of a very long one is left out."""
    text = _ends(text)
    if _SIMPLE.fullmatch(text):
        return _with_capital(text)
    for blank in "\t\r\v\f\0":
        text = text.replace(blank, " " if blank != "\0" else "")
    if not text.isascii():
        text = text.translate(_TYPOGRAPHY)
        text = unicodedata.normalize("NFKC", text.translate(_CIRCLED)).translate(_TYPOGRAPHY)
        text = "".join(one for one in text if unicodedata.category(one) not in ("Cf", "Mn"))
        text = _NEXT_TO_IDEOGRAPH.sub(" ", _ends(text))  # of one character there may be many now
    if "\\" in text:
        text = _COMMAND.sub("", _FRACTION.sub(r"\1/\2", _BOX.sub(" #### ", text)))
    if "**" in text:
        text = _BOLD_LINE.sub(r"\1\2 ✓", text)
    if any(mark in text for mark in "*_`\"'"):
        text = _EMPHASIS.sub(r"(\2)", text)
    if "~~" in text:
        text = _STRUCK.sub("", text)
    if "^{" in text:
        text = _POWER.sub(r"^\1", text)
    if "[" in text:
        text = _TICKED.sub(lambda tick: tick[1] + ("" if tick[2] == " " else "✓ "), text)
    if "[" in text or "{" in text or "<" in text:
        text = _BRACES.sub(r"(\1)", text)
    for mark, pattern in _MARKS.items():
        if mark in text:
            text = pattern.sub("", text)
    return _with_capital(_BLANKS.sub(" ", text))


def _with_capital(text: str) -> str:
    """`text` with a capital where it ends with a small letter that is chosen."""
    return text[:-20] + _SMALL.sub(lambda match: match[0][:-1] + match[1].upper(), text[-20:])


def _ends(text: str) -> str:
    return text if len(text) <= 2 * _LONGEST else f"{text[:_LONGEST]}\n{text[-_LONGEST:]}"


def segments(text: str) -> list[str]:
    """The parts of a plain `text` that belong to one question each; a thought before the answer is left out."""
    if "</" in text:
        text = _THOUGHT.sub("", text)
    return _NEXT.split(text) if any(word in text for word in _NEXT_WORDS) else [text]


def places(text: str, words: Iterable[str]) -> list[int]:
    """Where one of the `words` stands in `text`, in order."""
    found = set()
    for word in words:
        place = text.find(word)
        while place >= 0:
            found.add(place)
            place = text.find(word, place + 1)
    return sorted(found)
