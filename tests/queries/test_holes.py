"""Rows that cannot be asked or judged are refused by number, or left out and counted, in every benchmark from files."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tasks.benchmarks.holes import without_holes
from tasks.benchmarks.load import load_benchmark
from tasks.config import Benchmark, Splits
from tasks.errors import UserError

GOOD = {"question": "Which gate?", "choices": ["north", "south"], "gold": "B"}
SCHEMA = {"question": pl.String, "choices": pl.List(pl.String), "gold": pl.String, "answer_kind": pl.String}


def jsonl(file: Path, *rows: dict[str, Any]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def refused(name: str, *files: str, **settings: Any) -> str:
    with pytest.raises(UserError) as error:
        load_benchmark(Benchmark(name=name, files=list(files), **settings), Splits(), 0)
    return str(error.value)


def skipped(name: str, *files: str, **settings: Any) -> tuple[pl.DataFrame, list[str]]:
    return load_benchmark(Benchmark(name=name, files=list(files), holes="skip", **settings), Splits(), 0)


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{"answer_kind": None} | row for row in rows], schema=SCHEMA).with_columns(
        file=pl.lit("shop.jsonl"), row=pl.int_range(1, len(rows) + 1, dtype=pl.Int64)
    )


def test_a_number_that_is_none_is_no_gold(tmp_path: Path) -> None:
    file = tmp_path / "shop.parquet"
    pl.DataFrame({"question": ["Which gate?", "Which tide?"], "gold": [3.5, float("nan")]}).write_parquet(file)
    assert "no gold in row 2" in refused("shop", str(file))
    assert skipped("shop", str(file))[0].select("gold", "answer_kind").rows() == [("3.5", "number")]


@pytest.mark.parametrize(
    ("row", "hole"),
    [
        ({"question": None}, "no question"),
        ({"question": " \n\t\u00a0"}, "no question"),
        ({"gold": None}, "no gold"),
        ({"gold": "  "}, "no gold"),
        ({"choices": ["north"]}, "one option"),
        ({"choices": ["north"], "answer_kind": "text"}, "one option"),
        ({"choices": ["north", ""]}, "an empty option"),
        ({"choices": ["north", None, "south"]}, "an empty option"),
        ({"choices": [], "answer_kind": "choice"}, "no options"),
        ({"choices": None, "answer_kind": "choice"}, "no options"),
    ],
)
def test_a_hole_is_named_refused_or_left_out(row: dict[str, Any], hole: str) -> None:
    rows = table(GOOD, GOOD | row, GOOD)
    with pytest.raises(UserError, match=f"^shop.jsonl: 1 of 3 rows has holes: {hole} in row 2; expected in each a question and a gold;"):
        without_holes(rows, "shop", "a gold", skip=False)
    kept, notes = without_holes(rows, "shop", "a gold", skip=True)
    assert_frame_equal(kept, rows[[0, 2]])
    assert notes == [f"benchmark 'shop': 1 of 3 rows has holes and was left out: {hole} in row 2"]


def test_what_is_no_hole_stays() -> None:
    rows = table(
        GOOD, GOOD | {"choices": None}, GOOD | {"choices": [], "answer_kind": "number"}, GOOD | {"question": "\u200b", "gold": "0"}
    )
    kept, notes = without_holes(rows, "shop", "a gold", skip=False)
    assert_frame_equal(kept, rows)
    assert notes == []


def test_the_first_rows_of_each_kind_are_named_and_the_others_counted(tmp_path: Path) -> None:
    rows = [GOOD | {"question": f"q{index}"} for index in range(120)]
    for row in (3, 16):
        rows[row] |= {"gold": ""}
    rows[8] |= {"choices": ["north"]}
    file = jsonl(tmp_path / "shop.jsonl", *rows)
    queries, notes = skipped("shop", file)
    assert queries.height == 117
    assert notes[0] == "benchmark 'shop': 3 of 120 rows have holes and were left out: no gold in rows 4, 17; one option in row 9"
    many = jsonl(tmp_path / "many.jsonl", *rows[4:8], *[GOOD | {"question": ""}] * 1205)
    assert "1,205 of 1,209 rows have holes: no question in rows 5, 6, 7, 8, 9 and 1,200 more;" in refused("shop", many)


def test_holes_of_several_files_are_told_apart(tmp_path: Path) -> None:
    first, second = (jsonl(tmp_path / f"{name}.jsonl", GOOD | {"gold": None}, GOOD | {"question": name}) for name in ("one", "two"))
    assert refused("shop", second, first).startswith(
        f"{first}, {second}: 2 of 4 rows have holes: no gold in row 1 of one; no gold in row 1 of two;"
    )


def test_a_table_of_holes_alone_is_refused_although_they_are_to_be_skipped(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "shop.jsonl", GOOD | {"gold": None})
    message = refused("shop", file, holes="skip")
    assert message.startswith(f"{file}: 1 of 1 rows has holes: no gold in row 1;") and "skip" not in message


HOLES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "gsm8k": (
        {"question": "q", "answer": "#### 5\n#### 1,004."},
        [{"answer": "So 4."}, {"answer": "#### 1/2"}, {"answer": None}, {"question": " "}],
    ),
    "mmlu": (
        {"question": "q", "choices": ["x", "y"], "answer": 1},
        [{"answer": None}, {"choices": ["x"]}, {"choices": None}, {"choices": []}, {"choices": ["x", " "]}, {"question": None}],
    ),
    "math": ({"problem": "q", "solution": r"\boxed{4}"}, [{"solution": "So 4."}, {"solution": r"\boxed{ }"}, {"problem": ""}]),
    "arc-challenge": (
        {"question": "q", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"},
        [
            {"answerKey": ""},
            {"answerKey": None},
            {"choices": {"text": ["x"], "label": ["1"]}},
            {"choices": {"text": ["x", None], "label": ["1", "2"]}},
            {"choices": None},
            {"question": ""},
        ],
    ),
    "shop": (GOOD, [{"gold": None}, {"question": None}, {"choices": ["x"]}, {"choices": ["x", ""]}]),
}


@pytest.mark.parametrize("name", HOLES)
def test_every_benchmark_from_files_has_its_holes_found(name: str, tmp_path: Path) -> None:
    good, bad = HOLES[name]
    text = "problem" if name == "math" else "question"
    rows = [good | {text: f"q{index}"} for index in range(10)]
    file = jsonl(tmp_path / "train.jsonl", *rows, *[good | hole for hole in bad])
    queries, notes = skipped(name, file)
    assert set(queries["question"]) == {f"q{index}" for index in range(10)}
    assert notes[0].startswith(f"benchmark {name!r}: {len(bad)} of {10 + len(bad)} rows have holes and were left out: ")
    assert f"{len(bad)} of {10 + len(bad)} rows have holes" in refused(name, file)


def test_a_kind_from_the_run_file_decides_what_is_a_hole(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "shop.jsonl", GOOD, {"question": "How many?", "gold": "A", "choices": None})
    assert skipped("shop", file)[0].height == 2
    queries, notes = skipped("shop", file, answer_kind="choice")
    assert queries.height == 1 and "no options in row 2" in notes[0]


def test_a_hole_has_no_say_in_the_kind_of_the_others(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "shop.jsonl", {"question": "q", "gold": "12"}, {"question": "", "gold": "twelve"}, {"question": "r", "gold": " "}
    )
    assert skipped("shop", file)[0].select("gold", "answer_kind").rows() == [("12", "number")]


row = st.fixed_dictionaries(
    {
        "question": st.sampled_from(["a", "b", "c", "d", "", None]),
        "choices": st.sampled_from([["x", "y"], ["x", "y", "z"], ["x"], ["x", ""]]),
        "gold": st.sampled_from(["A", "B", "", None]),
        "split": st.sampled_from([None, "train", "val", "test"]),
        "source_id": st.sampled_from([None, "1", "2"]),
        "subject": st.sampled_from([None, "law"]),
    }
)


@settings(max_examples=30)
@given(st.lists(row, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_rows_with_holes_and_copies_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], random: Any
) -> None:
    rows = [GOOD, *rows]
    folder = tmp_path_factory.getbasetemp()
    first, first_notes = skipped("shop", jsonl(folder / "first.jsonl", *rows))
    random.shuffle(rows)
    second, second_notes = skipped("shop", jsonl(folder / "second.jsonl", *rows))
    assert_frame_equal(first, second)
    assert [note for note in first_notes if "holes" not in note] == [note for note in second_notes if "holes" not in note]
