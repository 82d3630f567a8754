"""The generated benchmark: its shape, its splits, and that it is the same everywhere."""

import hashlib
import os
import subprocess
import sys
import time

import polars as pl
import pytest

from tasks.world.questions import DECODERS, SCHEMA, benchmark_problems, embedded_questions, split_of
from tasks.world.skills import DIFFICULTIES, LETTERS, SKILLS

DIGEST = "import hashlib; from tasks.world.questions import embedded_questions as e; "
DIGEST += "print(hashlib.sha256(e(seed=3).write_json().encode()).hexdigest())"


def test_the_default_benchmark_has_384_96_and_240_questions_evenly_over_24_cells() -> None:
    questions = embedded_questions()
    assert questions.schema == SCHEMA
    assert dict(questions["split"].value_counts().iter_rows()) == {"train": 384, "validation": 96, "test": 240}
    cells = questions.with_columns(cell=pl.col("source_id").str.extract(r"^(\w+-\d)-"))
    per_cell = cells.group_by("split", "cell").len().group_by("split").agg(pl.col("len").unique(), pl.len().alias("cells"))
    assert {split: (sizes, count) for split, sizes, count in per_cell.iter_rows()} == {
        "train": ([16], 24),
        "validation": ([4], 24),
        "test": ([10], 24),
    }


def test_no_question_stands_twice_and_no_id_stands_twice() -> None:
    questions = embedded_questions(train=100, validation=50, test=100)
    assert questions.select("question", pl.col("choices").list.join("|")).is_unique().all()
    assert questions["source_id"].is_unique().all()


def test_a_gold_answer_is_among_the_letters_or_is_a_number_that_reads_back_the_same() -> None:
    questions = embedded_questions()
    choices = questions.filter(pl.col("answer_kind") == "choice")
    assert choices.select((pl.col("choices").list.len() == 4) & pl.col("gold").is_in(list(LETTERS))).to_series().all()
    assert choices.select(pl.col("choices").list.n_unique() == 4).to_series().all()
    numbers = questions.filter(pl.col("answer_kind") == "number")
    assert numbers["choices"].is_null().all()
    assert all(str(int(gold)) == gold for gold in numbers["gold"])


def test_a_larger_benchmark_contains_the_smaller_one() -> None:
    smaller, larger = embedded_questions(8, 2, 5), embedded_questions(20, 6, 12)
    joined = smaller.join(larger, on=["source_id", "split", "question", "gold"], how="semi")
    assert len(joined) == len(smaller)


def test_every_process_generates_the_same_questions_whatever_its_hash_seed() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    here = hashlib.sha256(embedded_questions(seed=3).write_json().encode()).hexdigest()
    assert digests == {here}


def test_generating_the_benchmark_takes_under_a_second_and_no_torch() -> None:
    began = time.perf_counter()
    embedded_questions()
    assert time.perf_counter() - began < 1
    loaded = "import sys, tasks.world.questions; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True).stdout.strip() == "False"


def test_a_benchmark_question_hashes_to_its_split_and_never_to_the_decoders() -> None:
    entries = benchmark_problems(train=50, validation=20, test=50, seed=1)
    assert all(split_of(entry.problem) == entry.split != DECODERS for entry in entries)


def test_a_benchmark_of_more_questions_than_there_are_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="price of difficulty 1 has too few different questions"):
        embedded_questions(train=0, validation=2000, test=0)
    with pytest.raises(ValueError, match="negative"):
        embedded_questions(train=-1)


def test_a_working_ends_in_the_gold_answer() -> None:
    for entry in benchmark_problems():
        problem = entry.problem
        assert problem.conclusion == (f" The answer is ({problem.gold})." if problem.choices else f"\n#### {problem.gold}")
    assert {(entry.problem.skill, entry.problem.difficulty) for entry in benchmark_problems()} == {
        (skill, difficulty) for skill in SKILLS for difficulty in DIFFICULTIES
    }
