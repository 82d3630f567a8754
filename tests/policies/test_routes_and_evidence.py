from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import Cost
from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.lake.tables import ROUTES, VOTES, check
from tasks.lake.views import examples
from tasks.policies.evidence import evidence, with_spending
from tasks.policies.routes import choose_all
from tasks.policies.rules import POLICIES

MODELS = ("big", "small")


def votes(rows):
    """Votes as (query, model, answers, cost_usd); the other columns, right or wrong among them, are made up."""
    random = np.random.default_rng(len(rows))
    frame = pl.DataFrame(
        rows,
        schema={"query_id": pl.String, "model": pl.String, "answers": pl.List(pl.String), "cost_usd": pl.Float64},
        orient="row",
    )
    rewards = random.integers(0, 2, frame.height)
    made_up = {name: None for name in VOTES.columns if name not in frame.columns} | {"recipe": "r1", "ambiguous": False}
    return frame.with_columns(
        *(pl.lit(value).alias(name) for name, value in made_up.items()),
    ).with_columns(
        correct=pl.Series(rewards).cast(pl.Boolean),
        label=pl.Series(rewards).cast(pl.Float64),
        success_rate=pl.Series(random.random(frame.height)),
        latency_s=pl.col("cost_usd") * 10,
        completion_tokens=pl.col("cost_usd") * 100,
    )


def test_agreement_is_of_the_first_looks():
    rows = [
        ("a", "big", ["1", "2", "1", "2", "2"], 1.0),
        ("a", "small", [None, "7", None, "7", "7"], 2.0),
        ("b", "big", [None, None, None], 3.0),
        ("b", "small", ["1", "2"], None),
        ("c", "big", None, 4.0),
    ]
    found = evidence(votes(rows), 3)
    assert found.select("query_id", "model").rows() == [row[:2] for row in rows]
    assert found["looks"].to_list() == [3, 3, 3, 2, None]
    assert found["agreement"].to_list() == pytest.approx([2 / 3, 1 / 3, 0, 1 / 2, None])
    assert found["cost_usd"].to_list() == [1, 2, 3, None, 4]
    assert found["latency_s"].to_list() == [10, 20, 30, None, 40]


@given(answers=st.lists(st.lists(st.sampled_from(["1", "2", "3", None]), min_size=1, max_size=6), max_size=8), looks=st.integers(2, 6))
def test_agreement_is_what_counting_says(answers, looks):
    found = evidence(votes([(str(row), "big", said, 1.0) for row, said in enumerate(answers)]), looks)
    for said, agreement in zip(answers, found["agreement"], strict=True):
        counts = Counter(answer for answer in said[:looks] if answer is not None)
        assert agreement == pytest.approx(max(counts.values(), default=0) / len(said[:looks]))


def test_evidence_does_not_depend_on_what_is_right():
    table = votes([(str(row), "big", ["1", str(row % 2), "1"], 1.0) for row in range(50)])
    shuffled = table.with_columns(pl.col("correct", "label", "success_rate").shuffle(seed=1))
    assert not shuffled.equals(table)
    assert evidence(shuffled, 3).equals(evidence(table, 3))


def test_spending_is_what_arithmetic_by_hand_says():
    samples = evidence(
        votes(
            [
                ("a", "big", ["1"] * 5, 10.0),
                ("a", "small", ["1"] * 5, 1.0),
                ("b", "big", ["1"] * 5, 20.0),
                ("b", "small", ["1"] * 5, 2.0),
                ("c", "big", ["1"] * 5, 30.0),
                ("d", "big", ["1"] * 5, 30.0),
                ("d", "small", ["1", "1"], 4.0),
                ("e", "small", ["1"] * 5, None),
            ]
        ),
        3,
    )
    routes = pl.DataFrame({"query_id": ["a", "b", "c", "d", "e"], "model": ["small", "big", "big", "small", "small"]})
    looked = np.array([[False, True], [True, True], [False, False], [False, True], [False, True]])
    found = with_spending(routes, looked, ["a", "b", "c", "d", "e"], MODELS, samples)
    # a: 3 of small, one of which is the answer; b: 3 of small and 3 of big, less the answer; d: small had two samples only.
    assert found["spent_usd"].to_list() == pytest.approx([2, 6 + 40, 0, 4, np.nan], nan_ok=True)
    assert found["spent_s"].to_list() == pytest.approx([20, 460, 0, 40, np.nan], nan_ok=True)
    assert found["spent_tokens"].to_list() == pytest.approx([200, 4600, 0, 400, np.nan], nan_ok=True)
    assert with_spending(routes, None, ["a", "b", "c", "d", "e"], MODELS, samples)["spent_usd"].to_list() == [None] * 5


def world(rows=900, seed=0):
    """Queries, votes and scores: small's samples agree where it is right, big costs twenty times as much and is right mostly."""
    random = np.random.default_rng(seed)
    ids = [f"q{row:04}" for row in range(rows)]
    queries = pl.DataFrame({"query_id": ids, "split": np.array(["train", "validation", "test"])[np.arange(rows) % 3]})
    agrees = random.random(rows) < 0.5
    cells = [(query_id, "big", ["1"] * 5, 20.0) for query_id in ids]
    cells += [(query_id, "small", ["1", "1", "1"] if same else ["1", "2", "3"], 1.0) for query_id, same in zip(ids, agrees, strict=True)]
    table = votes(cells).with_columns(label=pl.Series(np.concatenate([random.random(rows) < 0.9, agrees])).cast(pl.Float64))
    scores = table.select("query_id", "model", router=pl.lit("r"), cost="cost_usd").with_columns(
        confidence=pl.when(pl.col("model") == "big").then(0.9).otherwise(0.5).cast(pl.Float32)
    )
    return queries, table, scores


def chosen(queries, table, scores, policies=tuple(POLICIES), **dial):
    train, validation = examples(queries, table, "train"), examples(queries, table, "validation")
    return choose_all("r", policies, scores, evidence(table, 3), train, validation, 0, Cost(**dial))


def test_every_policy_writes_routes_and_only_a_cascade_spends():
    queries, table, scores = world()
    routes, fitted = chosen(queries, table, scores)
    check(ROUTES, routes)
    assert set(fitted["policies"]) == set(POLICIES) and fitted["models"] == list(MODELS)
    cascade = routes.filter(policy="cascade").join(table.select("query_id", "answers", "model").filter(model="small"), on="query_id")
    kept = cascade["answers"].list.unique().list.len() == 1
    assert cascade["model"].to_list() == ["small" if same else "big" for same in kept]
    assert cascade["spent_usd"].to_list() == [2.0 if same else 3.0 for same in kept]
    assert routes.filter(pl.col("policy") != "cascade")["spent_usd"].null_count() == routes.height - cascade.height


def test_rewards_of_test_queries_change_no_route():
    queries, table, scores = world()
    is_test = pl.col("query_id").is_in(queries.filter(split="test")["query_id"].to_list())
    rewards = ("correct", "label", "success_rate")
    shuffled = table.with_columns(pl.when(is_test).then(pl.col(name).shuffle(seed=1)).otherwise(pl.col(name)) for name in rewards)
    assert not shuffled.equals(table)
    assert chosen(queries, shuffled, scores)[0].equals(chosen(queries, table, scores)[0])


def test_order_of_rows_changes_no_route():
    queries, table, scores = world(rows=90)
    key = ["query_id", "policy"]
    other = chosen(queries.reverse(), table.sample(fraction=1, shuffle=True, seed=1), scores.sample(fraction=1, shuffle=True, seed=2))
    assert other[0].sort(key).equals(chosen(queries, table, scores)[0].sort(key))


def test_unknown_costs_are_refused_with_the_column_and_the_unit_that_is_known():
    queries, table, scores = world(rows=90)
    without = table.with_columns(cost_usd=pl.when(pl.col("model") == "big").then(1.0), latency_s=None)
    half = scores.with_columns(cost=pl.when(pl.col("model") == "big").then(1.0))
    with pytest.raises(UserError, match=r"policy 'budget': column 'cost_usd' of the votes is empty for 'small' .* unit = \"tokens\""):
        chosen(queries, without, half, ["argmax", "budget"])
    nothing = without.with_columns(completion_tokens=None)
    with pytest.raises(UserError, match=r"column 'latency_s' .* for 'big', 'small' .*no other unit of \[cost\] is known either"):
        chosen(queries, nothing, scores.with_columns(cost=None), ["cost-aware"], unit="seconds")
    assert chosen(queries, nothing, scores.with_columns(cost=None), ["argmax"])[0].height == 90


def test_a_cascade_of_imported_outcomes_is_refused():
    queries, table, scores = world(rows=90)
    imported = table.with_columns(answers=pl.lit(None, VOTES.schema["answers"]))
    with pytest.raises(UserError, match="policy 'cascade' looks at several samples"):
        chosen(queries, imported, scores.with_columns(cost=None), ["budget", "cascade"])


def test_a_validation_split_is_found_by_its_ids_wherever_it_stands():
    queries, table, scores = world(rows=90)
    validation = examples(queries, table, "validation")
    upside_down = Examples(validation.queries.reverse(), validation.labels[::-1], validation.models)
    train, told = examples(queries, table, "train"), evidence(table, 3)
    expected = choose_all("r", ["prediction"], scores, told, train, validation, 0, Cost())
    assert choose_all("r", ["prediction"], scores, told, train, upside_down, 0, Cost())[1] == expected[1]
