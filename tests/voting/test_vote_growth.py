"""The vote with fewer samples, and how firm it is, against plain counting and against every vote that could be."""

from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_tables import query_rows, vote_rows
from polars.testing import assert_frame_equal

from tasks.lake.files import Lake, read_table
from tasks.lake.tables import GENERATIONS, QUERIES, VOTES
from tasks.voting.growth import growth
from tasks.voting.vote import vote

ANSWERS = st.sampled_from(["11", "12", "13", "14", None])


def queries(*golds: str, kind: str = "number") -> pl.DataFrame:
    rows = [
        {"query_id": f"q{n}", "source_id": f"{n}", "benchmark": "b", "split": "test", "question": "?", "gold": gold, "answer_kind": kind}
        for n, gold in enumerate(golds)
    ]
    return pl.DataFrame(rows, schema=QUERIES.schema)


def generations(*answers: Sequence[str | None]) -> pl.DataFrame:
    rows = [
        {"query_id": f"q{n}", "model": "m", "recipe": "r", "bucket": "b", "sample": sample, "text": answer or "no idea"}
        for n, of_query in enumerate(answers)
        for sample, answer in enumerate(of_query)
    ]
    return pl.DataFrame(rows, schema=GENERATIONS.schema)


def grown(answers: Sequence[str | None], gold: str = "12", kind: str = "number") -> pl.DataFrame:
    asked = queries(gold, kind=kind)
    return growth(asked, vote(generations(answers), asked), 0)


def majority(answers: Sequence[str | None]) -> str | None:
    readable = [answer for answer in answers if answer is not None]
    return max(readable, key=Counter(readable).__getitem__) if readable else None  # max takes the first of equals


def test_the_example_of_the_module_is_true() -> None:
    found = grown(["11", "12", "12", None, "11", "12"])
    assert found["samples"].to_list() == [1, 2, 3, 4, 5, 6]
    assert found["correct"].to_list() == [False, False, True, True, False, True]
    assert found["flip"].to_list()[:-1] == [None] * 5
    assert found["flip"][-1] == pytest.approx(0.327, abs=0.05)


@settings(max_examples=30)
@given(st.lists(st.lists(ANSWERS, min_size=1, max_size=7), min_size=1, max_size=5))
def test_the_first_samples_vote_as_if_there_were_no_others(answers: list[list[str | None]]) -> None:
    asked = queries(*["12"] * len(answers))
    found = growth(asked, vote(generations(*answers), asked), 0)
    plain = [majority(of_query[: count + 1]) == "12" for of_query in answers for count in range(len(of_query))]
    assert found["correct"].to_list() == plain


@settings(max_examples=25)
@given(st.lists(ANSWERS, min_size=1, max_size=5))
def test_a_flip_is_as_likely_as_among_all_votes_that_could_be(answers: list[str | None]) -> None:
    label = majority(answers) == "12"
    votes = [majority(again) == "12" for again in product(answers, repeat=len(answers))]
    expected = sum(again != label for again in votes) / len(votes)
    assert grown(answers)["flip"][-1] == pytest.approx(expected, abs=0.07)  # of 1,000 draws: more than four standard errors


@settings(max_examples=30)
@given(st.lists(st.lists(ANSWERS, min_size=1, max_size=6), min_size=2, max_size=6))
def test_neither_the_order_of_rows_nor_the_other_votes_change_anything(answers: list[list[str | None]]) -> None:
    asked = queries(*["12"] * len(answers))
    votes = vote(generations(*answers), asked)
    found = growth(asked, votes, 0)
    assert_frame_equal(found, growth(asked.reverse(), votes.sample(fraction=1, shuffle=True, seed=1), 0))
    assert_frame_equal(found.filter(pl.col("query_id") == "q0"), growth(asked, votes.filter(pl.col("query_id") == "q0"), 0))


def test_what_all_samples_say_cannot_flip_and_an_unreadable_answer_never_wins() -> None:
    assert grown(["12"] * 10)["flip"][-1] == grown(["11"] * 10)["flip"][-1] == grown([None] * 10)["flip"][-1] == 0
    assert grown([None, None, "12"])["correct"].to_list() == [False, False, True]
    assert grown([None, None, "12"])["flip"][-1] == pytest.approx((2 / 3) ** 3)  # unless no answer can be read


def test_equal_expressions_are_one_answer_and_right_however_they_are_spelt() -> None:
    found = grown(["$\\boxed{7}$", "$\\boxed{x+1}$", "$\\boxed{1+x}$"], gold="$1+x$", kind="math")
    assert found["correct"].to_list() == [False, False, True]


def test_where_sampling_stopped_there_are_rows_for_what_was_drawn_and_none_of_imported_outcomes() -> None:
    asked = queries("12", "12")
    votes = vote(generations(["12"] * 6, ["11"] * 3), asked, k=10)
    found = growth(asked, votes, 0)
    assert found.group_by("query_id").len().sort("query_id")["len"].to_list() == [6, 3]
    imported = vote_rows(query_rows(5), "m", [1.0, 0.0, 0.5, 0.7, None], k=None)
    assert growth(query_rows(5), imported, 0).is_empty()
    assert growth(query_rows(5), imported.clear(), 0).is_empty()


@pytest.mark.slow
def test_all_samples_of_the_demo_vote_as_its_votes_say(demo_lake: Path) -> None:
    lake = Lake(str(demo_lake))
    asked, votes = (read_table(lake, table, lake.files(table.name)) for table in (QUERIES, VOTES))
    last = growth(asked, votes, 0).filter(pl.col("flip").is_not_null()).join(votes, on=["query_id", "model"])
    assert last.height == votes.height
    assert (last["correct"] == last["correct_right"]).all() and (last["samples"] == last["k"]).all()
    flips = dict(last.group_by("ambiguous").agg(pl.col("flip").mean()).iter_rows())
    assert 0 < flips[False] < flips[True] < 0.5
