"""Domains: planted benchmarks are told apart by their words, and what is like none of them is not guessed at."""

import json

import numpy as np
import polars as pl
import pytest
import safetensors.numpy
from router_examples import none, other_models_order, queries, router, shuffled, with_holes

from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.routers import load_router
from tasks.routers.domains import FEWEST
from tasks.routers.embeddings import embedding_column
from tasks.routers.regression import log_odds

WORDS = {
    "law": ["court", "judge", "tort", "lease", "jury", "plea", "statute", "contract"],
    "math": ["sum", "prime", "root", "angle", "matrix", "proof", "cosine", "integer"],
    "medicine": ["fever", "artery", "dose", "lung", "nerve", "tumour", "insulin", "biopsy"],
}
MODELS = ("counsel", "doctor", "euler")
CHANCES = {"law": (0.8, 0.5, 0.5), "math": (0.4, 0.4, 0.7), "medicine": (0.5, 0.7, 0.5)}
UNLIKE = ["zebra giraffe savanna", "", "ποδήλατο", "?!"]


def benchmarks(count, seed=0, names=("law", "math", "medicine"), chances=CHANCES, words=WORDS):
    """`count` queries, of each benchmark in turn, each of six words of its own."""
    random = np.random.default_rng([seed, 3])
    of_row = [names[row % len(names)] for row in range(count)]
    frame = queries([" ".join(random.choice(words[name], 6)) for name in of_row]).with_columns(benchmark=pl.Series(of_row, dtype=pl.String))
    labels = random.random((count, 3)) < np.array([chances[name] for name in of_row]).reshape(count, 3)
    return Examples(frame, labels.astype(np.float32), MODELS)


def fitted(examples, kind="domains", **settings):
    own = {} if kind == "benchmark" else {"features": ["words"]} | settings
    return router(kind, **own).fit(examples, none(examples))


def bare(examples):
    """What a new question is: text alone."""
    return examples.queries.select("question", "choices")


def macro_mean(examples):
    """Each model's mean reward, benchmarks weighing the same."""
    names = examples.queries["benchmark"].to_numpy()
    return np.mean([np.nanmean(examples.labels[names == name], axis=0) for name in sorted(set(names))], axis=0)


def test_benchmarks_are_recognised_by_the_text_alone():
    train, fresh = benchmarks(600), benchmarks(300, seed=1)
    confidences = fitted(train).confidences(bare(fresh))
    known = fitted(train, "benchmark").confidences(fresh.queries)
    assert (confidences.argmax(axis=1) == known.argmax(axis=1)).mean() > 0.98
    best = [MODELS[column] for column in confidences[:3].argmax(axis=1)]
    assert best == ["counsel", "euler", "doctor"]
    assert confidences == pytest.approx(known, abs=0.15)


@pytest.mark.parametrize("names", [("law",), ("law", "medicine"), ("law", "math", "medicine")])
def test_any_number_of_benchmarks_will_do(names):
    train, fresh = benchmarks(300, names=names), benchmarks(150, seed=1, names=names)
    confidences = fitted(train).confidences(bare(fresh))
    known = fitted(train, "benchmark").confidences(fresh.queries)
    assert (confidences.argmax(axis=1) == known.argmax(axis=1)).mean() > 0.98
    assert confidences.mean(axis=0) == pytest.approx(known.mean(axis=0), abs=0.05)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_text_unlike_everything_gets_the_prior_of_all_benchmarks(place):
    """Whichever benchmark's queries come first by id: none of them is a neighbour."""
    mixed = benchmarks(450, names=np.roll(sorted(WORDS), place).tolist())
    order = np.argsort(np.arange(450) % 3, kind="stable")
    train = Examples(mixed.queries[order].with_columns(mixed.queries["query_id"]), mixed.labels[order], MODELS)
    assert fitted(train).confidences(queries(UNLIKE)) == pytest.approx(np.tile(macro_mean(train), (len(UNLIKE), 1)), abs=0.02)


def test_benchmarks_weigh_the_same_in_the_prior():
    train = benchmarks(900)
    rows = np.flatnonzero((train.queries["benchmark"] != "law").to_numpy() | (np.arange(900) < 90))
    unequal = Examples(train.queries[rows], train.labels[rows], MODELS)
    prior = fitted(unequal).confidences(queries(UNLIKE[:1]))[0]
    assert prior == pytest.approx(macro_mean(unequal), abs=0.03)
    assert np.abs(macro_mean(unequal) - unequal.labels.mean(axis=0)).max() > 0.05


def test_the_farther_a_text_is_the_nearer_to_the_prior_is_what_it_gets():
    model = fitted(benchmarks(600))
    prior = model.confidences(queries(UNLIKE[:1]))[0]
    texts = ["judge jury plea court lease tort", "judge jury plea fever prime lease", "judge zebra fever prime root dose"]
    distances = np.abs(model.confidences(queries(texts)) - prior).max(axis=1)
    assert distances[0] > distances[1] > distances[2]
    assert distances[0] > 0.1 > distances[2]


@pytest.mark.parametrize("left_out", sorted(WORDS))
def test_on_a_benchmark_that_was_left_out_it_loses_nothing_to_the_best_single_model(left_out):
    """Which shares half of its words with the others, so that there is something to be misled by."""
    shared = {name: [*own[:4], "what", "which", "then", "given"] for name, own in WORDS.items()}
    everything = benchmarks(900, words=shared)
    inside = (everything.queries["benchmark"] != left_out).to_numpy()
    train = Examples(everything.queries.filter(inside), everything.labels[inside], MODELS)
    held_out = everything.queries.filter(~inside).select("question", "choices")
    chances = np.array(CHANCES[left_out])
    earned = chances[fitted(train).confidences(held_out).argmax(axis=1)].mean()
    single = chances[fitted(train, "benchmark").confidences(held_out).argmax(axis=1)].mean()
    assert earned > single - 0.03


def test_subjects_with_enough_queries_are_domains_and_others_are_not():
    """Two subjects of law with words of their own, in one of which the doctor is right: medical law."""
    words = {"civil": WORDS["law"][:4], "medical": WORDS["law"][4:]}
    chances = {"civil": (0.9, 0.2, 0.5), "medical": (0.2, 0.9, 0.5)}
    train = benchmarks(400, names=("civil", "medical"), words=words, chances=chances)
    one = train.queries.with_columns(subject="benchmark", benchmark=pl.lit("law"))
    model = fitted(Examples(one, train.labels, MODELS))
    assert len(model.arrays_["means"]) == 2
    fresh = queries(["court judge lease tort", "jury plea contract statute"])
    assert [MODELS[column] for column in model.confidences(fresh.select("question", "choices")).argmax(axis=1)] == ["counsel", "doctor"]

    civil, medical = (np.flatnonzero(train.queries["benchmark"] == name) for name in ("civil", "medical"))
    for count, domains in ((FEWEST - 1, 1), (FEWEST, 2)):
        rows = np.sort(np.concatenate([civil[:count], medical[: FEWEST - 2]]))
        assert len(fitted(Examples(one[rows], train.labels[rows], MODELS)).arrays_["means"]) == domains


def test_a_query_of_no_subject_is_of_its_benchmark():
    train = benchmarks(300)
    subject = pl.when(pl.col("benchmark") == "law").then(pl.lit("tort"))
    model = fitted(Examples(train.queries.with_columns(subject=subject), train.labels, MODELS))
    without = fitted(train)
    assert len(model.arrays_["means"]) == 3
    assert model.confidences(bare(train)) == pytest.approx(without.confidences(bare(train)), abs=0.02)


def test_holes_are_no_wrong_answers():
    train, fresh = benchmarks(900), benchmarks(150, seed=1)
    expected = fitted(train).confidences(bare(fresh))
    holes = fitted(with_holes(train, share=0.5)).confidences(bare(fresh))
    assert holes == pytest.approx(expected, abs=0.15)
    assert holes.mean() == pytest.approx(expected.mean(), abs=0.03)
    assert (holes.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95


def test_a_model_without_rewards_gets_0_everywhere():
    train = benchmarks(120)
    labels = train.labels.copy()
    labels[:, 1] = np.nan
    labels[5] = np.nan
    confidences = fitted(Examples(train.queries, labels, MODELS)).confidences(queries(["court judge", *UNLIKE]))
    assert (confidences[:, 1] == 0).all() and (confidences[:, [0, 2]] > 0.2).all()
    nothing = Examples(train.queries, np.full_like(labels, np.nan), MODELS)
    assert (fitted(nothing).confidences(bare(train)) == 0).all()


def test_without_training_queries_there_is_nothing_to_learn():
    with pytest.raises(UserError, match="no training queries"):
        fitted(none(benchmarks(9)))


def with_difficulty(count, seed=0):
    """Law whose plaintiffs make a query easy for all models and whose appeals make it hard; counsel stays the best of them."""
    train = benchmarks(count, seed=seed, names=("law", "math"))
    hard = np.arange(count) // 2 % 2 == 1
    word = pl.when(pl.Series(hard)).then(pl.lit(" appeal appeal")).otherwise(pl.lit(" plaintiff plaintiff"))
    random = np.random.default_rng([seed, 4])
    chances = np.array([CHANCES[name] for name in train.queries["benchmark"]]) + np.where(hard, -0.2, 0.2)[:, None]
    return Examples(train.queries.with_columns(pl.col("question") + word), (random.random((count, 3)) < chances).astype(np.float32), MODELS)


def test_what_looks_harder_gets_less_confidence_in_all_models_and_the_same_model():
    model = fitted(with_difficulty(1200))
    law = "court judge tort lease jury plea"
    easy, hard = model.confidences(queries([f"{law} plaintiff plaintiff", f"{law} appeal appeal"]))
    assert (hard < easy - 0.1).all()
    assert easy.argmax() == hard.argmax() == MODELS.index("counsel")
    assert np.ptp(log_odds(easy) - log_odds(hard)) < 0.3  # the recognised domain's means are not the same to the last digit


def test_difficulty_changes_no_order_of_models():
    train, fresh = with_difficulty(600), with_difficulty(200, seed=1)
    model = fitted(train)
    moved = model.confidences(bare(fresh))
    model.arrays_["ease"] = np.zeros_like(model.arrays_["ease"])
    still = model.confidences(bare(fresh))
    assert np.abs(moved - still).max() > 0.05
    assert (moved.argsort(axis=1) == still.argsort(axis=1)).all()


def test_order_of_rows_changes_nothing_and_that_of_models_only_a_rounding():
    train = with_holes(benchmarks(150))
    texts = queries(["court judge lease", "prime fever dose", *UNLIKE])
    expected = fitted(train).confidences(texts)
    assert (fitted(shuffled(train)).confidences(texts) == expected).all()
    turned = fitted(other_models_order(train, [2, 0, 1])).confidences(texts)
    assert turned == pytest.approx(expected[:, [2, 0, 1]], abs=1e-5)


def test_a_query_gets_alone_what_it_gets_among_others():
    train, fresh = benchmarks(300), benchmarks(20, seed=1)
    model, texts = fitted(train), bare(fresh)
    alone = np.vstack([model.confidences(texts[row : row + 1]) for row in range(texts.height)])
    assert alone == pytest.approx(model.confidences(texts), abs=1e-5)
    assert model.confidences(texts.clear()).shape == (0, 3)


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_saved_as_json_and_safetensors_it_says_the_same_bit_for_bit(count):
    train = benchmarks(count)
    model = fitted(train)
    files = model.save()
    for name, content in files.items():
        assert json.loads(content) is not None if name.endswith(".json") else safetensors.numpy.load(content) is not None
    loaded = load_router("domains", files)
    texts = queries(["court judge lease", "prime fever dose", *UNLIKE])
    confidences = model.confidences(texts)
    assert (loaded.confidences(texts) == confidences).all()
    assert loaded.models == MODELS and loaded.save() == files
    assert np.isfinite(confidences).all() and confidences.dtype == np.float32
    assert confidences.min() >= 0 and confidences.max() <= 1


def test_vectors_that_come_with_the_queries_are_taken_and_no_encoder_is_asked_for():
    train, fresh = benchmarks(300), benchmarks(90, seed=1)

    def with_vectors(examples, seed):
        names = examples.queries["benchmark"].to_list()
        vectors = np.eye(4)[[sorted(WORDS).index(name) for name in names]] + np.random.default_rng(seed).normal(0, 0.2, (len(names), 4))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        column = pl.Series(embedding_column("not-an-encoder", 256), vectors.tolist(), dtype=pl.List(pl.Float32))
        return examples.queries.with_columns(column, question=pl.lit("the same"))

    model = fitted(Examples(with_vectors(train, 0), train.labels, MODELS), features=["words", "not-an-encoder"])
    confidences = model.confidences(with_vectors(fresh, 1).drop("benchmark"))
    known = fitted(train, "benchmark").confidences(fresh.queries)
    assert (confidences.argmax(axis=1) == known.argmax(axis=1)).mean() > 0.95
