"""Looking at samples: what is seen, what is learned from it, and what it costs."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_examples import COOKING, SPACE, none, queries, router, shuffled

from flows.refresh import refresh
from flows.routing import print_routes
from tasks.config import Cost, RunFile
from tasks.errors import UserError
from tasks.evaluation.frontier import points
from tasks.lake.files import Lake, read_table
from tasks.lake.interfaces import Examples
from tasks.lake.tables import EVIDENCE, ROUTES, SCORES, check
from tasks.lake.views import score_rows
from tasks.policies.evidence import evidence as costs_of_samples
from tasks.policies.routes import choose_all
from tasks.routers import load_router
from tasks.routers.calibration import calibrated
from tasks.routers.looking import model_looked_at
from tasks.routers.looks import evidence, first_samples, with_evidence, with_looking

BIG, SMALL = 0, 1
MODELS = ("big", "small")


def votes(rows):
    """Votes as (query, model, answers); what is right is made up."""
    frame = pl.DataFrame(rows, schema={"query_id": pl.String, "model": pl.String, "answers": pl.List(pl.String)}, orient="row")
    return frame.with_columns(
        recipe=pl.lit("r1"),
        cost_usd=pl.when(pl.col("model") == "big").then(10.0).otherwise(1.0),
        latency_s=pl.lit(None, pl.Float64),
        completion_tokens=pl.lit(20.0),
    )


def samples(rows):
    """Samples as (query, sample, tokens, finish_reason) of the small model."""
    columns = {"query_id": pl.String, "sample": pl.Int32, "completion_tokens": pl.Int32, "finish_reason": pl.String}
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(model=pl.lit("small"), recipe=pl.lit("r1")).lazy()


def world(count, seed, tells=True):
    """Texts say nothing; the small model is right on half of the queries, those where its samples agree (or, not `tells`, on any half)."""
    random = np.random.default_rng(seed)
    agrees = random.random(count) < 0.5
    small = agrees if tells else random.random(count) < 0.5
    texts = [" ".join(random.choice(COOKING + SPACE, 5)) for _ in range(count)]
    frame = queries(texts).with_columns(pl.format(f"{seed}-{{}}", "query_id").alias("query_id"))
    table = votes([(query, "small", ["1"] * 3 if same else ["1", "2", "3"]) for query, same in zip(frame["query_id"], agrees, strict=True)])
    rows = evidence(table, first_samples(samples([]), 3).collect(), "small", 3)
    labels = np.column_stack([random.random(count) < 0.7, small]).astype(np.float32)
    return Examples(with_evidence(frame, [rows]), labels, MODELS), rows


def trained(tells=True, count=400, seed=0):
    train, _ = world(count, seed, tells)
    return router("looking", model="small", looks=3, features=["words"]).fit(train, none(train)), train


def earned(confidences, labels):
    return labels[np.arange(len(labels)), confidences.argmax(axis=1)].mean()


def test_evidence_is_what_arithmetic_by_hand_says():
    rows = [
        ("a", "small", ["11", None, "11", "12", "12", "12"]),
        ("b", "small", [None, None, None, "7"]),
        ("c", "small", ["7", "8"]),
        ("d", "small", None),
        ("e", "big", ["7", "7"]),
    ]
    ends = [("a", 2, 23, "stop"), ("a", 0, 20, "stop"), ("a", 1, 80, "length"), ("a", 1, 80, "length"), ("a", 3, 80, "length")]
    ends += [("c", 1, 10, None), ("c", 4, None, None)]
    found = check(EVIDENCE, evidence(votes(rows), first_samples(samples(ends), 3).collect(), "small", 3))
    assert found["query_id"].to_list() == ["a", "b", "c"]
    assert found["looks"].to_list() == [3, 3, 2]
    assert found["readable"].to_list() == pytest.approx([2 / 3, 0, 1])
    assert found["agreement"].to_list() == pytest.approx([2 / 3, 0, 1 / 2])
    assert found["tokens"].to_list() == [41, None, 10]
    assert found["cut_off"].to_list() == [pytest.approx(1 / 3), None, None]


@given(
    answers=st.lists(st.lists(st.sampled_from(["1", "2", "3", None]), min_size=1, max_size=6), min_size=1, max_size=8),
    looks=st.integers(1, 6),
)
def test_only_the_first_samples_are_seen(answers, looks):
    table = [(f"q{row}", "small", said) for row, said in enumerate(answers)]
    nothing = first_samples(samples([]), looks).collect()
    found = evidence(votes(table), nothing, "small", looks)
    for said, agreement in zip(answers, found["agreement"], strict=True):
        counts = Counter(answer for answer in said[:looks] if answer is not None)
        assert agreement == pytest.approx(max(counts.values(), default=0) / len(said[:looks]))
    others = [(query, model, said[:looks] + ["9"] * (len(said) - looks)) for query, model, said in table]
    assert evidence(votes(others), nothing, "small", looks).equals(found)


def test_what_is_right_of_a_test_query_changes_no_confidence():
    looking, _ = trained()
    random = np.random.default_rng(0)
    table = votes([(f"q{row}", "small", ["1", str(row % 2), "1"]) for row in range(50)])
    said = []
    for rights in (random.random(50) < 0.5, random.random(50) < 0.5):
        told = table.with_columns(correct=pl.Series(rights), label=pl.Series(rights).cast(pl.Float64), success_rate=pl.Series(rights / 1.0))
        seen = evidence(told, first_samples(samples([]), 3).collect(), "small", 3)
        asked = queries(["bake soup"] * 50).with_columns(query_id=table["query_id"])
        said.append(looking.confidences(with_evidence(asked, [seen])))
    assert np.array_equal(*said) and len(np.unique(said[0][:, SMALL])) == 2


def test_a_look_that_tells_all_is_used():
    looking, _ = trained()
    test, _ = world(400, 1)
    blind = test.queries.drop("evidence small")
    assert earned(looking.confidences(blind), test.labels) < 0.75
    assert earned(looking.confidences(test.queries), test.labels) > 0.8  # 0.5 · 1 + 0.5 · 0.7 = 0.85 is what can be earned
    agrees = test.queries["evidence small"].struct.field("agreement").to_numpy() == 1
    confidences = looking.confidences(test.queries)[:, SMALL]
    assert confidences[agrees].min() > 0.9 and confidences[~agrees].max() < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_a_look_that_tells_nothing_changes_nothing(seed):
    looking, train = trained(tells=False, seed=seed)
    blind = train.queries.drop("evidence small")
    assert np.array_equal(looking.confidences(train.queries), looking.confidences(blind))


def test_without_samples_it_says_what_the_text_says():
    looking, train = trained()
    base = router("domains", features=["words"]).fit(train, none(train))
    blind = train.queries.drop("evidence small")
    assert np.array_equal(looking.confidences(blind), base.confidences(blind))
    half = train.queries.with_columns(pl.when(pl.int_range(pl.len()) % 2 == 0).then("evidence small").alias("evidence small"))
    expected = np.where(np.arange(half.height)[:, None] % 2 == 0, looking.confidences(train.queries), base.confidences(blind))
    assert np.array_equal(looking.confidences(half), expected)
    assert np.array_equal(looking.confidences(train.queries[3]), looking.confidences(train.queries)[3:4])


def test_one_trained_without_samples_is_the_router_that_does_not_look():
    train, _ = world(100, 0)
    blind = Examples(train.queries.drop("evidence small"), train.labels, train.models)
    looking = router("looking", model="small", features=["words"]).fit(blind, none(blind))
    base = router("domains", features=["words"]).fit(blind, none(blind))
    assert np.array_equal(looking.confidences(train.queries), base.confidences(train.queries))


def test_a_model_without_labels_and_holes_do_no_harm():
    train, _ = world(400, 0)
    labels = np.column_stack([train.labels, np.full(400, np.nan, dtype=np.float32)])
    labels[np.random.default_rng(0).random(labels.shape) < 0.3] = np.nan
    holes = Examples(train.queries, labels, (*MODELS, "unknown"))
    confidences = router("looking", model="small", looks=3, features=["words"]).fit(holes, none(holes)).confidences(train.queries)
    assert (confidences[:, 2] == 0).all() and np.isfinite(confidences).all()
    assert earned(confidences[:, :2], train.labels) > 0.8


def test_saved_and_loaded_it_says_the_same_bit_for_bit():
    looking, train = trained()
    again = load_router("looking", looking.save())
    assert np.array_equal(again.confidences(train.queries), looking.confidences(train.queries))
    assert again.models == MODELS and again.save() == looking.save()
    assert model_looked_at(calibrated(again, train, "platt")) == "small"
    assert model_looked_at(router("best-single")) is None


def test_the_order_of_training_queries_changes_nothing():
    looking, train = trained()
    other = router("looking", model="small", looks=3, features=["words"]).fit(shuffled(train), none(train))
    assert np.array_equal(other.confidences(train.queries), looking.confidences(train.queries))


def test_looking_is_paid_for_whatever_the_policy():
    looking, _ = trained()
    test, rows = world(60, 1)
    ids = test.queries["query_id"]
    table = votes([(query, model, ["1"] * 5) for query in ids for model in MODELS])
    expected = with_looking(np.tile([10.0, 1.0], (60, 1)), test.queries, MODELS, "small")
    assert np.array_equal(expected, np.tile([13.0, 3.0], (60, 1)))
    blind = test.queries.drop("evidence small")
    assert np.array_equal(with_looking(np.ones((60, 2)), blind, MODELS, "small"), np.ones((60, 2)))
    scores = score_rows(ids, "r", MODELS, looking.confidences(test.queries), expected)
    told = costs_of_samples(table, 5)
    routes, _ = choose_all(
        "r", ["argmax", "cascade"], scores, told, test, test, 0, Cost(looks=5), rows.filter(pl.col("query_id") != ids[0])
    )
    argmax = routes.filter(policy="argmax")
    assert argmax["spent_usd"].to_list() == [0.0] + [2.0 if model == "small" else 3.0 for model in argmax["model"][1:]]
    assert argmax["spent_tokens"].to_list() == [0.0] + [40.0 if model == "small" else 60.0 for model in argmax["model"][1:]]
    # The cascade's five samples are the router's three and two more.
    assert set(routes.filter(policy="cascade")["spent_usd"][1:]) <= {2.0, 3.0, 4.0, 5.0}


def test_a_frontier_counts_what_was_spent_before_each_model_was_chosen():
    cost, own = np.tile([10.0, 1.0], (4, 1)), np.tile([3.0, 2.0], (4, 1))
    confidence = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
    found = points("r", confidence, cost, np.ones((4, 2)), cost, 1, own)
    assert found.cost[:, 0].tolist() == [13, 13, 3, 3] and found.cost[:, -1].tolist() == [1, 1, 1, 1]


def generations(random, count=320):
    """Two models that are sampled three times on each query; the small one's answers agree where they are right."""
    rows = []
    for number in range(count):
        same = random.random() < 0.5
        split = ("train", "train", "validation", "test")[number % 4]
        for model in MODELS:
            for sample in range(3):
                right = random.random() < 0.7 if model == "big" else same
                text = f"#### {1 if right else 2 + sample}"
                query = {"query_id": f"q{number}", "split": split, "question": f"{random.integers(10**9)}?", "gold": "1"}
                rows.append(query | {"model": model, "sample": sample, "text": text, "completion_tokens": 5 + 5 * (model == "big")})
        for row in rows[-6:]:
            row["question"] = rows[-6]["question"]
    return pl.DataFrame(rows)


@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_a_run_looks_pays_and_says_where_it_cannot_look(tmp_path, capsys):
    generations(np.random.default_rng(0)).write_parquet(tmp_path / "g.parquet")
    content = {
        "lake": str(tmp_path / "lake"),
        "generations": [{"files": [str(tmp_path / "g.parquet")]}],
        "routers": [{"name": "looking", "model": "small", "looks": 2, "features": ["words"]}],
        "cost": {"unit": "tokens"},
        "evaluation": {"policies": ["argmax"], "bootstrap": 100},
    }
    refresh(RunFile.model_validate(content))
    lake = Lake(str(tmp_path / "lake"))
    seen = read_table(lake, EVIDENCE)
    assert seen.height == 320 and set(seen["looks"]) == {2} and set(seen["tokens"]) == {5.0}
    routes = read_table(lake, ROUTES).filter(router="looking")
    assert set(routes["model"]) == set(MODELS)
    assert routes["spent_tokens"].to_list() == [5.0 if model == "small" else 10.0 for model in routes["model"]]
    scores = read_table(lake, SCORES).filter(router="looking")
    assert dict(scores.group_by("model").agg(pl.col("cost").mean()).iter_rows()) == pytest.approx({"big": 20, "small": 10})

    print_routes(str(tmp_path / "lake"), "What is 1 + 1?", None, "looking", "argmax")
    assert "looking was not possible: no samples of 'small'; chosen by the text alone\n" in capsys.readouterr().err

    section = {"name": "looking", "model": "smal", "features": ["words"]}
    with pytest.raises(UserError, match=r"samples of 'smal': there is no such model; did you mean 'small'"):
        refresh(RunFile.model_validate(content | {"routers": [section]}))
