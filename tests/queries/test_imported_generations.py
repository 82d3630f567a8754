"""Generations made elsewhere."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tasks.benchmarks.generations import ImportedGenerations, read_generations
from tasks.config import Import, Splits
from tasks.errors import UserError
from tasks.voting.vote import vote

GOOD = [
    {"query_id": query, "question": f"{query}?", "gold": "12", "model": model, "sample": sample, "text": f"#### {sample}"}
    for query in "pq"
    for model in ("a/one", "two")
    for sample in range(3)
]


def jsonl(file: Path, rows: list[dict[str, Any]]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def read(file: str) -> ImportedGenerations:
    return read_generations([Import(files=[file])], Splits(), 0)


def refused(file: str) -> str:
    with pytest.raises(UserError) as error:
        read(file)
    return str(error.value).replace(file, "FILE")


def test_a_generation_becomes_a_query_and_a_sample(tmp_path: Path) -> None:
    extra = {"latency_s": 0.5, "completion_tokens": 7, "finish_reason": "stop", "recipe": "r1", "split": "test"}
    imported = read(jsonl(tmp_path / "g.jsonl", [row | extra for row in GOOD]))
    assert imported.queries.height == 2 and imported.generations.height == 12
    assert set(imported.queries["answer_kind"]) == {"number"} and set(imported.queries["benchmark"]) == {"g"}
    sample = imported.generations.row(0, named=True)
    assert (sample["recipe"], sample["bucket"], sample["completion_tokens"], sample["seed"]) == ("imported-r1", "00-of-01", 7, None)


def test_without_a_recipe_generations_are_imported_and_a_missing_text_is_an_empty_answer(tmp_path: Path) -> None:
    imported = read(jsonl(tmp_path / "g.jsonl", [*GOOD[:-1], GOOD[-1] | {"text": None}]))
    assert set(imported.generations["recipe"]) == {"imported"}
    assert imported.generations.filter(pl.col("text") == "").height == 1


def test_mistakes_in_generations_are_named(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "g.jsonl", [{key: value for key, value in row.items() if key != "sample"} for row in GOOD])
    assert refused(file).startswith("FILE: column 'sample' is missing")
    assert refused(jsonl(tmp_path / "g.jsonl", [*GOOD, GOOD[0] | {"sample": 1.5}])) == (
        "FILE: row 13: column 'sample' is 1.5, expected a whole number from 0 to 2,147,483,647"
    )
    assert refused(jsonl(tmp_path / "g.jsonl", [*GOOD, GOOD[0] | {"text": "#### 5"}])) == (
        "FILE: row 13: column 'text' differs from row 1 of FILE, which is about the same query, model and sample (p)"
    )
    assert refused(jsonl(tmp_path / "g.jsonl", [*GOOD, GOOD[0] | {"gold": "13", "sample": 7}])) == (
        "FILE: row 13: column 'gold' differs from row 1 of FILE, which is about the same query (p)"
    )
    assert "column 'gold' is empty" in refused(jsonl(tmp_path / "g.jsonl", [*GOOD, GOOD[0] | {"gold": None}]))


def test_a_sample_that_stands_twice_counts_once_and_copies_of_a_query_count_by_their_first_id(tmp_path: Path) -> None:
    copies = [row | {"query_id": "z", "question": "p?", "text": "#### 99"} for row in GOOD if row["query_id"] == "p"]
    imported = read(jsonl(tmp_path / "g.jsonl", [*GOOD, GOOD[0], *copies]))
    assert imported.queries.height == 2 and imported.generations.height == 12
    assert not imported.generations["text"].str.contains("99").any()
    assert "1 generations stood there twice and count once" in imported.notes
    assert "1 queries have the same content under several ids; the answers to the first id count" in imported.notes


def test_shuffled_generations_give_identical_tables(tmp_path: Path) -> None:
    first = read(jsonl(tmp_path / "g.jsonl", GOOD))
    second = read(jsonl(tmp_path / "g.jsonl", GOOD[::-1]))
    assert_frame_equal(first.queries, second.queries)
    assert_frame_equal(first.generations, second.generations)


def test_votes_on_real_answers_agree_with_their_publishers_verdicts(real_data: Path) -> None:
    file = real_data / "gsm8k" / "solutions-dev.parquet"
    imported = read(str(file))
    assert imported.queries.height == 300 and imported.generations.height == 1200
    assert set(imported.queries["benchmark"]) == {"solutions-dev"} and set(imported.queries["answer_kind"]) == {"number"}
    votes = vote(imported.generations, imported.queries)
    verdicts = pl.read_parquet(file).join(imported.queries, on="question").join(votes, on=["query_id", "model"])
    assert verdicts.height == 1200
    assert (verdicts["correct"] == verdicts["is_correct"]).mean() == 1.0
