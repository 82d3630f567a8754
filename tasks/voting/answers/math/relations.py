r"""Equations and inequalities as answers.

"x=5", "5"                →  the same; "x=5", "y=5" are not
"f(x)=2x", "2x"           →  the same
"a+b=3+4=7", "7"          →  the same; "2x=10", "10" are not
"1<x\le4", "(1,4]"        →  the same, and "x\in(1,4]"
"2x+4y=6", "x=3-2y"       →  the same: one is a multiple of the other
"""

import re
from collections.abc import Callable

from tasks.voting.answers.math.values import close, values

SYMBOL = r"(?:\\[a-zA-Z]+|[a-zA-Z])(?:_(?:\w|\{\w+\}))?'?"
_ARGUMENTS = rf"\((?:{SYMBOL}|-?\d+)(?:,(?:{SYMBOL}|-?\d+))*\)"
_NAMED = re.compile(rf"{SYMBOL}(?:\^\{{-1\}})?(?:{_ARGUMENTS})?|\({SYMBOL}(?:,{SYMBOL})*\)|\\text\{{[^{{}}]*\}}")
_RELATION = re.compile(r"\\le(?![a-zA-Z])|\\ge(?![a-zA-Z])|\\ne(?![a-zA-Z])|\\in(?![a-zA-Z])|[=<>]")
_TURNED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le", "=": "=", r"\ne": r"\ne"}


def same_relations(left: str, right: str, same: Callable[[str, str], bool]) -> bool:
    """Whether two answers are the same, at least one of which is an equation or inequality. `same`: of what stands on their sides."""
    symbols, plain = [], []
    for answer in (left, right):
        symbol, value = interval(answer) or _assigned(answer) or ("", answer)
        symbols.append(symbol)
        plain.append(value)
    if plain != [left, right] and (not all(symbols) or symbols[0] == symbols[1]) and same(*plain):
        return True
    relations = relation(left), relation(right)
    return bool(relations[0] and relations[1] and _same_up_to_a_factor(relations[0], relations[1]))


def relation(answer: str) -> tuple[list[str], list[str]] | None:
    r"""`1<x\le4` → ([`1`, `x`, `4`], [`<`, `\le`]); None where there is none."""
    signs = _RELATION.findall(answer)
    parts = [part.strip() for part in _RELATION.split(answer)]
    return (parts, signs) if signs and all(parts) else None


def _assigned(answer: str) -> tuple[str, str] | None:
    r"""`f(x)=2x` → (`f(x)`, `2x`), `x\in[1,2]` → (`x`, `[1,2]`), `a+b=2+3=5` → (`a+b`, `5`); of `2x=10` or `x^2-1=0` nothing."""
    found = relation(answer)
    if not found or not set(found[1]) <= {"=", r"\in"}:
        return None
    parts = found[0]
    if _NAMED.fullmatch(parts[0]):
        return parts[0], parts[-1]
    if _NAMED.fullmatch(parts[-1]) and len(parts) == 2 and found[1] == ["="]:
        return parts[1], parts[0]
    if parts[-1].startswith((r"\begin{matrix}", "(", "[", r"\{")) and not values(parts[-1]):
        return parts[0], parts[-1]
    numbers = [values(part) for part in parts]
    worth = numbers[-1]
    if not worth or worth[0] != worth[1] or abs(worth[0]) == 0 or re.search(r"\d[a-zA-Z\\]", parts[0]):
        return None
    equal = all(number is not None and close(number[0], worth[0]) and close(number[1], worth[1]) for number in numbers[1:])
    return (parts[0], parts[-1]) if equal else None


def interval(answer: str) -> tuple[str, str] | None:
    r"""`1<x\le4` → (`x`, `(1,4]`), `x>3` → (`x`, `(3,\infty)`), of `x\ne2` both sides."""
    found = relation(answer)
    if not found or "=" in found[1] or r"\in" in found[1]:
        return None
    parts, signs = found
    if len(parts) == 2 and re.fullmatch(SYMBOL, parts[1]) and not re.fullmatch(SYMBOL, parts[0]):
        parts, signs = parts[::-1], [_TURNED[signs[0]]]
    if len(parts) == 3 and signs[0] in (">", r"\ge"):
        parts, signs = parts[::-1], [_TURNED[sign] for sign in signs[::-1]]
    symbol = parts[len(parts) // 2 if len(parts) == 3 else 0]
    if len(parts) > 3 or not re.fullmatch(SYMBOL, symbol) or symbol in (r"\pi", r"\infty", "e", "i"):
        return None
    if len(parts) == 3:
        ends = {"<": "()", r"\le": "[]"}
        if not set(signs) <= set(ends):
            return None
        return symbol, f"{ends[signs[0]][0]}{parts[0]},{parts[2]}{ends[signs[1]][1]}"
    end = parts[1]
    written = {
        "<": rf"(-\infty,{end})",
        r"\le": rf"(-\infty,{end}]",
        ">": rf"({end},\infty)",
        r"\ge": rf"[{end},\infty)",
        r"\ne": rf"(-\infty,{end})\cup({end},\infty)",
    }
    return symbol, written[signs[0]]


def _same_up_to_a_factor(left: tuple[list[str], list[str]], right: tuple[list[str], list[str]]) -> bool:
    """`2x+4y=6` and `x+2y=3`: the difference of both sides is a multiple of the other's, which turns < where it is negative."""
    if len(left[0]) != 2 or len(right[0]) != 2 or r"\in" in left[1] + right[1]:
        return False
    sides = [values(side) for side in (*left[0], *right[0])]
    try:
        a, b, c, d = ([complex(value) for value in side or ()] for side in sides)
    except OverflowError:
        return False
    if not (a and b and c and d):
        return False
    differences = [(p - q, r - s) for p, q, r, s in zip(a, b, c, d, strict=True)]
    if any(abs(ours) < 1e-9 or abs(theirs) < 1e-9 for ours, theirs in differences):
        return False
    factors = [ours / theirs for ours, theirs in differences]
    if not all(close(factor, factors[0]) for factor in factors):
        return False
    return left[1][0] == (right[1][0] if factors[0].real > 0 else _TURNED[right[1][0]]) or left[1] == right[1] == ["="]
