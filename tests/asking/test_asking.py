"""A question asked of a saved router without torch and scikit-learn: the same numbers, the nearest questions, what would change."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_tables import query_rows

from tasks.asking.light import SavedFiles, load_light
from tasks.asking.nearest import WORDS, nearest
from tasks.asking.turning import chosen_from, runner_up, turns
from tasks.asking.words import TERM, word_weights
from tasks.lake.files import Lake, read_table
from tasks.lake.interfaces import Offers, Pool
from tasks.lake.tables import QUERIES
from tasks.policies.rules import make_policy
from tasks.routers import tfidf
from tasks.routers.saved import load_saved

ROUTERS = ["best-single", "benchmark", "subject", "kmeans-tfidf", "kmeans-encoder", "roberta-multi-label", "roberta-separate"]


def choose(confidences: list[float], policy: str = "argmax") -> tuple[object, Offers]:
    offers, pool = Offers(np.array([confidences], dtype=np.float32)), Pool(("elk", "fox", "owl"), np.array([0.1, 0.6, 0.5]))
    return make_policy(policy, 0).fit(offers, np.array([[0.0, 1.0, 0.0]], dtype=np.float32), pool).choose, offers


@pytest.mark.slow
@pytest.mark.parametrize("router", ROUTERS)
def test_a_light_router_says_what_the_router_says(demo_lake: Path, router: str) -> None:
    lake = Lake(str(demo_lake))
    (manifest,) = lake.files(f"routers/{router}", "manifest.json")
    queries = read_table(lake, QUERIES, where=pl.col("split") == "test").head(60)
    light = load_light(lake, manifest)
    assert light is not None
    itself = load_saved(lake, [manifest])
    assert light.models == itself.models
    assert np.abs(light.confidences(queries) - itself.confidences(queries)).max() < (1e-5 if "roberta" in router else 1e-9)


@given(st.lists(st.text(alphabet="aBcé 1 中文-’", max_size=20), min_size=2, max_size=8))
def test_words_weigh_what_they_weigh_for_scikit_learn(texts: list[str]) -> None:
    assert TERM == tfidf.TERM
    vectorizer = tfidf.fit_tfidf(texts, 1, 1.0)
    if vectorizer is None:
        return
    terms = vectorizer.get_feature_names_out()
    idf = dict(zip(terms, vectorizer.idf_, strict=True))
    for text in [*texts, "b c", "unheard-of"]:
        weights = word_weights(text, idf)
        assert np.allclose([weights.get(term, 0.0) for term in terms], vectorizer.transform([text]).toarray()[0], atol=1e-12)


def test_of_three_questions_the_one_with_the_rarer_word_is_nearer(tmp_path: Path) -> None:
    train = query_rows(3, split="train").with_columns(question=pl.Series(["cat", "black cat", "dog"]))
    lake = Lake(str(tmp_path))
    lake.write("routers/r/1/manifest.json", b'{"kind": "best-single", "models": ["fox"], "files": []}')
    asked = query_rows(1, first=9).with_columns(question=pl.lit("A black cat"))
    found = nearest(lake, SavedFiles(lake, "routers/r/1/manifest.json"), asked, train, 2)
    cat, black = 1 + math.log(4 / 3), 1 + math.log(4 / 2)
    assert found.by == WORDS
    assert found.rows["query_id"].to_list() == [train["query_id"][1], train["query_id"][0]]
    assert np.allclose(found.rows["similarity"], [1.0, cat / math.hypot(cat, black)])


def test_the_choice_changes_where_confidences_cross() -> None:
    policy, offers = choose([0.10, 0.70, 0.62])
    elk, fox, owl = chosen_from(policy, offers, "q")  # type: ignore[arg-type]
    assert np.allclose([elk, fox, owl], [0.70, 0.62, 0.70], atol=1e-5)
    second = runner_up(policy, offers, "q")  # type: ignore[arg-type]
    assert second is not None and second.model == 2 and abs(second.below - 0.62) < 1e-5


def test_a_policy_that_gives_no_answer_below_one_half_has_nobody_next() -> None:
    policy, offers = choose([0.1, 0.7, 0.2], "argmax-as-published")
    second = runner_up(policy, offers, "q")  # type: ignore[arg-type]
    assert second is not None and second.model == -1 and abs(second.below - 0.5) < 1e-5
    nobody, offers = choose([0.1, 0.3, 0.2], "argmax-as-published")
    assert runner_up(nobody, offers, "q") is None  # type: ignore[arg-type]


def test_as_cost_weighs_more_the_choice_goes_to_cheaper_models() -> None:
    found = turns(np.array([0.70, 0.62, 0.10]), np.array([5, 1, 0.1]))
    assert [turn.model for turn in found] == [0, 1, 2]
    assert np.allclose([turn.weight for turn in found], [0, 0.02, 0.52 / 0.9])
    assert [turn.model for turn in turns(np.array([0.5, 0.5]), np.array([2.0, 1.0]))] == [1]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 9)), min_size=1, max_size=5), st.floats(0, 3))
def test_between_two_turns_the_model_named_is_the_best(offers: list[tuple[float, float]], weight: float) -> None:
    confidences, costs = np.array([one[0] for one in offers]), np.array([one[1] for one in offers])
    model = [turn.model for turn in turns(confidences, costs) if turn.weight <= weight][-1]
    values = confidences - weight * costs
    assert values[model] >= values.max() - 1e-9
