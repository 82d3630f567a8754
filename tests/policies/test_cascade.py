import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.config import Cost
from tasks.errors import UserError
from tasks.lake.interfaces import Offers, Pool
from tasks.policies.choosing import at, part
from tasks.policies.rules import load_policy, make_policy

POOL = Pool(("dear", "cheap", "middle"), np.array([0.9, 0.6, 0.7]))
NAMES = {"dear": 0, "cheap": 1, "middle": 2}

seeds = st.integers(0, 2**32)


def ladder(*steps, looks=3):
    """A cascade as if it had learned these steps: (model, score from which it is kept)."""
    state = {"seed": 0, "order": [0, 1, 2], "looks": looks, "ladder": [[NAMES[model], threshold] for model, threshold in steps]}
    return load_policy("cascade", state)


def offered(confidences, agreement, costs=(20, 1, 2)):
    rows = np.array([confidences], np.float32), np.array([costs], np.float64), np.array([agreement], np.float32)
    return Offers(*rows)


def outcome(policy, offers):
    """The model that one query ends with, and those whose samples were looked at."""
    names = list(NAMES)
    chosen, looked = policy.choose(offers, ["q"]), policy.looked(offers)
    return names[chosen.item()], {names[column] for column in np.flatnonzero(looked[0])}


def test_the_example_of_the_docstring():
    policy = ladder(("cheap", 0.8))
    assert outcome(policy, offered((0.9, 0.7, 0.1), (1, 1, 1))) == ("cheap", {"cheap"})
    assert outcome(policy, offered((0.9, 0.7, 0.1), (1, 2 / 3, 1))) == ("dear", {"cheap"})
    assert outcome(policy, offered((0.9, 0.5, 0.1), (1, 1, 1))) == ("dear", set())


def test_a_step_that_does_not_hold_leads_to_the_next_and_in_the_end_to_the_most_confident_model():
    policy = ladder(("cheap", 0.8), ("middle", 0.8))
    assert outcome(policy, offered((0.8, 0.9, 0.7), (1, 0.3, 1), (20, 1, 2))) == ("cheap", set())  # it is asked anyway
    assert outcome(policy, offered((0.95, 0.9, 0.7), (1, 0.3, 1))) == ("middle", {"cheap", "middle"})
    assert outcome(policy, offered((0.95, 0.9, 0.7), (1, 0.3, 0.3))) == ("dear", {"cheap", "middle"})


def test_a_model_is_looked_at_only_where_looking_is_cheaper_than_the_model_asked_otherwise():
    policy = ladder(("cheap", 0.5))
    assert outcome(policy, offered((0.9, 0.7, 0.1), (1, 1, 1), costs=(3, 1, 2))) == ("dear", set())
    assert outcome(policy, offered((0.9, 0.7, 0.1), (1, 1, 1), costs=(3.1, 1, 2))) == ("cheap", {"cheap"})


def test_a_model_that_is_missing_on_the_query_is_passed_over():
    assert outcome(ladder(("cheap", 0.5)), offered((0.9, 0.7, 0.1), (1, np.nan, 1))) == ("dear", set())


def planted(seed, rows=1200):
    """Where the cheap model's samples agree it is right, else seldom, and the text does not tell; the third agrees with itself in error."""
    random = np.random.default_rng(seed)
    agrees = random.random(rows) < 0.5
    agreement = np.stack([np.ones(rows), np.where(agrees, 1, 1 / 3), np.ones(rows)], axis=1)
    right = np.stack([np.full(rows, 0.9), np.where(agrees, 0.95, 0.2), np.full(rows, 0.1)], axis=1)
    confidences = np.tile([0.9, 0.6, 0.5], (rows, 1)) + random.random((rows, 3)) * 0.01
    offers = Offers(confidences.astype(np.float32), np.tile([20.0, 1.0, 1.0], (rows, 1)), agreement.astype(np.float32))
    return offers, (random.random((rows, 3)) < right).astype(np.float32)


def fitted(offers, labels, pool=POOL, **dial):
    return make_policy("cascade", 0, Cost(**dial)).fit(offers, labels, pool)


def test_it_learns_whose_agreement_can_be_relied_on():
    policy = fitted(*planted(0))
    assert [model for model, _ in policy.save()["ladder"]] == [policy.save()["order"].index(NAMES["cheap"])]
    offers, labels = planted(1)
    chosen, looked = policy.choose(offers, [""] * 1200), policy.looked(offers)
    assert (chosen == np.where(offers.agreement[:, 1] == 1, 1, 0)).mean() > 0.95
    assert looked[:, 1].mean() > 0.95 and not looked[:, [0, 2]].any()
    assert at(labels, chosen).mean() > labels[:, 0].mean() - 0.01


def test_where_no_look_pays_it_is_argmax():
    offers, labels = planted(0)
    same_price = Offers(offers.confidences, np.ones((1200, 3)), offers.agreement)
    no_sign = Offers(offers.confidences, offers.costs, np.random.default_rng(0).choice(np.float32([1 / 3, 1]), (1200, 3)))
    few = part(offers, np.s_[:20])
    for told, rewards in ((same_price, labels), (no_sign, labels), (few, labels[:20])):
        policy = fitted(told, rewards)
        assert policy.save()["ladder"] == [] and not policy.looked(told).any()
        assert (policy.choose(told, [""] * len(rewards)) == told.confidences.argmax(axis=1)).all()


def anything(seed, rows=30):
    random = np.random.default_rng(seed)
    confidences = random.integers(0, 33, (rows, 3)) / np.float32(32)
    agreement = random.integers(1, 4, (rows, 3)) / np.float32(3)
    agreement[random.random((rows, 3)) < 0.1] = np.nan
    labels = (random.random((rows, 3)) < np.nan_to_num(agreement)).astype(np.float32)
    labels[np.isnan(agreement)] = np.nan
    return Offers(confidences, random.integers(1, 9, (rows, 3)) * np.array([16.0, 1.0, 4.0]), agreement), labels


@settings(max_examples=30)
@given(seed=seeds, order=st.permutations(range(3)))
def test_neither_order_of_queries_nor_names_of_models_change_a_choice(seed, order):
    offers, labels = anything(seed)
    fresh, ids = anything(seed + 1)[0], [""] * 30
    rows = np.random.default_rng(seed).permutation(30)
    policy = fitted(offers, labels, within=0.3)
    other = fitted(
        part(part(offers, rows), np.s_[:, order]), labels[rows][:, order], Pool(POOL.models, POOL.training_accuracy[order]), within=0.3
    )
    told = part(fresh, np.s_[:, order])
    assert (np.array(order)[other.choose(told, ids)] == policy.choose(fresh, ids)).all()
    assert (other.looked(told) == policy.looked(fresh)[:, order]).all()
    loaded = load_policy("cascade", json.loads(json.dumps(policy.save(), allow_nan=False)))
    assert (loaded.choose(fresh, ids) == policy.choose(fresh, ids)).all()


@settings(max_examples=30)
@given(seed=seeds, looks=st.integers(2, 5))
def test_what_is_learned_never_costs_more_than_argmax_on_the_queries_that_it_was_learned_from(seed, looks):
    offers, labels = anything(seed)
    policy = fitted(offers, labels, within=0.5, looks=looks)
    chosen, looked = policy.choose(offers, [""] * 30), policy.looked(offers)
    is_answer = np.eye(3, dtype=bool)[chosen]
    paid = (np.where(looked, looks, 0) + (is_answer & ~looked)) * offers.costs
    assert paid.sum() <= at(offers.costs, offers.confidences.argmax(axis=1)).sum()


def test_without_samples_or_costs_it_is_refused():
    offers, labels = planted(0)
    with pytest.raises(UserError, match="policy 'cascade' looks at several samples of a query before it chooses, and there are none"):
        fitted(Offers(offers.confidences, offers.costs), labels)
    with pytest.raises(UserError, match="policy 'cascade' weighs expected costs"):
        fitted(Offers(offers.confidences, None, offers.agreement), labels)
    with pytest.raises(UserError, match="policy 'cascade' looks at several samples"):
        fitted(offers, labels).choose(Offers(offers.confidences, offers.costs), [""] * 1200)
