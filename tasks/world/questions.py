"""The questions of the embedded benchmark, in the shape of GSM8K (numbers) and MMLU (choices).

One row:

    source_id "geography-3-0017", benchmark "embedded", split "test", subject "geography",
    question "Which colour is the flag of the country whose capital is Kel?",
    choices ["black", "green", "red", "blue"], gold "B", answer_kind "choice"

A question's content alone decides its split, by hash. So whoever draws questions for any purpose, with any seed, never
draws one of another split: what the decoders are trained on, what the router learns from and what it is tested on are
disjoint by construction. Everything here is a pure function of its arguments and is the same in every process.
"""

import hashlib
import json
import random
from collections import Counter
from dataclasses import dataclass

import polars as pl

from tasks.world.skills import DIFFICULTIES, SKILLS, Problem, draw

BENCHMARK = "embedded"
ROUTER_SPLITS = ("train", "validation", "test")
DECODERS = "decoders"  # the split of the questions that decoders may be trained on; it is never part of the benchmark

# Of 32 hash buckets: 10 for the benchmark, in about the proportion of its default sizes, the rest for the decoders.
_BUCKETS = ["train"] * 4 + ["validation"] * 2 + ["test"] * 4 + [DECODERS] * 22
# The smallest cell, price of difficulty 1, has 12,800 questions. A request that needs more draws than this many per
# question wants nearly all of a split or more.
_DRAWS_PER_QUESTION = 200

SCHEMA = pl.Schema(
    {
        "source_id": pl.String(),
        "benchmark": pl.String(),
        "split": pl.String(),
        "subject": pl.String(),
        "question": pl.String(),
        "choices": pl.List(pl.String()),
        "gold": pl.String(),
        "answer_kind": pl.String(),
    }
)


def embedded_questions(train: int = 16, validation: int = 4, test: int = 10, seed: int = 0) -> pl.DataFrame:
    """The benchmark with so many questions of each split per cell; a cell is one of 24 pairs of skill and difficulty.

    Args:
        train, validation, test: questions per cell, so 384, 96 and 240 in all by default. A larger benchmark of the
            same seed contains a smaller one.
        seed: another seed draws other questions, of the same splits.

    Returns:
        A frame with `SCHEMA`; `choices` is null for number questions, `gold` is the number as text or the letter.
        The order is by split, then skill, difficulty and drawing order.

    Raises:
        ValueError: a size is negative, or larger than the number of different questions in a cell.
    """
    rows = [_row(entry) for entry in benchmark_problems(train, validation, test, seed)]
    return pl.DataFrame(rows, schema=SCHEMA)


@dataclass(frozen=True)
class Entry:
    """A problem that was taken into the benchmark."""

    source_id: str
    split: str
    problem: Problem


def benchmark_problems(train: int = 16, validation: int = 4, test: int = 10, seed: int = 0) -> list[Entry]:
    """The problems behind the rows of `embedded_questions`, in the same order; they also know their working."""
    wanted = {"train": train, "validation": validation, "test": test}
    if min(wanted.values()) < 0:
        raise ValueError(f"a benchmark cannot have a negative number of questions: {wanted}")
    entries = [entry for skill in SKILLS for difficulty in DIFFICULTIES for entry in _cell(skill, difficulty, wanted, seed)]
    return sorted(entries, key=lambda entry: ROUTER_SPLITS.index(entry.split))  # stable: keeps the order inside a split


def split_of(problem: Problem) -> str:
    """Which of `train`, `validation`, `test` and `decoders` a question belongs to, by the hash of what is asked."""
    content = json.dumps([problem.question, problem.choices])
    digest = hashlib.blake2b(content.encode(), digest_size=8).digest()
    return _BUCKETS[int.from_bytes(digest) % len(_BUCKETS)]


def _cell(skill: str, difficulty: int, wanted: dict[str, int], seed: int) -> list[Entry]:
    """The problems of one skill and difficulty, in drawing order."""
    rng = random.Random(f"embedded questions {seed} {skill} {difficulty}")
    entries: list[Entry] = []
    taken: Counter[str] = Counter()
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for _ in range(_DRAWS_PER_QUESTION * sum(wanted.values())):
        if all(taken[split] >= count for split, count in wanted.items()):
            break
        problem = draw(skill, difficulty, rng)
        split = split_of(problem)
        content = (problem.question, problem.choices)
        if split == DECODERS or content in seen:
            continue
        seen.add(content)
        if taken[split] < wanted[split]:
            taken[split] += 1
            # Numbered among all benchmark questions drawn, taken or not: an id means the same at every size.
            entries.append(Entry(f"{skill}-{difficulty}-{len(seen):04d}", split, problem))
    missing = {split: count - taken[split] for split, count in wanted.items() if taken[split] < count}
    if missing:
        raise ValueError(f"{skill} of difficulty {difficulty} has too few different questions; missing: {missing}")
    return entries


def _row(entry: Entry) -> dict[str, object]:
    problem = entry.problem
    return {
        "source_id": entry.source_id,
        "benchmark": BENCHMARK,
        "split": entry.split,
        "subject": problem.skill,
        "question": problem.question,
        "choices": list(problem.choices) or None,
        "gold": problem.gold,
        "answer_kind": problem.answer_kind,
    }
