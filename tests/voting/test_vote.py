"""The vote, against a plain one."""

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tasks.config import Labels, Price
from tasks.errors import UserError
from tasks.lake import tables
from tasks.lake.files import Lake, read_table, write_table
from tasks.voting.shard import vote_shard
from tasks.voting.vote import vote


def queries(**golds: str) -> pl.DataFrame:
    rows = [
        {"query_id": name, "source_id": name, "benchmark": "b", "split": "test", "question": name, "gold": gold, "answer_kind": "number"}
        for name, gold in golds.items()
    ]
    return pl.DataFrame(rows, schema=tables.QUERIES.schema)


def samples(*texts: str, query: str = "q", model: str = "m", **columns: Any) -> pl.DataFrame:
    rows = [
        {"query_id": query, "model": model, "recipe": "r", "bucket": "00-of-01", "sample": number, "text": text, **columns}
        for number, text in enumerate(texts)
    ]
    return pl.DataFrame(rows, schema=tables.GENERATIONS.schema)


def one(*texts: str, gold: str = "12", k: int | None = None) -> dict[str, Any]:
    return vote(samples(*texts), queries(q=gold), k).row(0, named=True)


def test_the_example_of_the_module_is_true() -> None:
    row = one("#### 11", "#### 12.0", "no idea", "12", "11")
    assert row["answers"] == ["11", "12", None, "12", "11"]
    assert (row["majority"], row["runner_up"], row["valid"], row["k"]) == ("11", "12", 4, 5)
    assert (row["agreement"], row["correct"], row["success_rate"], row["ambiguous"]) == (0.5, False, 0.4, True)


@pytest.mark.parametrize(
    ("labels", "texts", "label"),
    [
        (Labels(), ["12", "12", "11"], 1.0),
        (Labels(), ["12", "11", "11"], 0.0),
        (Labels(rule="at-least", at_least=2), ["12", "12", "11"], 1.0),
        (Labels(rule="at-least", at_least=2), ["12", "11", "10"], 0.0),  # though it is the majority, seen first
        (Labels(rule="at-least", at_least=2), ["12", "12", "11", "11", "11"], 1.0),  # though it is not the majority
        (Labels(rule="success-rate"), ["12", "11", "11", "?"], 0.25),
        (Labels(rule="success-rate"), ["?"], 0.0),
    ],
)
def test_what_an_answer_counts_for_follows_the_rule_and_the_majority_does_not(labels: Labels, texts: list[str], label: float) -> None:
    row = vote(samples(*texts), queries(q="12"), labels=labels).row(0, named=True)
    assert row["label"] == label
    assert row["correct"] == one(*texts)["correct"]


def test_labels_that_no_query_has_enough_samples_for_are_refused() -> None:
    least = Labels(rule="at-least", at_least=3)
    rows = pl.concat([samples("12", "12", model="few"), samples("12", model="few", query="p"), samples("12", "12", "12", model="m")])
    with pytest.raises(UserError, match=r"^labels: at_least = 3, but model 'few' has 2 samples of a query at most$"):
        vote(rows, queries(q="12", p="12"), labels=least)
    assert vote(rows, queries(q="12", p="12"), k=3, labels=least)["label"].sum() == 1  # the others are still to be drawn


def test_the_votes_of_the_runner_up_are_kept() -> None:
    assert [one(*texts)["runner_up_votes"] for texts in (["1", "1", "1", "2", "2", "3"], ["1", "1"], ["?"])] == [2, None, None]


def test_samples_that_come_in_parts_vote_as_if_they_came_at_once(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    rows = pl.concat([samples("#### 11", "#### 12.0", "no idea", "12", "11"), samples("7", "8", query="p")])
    parts = enumerate(rows[[5, 0, 3, 2, 6, 4, 1]].iter_slices(3))
    files = [write_table(lake, tables.GENERATIONS, part, f"model=m/recipe=r/bucket=00-of-01/{number}.parquet") for number, part in parts]
    asked = queries(q="12", p="8", unasked="1")
    scattered = vote_shard(lake, [*files, files[0]], asked, "m/", k=4)  # one of them twice
    assert_frame_equal(read_table(lake, tables.VOTES, [scattered]), vote(rows, asked, k=4))


def test_an_unreadable_answer_never_wins() -> None:
    row = one("?", "?", "?", "12")
    assert (row["majority"], row["agreement"], row["valid"], row["correct"], row["success_rate"]) == ("12", 1.0, 1, True, 0.25)


def test_nothing_readable_is_wrong_and_not_ambiguous() -> None:
    row = one("?", "")
    assert (row["majority"], row["agreement"], row["runner_up"], row["valid"]) == (None, None, None, 0)
    assert (row["correct"], row["ambiguous"], row["success_rate"]) == (False, False, 0.0)


def test_a_majority_of_less_than_half_is_ambiguous() -> None:
    assert one("1", "1", "2", "3", "4")["ambiguous"]
    assert not one("1", "1", "1", "3", "4")["ambiguous"]


def test_only_samples_below_k_vote_and_each_once() -> None:
    generations = pl.concat([samples("12", "12", "11", "11", "11"), samples("12", "12")])
    row = vote(generations, queries(q="12"), 4).row(0, named=True)
    assert (row["k"], row["majority"], row["correct"]) == (4, "12", True)


def test_gold_is_read_as_answers_are() -> None:
    assert one("1080", gold="$1,080.00")["correct"]
    assert not one("25", gold="2500")["correct"]
    with pytest.raises(UserError, match="benchmark 'b': query q: column 'gold' is 'a few', expected an answer of kind 'number'"):
        one("12", gold="a few")


def test_each_kind_of_answer_has_its_reader() -> None:
    asked = queries(n="12", c="B", t="Kel").with_columns(
        answer_kind=pl.Series(["number", "choice", "text"]), choices=pl.Series([None, ["x", "y"], None], dtype=pl.List(pl.String))
    )
    generations = pl.concat([samples("#### 12", query="n"), samples("The answer is (B)", query="c"), samples("KEL.", query="t")])
    votes = vote(generations, asked)
    assert votes.select("query_id", "majority", "correct").rows() == [("c", "B", True), ("n", "12", True), ("t", "kel", True)]


def test_recipes_and_models_vote_apart_and_answers_to_unknown_queries_are_left_out() -> None:
    generations = pl.concat(
        [samples("12"), samples("11", model="a/b"), samples("1", query="gone"), samples("7").with_columns(recipe=pl.lit("s"))]
    )
    assert vote(generations, queries(q="12")).select("model", "recipe", "majority").rows() == [
        ("a/b", "r", "11"),
        ("m", "r", "12"),
        ("m", "s", "7"),
    ]


def test_cost_is_the_mean_of_a_samples_tokens_at_the_models_price() -> None:
    generations = pl.concat([samples("12", "12", prompt_tokens=1000, completion_tokens=500, latency_s=2.0), samples("12", model="free")])
    prices = {"m": Price(prompt=1.0, completion=4.0), "other": Price()}
    rows = vote(generations, queries(q="12"), None, prices).sort("model")
    assert rows["cost_usd"].to_list() == [None, pytest.approx(0.003)] and rows["latency_s"].to_list() == [None, 2.0]
    assert vote(generations, queries(q="12"))["cost_usd"].to_list() == [None, None]


def test_no_generations_give_no_votes() -> None:
    assert_frame_equal(vote(samples(), queries(q="12")), tables.empty(tables.VOTES))


def plain_vote(answers: list[str | None], gold: str) -> dict[str, Any]:
    """What the table says, in plain Python."""
    seen = [answer for answer in answers if answer is not None]
    ranked = sorted(Counter(seen).items(), key=lambda item: (-item[1], seen.index(item[0])))
    best = ranked[0][1] if ranked else 0
    return {
        "k": len(answers),
        "answers": answers,
        "majority": ranked[0][0] if ranked else None,
        "agreement": best / len(seen) if seen else None,
        "runner_up": ranked[1][0] if len(ranked) > 1 else None,
        "valid": len(seen),
        "correct": bool(ranked) and ranked[0][0] == gold,
        "success_rate": answers.count(gold) / len(answers),
        "ambiguous": bool(ranked) and ((len(ranked) > 1 and ranked[1][1] == best) or 2 * best < len(seen)),
    }


CELLS = st.dictionaries(
    st.tuples(st.sampled_from("pq"), st.sampled_from(["m", "n"])),
    st.lists(st.sampled_from(["1", "2", "3", None]), min_size=1, max_size=7),
    min_size=1,
)


@given(CELLS, st.integers(1, 8), st.randoms(use_true_random=False))
def test_a_vote_is_the_plain_vote_in_any_order_of_rows(cells: dict[tuple[str, str], list[str | None]], k: int, random: Any) -> None:
    generations = pl.concat(
        [samples(*[answer or "?" for answer in answers], query=query, model=model) for (query, model), answers in cells.items()]
    )
    order = [*range(generations.height), *range(0, generations.height, 3)]
    random.shuffle(order)
    asked = queries(p="1", q="2")
    votes = vote(generations[order], asked, k)
    assert_frame_equal(votes, vote(generations, asked, k))
    golds = {"p": "1", "q": "2"}
    assert votes.height == len(cells)
    for row in votes.iter_rows(named=True):
        expected = plain_vote(cells[row["query_id"], row["model"]][:k], golds[row["query_id"]])
        assert {name: row[name] for name in expected} == expected
