r"""Whether two answers of mathematics, both in canonical spelling, are the same one.

    "5x+2", "2+5x"               →  the same; so are "\sin2x", "2\sin x\cos x", as sympy confirms
    "x=5", "5"                   →  the same; "x=5", "y=5" are not
    "(1,2)", "[1,2]", "\{1,2\}"  →  three answers: an interval or pair, another interval, a set
    "\{1,2\}", "2,1"             →  the same: solutions in any order; "(2,1)" and "(1,2)" are not
    "x<2,x>3"                    →  the same as "(-\infty,2)\cup(3,\infty)"
    "12\text{cm}", "12"          →  the same; "12\text{cm}", "12\text{m}" are not
    "25%", "0.25", "25"          →  the first is the same as either, as nobody knows what was asked; the others are not the same
    "0.333333", "1/3"            →  the same from six digits on, if the last is rounded; "0.33" is not

What an answer is made of (list, set, pair, union, matrix, equation, unit) is compared here, and only the expressions within are asked
of sympy, and only where random points settle nothing: most pairs need neither. What is not plain mathematics is compared as text.
"""

import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache, partial
from itertools import pairwise

from tasks.voting.answers.math.process import confirmed
from tasks.voting.answers.math.relations import SYMBOL, interval, relation, same_relations
from tasks.voting.answers.math.values import Value, close, is_simple_constant, values

_OPEN, _CLOSE = "([{", ")]}"
_MEASURED = re.compile(r"(.*?)(%)?(?:\\text\{([^{}]*)\})?", re.DOTALL)
_BASED = re.compile(r"(\d+|[0-9A-F]{2,})_\d+")
_ROUNDED = re.compile(r"-?\d*\.(\d{6,15})")
_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?")
_MEMBERSHIP = re.compile(rf"^{SYMBOL}\\in(?=\\\{{)")
_MATRIX = re.compile(r"\\begin\{matrix\}(.*)\\end\{matrix\}", re.DOTALL)
_FUNCTION = re.compile(r"[fghpqFGHP]\(")  # read as a product
_MOST = 30  # members of a list that are spelt differently
_DEEPEST = 4  # lists of unions of intervals of expressions


@lru_cache(maxsize=50_000)
def same_answer(left: str, right: str, depth: int = 0) -> bool:
    """Symmetric: which of the two is gold makes no difference."""
    if left == right:
        return True
    if depth > _DEEPEST or _is_text(left) or _is_text(right):
        return False
    if left > right:
        return same_answer(right, left, depth)
    again = partial(same_answer, depth=depth + 1)
    ours, theirs = _members(left), _members(right)
    if len(ours) > 1 or len(theirs) > 1 or ours != [left] or theirs != [right]:
        if len(ours) == len(theirs):
            return _match(ours, theirs, again)
        return _are_coordinates(ours, right, again) or _are_coordinates(theirs, left, again)
    if relation(left) or relation(right):
        return same_relations(left, right, again)
    ours, theirs = _split(left, r"\cup"), _split(right, r"\cup")
    if len(ours) > 1 or len(theirs) > 1:
        return len(ours) == len(theirs) and _match(ours, theirs, again)
    if (matrix := _MATRIX.fullmatch(left)) and (other := _MATRIX.fullmatch(right)):
        return _same_cells(matrix[1], other[1], again)
    pair, other_pair = _bracketed(left), _bracketed(right)
    if pair or other_pair:
        if not pair or not other_pair or pair[0] != other_pair[0] or len(pair[1]) != len(other_pair[1]):
            return False
        return all(again(a, b) for a, b in zip(pair[1], other_pair[1], strict=True))
    return _same_measured(left, right)


def _is_text(answer: str) -> bool:
    return answer.startswith(r"\text{") and answer.find("}") == len(answer) - 1


def _members(answer: str) -> list[str]:
    r"""The members of a list, `1,2`, or of a set, `\{1,2\}`; of anything else itself. ± are two. A union of inequalities is one."""
    answer = _MEMBERSHIP.sub("", answer).replace(r"\}\cup\{", ",")
    if answer.startswith(r"\{") and answer.endswith(r"\}") and len(_split(answer[2:-2], r"\}")) == 1:
        return list(dict.fromkeys(_signed(_split(answer[2:-2], ","))))
    listed = _split(answer, ",")
    intervals = [found for one in listed if (found := interval(one))]
    if len(listed) > 1 and len(intervals) == len(listed) and len({symbol for symbol, _ in intervals}) == 1:
        return [f"{intervals[0][0]}\\in" + r"\cup".join(written for _, written in intervals)]
    return _signed(listed)


def _signed(members: list[str]) -> list[str]:
    both = [(one.replace(r"\pm", "+"), one.replace(r"\pm", "-")) if r"\pm" in one else (one,) for one in members]
    return [one.removeprefix("+").replace("=+", "=") for pair in both for one in pair]


def _split(text: str, separator: str) -> list[str]:
    """`text` at each separator that stands in no brackets, which may be half-open intervals'."""
    parts, deep, start = [], 0, 0
    for at, character in enumerate(text):
        deep += (character in _OPEN) - (character in _CLOSE)
        if deep == 0 and text.startswith(separator, at):
            parts.append(text[start:at])
            start = at + len(separator)
    return [part.strip() for part in [*parts, text[start:]]]


def _match(ours: list[str], theirs: list[str], same: Callable[[str, str], bool]) -> bool:
    """In any order, each once."""
    alike = Counter(ours) & Counter(theirs)
    ours, left = ([*(Counter(members) - alike).elements()] for members in (ours, theirs))
    if len(ours) > _MOST:
        return False
    for one in ours:
        found = next((place for place, other in enumerate(left) if same(one, other)), None)
        if found is None:
            return False
        del left[found]
    return True


def _are_coordinates(members: list[str], pair: str, same: Callable[[str, str], bool]) -> bool:
    """`x=2,y=3` is `(2,3)`, since its symbols are in order."""
    bracketed = _bracketed(pair)
    named = [member.split("=") for member in members]
    if not bracketed or bracketed[0] != "()" or len(bracketed[1]) != len(members) or any(len(one) != 2 for one in named):
        return False
    symbols = [symbol for symbol, _ in named]
    ordered = all(re.fullmatch(SYMBOL, symbol) for symbol in symbols) and all(a < b for a, b in pairwise(symbols))
    return ordered and all(same(value, other) for (_, value), other in zip(named, bracketed[1], strict=True))


def _bracketed(answer: str) -> tuple[str, list[str]] | None:
    r"""`(1,2]` → (`(]`, [`1`, `2`]). `\mathbb{R}` is `(-\infty,\infty)`."""
    if answer == r"\mathbb{R}":
        return "()", [r"-\infty", r"\infty"]
    if answer[:1] not in ("(", "[") or answer[-1:] not in (")", "]"):
        return None
    members = _split(answer[1:-1], ",")
    return (answer[0] + answer[-1], members) if len(members) > 1 and all(members) else None


def _same_cells(left: str, right: str, same: Callable[[str, str], bool]) -> bool:
    ours, theirs = ([row.split("&") for row in re.split(r"\\\\", body) if row.strip()] for body in (left, right))
    if [len(row) for row in ours] != [len(row) for row in theirs]:
        return False
    cells = zip((cell for row in ours for cell in row), (cell for row in theirs for cell in row), strict=True)
    return all(same(a.strip(), b.strip()) for a, b in cells)


def _same_measured(left: str, right: str) -> bool:
    """Expressions, perhaps with a unit, percent, or the base of a number: if only one has it, the other left it out."""
    if _BASED.fullmatch(left) or _BASED.fullmatch(right):  # digits in a base are no decimal number
        return _same_digits(left, right)
    (ours, percent, unit), (theirs, other_percent, other_unit) = (_MEASURED.fullmatch(answer).groups() for answer in (left, right))  # type: ignore[union-attr]
    if unit and other_unit and unit != other_unit:
        return False
    if _same_expressions(ours, theirs) or _without_text(left) == _without_text(right):
        return True
    if bool(percent) != bool(other_percent):
        number, other = (ours, theirs) if percent else (theirs, ours)
        worth, plain = values(number), values(other)
        return bool(worth and plain and isinstance(worth[0], Fraction) and close(worth[0] / 100, plain[0]))
    return False


def _same_digits(left: str, right: str) -> bool:
    """`1011_2` and `1011`; not `1011_2` and `1011_3`."""
    return not (_BASED.fullmatch(left) and _BASED.fullmatch(right)) and left.split("_", maxsplit=1)[0] == right.split("_", maxsplit=1)[0]


def _without_text(answer: str) -> str:
    r"""`4\text{m}` → `4m`, which somebody may have written for it."""
    return re.sub(r"\\text\{([^{}]*)\}", r"\1", answer)


def _same_expressions(left: str, right: str) -> bool:
    if left == right:
        return True
    if r"\infty" in (left.lstrip("-"), right.lstrip("-")):
        return False
    ours, theirs = values(left), values(right)
    if ours is None and theirs is None:
        return confirmed(*sorted((left, right)))
    if ours is None or theirs is None or not all(close(a, b) for a, b in zip(ours, theirs, strict=True)):
        rounded = ours and theirs and (_is_rounding(left, ours[0], right, theirs[0]) or _is_rounding(right, theirs[0], left, ours[0]))
        return bool(rounded)
    rational = [isinstance(value, Fraction) for value in (*ours, *theirs)]
    if all(rational) and not _FUNCTION.search(left + right):
        return True
    if not any(rational) and is_simple_constant(left) and is_simple_constant(right) and close(ours[0], theirs[0], 1e-12):
        return True
    return confirmed(*sorted((left, right)))


def _is_rounding(written: str, value: Value, other: str, exact: Value) -> bool:
    """`0.333333` is 1/3, `1.414214` the root of 2. A decimal that ends is only itself."""
    digits = _ROUNDED.fullmatch(written)
    if not digits or _DECIMAL.fullmatch(other):
        return False
    try:
        error = abs(complex(value) - complex(exact))
    except OverflowError:
        return False
    return error <= 0.5 * 10.0 ** -len(digits[1]) * (1 + 1e-6)
