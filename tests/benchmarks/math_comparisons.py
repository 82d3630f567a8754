r"""Reading mathematics: generations per second on a core against math-verify for every sample, and whether the labels agree.

    .venv/bin/python tests/benchmarks/math_comparisons.py

Problems in the shape of MATH: two thirds of the answers are numbers, the others roots, terms, pairs, intervals, lists, matrices, texts, and
one in a hundred something that only sympy can compare, each in several spellings; ten samples of each of three models, which are right more
or less often and have favourite errors; a derivation with formulas before each answer. We read all samples, unite the answers of each voter
and compare them with gold, so also what a vote needs beyond labels, in one process and its workers, from a cold start. math-verify parses
and verifies sample by sample, as its users do (its own time limits, its own caches, gold parsed once for each problem), on every eighth
problem, since it takes so long. Time is that of all cores, with processes that were started.
"""

import logging
import random
import resource
import time
from collections.abc import Callable

import polars as pl

from tasks.voting.answers import math
from tasks.voting.answers.equivalence import right, unite
from tasks.voting.answers.math.process import end_all

PROBLEMS, K = 400, 10
RIGHT = {"large": 0.8, "middle": 0.5, "small": 0.25}  # models
EVERY = 8
VOTER = ["query_id", "model"]
LINE = "{:<28}{:>14}{:>12}{:>18}"

STEPS = [
    "First, we write down what is given: $x_{a} + {b} = {c}$ and $y = {a}x - {b}$.",
    "Squaring both sides gives \\[ (x + {a})^2 = x^2 + {b}x + {c}. \\]",
    "Since ${a} \\cdot {b} = {c}$, the second factor has to be positive, so the case $x < {b}$ can be left out.",
    "By the quadratic formula, $$x = \\frac{-{a} \\pm \\sqrt{{b}}}{{c}}.$$",
    "Let $n$ be the number of ways; then $n = \\binom{{c}}{2} + {a}$, which we simplify step by step.",
    "Substituting this into the first equation and collecting terms, we are left with ${a}k^2 - {b}k + {c}$.",
    "Now we only have to add up the {a} terms, and there are {b} of them in each of the {c} rows.",
]
ENDS = [
    *["Therefore, the final answer is $\\boxed{{answer}}$."] * 6,
    "The final answer is: $\\boxed{{answer}}$. I hope it is correct.",
    "Thus we get $$\\boxed{{answer}}.$$",
    "The answer is ${answer}$.",
    "Hence, the result is ${answer}$.",
    "**Answer:** ${answer}$",
    "I am not sure how to go on from here.",
]


def main() -> None:
    """Print the table."""
    logging.disable()
    samples = table()
    texts = samples.select("text", "question", "gold", choices=pl.lit(None, pl.List(pl.String)), answer_kind=pl.lit("math"))
    ours, seconds = timed(lambda: of_ours(samples, texts))
    subset = samples.with_columns(right=ours).filter(pl.col("problem") % EVERY == 0)
    theirs, their_seconds = timed(lambda: of_math_verify(subset))
    rates = samples.height / seconds, subset.height / their_seconds
    print(LINE.format("", "generations", "CPU s", "a CPU second"))  # noqa: T201
    print(LINE.format("manyminds", f"{samples.height:,}", f"{seconds:.1f}", f"{rates[0]:,.0f}"))  # noqa: T201
    print(LINE.format("math-verify, every sample", f"{subset.height:,}", f"{their_seconds:.1f}", f"{rates[1]:,.0f}"))  # noqa: T201
    compared = subset.with_columns(theirs=theirs)
    other = compared.filter(pl.col("right") != pl.col("theirs"))
    wrong = [(compared["truth"] != compared[column]).sum() for column in ("right", "theirs")]
    print(f"ratio {rates[0] / rates[1]:.0f}; other labels: {other.height} of {subset.height}")  # noqa: T201
    print(f"labels against what the table was made with: {wrong[0]} of ours are wrong, {wrong[1]} of math-verify's")  # noqa: T201
    for text, gold, ours_right, truth in other.unique("text").select("text", "gold", "right", "truth").sort("text").head(4).iter_rows():
        print(f"    ours {ours_right}, truth {truth}, gold {gold!r}: …{text[-70:]!r}")  # noqa: T201


def of_ours(samples: pl.DataFrame, texts: pl.DataFrame) -> pl.Series:
    """Whether each sample is right, after all that a vote needs."""
    answers = samples.with_columns(answer=math.read(texts), gold=math.gold(texts), answer_kind=pl.lit("math"))
    return right(unite(answers, VOTER))


def of_math_verify(samples: pl.DataFrame) -> pl.Series:
    """Whether each sample is right."""
    from math_verify import parse, verify

    gold = {written: parse(f"${written}$") for written in samples["gold"].unique(maintain_order=True)}
    verdicts = [bool(verify(gold[written], parse(text))) for written, text in samples.select("gold", "text").iter_rows()]
    return pl.Series("theirs", verdicts)


def timed(work: Callable[[], pl.Series]) -> tuple[pl.Series, float]:
    """What it returns, and the seconds on all cores that it took, with those of processes that it started."""
    before = _children() + time.process_time()
    found = work()
    end_all()  # only of an ended process the time is known
    return found, _children() + time.process_time() - before


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def table() -> pl.DataFrame:
    """Samples with what is right in `truth`."""
    rows = []
    for problem in range(PROBLEMS):
        dice = random.Random(problem)
        correct, wrong = answers(dice)
        for model, share in RIGHT.items():
            for sample in range(K):
                is_right = dice.random() < share
                spellings = correct if is_right else dice.choices(wrong, [8, 4, 2, 1])[0]
                end = dice.choice(ENDS)
                written = end.replace("{answer}", dice.choices(spellings, [6, *[1] * (len(spellings) - 1)])[0])
                steps = [_filled(step, dice) for step in dice.choices(STEPS, k=dice.randint(4, 10))]
                text = "\n\n".join([*steps, written])
                row = {"problem": problem, "query_id": f"{problem}", "model": model, "sample": sample, "text": text, "gold": correct[0]}
                rows.append(row | {"question": "Find the value.", "truth": is_right and "{answer}" in end})
    return pl.DataFrame(rows).sample(fraction=1.0, shuffle=True, seed=0)


def _filled(step: str, dice: random.Random) -> str:
    for name in "abc":
        step = step.replace(f"{{{name}}}", str(dice.randint(2, 40)))
    return step


def answers(dice: random.Random) -> tuple[list[str], list[list[str]]]:
    """Spellings of the right answer, the first as in gold; and spellings of each of four wrong ones."""
    kind = dice.choices(
        [integer, fraction, root, term, pair, interval, roots, angle, matrix, word, function], [50, 14, 9, 8, 4, 4, 4, 3, 2, 2, 1]
    )[0]
    numbers = dice.sample(range(2, 30), 3)
    shifts = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (2, 1, 1), (3, 2, 1)]
    correct, *wrong = [kind(*(number + by for number, by in zip(numbers, shift, strict=True))) for shift in shifts]
    return correct, wrong


def integer(a: int, b: int, c: int) -> list[str]:
    value = a * b + c
    return [f"{value}", f"{value}.0", f"x = {value}", f"{value} \\text{{ units}}", f"{value:,}", f"{value}."]


def fraction(a: int, b: int, c: int) -> list[str]:
    top, bottom = a * 31 + c, b * 7 + 1
    return [f"\\frac{{{top}}}{{{bottom}}}", f"\\dfrac{{{top}}}{{{bottom}}}", f"{top}/{bottom}", f"\\frac{{{2 * top}}}{{{2 * bottom}}}"]


def root(a: int, b: int, c: int) -> list[str]:
    return [
        f"\\frac{{{a}\\sqrt{{{b}}}}}{{{c}}}",
        f"\\frac{{{a}}}{{{c}}}\\sqrt{{{b}}}",
        f"\\frac{{{a * b}}}{{{c}\\sqrt{{{b}}}}}",
        f"{a}\\sqrt{{{b}}}/{c}",
    ]


def term(a: int, b: int, c: int) -> list[str]:
    return [f"{a}x^2+{b}x-{c}", f"{b}x + {a}x^2 - {c}", f"-{c} + {b} x + {a} x^{{2}}", f"x({a}x+{b})-{c}"]


def pair(a: int, b: int, c: int) -> list[str]:
    return (
        [f"({a},-{b})", f"\\left({a}, -{b}\\right)", f"( {a} , -{b} )"]
        if c % 2
        else [f"({a},{b}/2)", f"\\left({a},\\frac{{{b}}}{{2}}\\right)"]
    )


def interval(a: int, b: int, c: int) -> list[str]:
    low, high = -a, b + c
    return [f"[{low},{high})", f"\\left[{low}, {high}\\right)", f"x \\in [{low},{high})"]


def roots(a: int, b: int, c: int) -> list[str]:
    return [f"{a},{-b},{c + 30}", f"{c + 30}, {-b}, {a}", f"{-b}, {a}, {c + 30}"]


def angle(a: int, b: int, c: int) -> list[str]:
    below = b + c + 30
    return [f"\\frac{{{a}\\pi}}{{{below}}}", f"{a}\\pi/{below}", f"\\frac{{{a}}}{{{below}}}\\pi"]


def matrix(a: int, b: int, c: int) -> list[str]:
    return [f"\\begin{{pmatrix}} {a} \\\\ {b} \\\\ {c} \\end{{pmatrix}}", f"\\begin{{bmatrix}}{a}\\\\{b}\\\\{c}\\end{{bmatrix}}"]


def word(a: int, b: int, c: int) -> list[str]:
    name = ["Evelyn", "Carla", "Debra", "Angela", "Briana", "Tony"][(a + 2 * b + c) % 6]
    return [f"\\text{{{name}}}", name]


def function(a: int, b: int, c: int) -> list[str]:
    return [f"{2 * a}\\sin x\\cos x+{b + c}", f"{b + c} + {a}\\sin 2x", f"{a}\\sin(2x)+{b + c}"]


if __name__ == "__main__":
    main()
