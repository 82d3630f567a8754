"""Auto: what it chooses in worlds of which it is known what can be gained."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_examples import MODELS, noise_only, none, planted, queries, router, shuffled, with_holes

from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.routers import load_router
from tasks.routers.auto import FEWEST, _earned, choose
from tasks.routers.embeddings import embedding_column


def auto(train, validation=None, **settings):
    return router("auto", **({"features": ["words"]} | settings)).fit(train, validation or none(train))


def kind(fitted):
    assert fitted.chosen_ is not None
    return fitted.chosen_.kind


def test_where_labels_are_noise_it_is_the_best_single_model():
    """In 19 of 20 worlds at least, by design; the texts of one world are given as vectors, which makes routers fast."""
    chosen = []
    for seed in range(20):
        world = noise_only(150, seed)
        vectors = np.random.default_rng([seed, 9]).normal(size=(150, 6))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        column = pl.Series(embedding_column("noise", 256), vectors.tolist(), dtype=pl.List(pl.Float32))
        chosen.append(kind(auto(Examples(world.queries.with_columns(column), world.labels, world.models), features=["noise"])))
    assert chosen.count("best-single") >= 18


@pytest.mark.parametrize("with_benchmarks", [False, True])
def test_noise_has_nothing_to_choose_even_in_a_thousand_queries(with_benchmarks):
    world = noise_only(1000)
    if with_benchmarks:
        names = np.random.default_rng(0).choice(["b1", "b2", "b3"], 1000)
        world = Examples(world.queries.with_columns(benchmark=names), world.labels, world.models)
    fitted = auto(world)
    assert kind(fitted) == "best-single"
    assert fitted.notes[0].startswith("auto chose best-single among ") and "luck" in fitted.notes[0]


def test_a_planted_preference_is_found_and_the_notes_say_how_much_it_gains_and_how_sure_that_is():
    train = planted(400)
    fitted = auto(train)
    assert kind(fitted) != "best-single"
    best = [MODELS[column] for column in fitted.confidences(queries(["boil the soup with salt", "launch a solar probe"])).argmax(axis=1)]
    assert best == ["chef", "pilot"]
    [note] = fitted.notes
    assert note.startswith(f"auto chose {kind(fitted)} among best-single, domains, linear, knn: ")
    assert "points more than the best single model" in note and "95 % interval" in note and "certainty 99.99%" in note
    gain = float(note.split("choosing so earns ")[1].split()[0])
    single = train.labels.mean(axis=0).max()
    assert gain == pytest.approx(100 * (0.9 - single), abs=5)


def benchmarks_and_more(count, seed=0):
    """Three benchmarks that suit one model each, and a word that helps the second model in all of them as much as it harms the first."""
    random = np.random.default_rng([seed, 1])
    benchmark, turned = random.integers(0, 3, count), random.random(count) < 0.4
    words = [["court", "judge", "tort", "plea"], ["sum", "prime", "root", "angle"], ["fever", "dose", "lung", "nerve"]]
    texts = [" ".join([*random.choice(words[b], 5), "not" if t else "indeed"]) for b, t in zip(benchmark, turned, strict=True)]
    chances = np.array([[0.8, 0.5, 0.4], [0.4, 0.7, 0.5], [0.4, 0.5, 0.7]])[benchmark]
    chances[turned] += [-0.3, 0.28, 0]
    frame = queries(texts).with_columns(benchmark=np.array(["law", "math", "medicine"])[benchmark])
    return Examples(frame, (random.random(chances.shape) < chances).astype(np.float32), ("a", "b", "c")), chances


def test_regret_in_a_world_of_5000_queries_is_under_a_point():
    train, _ = benchmarks_and_more(5000)
    fresh, chances = benchmarks_and_more(2000, seed=1)
    fitted = auto(train, routers=["domains", "linear"])
    chosen = fitted.confidences(fresh.queries.select("question", "choices")).argmax(axis=1)
    regret = (chances.max(axis=1) - chances[np.arange(2000), chosen]).mean()
    assert regret < 0.01
    assert (chances.max(axis=1) - chances[:, 0]).mean() > 0.1  # what the best single model does not earn


def test_of_routers_that_are_equally_good_the_simplest_is_taken():
    """Two benchmarks told apart by their words: `linear` and `knn` have nothing to add to `domains`, nor has a second `domains`."""
    train = planted(400)
    train = Examples(train.queries.with_columns(benchmark=pl.Series(["cooking", "space"] * 200)), train.labels, MODELS)
    assert kind(auto(train)) == "domains"
    assert kind(auto(train, routers=["linear", "domains"])) == "linear"


def test_the_same_whatever_the_labels_of_validation_queries():
    train, validation = planted(200), planted(80, seed=5)
    expected = auto(train, validation)
    permuted = Examples(validation.queries, np.random.default_rng(0).permutation(validation.labels), MODELS)
    for other in (permuted, with_holes(validation), none(validation)):
        fitted = auto(train, other)
        assert kind(fitted) == kind(expected) and fitted.notes == expected.notes
        assert (fitted.confidences(train.queries) == expected.confidences(train.queries)).all()


def test_the_same_whatever_the_order_of_rows_and_bit_for_bit_when_saved():
    train = with_holes(planted(200))
    fitted, other = auto(train), auto(shuffled(train))
    files = fitted.save()
    assert files == other.save()
    loaded = load_router("auto", files)
    assert loaded.models == MODELS and loaded.notes == fitted.notes and loaded.save() == files
    assert (loaded.confidences(train.queries) == fitted.confidences(train.queries)).all()
    assert json.loads(files["router.json"])["kind"] == kind(fitted)
    assert loaded.confidences(train.queries.clear()).shape == (0, 3)


@pytest.mark.parametrize("count", [1, 2, 6, 40])
def test_with_few_queries_it_is_the_best_single_model(count):
    fitted = auto(planted(count))
    assert kind(fitted) == "best-single"
    assert len(fitted.notes) == 1


def test_without_a_reward_or_a_query():
    train = planted(10)
    nothing = auto(Examples(train.queries, np.full_like(train.labels, np.nan), MODELS))
    assert kind(nothing) == "best-single"
    assert (nothing.confidences(train.queries) == 0).all()
    with pytest.raises(UserError, match="no training queries"):
        auto(none(train))


def test_a_router_earns_what_its_surest_model_earns_and_the_mean_of_those_that_are_as_sure():
    confidences = np.array([[0.9, 0.1], [0.5, 0.5], [0.5, 0.5], [0.1, 0.9]], dtype=np.float32)
    labels = np.array([[1, 0], [1, 0], [np.nan, 1], [1, np.nan]], dtype=np.float32)
    assert _earned(confidences, labels).tolist()[:3] == [1, 0.5, 1]
    assert np.isnan(_earned(confidences, labels)[3])


def outcome(*columns):
    """What was earned beside a router that earned 0 everywhere, and squared errors that say nothing."""
    earned = np.column_stack([np.zeros(len(columns[0])), *columns])
    return earned, np.full_like(earned, 0.25)


def times(**counts):
    """Differences: so many queries won, lost and the same."""
    return np.repeat([1.0, -1.0, 0.0], [counts.get(name, 0) for name in ("won", "lost", "same")])


def test_a_gain_is_believed_when_it_is_more_than_luck_explains():
    """Of 200 queries on which two routers differ, 110 won and 90 lost are 1.4 standard errors, 116 and 84 are 2.3, 120 and 80 are 2.9."""
    for won, chosen in ((100, 0), (110, 0), (116, 1), (120, 1), (80, 0)):
        assert choose(*outcome(times(won=won, lost=200 - won))) == chosen
    nothing = times(same=200)
    assert choose(*outcome(times(won=116, lost=84), nothing, nothing)) == 0  # three comparisons ask for more than one
    assert choose(*outcome(times(won=120, lost=80), nothing, nothing)) == 1
    assert choose(*outcome(times(won=100, same=200), times(won=200, same=100))) == 2  # both are better than the first
    assert choose(*outcome(times(won=FEWEST - 1, same=300))) == 0  # certain, but of few queries
    assert choose(*outcome(times(won=FEWEST, same=300))) == 1


def test_of_two_that_earn_the_same_the_one_that_is_nearer_the_truth_is_taken():
    earned, errors = outcome(times(won=100, lost=100))
    errors[:, 1] += np.random.default_rng(0).normal(-0.05, 0.1, 200)
    assert choose(earned, errors) == 1
    assert choose(earned, errors[:, ::-1]) == 0
    assert choose(outcome(times(won=80, lost=120))[0], errors) == 0  # but not if it earns less


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32))
def test_the_choice_knows_no_order_of_queries_and_counts_no_query_that_is_not_known(seed):
    random = np.random.default_rng(seed)
    earned = (random.random((200, 4)) < [0.5, 0.6, 0.65, 0.7]).astype(np.float64)
    errors = random.random((200, 4)) + np.array([0.3, 0.2, 0.1, 0])
    order, unknown = random.permutation(200), np.full((50, 4), np.nan)
    expected = choose(earned, errors)
    assert choose(earned[order], errors[order]) == expected
    assert choose(np.vstack([earned, unknown]), np.vstack([errors, unknown])) == expected
