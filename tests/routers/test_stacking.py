"""Stacking: weights that can be followed by hand, and what members share."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from router_examples import MODELS, none, planted, queries, router, shuffled, with_holes

from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.routers import load_router
from tasks.routers.out_of_fold import FOLDS, fold_of, members, out_of_fold
from tasks.routers.settings import StackingSettings
from tasks.routers.stacking import greedy_weights

ENCODER = str(Path(__file__).parents[2] / "tasks" / "world" / "encoder")


def column(*values):
    return np.array(values, dtype=np.float32)[:, None]


def stacking(examples, **settings):
    return router("stacking", **({"features": ["words"]} | settings)).fit(examples, none(examples))


def test_two_that_err_to_either_side_weigh_the_same():
    """Rewards 1, 0. Guesses (1, 0.4) and (0.6, 0) err by 0.08 each, their mean (0.8, 0.2) by 0.04, and nothing is nearer."""
    assert greedy_weights([column(1.0, 0.4), column(0.6, 0.0)], column(1, 0)) == [0.5, 0.5]


def test_two_thirds_where_the_best_mean_is_there():
    """One reward of 0.5 and guesses of 0.4 and 0.7: the mean of two of the one and one of the other is it."""
    assert greedy_weights([column(0.4), column(0.7)], column(0.5)) == pytest.approx([2 / 3, 1 / 3])


def test_a_perfect_router_gets_all_weight_and_of_two_that_are_the_same_the_first():
    labels = planted(40).labels
    wrong = 1 - labels
    assert greedy_weights([wrong, labels, labels, labels * 0.9], labels) == [0, 1, 0, 0]


def test_holes_count_nothing_and_without_a_reward_the_first_is_taken():
    labels = np.array([[1, np.nan], [np.nan, 0]], dtype=np.float32)
    good, bad = np.array([[0.9, 0], [0, 0.1]]), np.array([[0.5, 1], [1, 0.5]])
    assert greedy_weights([bad, good], labels) == [0, 1]
    assert greedy_weights([bad, good], np.full((2, 2), np.nan)) == [1, 0]


@given(seed=st.integers(0, 2**32), routers=st.integers(1, 5))
def test_weights_add_up_to_1_and_the_mean_is_no_worse_than_the_best_router(seed, routers):
    random = np.random.default_rng(seed)
    labels = (random.random((12, 3)) < 0.5).astype(np.float32)
    labels[random.random(labels.shape) < 0.2] = np.nan
    labels[0, 0] = 1
    guesses = random.random((routers, 12, 3)).astype(np.float32)
    weights = greedy_weights(list(guesses), labels)
    assert sum(weights) == pytest.approx(1) and min(weights) >= 0

    def error(guess):
        return np.nanmean(np.square(guess - labels))

    assert error(np.tensordot(weights, guesses, 1)) <= min(map(error, guesses)) + 1e-6


def test_each_query_is_told_by_a_router_that_was_not_trained_on_it():
    """A query's own rewards change nothing of what is said of it, and change what is said of queries in other folds."""
    train = planted(60)
    labels = train.labels.copy()
    labels[7] = 1 - labels[7]
    other = Examples(train.queries, labels, MODELS)
    [member] = members(StackingSettings(routers=["linear"], features=["words"]), 0)
    before, after = out_of_fold(member, train), out_of_fold(member, other)
    same_fold = fold_of(train) == fold_of(train)[7]
    assert (before[same_fold] == after[same_fold]).all()
    assert (before[~same_fold] != after[~same_fold]).any(axis=1).mean() > 0.8


@given(seed=st.integers(0, 2**32), sizes=st.lists(st.integers(1, 12), min_size=1, max_size=3))
def test_folds_have_as_many_of_each_benchmark_and_do_not_depend_on_the_order_of_rows(seed, sizes):
    names = np.repeat([f"b{number}" for number in range(len(sizes))], sizes)
    frame = queries(["text"] * len(names)).with_columns(benchmark=names)
    examples = Examples(frame, np.zeros((len(names), 1), dtype=np.float32), ("a",))
    folds = fold_of(examples)
    for name in set(names):
        counts = np.bincount(folds[names == name], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1
    mixed = shuffled(examples, seed)
    of_query = dict(zip(mixed.queries["query_id"], fold_of(mixed).tolist(), strict=True))
    assert [of_query[query] for query in frame["query_id"]] == folds.tolist()


def test_it_is_the_weighted_mean_of_its_members():
    train = with_holes(planted(120))
    fitted = stacking(train, routers=["domains", "linear", "knn"])
    assert sum(fitted.weights_) == pytest.approx(1)
    texts = queries(["boil the soup with salt", "launch a solar probe", "zebra"])
    expected = sum(weight * member.router.confidences(texts) for member, weight in zip(fitted.members_, fitted.weights_, strict=True))
    confidences = fitted.confidences(texts)
    assert confidences == pytest.approx(expected, abs=1e-6)
    assert [MODELS[place] for place in confidences[:2].argmax(axis=1)] == ["chef", "pilot"]


def test_a_router_that_helps_nothing_is_left_out():
    """One that always says the means is no help to one that knows the topics."""
    fitted = stacking(planted(300), routers=["best-single", "linear"])
    weights = {member.kind: weight for member, weight in zip(fitted.members_, fitted.weights_, strict=True)}
    assert weights["linear"] > 0.9


@pytest.mark.parametrize("count", [1, 3, 60])
def test_saved_it_says_the_same_bit_for_bit_whatever_the_order_of_rows(count):
    train = planted(count)
    fitted = stacking(train)
    files = fitted.save()
    loaded = load_router("stacking", files)
    assert loaded.models == MODELS and loaded.save() == files
    assert (loaded.confidences(train.queries) == fitted.confidences(train.queries)).all()
    assert (stacking(shuffled(train)).confidences(train.queries) == fitted.confidences(train.queries)).all()
    assert loaded.confidences(train.queries.clear()).shape == (0, 3)


def test_an_encoder_that_members_share_is_saved_once_where_all_can_share_it():
    train = planted(20)
    fitted = stacking(train, features=[ENCODER], max_length=16, routers=["domains", "linear"])
    assert len(fitted.members_) == 2
    files = fitted.save()
    shared = {name for name in files if "encoder/" in name}
    assert shared and all(name.startswith("encoder/") for name in shared)
    assert len({name.split("/")[1] for name in shared}) == 1
    for name, content in files.items():
        assert json.loads(content) is not None if name.endswith(".json") else safetensors.numpy.load(content) is not None
    assert (load_router("stacking", files).confidences(train.queries) == fitted.confidences(train.queries)).all()


def test_without_training_queries_nothing_can_be_weighed():
    with pytest.raises(UserError, match="no training queries"):
        stacking(none(planted(10)))


def test_a_member_that_does_not_exist_is_named():
    with pytest.raises(UserError, match=r"linaer.*linear"):
        stacking(planted(10), routers=["linaer"])
