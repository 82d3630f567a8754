import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tasks.routers.shrinkage import fair_means, group_rewards, mean_rewards

tables = st.integers(0, 2**32).map(np.random.default_rng).map(lambda random: random.random((random.integers(1, 40), 3)).round(1))
holes = st.integers(0, 2**32)


def drawn(table, seed, groups=4):
    random = np.random.default_rng(seed)
    table = table.copy()
    table[random.random(table.shape) < 0.3] = np.nan
    return table, random.integers(0, groups, len(table))


def test_groups_without_scatter_keep_their_means():
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    assert group_rewards(labels, np.array([0, 0, 1, 1]), 2).tolist() == [[1, 0], [0, 1]]


def test_an_empty_group_gets_the_overall_means():
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    assert group_rewards(labels, np.array([0, 0, 2, 2]), 3)[1].tolist() == [0.5, 0.5]


def test_groups_that_differ_by_luck_alone_get_about_the_overall_means():
    random = np.random.default_rng(0)
    labels = (random.random((1000, 3)) < [0.5, 0.6, 0.45]).astype(float)
    rewards = group_rewards(labels, random.integers(0, 50, 1000), 50)
    raw = np.array([labels[i::50].mean(axis=0) for i in range(50)])
    assert np.abs(rewards - mean_rewards(labels)).max() < 0.1 < np.abs(raw - mean_rewards(labels)).max()


def test_a_small_group_is_drawn_to_the_overall_mean_more_than_a_large_one():
    random = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], [500, 500, 10])
    suited = np.array([[0.8, 0.4], [0.4, 0.8], [0.8, 0.4]])
    labels = (random.random((1010, 2)) < suited[groups]).astype(float)
    labels[groups == 2] = [[1, 0]] * 6 + [[0, 0]] * 2 + [[1, 1]] * 2
    gaps = np.diff(group_rewards(labels, groups, 3), axis=1)[:, 0]
    observed = np.array([np.diff(labels[groups == group].mean(axis=0))[0] for group in range(3)])
    assert gaps[:2] == pytest.approx(observed[:2], rel=0.03)
    assert 0.5 < gaps[2] / observed[2] < 0.9


@given(tables, holes)
def test_one_group_gets_the_overall_means(table, seed):
    labels, groups = drawn(table, seed, groups=1)
    assert group_rewards(labels, groups, 1)[0] == pytest.approx(np.clip(fair_means(labels), 0, 1))


@given(tables, holes)
def test_rewards_stay_between_0_and_1_whatever_is_missing(table, seed):
    labels, groups = drawn(table, seed)
    rewards = group_rewards(labels, groups, 4)
    assert rewards.shape == (4, 3) and (rewards >= 0).all() and (rewards <= 1).all()


@given(tables, holes)
def test_order_of_rows_and_of_models_changes_nothing(table, seed):
    labels, groups = drawn(table, seed)
    rewards = group_rewards(labels, groups, 4)
    order = np.random.default_rng(seed + 1).permutation(len(labels))
    assert group_rewards(labels[order], groups[order], 4) == pytest.approx(rewards, abs=1e-9)
    assert group_rewards(labels[:, [2, 0, 1]], groups, 4) == pytest.approx(rewards[:, [2, 0, 1]], abs=1e-9)


@given(arrays(np.float64, (7, 2), elements=st.sampled_from([0.0, 1.0, np.nan])))
def test_a_mean_counts_only_what_is_known(labels):
    for column, mean in zip(labels.T, mean_rewards(labels), strict=True):
        known = column[~np.isnan(column)]
        assert mean == (known.mean() if len(known) else 0)


def test_without_holes_the_fair_means_are_the_means():
    table = np.random.default_rng(0).random((50, 4))
    assert (fair_means(table) == mean_rewards(table)).all()


def test_a_model_that_is_missing_on_hard_queries_gains_little_by_it():
    random = np.random.default_rng(0)
    chance = np.clip(np.linspace(0, 1, 2000)[:, None] + [0.0, 0.05, -0.05, 0.1, -0.1], 0, 1)
    labels = (random.random(chance.shape) < chance).astype(float)
    holes = labels.copy()
    holes[:1000, 4] = np.nan  # the worst model, on the hardest queries
    assert mean_rewards(holes)[4] > mean_rewards(labels).max()
    assert fair_means(holes) == pytest.approx(mean_rewards(labels), abs=0.05)
    assert fair_means(holes).argmin() == 4
    groups = np.arange(2000) // 200
    assert (group_rewards(holes, groups, 10)[:5, 4] < group_rewards(holes, groups, 10)[:5, 3]).all()  # where it was never asked


@given(tables, holes)
def test_fair_means_depend_neither_on_the_order_of_rows_nor_on_that_of_models(table, seed):
    labels, _ = drawn(table, seed)
    order = np.random.default_rng(seed + 1).permutation(len(labels))
    assert fair_means(labels[order]) == pytest.approx(fair_means(labels), abs=1e-9)
    assert fair_means(labels[:, [2, 0, 1]]) == pytest.approx(fair_means(labels)[[2, 0, 1]], abs=1e-9)
