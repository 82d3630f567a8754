r"""Answers as models write them, to GSM8K's questions (else to invented ones), as two benchmarks: numbers and multiple choice.

    question "Natalia sold clips to 48 of her friends …", gold "72", one sample:
    "Let's think step by step. Natalia sold 48/2 = 25 clips in May.\nNatalia sold 48+25 = 72 clips …\n#### 72"

A sample is the published solution in which some numbers are others, after one of several openings, with an ending of `ENDINGS`. Of
each question it is drawn how often a model is right; when it is wrong it mostly makes one of two mistakes, so that votes differ.
"""

import json
import os
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from tasks.benchmarks.queries import with_ids
from tasks.lake.tables import GENERATIONS, QUERIES

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MANYMINDS_DATA", ROOT.parent / "shared" / "data"))
LETTERS = "ABCD"

# Per hundred samples. {remark} is one of REMARKS, {next} another question, {answer} a number or a letter.
ENDINGS = {
    "number": {
        "\n#### {answer}": 85,
        "\n#### {answer}\n\n{remark}": 2,
        "\n#### {answer}\n\nQuestion: {next}\nAnswer: ": 2,
        "\n\nSo the answer is **{answer}**.": 3,
        "\n\nThe final answer is $\\boxed{{{answer}}}$.": 3,
        "\n\nTherefore, the answer is {answer}.\n\n{remark}": 3,
        "": 2,  # cut off in the middle
    },
    "choice": {
        " The answer is ({answer}).": 85,
        " The answer is ({answer}).\n\n{remark}": 2,
        " The answer is ({answer}).\n\nQ: {next}\nA: ": 2,
        "\n\n**Answer: {answer}**": 3,
        "\n\nThe final answer is $\\boxed{{{answer}}}$.": 3,
        "\n\nTherefore, the correct option is ({answer}).\n\n{remark}": 3,
        "": 2,
    },
}
MARKED = {"number": {"\n#### {answer}": 1}, "choice": {" The answer is ({answer}).": 1}}
REMARKS = (
    "Note that this takes all of the figures as they are given in the question, and that nothing else happens in between. If that is not "
    "what was meant, please let me know, and I will gladly work through it again with the other reading.",
    "I hope this helps! If you would like to see another way of solving it, or if any of the steps above is not clear, feel free to ask, "
    "and I will explain it in more detail. Have a nice day, and good luck with the rest of your exercises!",
    "To check this, go back from the result to the beginning: each step can be undone by its opposite, a sum by a difference and a product "
    "by a quotient, and in the end we are back at the figures of the question, so nothing has been lost on the way.",
)
OPENINGS = ("", "", "Let's think step by step. ", "First, let us see what we know. ", "Step by step: ", "We need to find what is asked. ")
SPELLINGS = ("{}",) * 17 + ("${}", "{}.00", "{:,}")


def real_data() -> bool:
    """Whether GSM8K is there."""
    return (DATA / "gsm8k" / "train.jsonl").exists()


def solutions() -> list[tuple[str, str, int]]:
    """Question, solution without its last line, and gold, where that is a whole number: GSM8K's training part, else invented ones."""
    if not real_data():
        return list(_invented(random.Random(0), 5000))
    rows = map(json.loads, (DATA / "gsm8k" / "train.jsonl").read_text(encoding="utf-8").splitlines())
    parts = [(row["question"], *row["answer"].rsplit("\n#### ", 1)) for row in rows]
    return [(question, text, int(gold.replace(",", ""))) for question, text, gold in parts if re.fullmatch(r"-?[\d,]+", gold)]


def tables(models: int, k: int, endings: Mapping[str, Mapping[str, int]] = ENDINGS) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`queries` (two for each solution: one of kind number, one of kind choice with four options) and `generations`."""
    order = random.Random(0)
    told = solutions()
    asked, said = [], []
    for kind in ("number", "choice"):
        for place, (question, solution, gold) in enumerate(told):
            wrong = _wrong(order, gold)
            options = order.sample([gold, *wrong], 4)
            asked.append(
                {
                    "benchmark": f"gsm8k-{kind}",
                    "source_id": str(place),
                    "split": "train",
                    "subject": None,
                    "question": question,
                    "choices": [str(option) for option in options] if kind == "choice" else None,
                    "gold": str(gold) if kind == "number" else LETTERS[options.index(gold)],
                    "answer_kind": kind,
                }
            )
            for _ in range(models):
                skill, next_question = order.random(), told[order.randrange(len(told))][0]
                for _ in range(k):
                    value = gold if order.random() < skill else order.choices(wrong, (6, 3, 1))[0]
                    answer = order.choice(SPELLINGS).format(value) if kind == "number" else LETTERS[options.index(value)]
                    said.append(text(order, solution, kind, answer, next_question, endings))
    queries = with_ids(pl.DataFrame(asked, schema_overrides={"choices": pl.List(pl.String)})).select(*QUERIES.columns)
    samples = queries.select("query_id").join(pl.select(model=pl.int_range(models)), how="cross")
    samples = samples.join(pl.select(sample=pl.int_range(k, dtype=pl.Int32)), how="cross").with_columns(text=pl.Series(said))
    samples = samples.with_columns(
        model=pl.format("model-{}", "model"), recipe=pl.lit("r0"), completion_tokens=pl.col("text").str.len_bytes() // 4
    )
    missing = {name: pl.lit(None, dtype) for name, dtype in GENERATIONS.schema.items() if name not in samples.columns}
    # A question may be in GSM8K twice.
    generations = samples.with_columns(**missing).select(*GENERATIONS.columns).unique(GENERATIONS.key, keep="first", maintain_order=True)
    return queries.unique("query_id", maintain_order=True), generations


def _wrong(order: random.Random, gold: int) -> list[int]:
    """Three other numbers, as a slip makes them."""
    return order.sample(sorted({gold + 1, gold + 2, gold + 10, gold + 12, gold * 2, gold * 10} - {gold}), 3)


def text(
    order: random.Random, solution: str, kind: str, answer: str, next_question: str, mix: Mapping[str, Mapping[str, int]] = ENDINGS
) -> str:
    """One sample to a question of this solution."""
    endings = mix[kind]
    body = re.sub(r"\d+", lambda number: str(int(number[0]) + 1) if order.random() < 0.1 else number[0], solution)
    ending = order.choices(list(endings), list(endings.values()))[0]
    if not ending:
        body = body[: len(body) * 2 // 3]
    return order.choice(OPENINGS) + body + ending.format(answer=answer, remark=order.choice(REMARKS), next=next_question)


def _invented(order: random.Random, count: int) -> Iterator[tuple[str, str, int]]:
    for _ in range(count):
        name, thing = order.choice(("Ada", "Ben", "Cleo", "Dan")), order.choice(("apples", "stamps", "books", "shells"))
        boxes, each, given = order.randint(3, 40), order.randint(4, 60), order.randint(1, 11)
        total = boxes * each
        question = (
            f"{name} has {boxes} boxes with {each} {thing} in each of them. After giving {given} {thing} to a neighbour, {name} finds "
            f"twice as many {thing} as are left on a shelf. How many {thing} does {name} have in the end?"
        )
        text = (
            f"In the boxes there are {boxes} * {each} = <<{boxes}*{each}={total}>>{total} {thing}.\nAfter giving some of them away, "
            f"{total} - {given} = <<{total}-{given}={total - given}>>{total - given} {thing} are left.\nOn the shelf there are "
            f"{total - given} * 2 = <<{total - given}*2={2 * (total - given)}>>{2 * (total - given)} {thing}.\n"
            f"So {name} has {total - given} + {2 * (total - given)} = {3 * (total - given)} {thing} in the end."
        )
        yield question, text, 3 * (total - given)
