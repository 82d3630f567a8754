"""A vote is decided exactly when no sample that is still to come can change it."""

from itertools import product
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.lake import tables
from tasks.voting.decided import decided, still_needed
from tasks.voting.vote import vote

ANSWERS = ["1", "2", "3", "?"]  # "?" cannot be read


def queries(*names: str) -> pl.DataFrame:
    rows = [
        {"query_id": name, "source_id": name, "benchmark": "b", "split": "test", "question": name, "gold": "1", "answer_kind": "number"}
        for name in names
    ]
    return pl.DataFrame(rows, schema=tables.QUERIES.schema)


def samples(drawn: dict[str, dict[int, str]]) -> pl.DataFrame:
    """query → sample → text, as rows of generations."""
    named = {"model": "m", "recipe": "r", "bucket": "00-of-01"}
    rows = [{"query_id": name, "sample": at, "text": text, **named} for name, texts in drawn.items() for at, text in texts.items()]
    return pl.DataFrame(rows, schema=tables.GENERATIONS.schema)


def majorities(drawn: dict[str, dict[int, str]], k: int) -> dict[str, tuple[str | None, bool]]:
    votes = vote(samples(drawn), queries(*drawn), k)
    return {name: (majority, correct) for name, majority, correct in votes.select("query_id", "majority", "correct").iter_rows()}


def test_the_example_of_the_module_is_true() -> None:
    assert decided(samples({"q": dict.fromkeys(range(5), "11")}), queries("q"), 10) == ["q"]
    assert decided(samples({"q": dict.fromkeys(range(4), "11")}), queries("q"), 10) == []


@pytest.mark.parametrize(
    ("texts", "k", "is_decided"),
    [
        ({0: "1", 1: "1"}, 4, True),  # two others can tie, but 1 was seen first
        ({1: "1", 2: "1"}, 4, False),  # sample 0 can say 2, and sample 3 too
        ({0: "2", 1: "1", 2: "1"}, 4, False),  # 2 was seen first
        ({0: "1", 1: "1", 2: "?"}, 4, True),
        ({0: "?", 1: "?", 2: "?"}, 4, False),
        ({0: "?", 1: "?", 2: "?", 3: "?"}, 4, True),  # nothing is left that could say anything
        ({0: "1", 1: "1", 4: "2", 5: "2", 6: "2"}, 4, True),  # samples from k on do not vote
        ({0: "1"}, 1, True),
        ({1: "1"}, 1, False),
    ],
)
def test_votes_that_are_decided_and_votes_that_are_not(texts: dict[int, str], k: int, is_decided: bool) -> None:
    assert decided(samples({"q": texts}), queries("q"), k) == (["q"] if is_decided else [])


@pytest.mark.parametrize(
    ("texts", "needed"), [("11111", 0), ("1111", 1), ("1", 4), ("11122", 2), ("?????", 3), ("11?22", 3), ("222111112", 1)]
)
def test_at_least_so_many_more_are_needed(texts: str, needed: int) -> None:
    assert still_needed(samples({"q": dict(enumerate(texts))}), queries("q"), 10) == {"q": needed}


def test_queries_are_told_apart_and_those_nobody_asked_about_are_left_out() -> None:
    drawn = {"a": {0: "1", 1: "1"}, "b": {0: "1", 1: "2"}, "gone": {0: "1", 1: "1"}, "c": {1: "7", 0: "7"}}
    assert decided(samples(drawn), queries("c", "b", "a", "none"), 3) == ["a", "c"]
    assert decided(samples({}), queries("a"), 3) == []


def test_the_reader_of_each_kind_reads_and_a_sample_that_is_there_twice_counts_once() -> None:
    asked = queries("n", "t").with_columns(answer_kind=pl.Series(["number", "text"]))
    drawn = samples({"n": {0: "so 12", 1: "#### 12.0"}, "t": {0: "so 12", 1: "#### 12.0"}})
    assert decided(drawn, asked, 4) == ["n"]
    double = pl.concat([samples({"n": {0: "12"}}), samples({"n": {0: "12"}}), samples({"n": {0: "12"}})])
    assert decided(double, asked, 4) == []


@st.composite
def partly_drawn(draw: st.DrawFn) -> tuple[int, dict[int, str]]:
    """A small k and some of its samples."""
    k = draw(st.integers(1, 5))
    return k, draw(st.dictionaries(st.integers(0, k - 1), st.sampled_from(ANSWERS), min_size=1))


@settings(max_examples=100, deadline=None)
@given(partly_drawn())
@example((4, {1: "1", 2: "1"}))
@example((6, {1: "1", 2: "1", 3: "1", 5: "2"}))
@example((5, {0: "2", 1: "1", 2: "1", 3: "1"}))
def test_decided_if_and_only_if_no_completion_changes_the_majority(case: tuple[int, dict[int, str]]) -> None:
    k, texts = case
    left = [sample for sample in range(k) if sample not in texts]
    # Answers beyond those drawn, one that cannot be read, and one that nobody gave are all that the others could say.
    alphabet = sorted({*texts.values(), "?", "9"})
    completions = {
        f"{number:05d}": texts | dict(zip(left, said, strict=True)) for number, said in enumerate(product(alphabet, repeat=len(left)))
    }
    outcomes = {majority for majority, _ in majorities(completions, k).values()}
    assert decided(samples({"q": texts}), queries("q"), k) == (["q"] if len(outcomes) == 1 else [])


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 12).flatmap(
        lambda k: st.tuples(st.just(k), st.lists(st.lists(st.sampled_from(ANSWERS), min_size=k, max_size=k), min_size=1, max_size=6))
    )
)
def test_drawing_until_decided_gives_the_votes_of_all_samples(case: tuple[int, list[list[str]]]) -> None:
    k, texts = case
    full = {f"q{number}": dict(enumerate(said)) for number, said in enumerate(texts)}
    drawn: dict[str, dict[int, str]] = {}
    for count in range(1, k + 1):
        stopped = decided(samples(drawn), queries(*full), k) if drawn else []
        assert all(len(drawn[name]) >= k / 2 for name in stopped)
        drawn |= {name: dict(list(said.items())[:count]) for name, said in full.items() if name not in stopped}
    assert majorities(drawn, k) == majorities(full, k)
    for count in range(1, k):
        shorter = {name: dict(list(said.items())[:count]) for name, said in drawn.items() if len(said) > count}
        needed = still_needed(samples(shorter), queries(*full), k)
        assert all(1 <= needed[name] <= len(drawn[name]) - count for name in shorter)  # as many can be drawn at once
    stops = vote(samples(drawn), queries(*full), k).select("query_id", "k", "wanted", "stop").rows()
    assert stops == [(name, len(said), k, "all" if len(said) == k else "decided") for name, said in sorted(drawn.items())]


def test_a_vote_says_why_no_more_samples_were_drawn() -> None:
    drawn: dict[str, Any] = {"a": dict.fromkeys(range(4), "1"), "d": {0: "1", 1: "1"}, "i": {0: "1", 1: "2"}}
    votes = vote(samples(drawn), queries(*drawn), 4)
    assert votes.select("query_id", "k", "wanted", "stop").rows() == [("a", 4, 4, "all"), ("d", 2, 4, "decided"), ("i", 2, 4, "incomplete")]
    assert votes["success_rate"].to_list() == [1.0, 1.0, 0.5]  # of what was drawn
    assert vote(samples(drawn), queries(*drawn))["stop"].to_list() == [None, None, None]
