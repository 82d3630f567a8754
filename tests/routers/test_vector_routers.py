import json

import numpy as np
import polars as pl
import pytest
import safetensors.numpy
from router_examples import MODELS, noise_only, none, planted, queries, router, shuffled, with_holes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor

from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.routers import load_router
from tasks.routers.embeddings import embedding_column
from tasks.routers.neighbours import among_nearest, shrunk_means
from tasks.routers.regression import logistic, ridge

KINDS = ["linear", "knn", "cluster-and-rank", "latent", "pairwise", "dual-contrastive"]


def fitted(kind, examples, **settings):
    return router(kind, **({"features": ["words"]} | settings)).fit(examples, none(examples))


def world(count, seed=0, width=16):
    """Queries as vectors of which one direction says whether a is right on 80 % and b on 50 %, or the reverse; c is right on 40 %."""
    random = np.random.default_rng([seed, 7])
    vectors = random.normal(size=(count, width)).astype(np.float32)
    vectors[:, 0] = 2 * random.choice([-1, 1], count)
    chances = np.column_stack([0.65 + 0.075 * vectors[:, 0], 0.65 - 0.075 * vectors[:, 0], np.full(count, 0.4)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    column = pl.Series(embedding_column("planted", 256), vectors.tolist(), dtype=pl.List(pl.Float32))
    labels = (random.random(chances.shape) < chances).astype(np.float32)
    return Examples(queries(["text"] * count).with_columns(column), labels, ("a", "b", "c")), chances


@pytest.mark.parametrize("kind", KINDS)
def test_regret_in_a_planted_world_is_under_one_point(kind):
    examples, _ = world(5000)
    fresh, chances = world(2000, seed=1)
    settings = {"seeds": 1} if kind == "dual-contrastive" else {}  # three take three times as long
    chosen = fitted(kind, with_holes(examples), features=["planted"], **settings).confidences(fresh.queries).argmax(axis=1)
    regret = (chances.max(axis=1) - chances[np.arange(2000), chosen]).mean()
    assert regret < (0.04 if kind == "cluster-and-rank" else 0.01)  # clusters do not look for the direction that matters


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_model_of_each_topic_is_found_despite_holes(kind):
    confidences = fitted(kind, with_holes(planted(300))).confidences(queries(["boil the soup with salt", "launch a solar probe"]))
    assert [MODELS[column] for column in confidences.argmax(axis=1)] == ["chef", "pilot"]
    assert confidences.dtype == np.float32 and confidences.min() >= 0 and confidences.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_noise_gains_nothing_and_loses_little(kind):
    examples, fresh = noise_only(1000), noise_only(1000, seed=5)
    chosen = fitted(kind, examples).confidences(fresh.queries).argmax(axis=1)
    assert (chosen == 1).mean() > 0.9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 60])
def test_a_saved_router_is_json_and_safetensors_and_loads_bit_for_bit(kind, count):
    examples = planted(count)
    model = fitted(kind, examples)
    files = model.save()
    for name, content in files.items():
        assert json.loads(content) is not None if name.endswith(".json") else safetensors.numpy.load(content) is not None
    loaded = load_router(kind, files)
    assert loaded.models == MODELS
    assert (loaded.confidences(examples.queries) == model.confidences(examples.queries)).all()
    assert loaded.save() == files
    assert loaded.confidences(examples.queries.clear()).shape == (0, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_rows_changes_nothing_and_that_of_models_no_more_than_a_rounding(kind):
    examples = with_holes(planted(90))
    expected = fitted(kind, examples).confidences(examples.queries)
    assert (fitted(kind, shuffled(examples)).confidences(examples.queries) == expected).all()
    order = [2, 0, 1]
    turned = Examples(examples.queries, np.ascontiguousarray(examples.labels[:, order]), tuple("abc"))
    assert fitted(kind, turned).confidences(examples.queries) == pytest.approx(expected[:, order], abs=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_without_a_reward_and_texts_that_say_nothing_are_survived(kind):
    examples = planted(40)
    labels = examples.labels.copy()
    labels[:, 1] = np.nan
    labels[3] = np.nan
    same = Examples(queries(["same"] * 40), labels, MODELS)
    confidences = fitted(kind, same).confidences(queries(["same", "", "another"]))
    assert (confidences[:, 1] == 0).all() and np.isfinite(confidences).all()
    assert confidences[:, [0, 2]] == pytest.approx(np.tile(np.nanmean(labels[:, [0, 2]], axis=0), (3, 1)), abs=0.05)
    nothing = Examples(same.queries, np.full_like(labels, np.nan), MODELS)
    assert (fitted(kind, nothing).confidences(same.queries) == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_without_training_queries_there_is_nothing_to_learn(kind):
    with pytest.raises(UserError, match="no training queries"):
        fitted(kind, none(planted(10)))


def test_ridge_with_holes_is_scikit_learns_for_each_column():
    random = np.random.default_rng(0)
    vectors, targets, weights = random.normal(size=(80, 5)), random.normal(size=(80, 3)), random.uniform(0.5, 2, 80)
    targets[random.random(targets.shape) < 0.2] = np.nan
    coefficients, intercepts, _ = ridge(vectors, targets, weights, [3.0])
    for column in range(3):
        known = ~np.isnan(targets[:, column])
        reference = Ridge(alpha=3.0).fit(vectors[known], targets[known, column], sample_weight=weights[known])
        assert coefficients[:, column] == pytest.approx(reference.coef_) and intercepts[column] == pytest.approx(reference.intercept_)


def test_the_penalty_of_ridge_is_that_with_the_least_error_on_queries_left_out():
    random = np.random.default_rng(1)
    vectors = random.normal(size=(30, 8))
    targets = vectors[:, :1] + random.normal(size=(30, 1))
    penalties = [0.1, 1.0, 10.0, 100.0]
    errors = [
        sum(
            (Ridge(alpha=penalty).fit(np.delete(vectors, row, 0), np.delete(targets, row, 0)).predict(vectors[[row]]) - targets[row]).item()
            ** 2
            for row in range(30)
        )
        for penalty in penalties
    ]
    assert ridge(vectors, targets, np.ones(30), penalties)[2] == penalties[int(np.argmin(errors))]


def test_logistic_regression_of_fractions_is_scikit_learns_with_both_answers_weighed():
    random = np.random.default_rng(2)
    vectors = random.normal(size=(200, 4))
    labels = np.clip(0.5 + 0.2 * vectors[:, :2] + 0.2 * random.normal(size=(200, 2)), 0, 1)
    labels[random.random(labels.shape) < 0.2] = np.nan
    coefficients, intercepts = logistic(vectors, labels, np.ones(200), 2.0, 2.0, tolerance=1e-13)
    for column in range(2):
        known = ~np.isnan(labels[:, column])
        weights = np.concatenate([labels[known, column], 1 - labels[known, column]])
        answers = np.repeat([1, 0], known.sum())
        reference = LogisticRegression(C=0.5, tol=1e-8).fit(np.vstack([vectors[known]] * 2), answers, sample_weight=weights)
        assert coefficients[:, column] == pytest.approx(reference.coef_[0], abs=1e-3)
        assert intercepts[column] == pytest.approx(reference.intercept_[0], abs=1e-3)


def test_neighbours_without_pseudo_neighbours_are_scikit_learns():
    random = np.random.default_rng(3)
    vectors, fresh = (random.normal(size=(count, 6)).astype(np.float32) for count in (100, 20))
    vectors, fresh = (array / np.linalg.norm(array, axis=1, keepdims=True) for array in (vectors, fresh))
    values = random.random((100, 3))
    reference = KNeighborsRegressor(7, metric="cosine").fit(vectors, values).predict(fresh)
    assert shrunk_means(among_nearest(fresh @ vectors.T, [7])[0], values, 0.0) == pytest.approx(reference)


def test_neighbours_that_are_missing_count_nothing_and_pseudo_neighbours_do():
    values = np.array([[0.6], [np.nan], [0.4]])
    assert shrunk_means(np.ones((1, 3)), values, 2.0) == pytest.approx(np.array([[0.25]]))
    assert shrunk_means(np.array([[0.0, 1.0, 0.0]]), values, 0.0) == 0
