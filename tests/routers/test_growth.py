"""Models that come with few labels, models that leave, and models that are asked only some queries."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_examples import planted, queries, router, shuffled

from flows.onboarding import print_onboarding, queries_to_ask
from flows.planning import plan
from tasks import steps
from tasks.benchmarks.only import asked
from tasks.config import Model, Router, load_run
from tasks.errors import UserError
from tasks.lake.files import Lake, keep_only, read_table, write_table
from tasks.lake.interfaces import Examples
from tasks.lake.tables import GENERATIONS, QUERIES, VOTES
from tasks.routers import load_router
from tasks.routers.calibration import calibrated
from tasks.routers.leaving import find_reusable, keep_origin, origin_of, without
from tasks.routers.onboarding import choose_queries, complete, estimate_rewards
from tasks.routers.saved import load_saved, save_router

ENCODER = str(Path(__file__).parents[2] / "tasks" / "world" / "encoder")
ABILITY = np.array([[0.2, 0.5, 0.8, 0.35, 0.65], [0.6, 0.62, 0.58, 0.61, 0.59]])  # of five models on two benchmarks


def pool(count=400, seed=0, ability=ABILITY):
    """A fifth of the queries of "differs", on which models differ much, the others of "alike"; some queries are hard for all."""
    random = np.random.default_rng(seed)
    group = np.where(np.arange(count) % 5, 1, 0)
    chance = np.clip(ability[group] + random.normal(0, 0.25, (count, 1)), 0, 1)
    labels = (random.random(chance.shape) < chance).astype(np.float32)
    frame = queries([f"question {row}" for row in range(count)]).with_columns(
        benchmark=pl.Series(np.where(group == 0, "differs", "alike")), subject=pl.lit(None, dtype=pl.String)
    )
    return Examples(frame, labels, tuple("abcde"[: labels.shape[1]]))


def means(values, examples):
    names = examples.queries["benchmark"].to_numpy()
    return np.array([np.nanmean(values[names == name]) for name in ("differs", "alike")])


def with_new(examples, rows, column=4):
    """The examples with labels of one model on these rows only."""
    labels = examples.labels.copy()
    labels[~np.isin(np.arange(len(labels)), rows), column] = np.nan
    return Examples(examples.queries, labels, examples.models)


def groups_of(examples):
    return np.unique(examples.queries["benchmark"].to_numpy(), return_inverse=True)[1]


# ── which queries ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_more_labels_are_wanted_where_models_differ_and_some_everywhere():
    examples = pool()
    rows = choose_queries(examples, 40)
    of_benchmark = dict(examples.queries["benchmark"][rows].value_counts().iter_rows())
    assert of_benchmark["differs"] >= 22 and of_benchmark["alike"] >= 10  # of 80 and 320
    assert len(set(rows.tolist())) == 40


def test_the_queries_of_a_benchmark_are_neither_the_easy_nor_the_hard_ones():
    examples = pool()
    ease = examples.labels.mean(axis=1)
    chosen = ease[choose_queries(examples, 40)]
    assert chosen.min() < 0.3 and chosen.max() > 0.7
    assert means(ease, examples).min() - 0.05 < chosen.mean() < means(ease, examples).max() + 0.05


def test_who_the_models_are_and_in_which_order_decides_nothing():
    examples = pool()
    turned = Examples(examples.queries, np.ascontiguousarray(examples.labels[:, ::-1]), examples.models)
    assert (choose_queries(turned, 30) == choose_queries(examples, 30)).all()


tables = st.tuples(st.integers(0, 30), st.integers(1, 4), st.floats(0, 1), st.integers(0, 2**32))


@given(tables, st.integers(0, 40))
def test_as_many_different_queries_as_there_are_are_chosen_whatever_is_missing(table, count):
    rows, models, holes, seed = table
    random = np.random.default_rng(seed)
    labels = np.where(random.random((rows, models)) < holes, np.nan, random.integers(0, 2, (rows, models))).astype(np.float32)
    frame = queries(["?"] * rows).with_columns(benchmark=pl.Series(random.choice(["x", "y", "z"], rows), dtype=pl.String))
    examples = Examples(frame, labels, tuple("abcd"[:models]))
    chosen = choose_queries(examples, count)
    assert len(set(chosen.tolist())) == len(chosen) == min(rows, count)
    filled = complete(examples).labels
    known = ~np.isnan(labels)
    assert (filled[known] == labels[known]).all()
    assert np.nanmin(filled, initial=0) >= 0 and np.nanmax(filled, initial=1) <= 1


# ── what few labels tell ─────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_label_a_model_is_the_mean_of_the_pool_and_with_all_what_it_is():
    examples = pool()
    others, new, groups = examples.labels[:, :4], examples.labels[:, 4], groups_of(examples)
    nothing = estimate_rewards(others, np.full_like(new, np.nan), groups, 2)
    assert means(nothing, examples) == pytest.approx(means(others, examples))
    assert means(estimate_rewards(others, new, groups, 2), examples) == pytest.approx(means(new, examples), abs=0.01)


def test_fifty_labels_tell_more_by_design_than_at_random_and_than_their_own_means_do():
    errors = {"design": [], "random": [], "plain": []}
    for seed in range(20):
        examples = pool(seed=seed)
        groups, random = groups_of(examples), np.random.default_rng(seed)
        for column in range(5):
            others = Examples(examples.queries, np.delete(examples.labels, column, axis=1), tuple("abcd"))
            truth = examples.labels[:, column]
            for name, rows in (("design", choose_queries(others, 50)), ("random", random.choice(400, 50, replace=False))):
                few = np.full_like(truth, np.nan)
                few[rows] = truth[rows]
                estimate = estimate_rewards(others.labels, few, groups, 2)
                errors[name].append(means(estimate, examples) - means(truth, examples))
            errors["plain"].append(means(few, examples) - means(truth, examples))
    design, at_random, plain = (np.sqrt(np.square(errors[name]).mean()) for name in ("design", "random", "plain"))
    assert design < 0.9 * at_random < 0.81 * plain


def test_a_query_that_the_others_find_easy_is_expected_to_be_easy():
    examples = pool()
    estimate = estimate_rewards(examples.labels[:, :4], np.full(400, np.nan), groups_of(examples), 2)
    ease = examples.labels[:, :4].mean(axis=1)
    assert estimate[ease == 1].min() > estimate[ease == 0].max()


@pytest.mark.parametrize("kind", ["best-single", "benchmark"])
def test_a_new_model_that_was_asked_easy_queries_is_not_taken_for_the_best(kind):
    examples = pool(ability=np.array([[0.4, 0.45, 0.5, 0.75, 0.6]] * 2))
    easy = np.argsort(-examples.labels[:, :4].mean(axis=1), kind="stable")[:50]
    few = with_new(examples, easy)
    believed = router(kind).fit(complete(few), few).confidences(examples.queries)
    assert means(few.labels[:, 4], examples).min() > means(examples.labels[:, 3], examples).max()  # its own labels say it is
    assert (believed.argmax(axis=1) == 3).all()
    assert believed[:, 4].mean() == pytest.approx(examples.labels[:, 4].mean(), abs=0.05)


def test_holes_of_models_that_are_not_new_stay_and_a_model_without_a_label_stays_without():
    examples = pool()
    labels = examples.labels.copy()
    labels[:200, 0] = np.nan
    labels[:, 1] = np.nan
    holed = Examples(examples.queries, labels, examples.models)
    assert complete(holed) is holed
    completed = complete(with_new(holed, np.arange(50))).labels
    assert np.isnan(completed[:200, 0]).all() and np.isnan(completed[:, 1]).all()
    assert not np.isnan(completed[:, 4]).any()
    assert (completed[:50, 4] == labels[:50, 4]).all()


# ── only some queries ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_model_is_sampled_on_the_queries_of_its_table_and_on_no_other(make_run, tmp_path):
    from tasks.sampling.engines import open_sampler

    run = make_run()
    loaded = steps.load_queries.fn(run, run.benchmarks[0])["queries"]
    some = read_table(Lake(run.lake), QUERIES, loaded).filter(pl.col("split") == "train").head(5)
    some.select("query_id", "question").write_parquet(tmp_path / "some.parquet")
    models = [run.models[0], run.models[1].model_copy(update={"only": str(tmp_path / "some.parquet")})]
    run = run.model_copy(update={"models": models})
    assert [one.to_draw for one in plan(run)] == [48 * 3, 5 * 3]
    lacking = steps.plan.fn(run, models[1], loaded)
    assert sum(count for _, count in lacking) == 5 * 3
    with open_sampler(models[1], run.sampling) as sampler:
        for shard, _ in lacking:
            steps.sample_shard.fn(run, shard, loaded, sampler)
    drawn = read_table(Lake(run.lake), GENERATIONS)
    assert sorted(drawn["query_id"].unique()) == sorted(some["query_id"]) and drawn.height == 5 * 3
    assert [one.to_draw for one in plan(run)] == [48 * 3, 0]


def test_a_table_without_a_query_of_the_run_or_that_is_none_is_refused(tmp_path):
    (tmp_path / "others.jsonl").write_text('{"query_id": "0123456789abcdef"}\n')
    (tmp_path / "wrong.jsonl").write_text('{"id": "0123456789abcdef"}\n')
    frame = planted(10).queries
    for name, words in (("others", "none of them is one of this run"), ("wrong", "query_id"), ("absent", "absent.jsonl")):
        with pytest.raises(UserError, match=words):
            asked(frame, Model(name="m", path="m", only=str(tmp_path / f"{name}.jsonl")))


def test_the_table_is_beside_the_run_file(tmp_path):
    text = 'benchmarks = [{name = "embedded"}]\nmodels = [{name = "m", path = "org/m", only = "some.parquet"}]\n'
    (tmp_path / "run.toml").write_text(text)
    assert load_run(tmp_path / "run.toml").models[0].only == str(tmp_path / "some.parquet")


def filled_lake(tmp_path, examples):
    lake = Lake(str(tmp_path / "lake"))
    split = pl.when(pl.int_range(pl.len()) < 300).then(pl.lit("train")).otherwise(pl.lit("test"))
    rows = examples.queries.with_columns(split=split, source_id="query_id", gold=pl.lit(None, dtype=pl.String), answer_kind=pl.lit("text"))
    write_table(lake, QUERIES, rows, "one/")
    votes = pl.DataFrame(
        {
            "query_id": np.repeat(rows["query_id"].to_numpy(), len(examples.models)),
            "model": list(examples.models) * rows.height,
            "label": examples.labels.reshape(-1).astype(float),
        }
    ).with_columns(recipe=pl.lit("imported"), correct=pl.col("label") > 0.5, success_rate="label", ambiguous=pl.lit(False))
    rest = [pl.lit(None, dtype=column.dtype).alias(name) for name, column in VOTES.columns.items() if name not in votes.columns]
    write_table(lake, VOTES, votes.with_columns(rest).select(list(VOTES.columns)), "one/")
    return lake


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_onboard_writes_training_queries_that_a_model_can_be_asked(tmp_path, ending, capsys):
    examples = pool()
    lake = filled_lake(tmp_path, examples)
    out = str(tmp_path / f"few.{ending}")
    print_onboarding(lake.url, 20, out)
    assert "differs" in capsys.readouterr().out
    chosen = asked(examples.queries, Model(name="new", path="m", only=out))
    assert chosen.height == 20 and chosen["query_id"].max() < "q00300"
    assert queries_to_ask(lake.url, 1000)[0].height == 300


def test_onboard_says_what_it_cannot_do(tmp_path):
    with pytest.raises(UserError, match="no votes"):
        print_onboarding(str(tmp_path / "empty"), 20, "few.parquet")
    lake = filled_lake(tmp_path, pool())
    (tmp_path / "folder.jsonl").mkdir()
    for count, out, words in (
        (0, "few.parquet", "--count 0"),
        (5, "few.csv", "few.csv"),
        (5, str(tmp_path / "folder.jsonl"), "cannot be written"),
    ):
        with pytest.raises(UserError, match=words):
            print_onboarding(lake.url, count, out)


# ── a model that leaves ──────────────────────────────────────────────────────────────────────────────────────────────

SECTION = Router(name="mine", kind="roberta-separate", encoder=ENCODER, epochs=1, learning_rate=1e-3, batch_size=16, layers=1)


def alone(examples, keep):
    return Examples(examples.queries, np.ascontiguousarray(examples.labels[:, keep]), tuple(examples.models[column] for column in keep))


def with_subject(examples):
    return Examples(examples.queries.with_columns(subject=pl.lit(None, dtype=pl.String)), examples.labels, examples.models)


@pytest.fixture(scope="module")
def trained():
    from tasks.routers import make_router

    train, validation = with_subject(planted(48)), with_subject(planted(20, seed=1))
    labels = train.labels.copy()
    labels[::3, 1] = np.nan
    train = Examples(train.queries, labels, train.models)
    return train, validation, make_router(SECTION, 0).fit(train, validation)


@pytest.mark.parametrize("keep", [[0, 1], [0, 2], [1, 2]])
def test_what_is_left_is_bit_for_bit_what_training_without_the_model_gives(trained, keep):
    from tasks.routers import make_router

    train, validation, large = trained
    left = without(calibrated(large, validation, "platt"), [train.models[column] for column in keep])
    again = make_router(SECTION, 0).fit(alone(train, keep), alone(validation, keep))
    assert left.models == again.models
    assert (left.confidences(train.queries) == again.confidences(train.queries)).all()
    assert (left.confidences(train.queries) == large.confidences(train.queries)[:, keep]).all()


def test_what_is_left_can_be_saved_calibrated_and_reduced_again(trained, tmp_path):
    train, validation, large = trained
    left = calibrated(without(large, train.models[:2]), alone(validation, [0, 1]), "temperature")
    lake = Lake(str(tmp_path))
    whole, part = save_router(lake, "mine", SECTION.kind, large), save_router(lake, "mine", SECTION.kind, left)
    assert set(whole).isdisjoint(path for path in part if not path.startswith("encoders/"))
    loaded = load_saved(lake, part)
    assert loaded.models == train.models[:2]
    assert (loaded.confidences(train.queries) == left.confidences(train.queries)).all()
    assert (without(loaded, train.models[:1]).confidences(train.queries) == large.confidences(train.queries)[:, :1]).all()
    assert (
        load_router(SECTION.kind, without(large, train.models).save()).confidences(train.queries) == large.confidences(train.queries)
    ).all()


def test_a_router_is_found_by_what_it_was_made_from(trained, tmp_path):
    train, validation, large = trained
    lake = Lake(str(tmp_path))
    paths = keep_origin(lake, origin_of(SECTION, 0, train, validation), save_router(lake, "mine", SECTION.kind, large))
    assert all(lake.exists(path) for path in paths)

    def found(section=SECTION, seed=0, train=train, validation=validation):
        return find_reusable(lake, origin_of(section, seed, train, validation))

    assert load_saved(lake, found()).models == train.models
    assert found(train=alone(train, [0, 2]), validation=alone(validation, [0, 2])) == found() != None  # noqa: E711
    assert found(train=shuffled(train)) == found()
    other = train.labels.copy()
    other[0, 0] = 1 - other[0, 0]
    assert found(train=Examples(train.queries, other, train.models)) is None
    assert found(train=alone(Examples(train.queries, other, train.models), [1, 2]), validation=alone(validation, [1, 2])) == found()
    assert found(train=Examples(train.queries, train.labels, ("chef", "new", "pilot"))) is None
    assert found(train=Examples(train.queries[1:], train.labels[1:], train.models)) is None
    assert found(validation=Examples(validation.queries[1:], validation.labels[1:], validation.models)) is None
    assert found(seed=1) is None
    assert found(section=SECTION.model_copy(update={"epochs": 2})) is None
    keep_only(lake, "routers", [path for path in paths if path.endswith("origin.json")])
    assert found() is None


def test_kinds_whose_columns_share_something_are_trained_again(tmp_path):
    examples, lake = with_subject(planted(40)), Lake(str(tmp_path))
    section = Router(name="benchmark")
    paths = save_router(lake, "benchmark", "benchmark", router("benchmark").fit(examples, examples))
    origin = origin_of(section, 0, examples, examples)
    assert keep_origin(lake, origin, paths) == paths
    assert find_reusable(lake, origin) is None
    assert json.loads(lake.read(paths[0]))["kind"] == "benchmark"
