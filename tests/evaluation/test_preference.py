"""Whether a router can tell which of the two best models is right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_tables import query_rows
from sklearn.metrics import roc_auc_score

from tasks.evaluation.figures import Row
from tasks.evaluation.preference import area, preference_aucs
from tasks.evaluation.systems import FloatArray, Sheet


def sheet(reward: FloatArray, benchmark: str = "sums") -> Sheet:
    unknown = np.full(reward.shape, np.nan)
    return Sheet(query_rows(len(reward), benchmark=benchmark), ("a", "b", "c"), reward, reward, unknown, unknown, unknown, unknown)


def one(test: FloatArray, training: Sheet, confidence: FloatArray) -> Row:
    (row,) = preference_aucs(sheet(test), training, {"r": confidence})
    return row


TRAINING = sheet(np.array([[1.0, 0.0, 1.0]] * 3 + [[1.0, 1.0, 1.0]]))  # the two best are a and c


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_the_area_is_scikit_learns(pairs: list[tuple[bool, int]]) -> None:
    labels, values = (np.array(column) for column in zip(*pairs, strict=True))
    first, second = values[labels].astype(float), values[~labels].astype(float)
    value, low, high = area(first, second)
    if not len(first) or not len(second):
        assert np.isnan(value)
        return
    assert value == pytest.approx(roc_auc_score(labels, values))
    assert np.isnan(low) or 0 <= low <= value <= high <= 1


def test_the_interval_holds_the_truth_in_95_percent_of_data_sets() -> None:
    random, held = np.random.default_rng(0), 0
    for _ in range(500):
        _, low, high = area(random.normal(0.5, 1, 60), random.normal(0, 1, 50))
        held += low <= 0.6382 <= high  # the normal distribution's at 0.5 / √2
    assert 0.92 <= held / 500 <= 0.98


def test_only_queries_where_one_of_the_two_best_is_right_count() -> None:
    right = np.array([[1.0, 0.0, 0.0]] * 20 + [[0.0, 0.0, 1.0]] * 20 + [[1.0, 0.0, 1.0]] * 50 + [[0.0, 1.0, 0.0]] * 50)
    knows = np.where(right == 1, 0.9, 0.1)
    assert (one(right, TRAINING, knows)["value"], one(right, TRAINING, knows)["n"]) == (1, 40)
    assert one(right, TRAINING, knows)["ci_low"] == pytest.approx(0.025 ** (1 / 20))  # of 20 against 20 it cannot be sure
    assert one(right, TRAINING, 1 - knows)["value"] == 0
    assert one(right, TRAINING, np.full(right.shape, 0.5))["value"] == 0.5


def test_of_fewer_than_thirty_queries_nothing_is_said() -> None:
    right = np.array([[1.0, 0.0, 0.0]] * 15 + [[0.0, 0.0, 1.0]] * 14 + [[np.nan, 0.0, 1.0]] * 9)
    row = one(right, TRAINING, right)
    assert (row["value"], row["ci_low"], row["n"]) == (None, None, 29)


def test_the_two_best_are_the_benchmarks_own_and_those_of_all_where_it_is_new() -> None:
    right = np.array([[1.0, 0.0, 0.0]] * 20 + [[0.0, 0.0, 1.0]] * 20)
    assert one(right, sheet(TRAINING.reward, "another"), right)["n"] == 40
    other_best = sheet(np.array([[1.0, 1.0, 0.0]] * 4))  # a and b
    assert one(right, other_best, right)["n"] == 20
    assert preference_aucs(sheet(right), sheet(np.full((2, 3), np.nan)), {"r": right}) == []
