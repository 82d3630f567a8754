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

ABC = Pool(("a", "b", "c"), np.array([0.6, 0.5, 0.4]))
DIALS = [
    ("cost-aware", Cost(weight=0.25)),
    ("cost-aware", Cost(within=0.05)),
    ("budget", Cost(budget=2)),
    ("budget", Cost()),
    ("budget", Cost(budget=2, per="query")),
    ("cheapest-within", Cost(within=0.05)),
]
some_dial = pytest.mark.parametrize(("name", "dial"), DIALS)

seeds = st.integers(0, 2**32)


def offers(seed, rows=40, models=3):
    """Confidences and costs on a grid, so that sums and products are exact and ties are frequent; the first models are dear."""
    random = np.random.default_rng(seed)
    confidences = random.integers(0, 33, (rows, models)) / np.float32(32)
    costs = random.integers(1, 9, (rows, models)) * 2.0 ** np.arange(models)[::-1] / 4
    return Offers(confidences, costs)


def rewards(seed, offered, holes=0.1):
    random = np.random.default_rng(seed)
    labels = (random.random(offered.confidences.shape) < offered.confidences).astype(np.float32)
    labels[random.random(labels.shape) < holes] = np.nan
    return labels


def fitted(name, dial, offered, labels, pool=ABC):
    return make_policy(name, 0, dial).fit(offered, labels, pool)


def choose(policy, offered):
    return policy.choose(offered, [f"q{row}" for row in range(len(offered.confidences))])


def test_the_example_of_the_docstring():
    offered = Offers(np.array([[0.9, 0.8, 0.3]], np.float32), np.array([[5, 1, 0.1]]))
    labels = np.ones((1, 3), np.float32)
    chosen = [choose(fitted("cost-aware", Cost(weight=weight), offered, labels), offered).item() for weight in (0, 0.05, 1)]
    assert chosen == [0, 1, 2]


@given(seed=seeds)
def test_cost_aware_with_weight_0_is_argmax(seed):
    offered = offers(seed)
    labels = rewards(seed, offered)
    assert (
        choose(fitted("cost-aware", Cost(weight=0), offered, labels), offered) == choose(fitted("argmax", Cost(), offered, labels), offered)
    ).all()


@given(seed=seeds, weights=st.lists(st.integers(0, 64), min_size=2, max_size=2))
def test_a_larger_weight_never_costs_more(seed, weights):
    offered = offers(seed)
    labels = rewards(seed, offered)
    spent = [
        at(offered.costs, choose(fitted("cost-aware", Cost(weight=weight / 32), offered, labels), offered)).sum()
        for weight in sorted(weights)
    ]
    assert spent[1] <= spent[0]


@given(seed=seeds, budget=st.integers(1, 64))
def test_a_budget_is_kept_on_average_and_not_by_giving_away_what_could_be_paid(seed, budget):
    offered = offers(seed)
    labels = rewards(seed, offered)
    policy = fitted("budget", Cost(budget=budget / 8), offered, labels)
    spent = at(offered.costs, choose(policy, offered)).mean()
    cheapest = offered.costs.min(axis=1).mean()
    assert spent <= max(budget / 8, cheapest)
    smaller = policy.save()["weight"] - 1e-9
    if smaller > 0 and cheapest <= budget / 8:
        spent_with_smaller = at(offered.costs, choose(fitted("cost-aware", Cost(weight=smaller), offered, labels), offered)).mean()
        assert spent_with_smaller > budget / 8


@given(seed=seeds, budget=st.integers(1, 64))
def test_a_budget_for_each_query_is_kept_by_each_query_that_can_keep_it(seed, budget):
    offered = offers(seed)
    chosen = choose(fitted("budget", Cost(budget=budget / 8, per="query"), offered, rewards(seed, offered)), offered)
    spent, confidence = at(offered.costs, chosen), at(offered.confidences, chosen)
    fits = offered.costs <= budget / 8
    assert ((spent <= budget / 8) | (spent == offered.costs.min(axis=1))).all()
    assert (confidence == np.where(fits, offered.confidences, 0).max(axis=1))[fits.any(axis=1)].all()


def test_the_default_budget_is_half_of_what_the_best_single_model_costs():
    offered = Offers(np.tile(np.float32([0.9, 0.8, 0.7]), (10, 1)), np.tile([4.0, 2.0, 1.0], (10, 1)))
    labels = np.ones((10, 3), np.float32)
    assert fitted("budget", Cost(per="query"), offered, labels).save()["budget"] == 2
    assert set(choose(fitted("budget", Cost(), offered, labels), offered)) == {1}


def planted(rows=1500, seed=0):
    """Half of the queries are easy, which the router knows: on these a (costs 10) and c (costs 1) are right alike; b is never right."""
    random = np.random.default_rng(seed)
    easy = random.random((rows, 1)) < 0.5
    confidences = np.where(easy, [0.9, 0.0, 0.9], [0.8, 0.0, 0.2]).astype(np.float32) + random.random((rows, 3)) * 0.001
    labels = (random.random((rows, 1)) < np.where(easy, [0.9, 0.0, 0.9], [0.8, 0.0, 0.2])).astype(np.float32)
    return Offers(confidences.astype(np.float32), np.tile([10.0, 5.0, 1.0], (rows, 1))), labels


@pytest.mark.parametrize("name", ["cost-aware", "cheapest-within"])
def test_what_can_be_had_for_less_is_had_for_less(name):
    offered, labels = planted()
    fresh, earned = planted(seed=1)
    chosen = choose(fitted(name, Cost(), offered, labels), fresh)
    assert at(earned, chosen).mean() > earned[:, 0].mean() - 0.02
    assert at(fresh.costs, chosen).mean() < 0.6 * 10


@pytest.mark.parametrize("name", ["cost-aware", "cheapest-within"])
def test_what_a_few_queries_show_is_not_believed(name):
    """On ten queries a cheap model did as well as the best single one, which is sure of itself."""
    offered = Offers(np.tile(np.float32([0.9, 0.8, 0.1]), (10, 1)), np.tile([10.0, 5.0, 1.0], (10, 1)))
    assert set(choose(fitted(name, Cost(), offered, np.ones((10, 3), np.float32)), offered)) == {0}


def test_cheapest_within_is_the_best_single_model_where_a_router_does_harm():
    offered, labels = planted()
    confidences = offered.confidences.copy()
    confidences[:, 1] = 1  # the router believes in the model that is never right
    policy = fitted("cheapest-within", Cost(), Offers(confidences, offered.costs * [1, 0.01, 1]), labels)
    assert set(choose(policy, offered)) == {0}


def test_cheapest_within_is_the_best_single_model_where_that_is_the_cheapest():
    offered, labels = planted()
    policy = fitted("cheapest-within", Cost(), Offers(offered.confidences, offered.costs[:, ::-1]), labels)
    assert set(choose(policy, offered)) == {0}


@some_dial
@settings(max_examples=30)
@given(seed=seeds)
def test_order_of_queries_changes_no_choice(name, dial, seed):
    offered = offers(seed)
    labels, order, fresh = rewards(seed, offered), np.random.default_rng(seed).permutation(40), offers(seed + 1)
    again = fitted(name, dial, part(offered, order), labels[order])
    assert again.save() == fitted(name, dial, offered, labels).save()
    assert (choose(again, part(fresh, order)) == choose(again, fresh)[order]).all()


@some_dial
@settings(max_examples=30)
@given(seed=seeds, order=st.permutations(range(3)))
def test_names_of_models_change_no_choice(name, dial, seed, order):
    offered, fresh = offers(seed), offers(seed + 1)
    labels = rewards(seed, offered)
    renamed = fitted(name, dial, part(offered, np.s_[:, order]), labels[:, order], Pool(ABC.models, ABC.training_accuracy[order]))
    chosen = choose(renamed, part(fresh, np.s_[:, order]))
    assert (np.array(order)[chosen] == choose(fitted(name, dial, offered, labels), fresh)).all()


@some_dial
@settings(max_examples=30)
@given(seed=seeds, power=st.integers(-30, 30))
def test_the_unit_of_costs_changes_no_choice(name, dial, seed, power):
    offered = offers(seed)
    labels, scale = rewards(seed, offered), 2.0**power
    weight = None if dial.weight is None else dial.weight / scale
    budget = None if dial.budget is None else dial.budget * scale
    scaled = Offers(offered.confidences, offered.costs * scale)
    other = fitted(name, dial.model_copy(update={"weight": weight, "budget": budget}), scaled, labels)
    assert (choose(other, scaled) == choose(fitted(name, dial, offered, labels), offered)).all()


@some_dial
@settings(max_examples=30)
@given(seed=seeds, rows=st.integers(0, 5), models=st.integers(1, 4))
def test_a_policy_of_any_size_that_was_written_as_json_and_loaded_chooses_the_same(name, dial, seed, rows, models):
    offered = offers(seed, rows, models)
    policy = fitted(name, dial, offered, rewards(seed, offered, 0.5), Pool(tuple("abcd"[:models]), np.full(models, 0.5)))
    loaded = load_policy(name, json.loads(json.dumps(policy.save(), allow_nan=False)))
    fresh = offers(seed + 1, 20, models)
    chosen = choose(policy, fresh)
    assert chosen.dtype == np.int64 and set(chosen) <= set(range(models))
    assert (choose(loaded, fresh) == chosen).all()


@some_dial
def test_models_that_cost_nothing_are_chosen_by_confidence(name, dial):
    offered = Offers(offers(0).confidences, np.zeros((40, 3)))
    labels = rewards(0, offered)
    chosen = choose(fitted(name, dial, offered, labels), offered)
    assert (chosen == (0 if name == "cheapest-within" else choose(fitted("argmax", Cost(), offered, labels), offered))).all()


@some_dial
def test_without_known_costs_it_is_refused(name, dial):
    offered = offers(0)
    hole = offered.costs.copy()
    hole[:, 1] = np.nan
    for costs in (None, hole):
        with pytest.raises(UserError, match=f"policy '{name}' weighs expected costs, and they are not known of all models"):
            fitted(name, dial, Offers(offered.confidences, costs), rewards(0, offered))
