import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from router_examples import MODELS, noise_only, none, other_models_order, planted, queries, router, shuffled, with_holes

from tasks.errors import UserError
from tasks.routers import load_router
from tasks.routers.tfidf import fit_tfidf, load_tfidf


def fitted(examples, **given_settings):
    return router("kmeans-tfidf", **given_settings).fit(examples, none(examples))


def test_the_best_model_of_each_topic_is_found():
    confidences = fitted(planted(200)).confidences(queries(["boil the soup with salt", "launch a solar probe"]))
    assert [MODELS[column] for column in confidences.argmax(axis=1)] == ["chef", "pilot"]
    assert confidences.dtype == np.float32 and confidences.min() >= 0 and confidences.max() <= 1


def test_holes_do_not_hide_the_topics():
    confidences = fitted(with_holes(planted(300))).confidences(queries(["boil the soup with salt", "launch a solar probe"]))
    assert [MODELS[column] for column in confidences.argmax(axis=1)] == ["chef", "pilot"]


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_routed_nearly_always_to_the_best_single_model(seed):
    examples = noise_only(600, seed)
    confidences = fitted(examples, clusters=50).confidences(examples.queries)
    assert (confidences.argmax(axis=1) == 1).mean() > 0.9


def test_there_are_ten_training_queries_for_each_cluster():
    assert len(fitted(planted(45)).centroids_) == 4
    assert len(fitted(planted(400), clusters=7).centroids_) == 7


def test_queries_without_a_common_word_are_one_cluster():
    examples = planted(40)
    alone = type(examples)(queries([f"w{number}" for number in range(40)]), examples.labels, examples.models)
    confidences = fitted(alone).confidences(queries(["anything", ""]))
    assert confidences == pytest.approx(np.tile(examples.labels.mean(axis=0), (2, 1)))


def test_without_training_queries_there_is_nothing_to_cluster():
    with pytest.raises(UserError, match="no training queries"):
        fitted(none(planted(10)))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.permutations(range(3)))
def test_order_of_rows_and_of_models_changes_no_confidence(seed, order):
    examples = with_holes(planted(90), seed=seed)
    expected = fitted(examples).confidences(examples.queries)
    assert (fitted(shuffled(examples, seed)).confidences(examples.queries) == expected).all()
    assert fitted(other_models_order(examples, order)).confidences(examples.queries) == pytest.approx(expected[:, order], abs=1e-6)


def test_a_query_gets_the_same_confidences_alone_and_among_others():
    examples = planted(100)
    model = fitted(examples)
    assert (np.concatenate([model.confidences(examples.queries[row]) for row in range(100)]) == model.confidences(examples.queries)).all()


@pytest.mark.parametrize("count", [5, 100])  # one cluster, several
def test_a_saved_router_is_json_and_safetensors_and_loads_bit_for_bit(count):
    examples = planted(count)
    model = fitted(examples)
    files = model.save()
    for name, content in files.items():
        if name.endswith(".json"):
            json.loads(content)
        else:
            assert name.endswith(".safetensors") and safetensors.numpy.load(content)
    loaded = load_router("kmeans-tfidf", files)
    assert loaded.models == MODELS
    assert (loaded.confidences(examples.queries) == model.confidences(examples.queries)).all()
    assert loaded.save() == files


@given(st.lists(st.text(alphabet="ab 猫狗é1.", max_size=12), min_size=1, max_size=8))
def test_a_loaded_tfidf_is_the_fitted_one(texts):
    fitted_tfidf = fit_tfidf(texts, min_df=1, max_df=1.0)
    if fitted_tfidf is None:
        assert not any(character.isalnum() for text in texts for character in text)
        return
    loaded = load_tfidf(fitted_tfidf.get_feature_names_out().tolist(), fitted_tfidf.idf_)
    assert (loaded.transform(texts).toarray() == fitted_tfidf.transform(texts).toarray()).all()


def test_tfidf_of_two_words_is_what_the_formula_says():
    texts = ["the cat"] * 4 + ["the"] * 5
    vector = fit_tfidf(texts, min_df=1, max_df=1.0).transform(["the cat"]).toarray()[0]
    assert vector == pytest.approx([0.861, 0.509], abs=1e-3)


def test_each_chinese_character_is_a_term():
    assert fit_tfidf(["猫和狗 cat7"], min_df=1, max_df=1.0).get_feature_names_out().tolist() == ["cat7", "和", "狗", "猫"]


def test_two_processes_give_the_same_confidences():
    program = """
import hashlib
from router_examples import planted, router
examples = planted(120)
print(hashlib.sha256(router("kmeans-tfidf").fit(examples, examples).confidences(examples.queries).tobytes()).hexdigest())
"""
    root = Path(__file__).parents[2]
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ
            | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "PYTHONPATH": f"{root}{os.pathsep}{Path(__file__).parent}"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    }
    assert len(printed) == 1 and printed != {""}
