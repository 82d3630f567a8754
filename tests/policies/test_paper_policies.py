import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.lake.interfaces import Offers, Pool
from tasks.policies import paper
from tasks.policies.rules import load_policy, make_policy

ABC = Pool(("a", "b", "c"), np.array([0.6, 0.5, 0.4]))
NONE = np.zeros((0, 3), dtype=np.float32)
POLICIES = list(paper.RULES)
OURS = [name for name in POLICIES if not name.endswith("as-published")]

seeds = st.integers(0, 2**32)


def table(*rows):
    return np.array(rows, dtype=np.float32)


def fitted(name, confidences=NONE, labels=NONE, pool=ABC, seed=0):
    return make_policy(name, seed).fit(Offers(confidences), labels, pool)


def choose(policy, confidences):
    return policy.choose(Offers(confidences), [f"q{row}" for row in range(len(confidences))]).tolist()


def validation(seed, rows=120, holes=0.2, models=3):
    """Confidences of which one half holds up, with rewards to match, some of them missing."""
    random = np.random.default_rng(seed)
    confidences = random.random((rows, models)).astype(np.float32)
    labels = (random.random((rows, models)) < (0.5 * confidences + 0.25)).astype(np.float32)
    labels[random.random((rows, models)) < holes] = np.nan
    return confidences, labels


def test_an_unknown_policy_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="unknown policy 'argmin'; did you mean 'argmax'"):
        make_policy("argmin", 0)
    with pytest.raises(UserError, match="unknown policy"):
        load_policy("argmin", {"seed": 0})


def test_argmax_takes_the_most_confident_model():
    assert choose(fitted("argmax"), table([0.1, 0.3, 0.2], [0.9, 0.3, 0.2])) == [1, 0]


@pytest.mark.parametrize("name", OURS)
def test_a_tie_goes_to_the_model_that_was_better_on_training_queries(name):
    pool = Pool(("a", "b", "c"), np.array([0.4, 0.6, 0.6]))
    assert choose(fitted(name, pool=pool), table([0.7, 0.7, 0.7], [0.7, 0.1, 0.7])) == [1, 2]


def test_random_draws_one_of_the_three_most_confident_only_when_unsure():
    pool = Pool(("a", "b", "c", "d"), np.array([0.6, 0.5, 0.4, 0.3]))
    policy = fitted("random", np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32), pool)
    unsure, sure = np.tile(table([0.6, 0.2, 0.5, 0.4]), (3000, 1)), np.tile(table([0.61, 0.2, 0.5, 0.4]), (50, 1))
    drawn = Counter(choose(policy, unsure))
    assert set(drawn) == {0, 2, 3} and min(drawn.values()) > 900
    assert set(choose(policy, sure)) == {0}


def test_random_draws_the_same_for_a_query_wherever_it_stands_and_another_with_another_seed():
    ids, confidences = [f"q{row}" for row in range(50)], np.full((50, 3), 0.3, np.float32)
    drawn = fitted("random").choose(Offers(confidences), ids)
    assert (fitted("random").choose(Offers(confidences), ids[::-1]) == drawn[::-1]).all()
    assert (fitted("random", seed=1).choose(Offers(confidences), ids) != drawn).any()


def test_prediction_takes_off_the_confidence_that_did_not_hold_up():
    random = np.random.default_rng(0)
    confidences = random.uniform(0.4, 0.8, (400, 3)).astype(np.float32)
    labels = (random.random((400, 3)) < confidences - [0.3, 0, 0]).astype(np.float32)  # a is right 0.3 less often than it says
    probe = table([0.75, 0.6, 0.5])
    assert choose(fitted("argmax"), probe) == [0]
    assert choose(fitted("prediction", confidences, labels), probe) == [1]


@pytest.mark.parametrize("seed", range(5))
def test_prediction_leaves_confidences_that_hold_up_nearly_as_they_are(seed):
    random = np.random.default_rng(seed)
    confidences = random.random((400, 3)).astype(np.float32)
    labels = (random.random((400, 3)) < confidences).astype(np.float32)
    fresh = np.random.default_rng(100 + seed).random((500, 3)).astype(np.float32)
    same = np.array(choose(fitted("prediction", confidences, labels), fresh)) == fresh.argmax(axis=1)
    assert same.mean() > 0.85


def test_sorted_prediction_gives_way_to_the_weakest_model_where_that_costs_nothing():
    random = np.random.default_rng(0)
    right = (random.random((200, 1)) < 0.7).astype(np.float32)
    labels = np.tile(right, (1, 3))  # all three are right on the same queries
    confidences = (0.7 + random.uniform(-0.05, 0.05, (200, 3))).astype(np.float32)
    assert set(choose(fitted("sorted-prediction", confidences, labels), confidences)) == {2}


def test_sorted_prediction_does_not_give_way_to_a_weaker_model_where_that_costs():
    random = np.random.default_rng(0)
    confidences = np.tile(table([0.8, 0.6, 0.55]), (600, 1)) + random.uniform(-0.02, 0.02, (600, 3)).astype(np.float32)
    labels = (random.random((600, 3)) < confidences).astype(np.float32)
    assert set(choose(fitted("sorted-prediction", confidences, labels), confidences)) == {0}


@pytest.mark.parametrize("name", ["argmax", "prediction", "sorted-prediction"])
def test_without_validation_queries_every_policy_is_argmax(name):
    confidences = np.random.default_rng(0).random((50, 3)).astype(np.float32)
    assert choose(fitted(name), confidences) == confidences.argmax(axis=1).tolist()


def test_argmax_as_published_asks_no_model_that_is_not_above_one_half():
    assert choose(fitted("argmax-as-published"), table([0.1, 0.5, 0.2], [0.1, 0.51, 0.2])) == [-1, 1]


def test_random_as_published_asks_no_model_where_it_draws_one_that_is_not_above_one_half():
    confidences = np.tile(table([0.55, 0.4, 0.3]), (300, 1))
    drawn, published = choose(fitted("random"), confidences), choose(fitted("random-as-published"), confidences)
    assert published == [0 if model == 0 else -1 for model in drawn] and -1 in published


def test_prediction_as_published_is_argmax_without_the_threshold():
    confidences = np.random.default_rng(0).random((50, 3)).astype(np.float32) / 2
    assert choose(fitted("prediction-as-published", *validation(1)), confidences) == confidences.argmax(axis=1).tolist()


def test_sorted_prediction_as_published_reads_a_place_by_name_as_a_place_by_strength():
    labels = table([1, 0, 0], [1, 1, 0], [1, 1, 1])  # solved: a 3, b 2, c 1; so the order is c, b, a
    policy = fitted("sorted-prediction-as-published", np.full((3, 3), 0.5, np.float32), labels)
    assert choose(policy, table([0.9, 0, 0], [0, 0.9, 0], [0, 0, 0.9])) == [2, 1, 0]


@pytest.mark.parametrize("name", POLICIES)
@given(seed=seeds)
def test_order_of_validation_queries_changes_nothing_that_is_learned(name, seed):
    confidences, labels = validation(seed, rows=30)
    order = np.random.default_rng(seed).permutation(30)
    assert fitted(name, confidences[order], labels[order]).save() == fitted(name, confidences, labels).save()


@pytest.mark.parametrize("name", ["argmax", "random", "prediction", "sorted-prediction", "argmax-as-published", "random-as-published"])
@given(seed=seeds, order=st.permutations(range(3)))
@example(seed=131, order=[1, 2, 0])  # a tie in the last bit
def test_names_of_models_change_no_choice(name, seed, order):
    confidences, labels = validation(seed, rows=30)
    fresh = validation(seed + 1)[0]
    renamed = Pool(ABC.models, ABC.training_accuracy[order])
    chosen = choose(fitted(name, confidences[:, order], labels[:, order], renamed), fresh[:, order])
    assert [model if model == -1 else order[model] for model in chosen] == choose(fitted(name, confidences, labels), fresh)


@pytest.mark.parametrize("name", POLICIES)
@given(seed=seeds)
def test_a_policy_that_was_written_as_json_and_loaded_chooses_the_same(name, seed):
    policy = fitted(name, *validation(seed, rows=40))
    fresh = validation(seed + 1)[0]
    loaded = load_policy(name, json.loads(json.dumps(policy.save())))
    assert choose(loaded, fresh) == choose(policy, fresh)
    assert loaded.save() == policy.save()


@pytest.mark.parametrize("name", POLICIES)
@given(rows=st.integers(0, 6), models=st.integers(1, 4), seed=seeds, all_missing=st.booleans())
def test_any_number_of_queries_and_models_is_chosen_from(name, rows, models, seed, all_missing):
    pool = Pool(tuple("abcd"[:models]), np.full(models, 0.5))
    confidences, labels = validation(seed, rows=rows, models=models)
    labels[:, :1] = np.nan if all_missing else labels[:, :1]
    chosen = fitted(name, confidences, labels, pool).choose(Offers(confidences), [str(row) for row in range(rows)])
    assert chosen.dtype == np.int64 and chosen.shape == (rows,)
    lowest = -1 if name in ("argmax-as-published", "random-as-published") else 0
    assert ((chosen >= lowest) & (chosen < models)).all()


def test_tables_that_do_not_fit_are_a_defect():
    with pytest.raises(ValueError, match="do not fit"):
        fitted("argmax", np.zeros((2, 3), np.float32), np.zeros((2, 2), np.float32))


def test_policies_are_the_same_in_every_process_and_import_nothing_heavy():
    program = """
import sys, numpy as np
from tasks.lake.interfaces import Offers, Pool
from tasks.policies.rules import make_policy
assert not {"torch", "sklearn", "scipy"} & set(sys.modules)
pool = Pool(("a", "b", "c"), np.array([0.6, 0.5, 0.4]))
policy = make_policy("random", 3).fit(Offers(np.zeros((0, 3), np.float32)), np.zeros((0, 3), np.float32), pool)
print(policy.choose(Offers(np.full((20, 3), 0.5, np.float32)), [str(row) for row in range(20)]).tolist())
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    printed = {
        subprocess.run(
            [sys.executable, "-c", program], env=environment | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
