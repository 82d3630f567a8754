r"""Reads a mathematical expression as an answer, in LaTeX or plain text.

    "… so the sum is $\boxed{\dfrac{3}{6}}$."                            →  "0.5"
    "Adding both sides, $x = \frac{-5}{\sqrt3}$"                         →  "x=\frac{-5}{\sqrt{3}}"
    "The answer is $[0,\infty)$, since $x = 3$ is allowed."              →  "[0,\infty)"
    "The roots are \boxed{-2} and \boxed{3}. Question: What is 1 + 1?"   →  "-2,3"
    "We have x = 5, but I am not sure."                                  →  null

The last thing marked as the answer (`\boxed{`, `####`, "the answer is", "Answer:"); where nothing is, the last formula, bold text or value
of the last lines that have one. A question that the model went on to ask itself is cut off, if an answer was marked before. The spelling
is canonical (`spelling.py`), but equal answers may still be spelt differently: `SAME` in `equivalence` tells which.
"""

import re
from itertools import pairwise

import polars as pl

from tasks.voting.answers.math.comparison import same_answer
from tasks.voting.answers.math.spelling import asks_percent, spelling
from tasks.voting.answers.refusal import is_refusal

_SEEN = 20_000  # characters at the end; with more after it nothing is an answer
LONGEST = 1000  # characters of an answer
_WORDS = 6  # of an answer that is none of mathematics

_NEXT_QUESTION = re.compile(
    r"\n[ \t]*(?:\*\*|#+ ?)?(?:Question|Problem|Exercise|Q|Human|User|Instruction)(?:\s*\d+)?(?:\*\*)?\s*[:.]"
    r"|(?<=[.!?$])\s+(?:Question|Problem|Q|Human):|\b(?:Question|Problem|Exercise) \d+:"
    r"|<\|im_(?:end|start)\|>|<\|eot_id\|>|<\|endoftext\|>|</s>|\[/?INST\]"
)
_OF_NEXT_QUESTIONS = ["Question", "Problem", "Exercise", "Q", "Human", "User", "Instruction", "<|", "</s>", "INST]"]  # quick to look for
_CALCULATION = re.compile(r"<<[^<>\n]{0,200}>>")  # "3 * 6 = <<3*6=18>>18", as models that learned from GSM8K write
_BOX = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])\s*")
_MARKER = re.compile(
    r"####\s*|(?:(?<=\n)|\A)[ *]{0,4}(?:A|Ans|Result):[ *]{0,4}"
    r"|(?:\banswer|\bsolution)s?\b(?:\s*\([^()\n]{0,30}\))?"
    r"(?:[ *_]{0,4}:|[^.\n$\\:=]{0,40}?\s(?:(?:is|are|equals|would be)\b|=))[ *_]{0,4}:?[ *_]{0,4}",
    re.IGNORECASE,
)
_DENIED = re.compile(r"(?:\bnot|n't|\bwrong|\bincorrect)[\s*_]*$", re.IGNORECASE)
_IS_HEADING = re.compile(r"solutions?\b[^a-z]*:", re.IGNORECASE)  # of what may be a whole solution
_IS_DENIED = re.compile(r"[\s*_:]*not\b", re.IGNORECASE)
_SAYS_NOTHING = re.compile(r"(?:not|correct|incorrect|right|wrong|verified|unknown|unclear|given|shown|below|above)\b", re.IGNORECASE)
_BETWEEN_BOXES = re.compile(r"(?:[\s$.,;]|\\[ ,;]|\\q?quad)*(?:\\text\{)?\s*(?:,|and|or|;)?\s*\}?[\s$]*(?:[a-zA-Z](?:_\w)?\s*=\s*)?[\s$]*")
_FORMULA = re.compile(
    r"\$\$(.{1,1000}?)\$\$|\\\[(.{1,1000}?)\\\]|(?<!\\)\$((?:[^$\n]|(?<=\\)\$){1,1000}?)(?<!\\)\$(?!-?\d)|\\\((.{1,1000}?)\\\)", re.DOTALL
)
_JOINED = re.compile(r"\s*(?:,|and|or|, and|, or)\s*")
_CONDITION = re.compile(
    r"\s*,?\s*(?:(?:which )?(?:is )?(?:attained|achieved|reached|occurs|occurring|obtained)"
    r"|when|if|since|because|where|for|out of|modulo|than|as|at)\b"
)
_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*")
_SENTENCE_END = re.compile(
    r"[.!?](?=\s|$|\*)|\*\*(?=[\s.,]|$)"
    r"|[,;](?=\s+(?:since|because|which|so|as|where|and we|but|for|if|with|not)\b)|\n|\s(?:because|since|I hope)\b"
)
_VALUE = re.compile(
    r".*(?:=(?=\S)|(?:=|\bis|\bare|\bequals?(?: to)?|\bget|\bgives?|\b(?:comes|simplifies|reduces|evaluates) to|\btotal of|:|≈|→)\s)"
    r"\s*([^=≈→\n]{1,200})$"
)
_ASSIGNMENT = r"[a-zA-Z]\s*=\s*[^\s,=]+"
_ASSIGNED = re.compile(rf"\b{_ASSIGNMENT}(?:\s*(?:,|or|and|, and|, or)\s*{_ASSIGNMENT})+$")
_WORD = re.compile(r"[A-Za-z]{3,}|\b(?:so|is|we|he|it|if|to|of|by)\b")
_PAIR = re.compile(r"(?<![\w)])[(\[][^()\[\]=]{1,100},[^()\[\]=]{1,100}[)\]]$")
_NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?(?:\s*/\s*\d+)?%?")


def read(rows: pl.DataFrame) -> pl.Series:
    """The answer in each `text` in canonical spelling; null where there is none."""
    text = pl.col("text").str.tail(_SEEN)
    columns = rows.select(
        text, pl.col("question").fill_null(""), goes_on=text.str.contains_any(_OF_NEXT_QUESTIONS), refused=is_refusal(text)
    )
    answers = [
        None if text is None else _read(text, asks_percent(question), goes_on, refused)
        for text, question, goes_on, refused in columns.iter_rows()
    ]
    return pl.Series("answer", answers, dtype=pl.String)


def gold(rows: pl.DataFrame) -> pl.Series:
    r"""The canonical spelling of each `gold`, which may be a whole solution with its answer in `\boxed`; null where it is empty."""
    answers = []
    for written, question in rows.select("gold", "question").iter_rows():
        boxed = _boxed(written)[0] if written and _BOX.search(written) else None
        answers.append(spelling(boxed or written, asks_percent(question or "")) if written else None)
    return pl.Series("gold", answers, dtype=pl.String)


def same(pairs: pl.DataFrame) -> pl.Series:
    """Boolean, one per row: whether `left` and `right`, both in canonical spelling, are the same answer."""
    return pl.Series("same", [same_answer(left, right) for left, right in pairs.select("left", "right").iter_rows()], dtype=pl.Boolean)


def _read(text: str, percent: bool, goes_on: bool, refused: bool) -> str | None:
    text = _CALCULATION.sub("", text)
    if goes_on:
        first = min((found.end() for mark in (_BOX, _MARKER) if (found := mark.search(text))), default=len(text))
        if following := _NEXT_QUESTION.search(text, first):
            text, refused = text[: following.start()], False
    written, place = _boxed(text)
    for marker in reversed(list(_MARKER.finditer(text, place))):
        said = text[marker.end() : marker.end() + LONGEST]
        marked = None if _IS_DENIED.match(said) else _after(said)
        if marked and _IS_HEADING.match(marker[0]) and not _is_mathematical(marked):
            continue
        if marked and not _SAYS_NOTHING.match(marked) and (written is None or _NUMBER.search(marked)):
            written = marked
            break
    if written is None and not refused:
        written = _unmarked(text)
    return spelling(written, percent) if written else None


def _boxed(text: str) -> tuple[str | None, int]:
    r"""What stands in the last `\boxed`, or in several that are joined by "and"; and where it ends."""
    found: list[str] = []
    last = begin = 0
    for box in reversed(list(_BOX.finditer(text)) if "box" in text else []):
        content, end = _in_braces(text, box.end())
        if not content.strip():
            continue
        if not found:
            last = end
        elif end <= begin and not (_BETWEEN_BOXES.fullmatch(text[end:begin]) and re.search(r",|and|or|;", text[end:begin])):
            break
        elif end > begin:  # a box in a box
            continue
        found.append(content.strip())
        begin = box.start()
    return _listed(found[::-1]) or None, last


def _listed(answers: list[str]) -> str:
    r"""Each once, in order: `0.5` and `\frac12` are one."""
    distinct: dict[str | None, str] = {}
    for answer in answers:
        distinct.setdefault(spelling(answer), answer)
    return ", ".join(distinct.values())


def _in_braces(text: str, start: int) -> tuple[str, int]:
    """The group that starts at `start`, and where it ends: at the end of its line where it is not closed."""
    if not text.startswith("{", start):
        single = re.compile(r"-?[\w.]+|\\frac\s*\d\s*\d").match(text, start)
        return (single[0], single.end()) if single else ("", start)
    deep = 0
    for brace in re.compile(r"(?<!\\)(?:\\\\)*[{}]").finditer(text, start, start + LONGEST + 2):
        deep += 1 if brace[0].endswith("{") else -1
        if deep == 0:
            return text[start + 1 : brace.end() - 1], brace.end()
    line = text[start + 1 : start + 1 + LONGEST].split("\n", 1)[0].split("$", 1)[0]
    return line + "}" * max(line.count("{") - line.count("}"), 0), start + 1 + len(line)


def _after(text: str) -> str | None:
    """The answer at the start of what follows a marker."""
    text = text.lstrip(" \n\t*_:")
    formulas = []
    at = 0
    while formula := _FORMULA.match(text, at):
        formulas.append(_inner(formula))
        joined = _JOINED.match(text, formula.end())
        at = joined.end() if joined else formula.end()
        if not joined:
            break
    if formulas:
        rest = re.match(r"\s*(%|percent|\\%|[a-z]+(?:\^\d)?(?=\s*[.\n]|$))", text[at:])
        return _listed(formulas) + (f" {rest[1]}" if rest and len(formulas) == 1 else "")
    sentence = _SENTENCE_END.split(text, maxsplit=1)[0].strip(" *_:")
    if option := re.match(r"\(?[A-J]\)(?=\s)", sentence):
        return option[0]
    formula = _FORMULA.search(text[: len(sentence) + LONGEST]) if "$" in sentence or "\\(" in sentence else None
    if formula and formula.start() < len(sentence):
        return _inner(formula)
    sentence = re.sub(r"(?<=[\d}])\s+\((?:[A-J]|[a-z]{2,} [^()]*)\)$", "", sentence)
    plain = re.sub(r"^(?:approximately|about|therefore|simply|just|equal to|exactly)\s+", "", sentence)
    if not _is_mathematical(plain) and (len(plain.split()) > _WORDS or re.match(r"(?:the|that|a|an|we|she|he|it)\b", plain, re.IGNORECASE)):
        return None
    return plain or None


def _inner(formula: re.Match[str]) -> str:
    return next(group for group in formula.groups() if group is not None).strip()


def _formulas(text: str) -> list[re.Match[str]]:
    """`$…$` and the like; but not what stands between two prices."""
    found = _FORMULA.finditer(text)
    return [formula for formula in found if not re.search(r"[a-z]{2,} [a-z]{2,}", re.sub(r"\\[a-z]+\{[^{}]*\}", "", _inner(formula)))]


def _unmarked(text: str) -> str | None:
    """The last formula, bold text or value in the last lines."""
    lines = [line.strip() for line in text[-3 * LONGEST :].split("\n") if line.strip()]
    tail = "\n".join(lines[-4:])
    formulas = _formulas(tail)
    if formulas and "\n" not in tail[formulas[-1].end() :].strip():
        return _of_formulas(tail, formulas)
    for line in lines[:-4:-1]:
        bold = _BOLD.findall(line)
        if bold and (value := _value(bold[-1])):
            return value
        if formulas := _formulas(line):
            return _of_formulas(line, formulas)
        plain = line.rstrip(" .!")
        if value := plain.rpartition(". ")[2] if _is_mathematical(plain) else _value(plain):
            return value
    return None


def _of_formulas(text: str, formulas: list[re.Match[str]]) -> str | None:
    """`$x = 1$ and $x = 2$`: both. `$x$ equals 5`: what is said of the formula. `$4$, attained at $x = 2$`: 4. `not $5$`: nothing."""
    rest = text[formulas[-1].end() :].strip(" .\n")
    said = _VALUE.match(rest)
    if said and (_is_mathematical(said[1]) or _NUMBER.match(said[1])):
        return _value(rest)
    groups = [[formulas[0]]]
    for formula, following in pairwise(formulas):
        if _JOINED.fullmatch(text[formula.end() : following.start()]):
            groups[-1].append(following)
        else:
            groups.append([following])
    while len(groups) > 1 and _CONDITION.match(text[groups[-2][-1].end() : groups[-1][0].start()]):
        groups.pop()
    return None if _DENIED.search(text[: groups[-1][0].start()]) else _listed([*map(_inner, groups[-1])])


def _value(line: str) -> str | None:
    """What the last "=" or "is" of a line leads to; else its last number."""
    if assigned := _ASSIGNED.search(line):
        return assigned[0]
    if (pair := _PAIR.search(line)) and _is_mathematical(pair[0]):
        return pair[0]
    found = _VALUE.match(line)
    if found and re.match(r"not\b.*\d", found[1]):
        return None
    numbers = _NUMBER.findall(line)
    if found and (_is_mathematical(found[1]) or numbers == found[1].split()[:1]):
        return found[1]
    if found and (first := _NUMBER.match(found[1])):
        return first[0]
    if _is_mathematical(line):
        return line
    return numbers[-1] if numbers else None


def _is_mathematical(text: str) -> bool:
    """Symbols and digits, and of letters no words."""
    rest = re.sub(r"\\[a-zA-Z]+(?:\{[a-zA-Z ]*\})?|\b(?:and|or)\b", "", text)
    return bool(text.strip()) and not _WORD.search(rest) and bool(re.search(r"\d|\\|^\W*[a-zA-Z]\W*$|=", text))
