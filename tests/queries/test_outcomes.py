"""Outcomes made elsewhere."""

import json
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tasks.benchmarks.outcomes import ImportedOutcomes, read_outcomes
from tasks.config import Import, Splits
from tasks.errors import UserError

GOOD = [
    {"benchmark": "b", "split": "train", "query_id": f"q{query}", "question": f"Question {query}?", "model": model, "score": score}
    for query in range(4)
    for model, score in (("a/one", 1), ("two", 0.5))
]


def jsonl(file: Path, rows: list[Any]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def read(*files: str, columns: dict[str, str] | None = None) -> ImportedOutcomes:
    return read_outcomes([Import(files=list(files), columns=columns or {})], Splits(), 0)


def refused(file: str, **settings: Any) -> str:
    with pytest.raises(UserError) as error:
        read(file, **settings)
    return str(error.value).replace(file, "FILE")


def with_row(tmp_path: Path, **change: Any) -> str:
    """The good rows and a ninth that is not."""
    row = {**GOOD[0], "query_id": "q9", "question": "Question 9?", **change}
    return jsonl(tmp_path / "votes.jsonl", [*GOOD, {key: value for key, value in row.items() if value != "absent"}])


def test_an_outcome_becomes_a_query_and_a_vote(tmp_path: Path) -> None:
    imported = read(jsonl(tmp_path / "o.jsonl", [row | {"cost_usd": 0.002, "latency_s": 1.5, "subject": "s"} for row in GOOD]))
    assert imported.queries.height == 4 and imported.votes.height == 8
    vote = imported.votes.filter(pl.col("model") == "a/one").row(0, named=True)
    assert vote | {"query_id": ""} == {
        "query_id": "",
        "model": "a/one",
        "recipe": "imported",
        "k": None,
        "wanted": None,
        "stop": None,
        "answers": None,
        "majority": None,
        "agreement": None,
        "runner_up": None,
        "runner_up_votes": None,
        "valid": None,
        "correct": True,
        "success_rate": 1.0,
        "label": 1.0,
        "ambiguous": False,
        "completion_tokens": None,
        "cost_usd": 0.002,
        "latency_s": 1.5,
    }
    assert set(imported.votes["query_id"]) == set(imported.queries["query_id"])
    assert imported.queries["source_id"].sort().to_list() == ["q0", "q1", "q2", "q3"]


def test_a_score_of_one_half_is_not_correct_and_up_to_there_a_right_answer_is_ambiguous(tmp_path: Path) -> None:
    rows = [{"question": str(score), "model": model, "score": score} for score in (0, 0.1, 0.5, 0.6, 1) for model in "xy"]
    imported = read(jsonl(tmp_path / "o.jsonl", rows))
    votes = imported.votes.filter(pl.col("model") == "x").sort("success_rate")
    assert votes.select("success_rate", "correct", "ambiguous").rows() == [
        (0.0, False, False),
        (0.1, False, True),
        (0.5, False, True),
        (0.6, True, False),
        (1.0, True, False),
    ]


def test_the_same_rows_as_csv_parquet_and_jsonl_give_the_same_tables(tmp_path: Path) -> None:
    frame = pl.DataFrame(GOOD, strict=False).with_columns(choices=pl.lit('["x", "y"]'))
    frame.write_csv(tmp_path / "o.csv")
    frame.with_columns(choices=pl.col("choices").str.json_decode(pl.List(pl.String))).write_parquet(tmp_path / "o.parquet")
    text = read(jsonl(tmp_path / "o.jsonl", [row | {"choices": ["x", "y"]} for row in GOOD]))
    for file in ("o.csv", "o.parquet"):
        other = read(str(tmp_path / file))
        assert_frame_equal(text.queries, other.queries)
        assert_frame_equal(text.votes, other.votes)


def test_a_file_may_lie_anywhere_that_fsspec_reaches_and_name_its_columns_as_it_likes(tmp_path: Path) -> None:
    rows = [{"prompt": row["question"], "llm": row["model"], "acc": row["score"], "question": "another column"} for row in GOOD]
    columns = {"question": "prompt", "model": "llm", "score": "acc"}
    imported = read(f"file://{jsonl(tmp_path / 'shop.jsonl', rows)}", columns=columns)
    assert set(imported.queries["benchmark"]) == {"shop"}
    assert imported.queries["question"].str.starts_with("Question").all()
    assert "rows without a query_id are told apart by their question and choices" in imported.notes[0]
    bad = jsonl(tmp_path / "bad.jsonl", [*rows, rows[0] | {"acc": 2}])
    assert refused(bad, columns=columns) == "FILE: row 9: column 'acc' is 2.0, expected a number from 0 to 1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": "abc"}, "column 'score' is 'abc', expected a number from 0 to 1"),
        ({"score": 1.2}, "column 'score' is 1.2, expected a number from 0 to 1"),
        ({"score": -1}, "column 'score' is -1.0, expected a number from 0 to 1"),
        ({"score": None}, "column 'score' is empty, expected a number from 0 to 1"),
        ({"question": None}, "column 'question' is empty, expected a text"),
        ({"question": " "}, "column 'question' is empty, expected a text"),
        ({"model": "absent"}, "column 'model' is empty, expected a text"),
        ({"split": "holdout"}, "column 'split' is 'holdout', expected train, validation (val, valid, dev) or test"),
        ({"cost_usd": -0.1}, "column 'cost_usd' is -0.1, expected a number not below 0"),
        ({"latency_s": "fast"}, "column 'latency_s' is 'fast', expected a number not below 0"),
    ],
)
def test_a_bad_value_is_named_by_file_row_and_column(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    assert refused(with_row(tmp_path, **change)) == f"FILE: row 9: {message}"


def test_a_bad_number_in_a_csv_file_is_named_too(tmp_path: Path) -> None:
    file = tmp_path / "o.csv"
    file.write_text("question,model,score\nq,a,1\nq,b,nan\n", encoding="utf-8")
    assert refused(str(file)) == "FILE: row 2: column 'score' is 'nan', expected a number from 0 to 1"
    file.write_text('question,model,score\n"a\nb",a,1\nq,b\nq,b,1,5\n', encoding="utf-8")
    assert refused(str(file)).startswith("FILE: row 2 (line 4): has 2 values, the header 3: is not CSV")


def test_a_file_that_is_no_table_of_outcomes_is_named(tmp_path: Path) -> None:
    assert refused(str(tmp_path / "none.csv")) == "FILE: no such file"
    assert refused(str(tmp_path / "votes.xlsx")) == "FILE: unknown type of file; expected .parquet, .jsonl or .csv"
    for name in ("empty.jsonl", "empty.csv", "empty.parquet"):
        (tmp_path / name).write_text("")
        assert refused(str(tmp_path / name)) == "FILE: has no rows"
    pl.DataFrame(schema={"question": pl.String}).write_parquet(tmp_path / "header.parquet")
    assert refused(str(tmp_path / "header.parquet")) == "FILE: has no rows"
    (tmp_path / "no.parquet").write_text("no parquet file at all")
    assert refused(str(tmp_path / "no.parquet")).startswith("FILE: is not Parquet, or is cut off: ")
    (tmp_path / "no.jsonl").write_text(json.dumps(GOOD[0]) + "\n{broken\n")
    assert refused(str(tmp_path / "no.jsonl")).startswith("FILE: row 2: is not JSONL: ")
    missing = jsonl(tmp_path / "missing.jsonl", [{"question": "q", "model": "m", "scores": 1}])
    assert refused(missing) == "FILE: column 'score' is missing; did you mean 'scores'?; columns = {score = ...} takes another one"
    nested = jsonl(tmp_path / "nested.jsonl", [{"question": "q", "model": "m", "score": [1]}])
    assert refused(nested) == "FILE: column 'score' holds List(Int64), expected a number from 0 to 1"


def test_a_pool_of_one_model_is_no_pool(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "o.jsonl", [row for row in GOOD if row["model"] == "two"])
    assert refused(file) == "FILE: column 'model' is 'two' in every row; routing needs at least two models"


def test_two_different_scores_of_one_model_on_one_query_are_an_error_and_the_same_score_twice_is_a_note(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "o.jsonl", [*GOOD, GOOD[0] | {"score": 0}])
    assert refused(file) == (
        "FILE: row 9: column 'score' is 0, but row 1 of FILE says 1 for the same query and model (q0, a/one); "
        "expected one row for each query and model, with its mean score"
    )
    imported = read(jsonl(tmp_path / "twice.jsonl", [*GOOD, GOOD[0]]))
    assert imported.votes.height == 8 and "1 outcomes stood there twice and count once" in imported.notes


def test_two_ids_with_the_same_content_are_one_query_with_the_mean_score(tmp_path: Path) -> None:
    again = [row | {"query_id": "copy", "question": "Question 0?", "score": 0} for row in GOOD[:2]]
    imported = read(jsonl(tmp_path / "o.jsonl", [*GOOD, *again]))
    assert imported.queries.height == 4
    query = imported.queries.filter(pl.col("question") == "Question 0?")["query_id"][0]
    assert imported.votes.filter(pl.col("query_id") == query).sort("model")["success_rate"].to_list() == [0.5, 0.25]
    assert any(note.startswith("1 queries have the same content under several ids") for note in imported.notes)


def test_of_several_texts_under_one_id_the_most_frequent_counts(tmp_path: Path) -> None:
    rows = [*GOOD, GOOD[0] | {"model": "three", "question": "Question 0?Question 0?"}]
    imported = read(jsonl(tmp_path / "o.jsonl", rows))
    assert imported.queries.height == 4 and "Question 0?" in imported.queries["question"]
    assert "benchmark 'b': 1 queries had more than one text under one id; the most frequent one counts" in imported.notes


def test_routerdc_is_read_whole_and_quickly(real_data: Path) -> None:
    start = time.perf_counter()
    imported = read(str(real_data / "routerdc" / "outcomes-train.parquet"))
    assert time.perf_counter() - start < 10  # about a second on a quiet core
    assert imported.queries.height == 5935 and imported.votes.height == 5935 * 7
    assert imported.votes["model"].n_unique() == 7 and imported.queries["benchmark"].n_unique() == 5
    assert set(imported.queries["split"]) == {"train", "validation", "test"}
    assert len(imported.notes) == 5 and all("brought no test split: 30%" in note for note in imported.notes)


def test_routerbench_has_holes_costs_and_doubled_texts(real_data: Path) -> None:
    imported = read(str(real_data / "routerbench" / "outcomes-train.parquet"))
    assert imported.queries.height == 2218 and imported.votes.height == 24383 < 2218 * 11
    assert imported.votes["cost_usd"].null_count() == 0
    assert "benchmark 'arc_challenge': 7 queries had more than one text under one id; the most frequent one counts" in imported.notes
    assert "zero-one-ai/Yi-34B-Chat" in imported.votes["model"]


def test_shuffled_real_rows_give_identical_tables(real_data: Path, tmp_path: Path) -> None:
    file = real_data / "routerbench" / "outcomes-train.parquet"
    pl.read_parquet(file).sample(fraction=1, shuffle=True, seed=5).write_parquet(tmp_path / "shuffled.parquet")
    first, second = read(str(file)), read(str(tmp_path / "shuffled.parquet"))
    assert_frame_equal(first.queries, second.queries)
    assert_frame_equal(first.votes, second.votes)
    assert first.notes == second.notes


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from("abc"), st.sampled_from([0, 0.2, 1])), min_size=1, max_size=30
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_changes_no_table(tmp_path: Path, cells: list[tuple[int, int, str, float]], random: Any) -> None:
    """Few contents under few ids: everything that can collide does."""
    scores = {(f"s{source}", model): (text, score) for source, text, model, score in cells}
    rows = [
        {"query_id": source, "question": f"text {text}", "model": model, "score": score, "split": "train"}
        for (source, model), (text, score) in scores.items()
    ] + [{"query_id": "z", "question": "z", "model": model, "score": 1, "split": "test"} for model in "ab"]
    first = read(jsonl(tmp_path / "rows.jsonl", rows))
    random.shuffle(rows)
    second = read(jsonl(tmp_path / "rows.jsonl", rows))
    assert_frame_equal(first.queries, second.queries)
    assert_frame_equal(first.votes, second.votes)
    assert first.notes == second.notes
