"""The table `queries`: ids, splits, duplicates."""

import random
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tasks.benchmarks.queries import finish, limited, query_id
from tasks.config import Splits

SCHEMA = {
    "benchmark": pl.String,
    "split": pl.String,
    "source_id": pl.String,
    "subject": pl.String,
    "question": pl.String,
    "choices": pl.List(pl.String),
    "gold": pl.String,
    "answer_kind": pl.String,
}


def rows(number: int, **columns: Any) -> pl.DataFrame:
    base = {"benchmark": "shop", "split": None, "source_id": None, "subject": None, "choices": None, "gold": "1", "answer_kind": "number"}
    return pl.DataFrame([{**base, "question": f"Question {index}?", **columns} for index in range(number)], schema=SCHEMA)


def test_a_query_id_is_the_same_in_every_version() -> None:
    assert query_id("gsm8k", "What is 2 + 2?", None) == "777149cd61e61c39"
    assert query_id("gsm8k", "What is 2 + 2?", []) == query_id("gsm8k", "What is 2 + 2?", None)


@given(st.lists(st.text(max_size=5), min_size=2, max_size=5))
def test_where_a_text_ends_and_the_next_begins_matters_to_a_query_id(texts: list[str]) -> None:
    joined = [texts[0] + texts[1], *texts[2:]]
    assert query_id("b", "q", texts) != query_id("b", "q", joined)


def test_missing_splits_are_cut_in_about_their_shares_and_noted() -> None:
    queries, notes = finish(rows(2000), Splits(test=0.3, validation=0.15), seed=0)
    shares = dict(queries["split"].value_counts(normalize=True).iter_rows())
    assert abs(shares["test"] - 0.3) < 0.03 and abs(shares["validation"] - 0.7 * 0.15) < 0.02
    assert len(notes) == 1
    assert notes[0].startswith("benchmark 'shop' brought no test split: 30% of its queries were set aside by hash (")
    assert "no validation split: 15% of its train queries were set aside by hash (" in notes[0]


def test_a_split_that_a_benchmark_brings_is_kept_in_any_accepted_spelling() -> None:
    frame = pl.concat(
        [rows(3, split=split).with_columns(question=pl.col("question") + split) for split in ("train", "TEST", "val ", "dev")]
    )
    queries, notes = finish(frame, Splits(), seed=0)
    assert dict(queries["split"].value_counts().iter_rows()) == {"train": 3, "test": 3, "validation": 6}
    assert notes == []


def test_validation_alone_is_cut_out_of_train_and_leaves_test_as_it_was() -> None:
    frame = pl.concat([rows(300, split="train"), rows(50, split="test").with_columns(question=pl.col("question") + "!")])
    queries, _ = finish(frame, Splits(), seed=0)
    assert (queries.filter(pl.col("question").str.ends_with("!"))["split"] == "test").all()
    assert queries.filter(pl.col("split") == "test").height == 50
    assert 20 < queries.filter(pl.col("split") == "validation").height < 70


def test_each_benchmark_is_cut_for_itself() -> None:
    frame = pl.concat([rows(40, benchmark="a"), rows(40, benchmark="b", split="test"), rows(40, benchmark="b", split="train")])
    frame = frame.with_columns(question=pl.concat_str("question", pl.col("split").fill_null("")))
    queries, notes = finish(frame, Splits(), seed=0)
    assert queries.filter(pl.col("benchmark") == "b", pl.col("split") == "test").height == 40
    assert [note.split("'")[1] for note in notes] == ["a", "b"]


def test_a_split_that_no_query_falls_into_stays_empty_and_the_note_says_so() -> None:
    queries, notes = finish(rows(2), Splits(test=1e-6, validation=1e-6), seed=0)
    assert set(queries["split"]) == {"train"}
    assert "set aside by hash (0 of 2)" in notes[0]


def test_a_benchmark_of_test_queries_alone_is_said_to_have_no_train_queries() -> None:
    _, notes = finish(rows(5, split="test"), Splits(), seed=0)
    assert notes == ["benchmark 'shop' has no train queries: routers learn about it from other benchmarks only"]


def test_a_duplicate_counts_once_in_the_split_that_must_not_leak() -> None:
    frame = pl.concat([rows(10, split=split, gold=gold) for split, gold in (("train", "1"), ("validation", "1"), ("test", "2"))])
    queries, notes = finish(frame, Splits(), seed=0)
    assert queries.height == 10 and (queries["split"] == "test").all() and (queries["gold"] == "2").all()
    assert notes[0].startswith("benchmark 'shop': 20 duplicate rows left out; 10 queries stood in several splits")
    assert "10 queries had several right answers" in notes[0]


@given(st.permutations(range(30)), st.integers(0, 5))
def test_the_order_of_rows_changes_nothing(order: list[int], seed: int) -> None:
    frame = pl.concat([rows(20), rows(10, source_id="again", gold="2")])
    once, shuffled = finish(frame, Splits(), seed), finish(frame[order], Splits(), seed)
    assert_frame_equal(once[0], shuffled[0])
    assert once[1] == shuffled[1]


BROUGHT = st.sampled_from([(None,), ("train",), ("train", "test"), ("train", "validation"), ("train", "val", "test"), ("val",)])


@given(BROUGHT, st.integers(0, 40), st.integers(1, 40), st.randoms(use_true_random=False), st.integers(0, 3))
def test_queries_that_were_there_keep_their_split_when_a_table_grows(
    splits: tuple[str | None, ...], number: int, more: int, random: random.Random, seed: int
) -> None:
    # However few rows there were, whatever splits they bring, and though some of those added are copies of others.
    base = [rows(1, split=split).with_columns(question=pl.lit(f"of {split}")) for split in splits]
    added = rows(number + more).with_columns(
        question=pl.Series([f"Question {random.randrange(2 * (number + more))}?" for _ in range(number + more)]),
        split=pl.Series([random.choice(splits) for _ in range(number + more)], dtype=pl.String),
        source_id=pl.Series([random.choice([None, "a", "b"]) for _ in range(number + more)], dtype=pl.String),
    )
    # A copy that is of a test split must go there: so each question has one split.
    added = added.with_columns(split=pl.col("split").first().over("question"))
    before, after = finish(pl.concat([*base, added[:number]]), Splits(), seed)[0], finish(pl.concat([*base, added]), Splits(), seed)[0]
    columns = ["query_id", "split"]
    assert_frame_equal(before.select(columns), after.join(before, on="query_id", how="semi").select(columns))


def test_validation_queries_that_become_test_queries_are_not_replaced_from_train() -> None:
    frame = pl.concat([rows(200), rows(1, split="validation").with_columns(question=pl.lit("v"))])
    queries, notes = finish(frame, Splits(test=0.89), seed=0)
    assert (queries.filter(pl.col("question") == "v")["split"] == "test").all() and "validation" not in set(queries["split"])
    assert "no validation split" not in notes[0]


def test_another_seed_cuts_other_queries() -> None:
    first, second = finish(rows(200), Splits(), 0)[0], finish(rows(200), Splits(), 1)[0]
    assert (first["split"] != second["split"]).any()


def test_a_limit_takes_the_same_queries_whatever_the_order_and_a_larger_one_takes_more() -> None:
    queries, _ = finish(rows(300), Splits(), seed=0)
    small, large = limited(queries, {"train": 10, "test": 5}, 0), limited(queries, {"train": 20, "test": 5}, 0)
    counts = dict(small["split"].value_counts().iter_rows())
    assert counts["train"] == 10 and counts["test"] == 5
    assert counts["validation"] == queries.filter(pl.col("split") == "validation").height
    assert set(small["query_id"]) < set(large["query_id"])
    assert set(limited(queries.reverse(), {"train": 10, "test": 5}, 0)["query_id"]) == set(small["query_id"])
