r"""What an expression is worth, without sympy: a thousand times faster.

    "\frac{1}{2}+1"                →  exactly 3/2
    "\sqrt{2}"                     →  about 1.41421356
    "2x+1", "1+x+x"                →  exactly the same at four random x: surely the same expression
    "\sin 2x", "2\sin x\cos x"     →  about the same at four random x: perhaps the same expression
    "2x+1", "2x"                   →  not the same at a random x: surely two expressions

Two expressions that differ at a random point are different ones; two whose values are rational numbers, at points of a million to choose
from, and agree exactly are the same (Schwartz and Zippel's lemma). That settles most pairs. Whether others that agree are the same is for
sympy to say.
"""

import cmath
import math
import random
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from tasks.voting.answers.math.expression import Node, Unreadable, parse

Value = Fraction | complex

TRIALS = 4
_BITS = 4000  # of an exact number

_FUNCTIONS: Mapping[str, Callable[[complex], complex]] = {
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
_OPERATIONS: Mapping[str, Callable[[Any, Any], Value]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


def exact(text: str) -> Fraction | None:
    """The value of a rational number; null where `text` is none, or not known exactly."""
    try:
        node = parse(text)
        value = None if "name" in _kinds(node) else evaluate(node, 0)
    except (Unreadable, RecursionError):
        return None
    return value if isinstance(value, Fraction) else None


@lru_cache(maxsize=10_000)
def values(text: str) -> tuple[Value, ...] | None:
    """What `text` is worth at each of the random points, the same for every text; null where it cannot be read or has no value."""
    try:
        return tuple(evaluate(parse(text), trial) for trial in range(TRIALS))
    except (Unreadable, RecursionError):
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
    try:
        a, b = complex(left), complex(right)
    except OverflowError:  # an integer larger than any double
        return False
    return abs(a - b) <= tolerance * max(abs(a), abs(b), 1e-3)


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
    return _bounded(_OPERATIONS[kind](left, right))


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
    if name not in _FUNCTIONS:
        raise Unreadable(name)
    return complex(_FUNCTIONS[name](complex(value)))


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
