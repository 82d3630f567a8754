r"""Reads an expression in LaTeX, and says what it is worth, without sympy: a thousand times faster, and it executes nothing.

    "\frac{1}{2}+1"     →  exactly 3/2
    "\sqrt{2}"          →  about 1.41421356
    "2x+1", "1+x+x"     →  exactly the same at four random x: surely the same expression
    "\sin 2x", "2\sin x\cos x"    →  about the same at four random x: perhaps the same expression
    "2x+1", "2x"        →  not the same at a random x: surely two expressions
    "\int_0^1 x\,dx"    →  unreadable

Two expressions that differ at a random point are different ones; two whose values are rational numbers, of a million digits to choose
from, and agree exactly are the same (Schwartz and Zippel's lemma). That settles most pairs. Whether others that agree are the same is for
sympy to say. What is not in this small grammar is `Unreadable`.
"""

import cmath
import math
import random
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

Value = Fraction | complex
Node = tuple[Any, ...]  # ("number", Fraction), ("name", "x_1"), ("+", node, node), ("call", "sin", node)

TRIALS = 4
LONGEST = 300  # characters: no answer of MATH has half as many
_DEEPEST = 25  # brackets
_BITS = 4000  # of an exact number

_TOKEN = re.compile(r"\s*(\\[a-zA-Z]+|\\[{}]|[0-9]+(?:\.[0-9]+)?|\.[0-9]+|[a-zA-Z]|[-+/^_()\[\]{}|!:])")
_OPENING = {"(": ")", "[": "]", "{": "}", "|(": ")|", "\\lfloor": "\\rfloor", "\\lceil": "\\rceil"}
GREEK = frozenset(
    re.findall(
        r"\w+",
        "alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi varphi chi psi "
        "omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell",
    )
)


class Unreadable(ValueError):
    """Not an expression of this grammar, or one that has no value."""


FUNCTIONS: Mapping[str, Callable[[complex], complex]] = {
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "cot": lambda x: 1 / cmath.tan(x),
    "sec": lambda x: 1 / cmath.cos(x),
    "csc": lambda x: 1 / cmath.sin(x),
    "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan,
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "tanh": cmath.tanh,
    "ln": cmath.log,
    "exp": cmath.exp,
}


def exact(text: str) -> Fraction | None:
    """The value of a rational number; null where `text` is none, or not known exactly."""
    try:
        node = parse(text)
        value = None if "name" in _kinds(node) else evaluate(node, 0)
    except Unreadable:
        return None
    return value if isinstance(value, Fraction) else None


@lru_cache(maxsize=10_000)
def values(text: str) -> tuple[Value, ...] | None:
    """What `text` is worth at each of the random points, the same for every text; null where it cannot be read or has no value."""
    try:
        return tuple(evaluate(parse(text), trial) for trial in range(TRIALS))
    except Unreadable:
        return None


def is_simple_constant(text: str) -> bool:
    """Whether nothing in `text` is a name, and no number long: two such values, if not the same, differ in the first twelve digits."""
    return not re.search(r"[\d.]{7}", text) and "name" not in _kinds(parse(text))


def _kinds(node: Node) -> set[str]:
    return {node[0]}.union(*(_kinds(child) for child in node[1:] if isinstance(child, tuple)))


def close(left: Value, right: Value, tolerance: float = 1e-9) -> bool:
    """Equal, as far as can be seen; `tolerance`: relative. The rounding of dozens of operations on doubles is a thousandth of it."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return left == right
    a, b = complex(left), complex(right)
    return abs(a - b) <= tolerance * max(abs(a), abs(b), 1e-3)


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
        return token[1:] in GREEK or token[1:] in FUNCTIONS or token in _COMMANDS
    return bool(token) and (token in ("(", "[", "{", "|(") or token[0].isalnum() or token[0] == ".")


_COMMANDS = {"\\frac", "\\sqrt", "\\binom", "\\pi", "\\infty", "\\log", "\\lg", "\\lfloor", "\\lceil", "\\text"}


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
    if token in ("\\log", "\\lg") or token[1:] in FUNCTIONS:
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
    if name in ("log", "lg"):
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


def evaluate(node: Node, trial: int) -> Value:
    """What a tree is worth at a random point: exactly where that is a rational number. Raises Unreadable where it has no value."""
    try:
        value = _evaluate(node, trial)
    except (ArithmeticError, ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    if isinstance(value, complex) and not cmath.isfinite(value):
        raise Unreadable("infinite")
    return value


def _evaluate(node: Node, trial: int) -> Value:
    kind, *rest = node
    if kind == "number":
        return _bounded(rest[0])
    if kind == "name":
        return _random_value(rest[0], trial)
    if kind == "constant":
        return {"\\pi": complex(math.pi), "e": complex(math.e), "i": 1j, "\\infty": complex(math.inf)}[rest[0]]
    if kind == "call":
        return _called(rest[0], _evaluate(rest[1], trial))
    numbers = [_evaluate(child, trial) for child in rest]
    if kind == "!":
        return _factorial(numbers[0])
    if kind == "binomial":
        left, right = numbers
        return _quotient(_factorial(left), _factorial(right), _factorial(_evaluate(("-", *rest), trial)))
    left, right = numbers
    if kind == "^":
        return _raised(left, right)
    if kind == "root":
        return _rooted(left, right)
    if isinstance(left, complex) or isinstance(right, complex):
        left, right = complex(left), complex(right)
    operations: dict[str, Callable[[Any, Any], Value]] = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
    }
    return _bounded(operations[kind](left, right))


def _bounded(value: Value) -> Value:
    if isinstance(value, Fraction) and value.numerator.bit_length() + value.denominator.bit_length() > _BITS:
        raise Unreadable("too large")
    return value


@lru_cache(maxsize=10_000)
def _random_value(name: str, trial: int) -> Fraction:
    """At first positive, so that a root or a logarithm of it is real, then negative, then of either sign."""
    dice = random.Random(f"{name} {trial}")
    value = Fraction(dice.randint(5 * 10**5, 3 * 10**6), 10**6 + 3)
    return value if trial == 0 or (trial > 1 and dice.random() < 0.5) else -value


def _factorial(value: Value) -> Value:
    """By the gamma function where it is no natural number."""
    if isinstance(value, Fraction) and value.denominator == 1 and 0 <= value <= 500:
        return Fraction(math.factorial(int(value)))
    if complex(value).imag:
        raise Unreadable("factorial")
    return complex(math.gamma(complex(value).real + 1))


def _quotient(top: Value, *bottom: Value) -> Value:
    for value in bottom:
        top = top / value if isinstance(top, Fraction) and isinstance(value, Fraction) else complex(top) / complex(value)
    return top


def _called(name: str, value: Value) -> Value:
    if name == "abs":
        return abs(value) if isinstance(value, Fraction) else complex(abs(value))
    if name in ("floor", "ceil"):
        if isinstance(value, complex) and value.imag:
            raise Unreadable(name)
        real = value if isinstance(value, Fraction) else value.real
        return Fraction(math.floor(real) if name == "floor" else math.ceil(real))
    if name not in FUNCTIONS:
        raise Unreadable(name)
    return complex(FUNCTIONS[name](complex(value)))


def _raised(base: Value, exponent: Value) -> Value:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if exponent.denominator == 1:
            bits = base.numerator.bit_length() + base.denominator.bit_length()
            if abs(exponent) * bits > _BITS:
                raise Unreadable("too large")
            return base ** int(exponent)
        if exponent.denominator <= 10:
            return _raised(_rooted(base, Fraction(exponent.denominator)), Fraction(exponent.numerator))
    if isinstance(exponent, Fraction) and exponent.denominator == 1 and abs(exponent) <= 1000:
        return complex(base) ** int(exponent)  # more exact than by logarithms
    return complex(complex(base) ** complex(exponent))


def _rooted(value: Value, degree: Value) -> Value:
    """Exact where it is rational; of a negative number the real one where the degree is odd."""
    if isinstance(value, Fraction) and isinstance(degree, Fraction) and degree.denominator == 1 and 2 <= degree <= 10:
        number = int(degree)
        sign = -1 if value < 0 and number % 2 else 1
        roots = [_whole_root(part, number) for part in (sign * value.numerator, value.denominator)]
        if roots[0] is not None and roots[1] is not None:
            return Fraction(sign * roots[0], roots[1])
        if sign < 0:
            return -complex(complex(-value) ** (1 / number))
    return complex(complex(value) ** (1 / complex(degree)))


def _whole_root(value: int, degree: int) -> int | None:
    if value < 0:
        return None
    near = math.isqrt(value) if degree == 2 else round(value ** (1 / degree))
    return near if near**degree == value else None
