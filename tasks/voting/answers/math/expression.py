r"""Reads an expression in LaTeX: its tree, in a grammar that is small, and executes nothing.

"2x+1"                 →  ("+", ("*", ("number", 2), ("name", "x")), ("number", 1))
"2\frac{1}{2}"         →  a sum, since it is a mixed number
"\sin^2 2x"            →  ("^", ("call", "sin", …), ("number", 2))
"1/2x"                 →  1/(2x), as with `\cdot` left out it binds closer
"\int_0^1 x\,dx"       →  Unreadable
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

Node = tuple[Any, ...]  # ("number", Fraction), ("name", "x_1"), ("+", node, node), ("call", "sin", node)

LONGEST = 300  # characters: no answer of MATH has half as many
_DEEPEST = 25  # brackets

_TOKEN = re.compile(r"\s*(\\[a-zA-Z]+|\\[{}]|[0-9]+(?:\.[0-9]+)?|\.[0-9]+|[a-zA-Z]|[-+/^_()\[\]{}|!:])")
_OPENING = {"(": ")", "[": "]", "{": "}", "|(": ")|", "\\lfloor": "\\rfloor", "\\lceil": "\\rceil"}
GREEK = frozenset(
    re.findall(
        r"\w+",
        "alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi varphi chi psi "
        "omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell",
    )
)
FUNCTIONS = frozenset(re.findall(r"\w+", "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln exp"))
_COMMANDS = frozenset(re.findall(r"\w+", "frac sqrt binom pi infty log lfloor lceil"))  # with which an operand starts


class Unreadable(ValueError):
    """Not an expression of this grammar, or one that has no value."""


@lru_cache(maxsize=10_000)
def parse(text: str) -> Node:
    """The tree of an expression. Raises Unreadable."""
    tokens = _tokens(text)
    try:
        node = _sum(tokens)
    except (RecursionError, IndexError):
        raise Unreadable(text) from None
    if tokens:
        raise Unreadable(text)
    return node


def _tokens(text: str) -> list[str]:
    """The tokens, last one first, so that `pop` takes the next."""
    if len(text) > LONGEST:
        raise Unreadable("too long")
    tokens: list[str] = []
    at, deep, bars = 0, 0, 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if not found:
            raise Unreadable(text)
        token, at = found[1], found.end()
        if token == "|":  # opens where no operand stands before it, or nothing is open
            ends = bool(tokens) and tokens[-1] not in ("+", "-", "/", "^", "\\cdot", "|(", "(", "{", "[")
            token = ")|" if bars and ends else "|("
            bars += 1 if token == "|(" else -1
        deep += (token in _OPENING) - (token in _OPENING.values())
        if deep > _DEEPEST:
            raise Unreadable("too deep")
        tokens.append(token)
    if tokens.count(":") > 1:  # 1:2:3 is no number
        raise Unreadable(text)
    return tokens[::-1]


def _next(tokens: list[str]) -> str:
    return tokens[-1] if tokens else ""


def _expect(tokens: list[str], token: str) -> None:
    if not tokens or tokens.pop() != token:
        raise Unreadable(f"{token} is missing")


def _sum(tokens: list[str]) -> Node:
    node = _product(tokens)
    while _next(tokens) in ("+", "-"):
        node = (tokens.pop(), node, _product(tokens))
    return node


def _product(tokens: list[str]) -> Node:
    node = _juxtaposed(tokens)
    while _next(tokens) in ("\\cdot", "/", ":", "\\div"):
        sign = "*" if tokens.pop() == "\\cdot" else "/"
        node = (sign, node, _juxtaposed(tokens))
    return node


def _juxtaposed(tokens: list[str]) -> Node:
    """`2x`, `2\frac{1}{2}` (a mixed number), `-x`. Binds closer than a written sign, so that 1/2x is 1/(2x)."""
    if _next(tokens) in ("+", "-"):
        sign = tokens.pop()
        return _negative(_juxtaposed(tokens)) if sign == "-" else _juxtaposed(tokens)
    node = _power(tokens)
    while _starts_operand(_next(tokens)):
        following = _power(tokens)
        node = ("+", node, following) if _is_mixed(node, following) else ("*", node, following)
    return node


def _negative(node: Node) -> Node:
    return ("*", ("number", Fraction(-1)), node)


def _is_mixed(whole: Node, part: Node) -> bool:
    whole_number = whole[0] == "number" and whole[1].denominator == 1
    return bool(whole_number and part[0] == "/" and part[1][0] == "number" and part[2][0] == "number" and 0 < part[1][1] < part[2][1])


def _starts_operand(token: str) -> bool:
    if token.startswith("\\"):
        return token[1:] in GREEK | FUNCTIONS | _COMMANDS
    return bool(token) and (token in ("(", "[", "{", "|(") or token[0].isalnum() or token[0] == ".")


def _power(tokens: list[str]) -> Node:
    node = _operand(tokens)
    while _next(tokens) in ("!", "^"):
        node = ("!", node) if tokens.pop() == "!" else ("^", node, _argument(tokens))
    return node


def _argument(tokens: list[str]) -> Node:
    """What a command or ^ applies to: a group in braces, or one operand."""
    if _next(tokens) == "-":
        tokens.pop()
        return _negative(_operand(tokens))
    return _operand(tokens)


def _operand(tokens: list[str]) -> Node:
    token = tokens.pop()
    if token in _OPENING:
        node = _sum(tokens)
        _expect(tokens, _OPENING[token])
        calls = {"|(": "abs", "\\lfloor": "floor", "\\lceil": "ceil"}
        return ("call", calls[token], node) if token in calls else node
    if token[0].isdigit() or token[0] == ".":
        if _next(tokens) == "_":  # a number in another base
            raise Unreadable(token)
        return ("number", Fraction(token))
    if token == "\\frac":
        return ("/", _argument(tokens), _argument(tokens))
    if token == "\\binom":
        return ("binomial", _argument(tokens), _argument(tokens))
    if token == "\\sqrt":
        return _root(tokens)
    if token == "\\log" or token[1:] in FUNCTIONS:
        return _call(token[1:], tokens)
    if token in ("\\pi", "\\infty", "e", "i"):
        return ("constant", token)
    if token[0].isalpha() or token[1:] in GREEK:
        return ("name", token + _subscript(tokens))
    raise Unreadable(token)


def _root(tokens: list[str]) -> Node:
    degree: Node = ("number", Fraction(2))
    if _next(tokens) == "[":
        tokens.pop()
        degree = _sum(tokens)
        _expect(tokens, "]")
    return ("root", _argument(tokens), degree)


def _call(name: str, tokens: list[str]) -> Node:
    r"""`\sin x`, `\sin(2x)`, `\sin^2 x`, `\log_2 8`."""
    base = exponent = None
    while _next(tokens) in ("_", "^"):
        if tokens.pop() == "_":
            base = _argument(tokens)
        else:
            exponent = _argument(tokens)
    argument = _operand(tokens) if _next(tokens) in ("(", "{", "[") else _juxtaposed_without_functions(tokens)
    inverse = exponent == _negative(("number", Fraction(1)))
    node: Node = ("call", f"arc{name}" if inverse else name, argument)
    if name == "log":
        node = ("/", ("call", "ln", argument), ("call", "ln", base or ("number", Fraction(10))))
    elif base is not None:
        raise Unreadable(name)
    return node if exponent is None or inverse else ("^", node, exponent)


def _juxtaposed_without_functions(tokens: list[str]) -> Node:
    node = _power(tokens)
    while _starts_operand(_next(tokens)) and _next(tokens)[1:] not in FUNCTIONS and _next(tokens) != "\\log":
        node = ("*", node, _power(tokens))
    return node


def _subscript(tokens: list[str]) -> str:
    if _next(tokens) != "_":
        return ""
    tokens.pop()
    if _next(tokens) != "{":
        return f"_{tokens.pop()}"
    written: list[str] = []
    while written[-1:] != ["}"]:
        written.append(tokens.pop())
    return "_" + "".join(written)
