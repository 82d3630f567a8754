import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from router_examples import none, planted, router, shuffled, with_holes
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from tasks.lake.interfaces import Examples
from tasks.routers import load_router
from tasks.routers.calibration import Calibrated, Calibration, calibrate, calibrated

METHODS = ["platt", "temperature", "isotonic"]


def sure_of_too_little(count, seed):
    """Confidences that are the square of the probability with which each of four models is right, and what then happened."""
    random = np.random.default_rng(seed)
    chance = random.uniform(0.05, 0.95, (count, 4))
    return (chance**2).astype(np.float32), (random.random(chance.shape) < chance).astype(np.float32)


def too_sure(count, seed):
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1, (count, 4))
    labels = (random.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    return (1 / (1 + np.exp(-4 * logits))).astype(np.float32), labels


def calibration_error(confidences, labels):
    tenth = np.minimum((confidences.ravel() * 10).astype(int), 9)
    gaps = np.bincount(tenth, confidences.ravel() - labels.ravel(), 10)
    return np.abs(gaps).sum() / labels.size


@pytest.mark.parametrize(("world", "methods"), [(sure_of_too_little, ["platt", "isotonic"]), (too_sure, METHODS)])
def test_confidences_come_true_on_other_queries(world, methods):
    given_, fresh = world(1000, 0), world(4000, 1)
    before = calibration_error(*fresh)
    assert before > 0.12
    for method in methods:
        after = calibrate(*given_, method).apply(fresh[0])
        assert calibration_error(after, fresh[1]) < 0.025
        assert (after.argmax(axis=1) == fresh[0].argmax(axis=1)).all()


numbers = st.floats(0, 1, width=32) | st.sampled_from([0.0, 1.0, 0.5, 0.50000006, 0.99999994, 1e-30, 1e-20])


@given(
    confidences=arrays(np.float32, (20, 4), elements=numbers),
    labels=arrays(np.float32, (20, 4), elements=st.floats(0, 1, width=32) | st.just(float("nan"))),
    others=arrays(np.float32, (5, 4), elements=numbers),
    method=st.sampled_from(METHODS),
)
def test_the_order_of_models_on_a_query_stays_whatever_the_router_and_the_rewards(confidences, labels, others, method):
    calibration = calibrate(confidences, labels, method)
    for rows in (confidences, others):
        after = calibration.apply(rows)
        assert after.dtype == np.float32 and after.min() >= 0 and after.max() <= 1
        assert (np.sign(after[:, :, None] - after[:, None, :]) == np.sign(rows[:, :, None] - rows[:, None, :])).all()


def test_isotonic_is_that_of_scikit_learn():
    confidences, labels = sure_of_too_little(300, 0)
    holed = np.where(np.random.default_rng(2).random(labels.shape) < 0.2, np.nan, labels)
    known = ~np.isnan(holed)
    reference = IsotonicRegression(out_of_bounds="clip").fit(confidences[known], holed[known])
    fresh = sure_of_too_little(200, 1)[0]
    assert calibrate(confidences, holed, "isotonic").apply(fresh) == pytest.approx(
        reference.predict(fresh.ravel()).reshape(fresh.shape), abs=1e-5
    )


def test_platt_is_the_logistic_regression_of_scikit_learn_where_there_is_much_data():
    confidences, labels = sure_of_too_little(5000, 0)
    logits = np.log(confidences / (1 - confidences)).reshape(-1, 1)
    reference = LogisticRegression(C=1e9).fit(logits, labels.ravel())
    found = calibrate(confidences, labels, "platt")
    assert (found.offset, found.slope) == pytest.approx((reference.intercept_[0], reference.coef_[0, 0]), abs=1e-3)


def test_the_example_of_the_module():
    after = Calibration("platt", 0.0, 0.29).apply(np.array([[0.8, 0.2]], dtype=np.float32))
    assert after[0] == pytest.approx([0.6, 0.4], abs=0.005)


@pytest.mark.parametrize("method", METHODS)
def test_fractions_count_as_so_many_answers(method):
    confidences = np.random.default_rng(0).uniform(0.1, 0.9, (500, 2)).astype(np.float32)
    after = calibrate(confidences, 0.3 + 0.4 * confidences, method).apply(confidences)
    assert after == pytest.approx(0.3 + 0.4 * confidences, abs=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_fewer_than_fifty_labelled_pairs_change_nothing(method):
    confidences, labels = sure_of_too_little(13, 0)
    assert calibrate(confidences, labels, method).method == method
    labels[0, :3] = np.nan
    assert calibrate(confidences, labels, method) == Calibration("none")


@pytest.mark.parametrize("labels", [np.zeros((40, 3)), np.ones((40, 3)), np.tile([0.0, 0.5, 1.0], (40, 1))])
@pytest.mark.parametrize("method", METHODS)
def test_rewards_without_a_pattern_and_constant_confidences_are_survived(method, labels):
    for confidences in (np.full((40, 3), 0.7), np.zeros((40, 3)), np.random.default_rng(0).random((40, 3))):
        calibration = calibrate(confidences.astype(np.float32), labels, method)
        after = calibration.apply(confidences.astype(np.float32))
        assert np.isfinite(after).all() and np.isfinite([calibration.offset, calibration.slope]).all()
        if len(np.unique(labels)) == 1 and method != "temperature":
            assert np.abs(after - labels).max() < 0.3


def test_a_router_worse_than_chance_becomes_almost_constant_and_keeps_its_order():
    confidences, labels = too_sure(500, 0)
    after = calibrate(confidences, 1 - labels, "platt").apply(confidences)
    assert np.ptp(after) < 0.1 and after.mean() == pytest.approx(1 - labels.mean(), abs=0.02)
    assert (after.argmax(axis=1) == confidences.argmax(axis=1)).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_calibrated_router_is_saved_as_json_and_loads_bit_for_bit(method):
    examples, validation = planted(200), with_holes(planted(100, seed=5))
    plain = router("kmeans-tfidf", clusters=4).fit(examples, none(examples))
    model = calibrated(plain, validation, method)
    files = model.save()
    assert json.loads(files["calibration.json"])["method"] == method
    loaded = load_router("kmeans-tfidf", files)
    confidences = model.confidences(examples.queries)
    assert loaded.models == model.models == examples.models
    assert (loaded.confidences(examples.queries) == confidences).all() and loaded.save() == files
    assert (confidences != plain.confidences(examples.queries)).any()
    assert loaded.confidences(examples.queries.clear()).shape == (0, 3)
    reversed_ = Examples(validation.queries[::-1], validation.labels[::-1], validation.models)
    for other in (shuffled(validation), reversed_):
        assert calibrated(plain, other, method).save() == files


def test_a_calibrated_router_can_be_fitted_again():
    examples, validation = planted(200), planted(100, seed=5)
    model = calibrated(router("kmeans-tfidf", clusters=4).fit(examples, none(examples)), validation, "platt")
    assert isinstance(model, Calibrated)
    before = model.calibration
    assert model.fit(examples, planted(100, seed=6)).calibration != before
    assert model.fit(examples, validation).calibration == before


def test_without_validation_queries_or_a_method_the_router_stays_what_it_is():
    examples = planted(100)
    plain = router("kmeans-tfidf", clusters=4).fit(examples, none(examples))
    assert calibrated(plain, none(examples), "platt") is plain
    assert calibrated(plain, examples, "none") is plain
