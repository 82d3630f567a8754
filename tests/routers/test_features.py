import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from router_examples import planted, queries
from sklearn.feature_extraction.text import TfidfVectorizer

from tasks.config import Router
from tasks.errors import UserError
from tasks.lake.tables import EMBEDDINGS, check
from tasks.routers import embedders
from tasks.routers.embeddings import embed, embedding_column, encoders_of, with_embeddings
from tasks.routers.features import Features
from tasks.routers.settings import check_settings
from tasks.routers.terms import DIMENSIONS, fit_terms
from tasks.routers.tfidf import TERM

ENCODER = str(Path(__file__).parents[2] / "tasks" / "world" / "encoder")
BOTH = ["words", "characters"]
SHOTS = "".join(f"Q: What is {number} and {number}?\nA: {2 * number}\n\n" for number in range(12))


def features(*names, **given_arguments):
    return Features(names, **{"max_length": 64, "seed": 0} | given_arguments)


def many_words(count, seed=0):
    """Queries with more terms than there are dimensions."""
    draw = np.random.default_rng(seed)
    return queries([" ".join(f"w{number}" for number in draw.zipf(1.3, 12) % 900) for _ in range(count)])


def lengths(vectors):
    return np.linalg.norm(vectors.astype(np.float64), axis=1)


@settings(max_examples=40)
@given(st.lists(st.text(alphabet="ab 猫狗é1.\n", max_size=12), min_size=1, max_size=30), st.randoms(), st.sampled_from([["words"], BOTH]))
def test_whatever_the_texts_are_vectors_are_finite_and_neither_order_nor_company_changes_a_bit(texts, order, names):
    rows = queries(texts)
    learned = features(*names)
    vectors = learned.fit(rows)
    assert vectors.dtype == np.float32 and vectors.shape[0] == len(texts) and vectors.shape[1] >= len(names)
    assert np.isfinite(vectors).all() and (lengths(vectors) < 1 + 1e-6).all()
    mixed = order.sample(range(len(texts)), len(texts))
    assert (features(*names).fit(rows[mixed]) == vectors[mixed]).all()
    assert (np.concatenate([learned.vectors(rows[row]) for row in range(len(texts))]) == vectors).all()
    assert learned.vectors(rows.clear()).shape == (0, vectors.shape[1])


def test_more_terms_than_dimensions_are_reduced_to_vectors_of_length_1_whatever_the_order():
    rows = many_words(400)
    learned = features(*BOTH)
    vectors = learned.fit(rows)
    assert vectors.shape == (400, 2 * DIMENSIONS) and lengths(vectors) == pytest.approx(np.ones(400), abs=1e-6)
    mixed = np.random.default_rng(1).permutation(400)
    assert (features(*BOTH).fit(rows[mixed]) == vectors[mixed]).all()
    assert (learned.vectors(rows[7:8]) == vectors[7:8]).all()


def test_a_text_of_unknown_terms_is_0_in_their_block_only():
    learned = features("words", ENCODER)
    learned.fit(planted(60).queries)
    vectors = learned.vectors(queries(["zebra quagga", "", "boil soup"]))
    assert (vectors[:2, :-96] == 0).all() and lengths(vectors[:, -96:]) == pytest.approx(np.full(3, 0.5**0.5), abs=1e-6)
    assert lengths(vectors[2:]) == pytest.approx(np.ones(1), abs=1e-6)


def test_the_cosine_of_two_queries_is_the_mean_of_their_blocks_cosines():
    rows = planted(60).queries
    words, encoder, both = (features(*names).fit(rows) for names in (["words"], [ENCODER], ["words", ENCODER]))
    assert both @ both.T == pytest.approx((words @ words.T + encoder @ encoder.T) / 2, abs=1e-6)


def test_few_words_are_weighed_as_by_scikit_learn():
    texts = planted(60).queries["question"].to_list()
    expected = TfidfVectorizer(token_pattern=TERM, sublinear_tf=True, min_df=3, max_df=0.95).fit(texts)
    assert fit_terms("words", texts, 0).vectors(texts) == pytest.approx(expected.transform(texts).toarray(), abs=1e-6)


def test_pieces_of_words_are_weighed_as_by_scikit_learn():
    texts = ["aa bb", "aa b", "ab", "ba ab"]
    expected = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=3, max_df=0.95).fit(texts)
    assert fit_terms("characters", texts, 0).vectors(texts) == pytest.approx(expected.transform(texts).toarray(), abs=1e-6)


@pytest.mark.parametrize("name", BOTH)
def test_chinese_is_told_apart_by_its_characters(name):
    texts = ["电场线电荷", "电荷在电场中", "电场和电荷", "敲诈勒索罪", "何为敲诈勒索", "勒索罪或敲诈罪"]
    vectors = features(name).fit(queries(texts * 3))[:6]
    cosines = vectors @ vectors.T
    assert min(cosines[:3, :3].min(), cosines[3:, 3:].min()) > 0.03 > cosines[:3, 3:].max()


def test_few_shot_examples_are_cut_before_anything_is_read():
    plain = planted(120).queries
    prompted = plain.with_columns(pl.lit(SHOTS) + pl.col("question"))
    for names in ("words", "characters"), (ENCODER,):
        assert (features(*names).fit(prompted) == features(*names).fit(plain)).all()
    learned = features("words")
    learned.fit(prompted)
    assert (learned.vectors(prompted[:3]) == learned.vectors(plain[:3])).all()


@pytest.mark.parametrize("names", [["words"], ["characters", "words"], [ENCODER], ["words", ENCODER]])
def test_saved_features_are_json_and_safetensors_and_load_bit_for_bit(names):
    rows = many_words(300).with_columns(pl.lit(SHOTS) + pl.col("question"))
    learned = features(*names)
    vectors = learned.fit(rows)
    files = learned.save()
    for name, content in files.items():
        assert name.startswith(("features/", "encoder/"))
        assert json.loads(content) if name.endswith(".json") else safetensors.numpy.load(content)
    loaded = Features.load(files)
    assert (loaded.vectors(rows) == vectors).all() and loaded.save() == files


def test_without_queries_there_is_nothing_to_learn():
    with pytest.raises(UserError, match="no training queries"):
        features("words").fit(planted(10).queries.clear())


def test_another_process_with_one_thread_finds_the_same_bits_without_torch():
    program = """
import hashlib, sys
import numpy as np
from router_examples import queries
from tasks.routers.features import Features
rows = queries(sys.stdin.read().splitlines())
print(hashlib.sha256(Features(["words", "characters"], 64, 0).fit(rows).tobytes()).hexdigest(), "torch" in sys.modules)
"""
    rows = many_words(300)
    root = Path(__file__).parents[2]
    one = {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | one | {"PYTHONPATH": f"{root}{os.pathsep}{Path(__file__).parent}"},
        input="\n".join(rows["question"]),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed == f"{hashlib.sha256(features(*BOTH).fit(rows).tobytes()).hexdigest()} False\n"


def split_queries():
    prompted = planted(120).queries.with_columns(pl.lit(SHOTS) + pl.col("question"))
    return prompted.with_columns(split=pl.when(pl.int_range(pl.len()) < 90).then(pl.lit("train")).otherwise(pl.lit("test")))


def test_vectors_computed_before_are_those_that_a_router_computes_itself():
    rows = split_queries()
    table = check(EMBEDDINGS, embed(rows, ENCODER, 64))
    given_rows = with_embeddings(rows.sample(fraction=1, shuffle=True, seed=1), [table]).sort("query_id")
    train = pl.col("split") == "train"
    own, theirs = features("words", ENCODER), features("words", ENCODER)
    assert theirs.fit(given_rows.filter(train)) == pytest.approx(own.fit(rows.filter(train)), abs=1e-5)
    assert theirs.vectors(given_rows) == pytest.approx(own.vectors(rows), abs=1e-5)


def test_an_encoder_is_not_run_where_queries_come_with_its_vectors(monkeypatch):
    rows = with_embeddings(split_queries(), [embed(split_queries(), ENCODER, 64)])

    def refuse(*_):
        raise AssertionError("the encoder was loaded")

    monkeypatch.setattr(embedders, "load_embedder", refuse)
    assert features(ENCODER).fit(rows).shape == (120, 96)
    with pytest.raises(AssertionError, match="was loaded"):  # of other tokens, or of a query without a vector
        features(ENCODER, max_length=32).fit(rows)
    with pytest.raises(AssertionError, match="was loaded"):
        features(ENCODER).fit(with_embeddings(split_queries(), [embed_rows(rows)[1:]]))


def embed_rows(rows):
    """Vectors as a table, from queries that have them."""
    name = embedding_column(ENCODER, 64)
    return rows.select("query_id", pl.lit(name.removeprefix("embedding ")).alias("encoder"), pl.col(name).alias("embedding"))


def test_queries_keep_their_order_and_get_a_column_for_each_encoder():
    rows = split_queries().sort("query_id", descending=True)
    table = pl.concat([embed(rows, ENCODER, 64), embed(rows, ENCODER, 8)])
    wide = with_embeddings(rows, [table])
    assert wide.columns == [*rows.columns, embedding_column(ENCODER, 64), embedding_column(ENCODER, 8)]
    assert wide.select(rows.columns).equals(rows)
    assert with_embeddings(rows, []).equals(rows)


def test_the_encoders_of_a_router_are_those_that_it_does_not_train():
    def of(**section):
        return encoders_of(check_settings(Router.model_validate(section)))

    assert of(name="kmeans-encoder", encoder="a", max_length=32) == [("a", 32)]
    assert of(name="linear", features=["words", "a", "characters", "b"]) == [("a", 256), ("b", 256)]
    assert of(name="kmeans-tfidf") == of(name="roberta-multi-label", encoder="a") == []
