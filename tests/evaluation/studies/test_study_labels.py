"""Labels: noise that sits in ambiguous votes is found, in a world without it nothing is; accuracies are of the samples that were drawn."""

import numpy as np
import polars as pl
import pytest
from planted_tables import query_rows, vote_rows
from polars.testing import assert_frame_equal

from tasks.config import Router
from tasks.evaluation.studies import Tables, make_study, trials_of
from tasks.lake.tables import GENERATIONS, METRICS, ROUTES, SCORES, check, empty
from tasks.report.studies import Section, sections
from tasks.routers.trials import run_trials
from tasks.voting.growth import growth
from tasks.voting.vote import vote

ROUTER = Router.model_validate({"name": "kmeans-tfidf", "clusters": 4})
SIZES = {"train": 300, "validation": 60, "test": 400}
SETTINGS = ("without ambiguous", "soft", "at least 8 of 10")


def planted(seed: int, *, noise: bool) -> Tables:
    """Two kinds of questions; violin is right on one, locomotive on the other, on nine of ten samples, or on none.

    Of the votes on training questions about music, 70 % are ambiguous. With `noise`, their labels are the wrong way round.
    """
    random = np.random.default_rng(seed)
    first, queries, votes = 0, [], []
    for split, count in SIZES.items():
        music = random.random(count) < 0.5
        about = np.where(music, "Which violin plays the melody of song", "When does the train leave the station of line")
        asked = query_rows(count, split=split, first=first)
        queries.append(asked.with_columns(question=pl.Series([f"{words} {n}?" for n, words in enumerate(about)])))
        first += count
        torn = music & (random.random(count) < 0.7) & (split == "train")
        for model, good in (("violin", music), ("locomotive", ~music)):
            right = random.random(count) < np.where(good, 0.85, 0.15)
            rates = np.where(torn, np.where(right, 0.5, 0.3), np.where(right, 0.9, 0.0))
            of_model = vote_rows(asked, model, rates.tolist())
            votes.append(of_model.with_columns(label=pl.Series((right ^ (torn & noise)).astype(float)), ambiguous=pl.Series(torn)))
    return tables(pl.concat(queries), pl.concat(votes))


def tables(queries: pl.DataFrame, votes: pl.DataFrame) -> Tables:
    trials = run_trials(ROUTER, 0, trials_of("labels", {}, queries, votes, 0))
    return Tables(queries, votes, empty(SCORES), empty(ROUTES), trials=trials, growth=growth(queries, votes, 0))


def study(found: Tables) -> pl.DataFrame:
    return check(METRICS, make_study("labels", {}, found, 300, 0))


def value(found: pl.DataFrame, metric: str, setting: str | None = None, model: str | None = None) -> float:
    same = [pl.col(name).eq_missing(pl.lit(of, pl.String)) for name, of in (("metric", metric), ("setting", setting), ("model", model))]
    return float(found.filter(*same, pl.col("subject").is_null())["value"].item())


def section(found: pl.DataFrame) -> Section:
    return sections(found)[0]


@pytest.mark.parametrize("seed", range(3))
def test_noise_that_sits_in_ambiguous_votes_is_found(seed: int) -> None:
    found = study(planted(seed, noise=True))
    for setting in SETTINGS:
        assert value(found, "verdict", setting) == 1
        assert value(found, "difference", setting) == pytest.approx(0.35, abs=0.1)  # 0.85 for 0.15 on half of the questions
    assert value(found, "changed", "without ambiguous") == pytest.approx(0.35, abs=0.07)
    text = section(found).text
    assert "So other labels make a better router here" in text and 'rule = "success-rate"' in text


@pytest.mark.parametrize("seed", range(3))
def test_where_ambiguous_votes_are_as_right_as_others_nothing_is_found(seed: int) -> None:
    found = study(planted(seed, noise=False))
    assert {value(found, "verdict", setting) for setting in SETTINGS} == {0}
    assert "makes no difference that could be told" in section(found).text


def sampled(seed: int, count: int = 80, *, sure: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Queries, and ten samples of two models on each: right with a chance of the query's own; if `sure`, always or never."""
    random = np.random.default_rng(seed)
    split = [query_rows(count // 4, split="train"), query_rows(count - count // 4, split="test", first=count)]
    queries = pl.concat(split)
    rows = []
    for query in queries.iter_rows(named=True):
        for model in ("ant", "bee"):
            chance = random.random()
            right = random.random(10) < (round(chance) if sure else chance)
            texts = np.where(right, query["gold"], random.integers(-3, 0, 10).astype(str))
            rows += [
                {"query_id": query["query_id"], "model": model, "recipe": "r", "bucket": "b", "sample": n, "text": text}
                for n, text in enumerate(texts.tolist())
            ]
    return queries, pl.DataFrame(rows, schema=GENERATIONS.schema)


def until_decided(queries: pl.DataFrame, generations: pl.DataFrame) -> pl.DataFrame:
    """Votes of as many samples as it took to decide them."""
    left, parts = generations, []
    for count in range(1, 11):
        votes = vote(left.filter(pl.col("sample") < count), queries, 10).filter((pl.col("stop") == "decided") | (pl.col("k") == 10))
        parts.append(votes)
        left = left.join(votes, on=["query_id", "model"], how="anti")
    return pl.concat(parts)


def without_trials(queries: pl.DataFrame, votes: pl.DataFrame) -> Tables:
    return Tables(queries, votes, empty(SCORES), empty(ROUTES), growth=growth(queries, votes, 0))


def test_accuracy_with_few_samples_is_that_of_votes_of_so_few() -> None:
    queries, generations = sampled(0)
    found = study(without_trials(queries, vote(generations, queries)))
    test = queries.filter(pl.col("split") == "test")
    for samples in (1, 4, 10):
        fewer = vote(generations, queries, samples).join(test, on="query_id", how="semi")
        setting = "1 sample" if samples == 1 else f"{samples} samples"
        assert value(found, "accuracy", setting, "ant") == pytest.approx(fewer.filter(pl.col("model") == "ant")["correct"].mean())
        assert value(found, "accuracy", setting) == pytest.approx(fewer["correct"].mean())
    gain = value(found, "accuracy", "10 samples") - value(found, "accuracy", "5 samples")
    assert value(found, "gain_of_samples", "from 5 to 10 samples") == pytest.approx(gain)
    assert 0 < value(found, "flip") < 0.3 and value(found, "ambiguous") > 0
    assert value(found, "right_if_ambiguous") < value(found, "right_if_clear")


def test_stopping_once_a_vote_is_decided_changes_no_accuracy() -> None:
    queries, generations = sampled(1)
    early = until_decided(queries, generations)
    assert early["k"].min() < 10 and early.height == vote(generations, queries)["k"].len()
    curves = [
        study(without_trials(queries, votes)).filter(pl.col("metric").is_in(["accuracy", "gain_of_samples"]))
        for votes in (early, vote(generations, queries, 10))
    ]
    assert_frame_equal(*curves)


def test_samples_that_are_missing_leave_their_vote_out() -> None:
    queries, generations = sampled(2)
    short = generations.filter((pl.col("query_id") != queries["query_id"][-1]) | (pl.col("sample") < 3))
    found = study(without_trials(queries, vote(short, queries, 10)))
    counted = found.filter(pl.col("metric") == "accuracy")["n"].unique().to_list()
    assert counted == [queries.filter(pl.col("split") == "test").height - 1]


def test_models_that_always_say_the_same_have_firm_labels() -> None:
    queries, generations = sampled(3, sure=True)
    same = generations.with_columns(text=pl.col("text").first().over("query_id", "model"))
    votes = vote(same, queries)
    assert not list(trials_of("labels", {}, queries, votes, 0))
    found = study(without_trials(queries, votes))
    assert value(found, "flip") == value(found, "ambiguous") == value(found, "gain_of_samples", "from 1 to 10 samples") == 0
    assert "would be the same as these, so none were tried" in section(found).text


def test_of_a_single_sample_nothing_is_said_of_how_firm_a_label_is() -> None:
    queries, generations = sampled(3)
    found = study(without_trials(queries, vote(generations, queries, 1)))
    assert "flip" not in found["metric"].to_list() and "would turn" not in section(found).text


def test_imported_outcomes_have_no_votes_and_only_labels_that_differ_are_tried() -> None:
    queries = pl.concat([query_rows(60, split=split, first=100 * n) for n, split in enumerate(("train", "validation", "test"))])
    right = [float(n % 2) for n in range(180)]
    votes = pl.concat([vote_rows(queries, "a", right, k=None), vote_rows(queries, "b", right[::-1], k=None)])
    assert not list(trials_of("labels", {}, queries, votes, 0))
    assert study(without_trials(queries, votes)).is_empty() and sections(study(without_trials(queries, votes))) == []
    assert study(without_trials(queries, votes.clear())).is_empty()
    scores = pl.concat([votes.filter(pl.col("model") == "a"), vote_rows(queries, "b", [0.7] * 180, k=None)])
    assert [trial.setting for trial in trials_of("labels", {}, queries, scores, 0)] == ["as they are", "at least 8 of 10"]
    found = study(tables(queries, scores))
    assert set(found["metric"]) == {"accuracy", "difference", "verdict", "changed"}
    assert section(found).chart is None and section(found).table is not None


def test_only_labels_of_training_queries_change_and_no_model_loses_its_last() -> None:
    found = planted(0, noise=True)
    train = pl.col("query_id").is_in(found.queries.filter(pl.col("split") == "train")["query_id"].to_list())
    trials = {trial.setting: trial.votes for trial in trials_of("labels", {}, found.queries, found.votes, 0)}
    assert list(trials) == ["as they are", *SETTINGS]
    for votes in trials.values():
        assert_frame_equal(votes.filter(~train), found.votes.filter(~train))
    all_torn = found.votes.with_columns(ambiguous=pl.col("ambiguous") | ((pl.col("model") == "violin") & train))
    assert "without ambiguous" not in [trial.setting for trial in trials_of("labels", {}, found.queries, all_torn, 0)]
    assert not [trial for trial in trials_of("labels", {"at_least": 11}, found.queries, found.votes, 0) if "at least" in trial.setting]


def test_the_order_of_rows_changes_nothing() -> None:
    found = planted(0, noise=True)
    shuffled = [frame.sample(fraction=1, shuffle=True, seed=1) for frame in (found.queries, found.votes)]
    assert_frame_equal(study(found), study(tables(*shuffled)))
