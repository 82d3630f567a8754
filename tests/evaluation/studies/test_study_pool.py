"""Sub-pools: a specialist that the words give away is needed, a copy is not, and of clones nothing is found."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pytest
from planted_tables import query_rows, vote_rows
from polars.testing import assert_frame_equal

from tasks.config import Router
from tasks.evaluation.intervals import Resamples
from tasks.evaluation.studies import Tables, make_study, trials_of
from tasks.evaluation.studies.diversity import pair_correlations, rank_correlation
from tasks.evaluation.studies.subpools import subpools
from tasks.lake.tables import METRICS, ROUTES, SCORES, check, empty
from tasks.report.studies import sections
from tasks.routers.trials import run_trials

ROUTER = Router.model_validate({"name": "kmeans-tfidf", "clusters": 4})
SIZES = {"train": 400, "validation": 60, "test": 400}
Rates = Mapping[str, tuple[float, float]]  # model → chance to be right on questions about music, and about trains


def planted(rates: Rates, seed: int, *, copies: Mapping[str, str] | None = None) -> Tables:
    """Two kinds of questions that their words give away; `copies` are right whenever the model that they copy is."""
    random = np.random.default_rng(seed)
    first, queries, votes = 0, [], []
    for split, count in SIZES.items():
        music = random.random(count) < 0.5
        about = np.where(music, "Which violin plays the melody of song", "When does the train leave the station of line")
        asked = query_rows(count, split=split, first=first)
        queries.append(asked.with_columns(question=pl.Series([f"{words} {n}?" for n, words in enumerate(about)])))
        first += count
        right = {model: (random.random(count) < np.where(music, *of)).astype(float) for model, of in rates.items()}
        right |= {copy: right[model] for copy, model in (copies or {}).items()}
        votes += [vote_rows(asked, model, values.tolist(), k=None) for model, values in right.items()]
    return tables(pl.concat(queries), pl.concat(votes))


def tables(queries: pl.DataFrame, votes: pl.DataFrame) -> Tables:
    trials = run_trials(ROUTER, 0, trials_of("pool", {}, queries, votes, 0))
    return Tables(queries, votes, empty(SCORES), empty(ROUTES), trials=trials)


def figures(found: Tables) -> dict[tuple[str, str | None], float]:
    """(metric, setting) → value."""
    return {(row["metric"], row["setting"]): row["value"] for row in study(found).iter_rows(named=True) if row["metric"] != "strength"}


def study(found: Tables) -> pl.DataFrame:
    return check(METRICS, make_study("pool", {}, found, 300, 0))


def verdicts(found: pl.DataFrame) -> dict[str, float]:
    return dict(found.filter(pl.col("metric") == "verdict").select("model", "value").iter_rows())


def test_a_model_without_training_rewards_is_in_no_group_by_strength() -> None:
    of = planted({"general": (0.6, 0.75), "specialist": (0.95, 0.1), "weak": (0.3, 0.4), "new": (0.9, 0.9)}, 0)
    train = of.queries.filter(pl.col("split") != "test")["query_id"]
    votes = of.votes.filter((pl.col("model") != "new") | ~pl.col("query_id").is_in(train.implode()))
    groups = {found.setting: found.models for found in subpools(of.queries, votes)}
    assert [setting for setting, models in groups.items() if "new" not in models] == [
        "two best",
        "similar strength",
        "different strength",
        "without new",
    ]
    assert len(subpools(of.queries, votes.filter(pl.col("model") != "weak"))) == 1


@pytest.mark.parametrize("seed", range(3))
def test_the_specialist_is_needed_and_the_copy_is_not(seed: int) -> None:
    rates = {"general": (0.6, 0.75), "specialist": (0.95, 0.1), "weak": (0.3, 0.4)}
    found = study(planted(rates, seed, copies={"twin": "general"}))
    assert verdicts(found) == {"general": 0, "specialist": 1, "twin": 0, "weak": 0}
    brings = {row["model"]: row for row in found.filter(pl.col("metric") == "contribution").iter_rows(named=True)}
    assert brings["specialist"]["value"] == pytest.approx(0.175, abs=0.08)  # 0.35 more on half of the questions
    text = sections(found)[0].text
    assert "The pool needs specialist (" in text
    assert "twin" not in text.partition("The pool needs specialist")[2].partition(".")[0]


@pytest.mark.parametrize("seed", range(3))
def test_of_clones_nothing_is_found(seed: int) -> None:
    found = study(planted(dict.fromkeys("abcd", (0.6, 0.6)), seed))
    assert set(verdicts(found).values()) == {0}
    difference = found.filter(pl.col("metric") == "gain_over_different").row(0, named=True)
    assert difference["ci_low"] <= 0 <= difference["ci_high"]
    text = sections(found)[0].text
    assert "The pool needs" not in text and "cannot be told" in text


def test_figures_of_a_sub_pool_are_those_counted_by_hand() -> None:
    found = planted({"general": (0.6, 0.75), "specialist": (0.95, 0.1), "weak": (0.3, 0.4)}, 0)
    test = found.queries.filter(pl.col("split") == "test").join(found.votes, on="query_id")
    label = test.pivot("model", index="query_id", values="label")
    values = figures(found)
    assert values["oracle_gain", "two best"] == pytest.approx(
        label.select((pl.max_horizontal("general", "specialist") - pl.col("general")).mean()).item(), abs=1e-6
    )
    assert values["spread", "all"] == pytest.approx(label.select((pl.col("general") - pl.col("weak")).mean()).item(), abs=1e-6)
    phi = np.corrcoef(label["general"].to_numpy(), label["specialist"].to_numpy())[0, 1]
    assert values["error_correlation", "two best"] == pytest.approx(phi, abs=1e-6)
    assert values["accuracy", "all"] - values["accuracy", "without weak"] == pytest.approx(values["contribution", "without weak"], abs=1e-6)
    assert values["gain", "all"] > 0.1


@pytest.mark.parametrize(
    ("strengths", "similar", "different"),
    [
        ([0.9, 0.6, 0.55, 0.2], ["b", "c"], ["a", "d"]),
        ([0.8, 0.6, 0.5, 0.2, 0.1], ["a", "b", "c"], ["a", "d", "e"]),  # "a", "b", "e" are as far apart, but scatter less
        ([0.5, 0.5, 0.5], ["a", "b"], ["a", "c"]),
    ],
)
def test_groups_of_similar_and_of_different_strength(strengths: Sequence[float], similar: list[str], different: list[str]) -> None:
    queries = query_rows(100, split="train")
    names = "abcde"[: len(strengths)]
    right = {model: [1.0] * round(100 * of) + [0.0] * round(100 - 100 * of) for model, of in zip(names, strengths, strict=True)}
    votes = pl.concat(vote_rows(queries, model, values, k=None) for model, values in right.items())
    found = {subpool.setting: subpool for subpool in subpools(queries, votes)}
    assert sorted(found["similar strength"].models) == similar
    assert sorted(found["different strength"].models) == different
    assert found["two best"].models == ("a", "b")
    assert [subpool.without for subpool in found.values() if subpool.without] == list(names)


def test_of_many_models_those_that_an_oracle_asks_are_left_out() -> None:
    queries = query_rows(300, split="train")
    alone = np.arange(300) % 8  # each of eight models is right where no other is
    right = {f"m{n:02}": (alone == n).astype(float) for n in range(8)} | {f"x{n}": np.zeros(300) for n in range(22)}
    votes = pl.concat(vote_rows(queries, model, values.tolist(), k=None) for model, values in right.items())
    assert sorted(subpool.without for subpool in subpools(queries, votes) if subpool.without) == [f"m{n:02}" for n in range(8)]


def test_two_models_holes_and_missing_splits_are_no_reason_to_fail() -> None:
    two = planted({"a": (0.9, 0.1), "b": (0.1, 0.9)}, 0)
    assert two.trials.is_empty() and study(two).is_empty()
    whole = planted({"a": (0.9, 0.1), "b": (0.1, 0.9), "c": (0.5, 0.5)}, 0)
    holes = tables(whole.queries, whole.votes.sample(fraction=0.6, seed=0))
    assert figures(holes)["gain", "all"] > 0.1
    assert study(tables(whole.queries, whole.votes.clear())).is_empty()
    no_test = Tables(whole.queries.filter(pl.col("split") != "test"), whole.votes, whole.scores, whole.routes, trials=whole.trials)
    assert study(no_test).is_empty() and sections(study(no_test)) == []


def test_names_of_models_are_text_and_nothing_else() -> None:
    names = {"</script><b>": (0.6, 0.75), "datum['x']": (0.95, 0.1), "without weak": (0.5, 0.5), "weak": (0.3, 0.4)}
    found = sections(study(planted(names, 0)))[0]
    assert found.chart is not None and "<" not in found.chart.specification
    assert found.table is not None and len(found.table.rows) == 8


def test_the_order_of_rows_changes_nothing() -> None:
    found = planted({"general": (0.6, 0.75), "specialist": (0.95, 0.1), "weak": (0.3, 0.4)}, 0)
    queries, votes = (frame.sample(fraction=1, shuffle=True, seed=1) for frame in (found.queries, found.votes))
    assert_frame_equal(study(found), study(tables(queries, votes)))


def test_correlations_are_those_of_the_libraries_and_know_of_holes() -> None:
    random = np.random.default_rng(0)
    rewards = random.random((60, 3))
    rewards[random.random((60, 3)) < 0.2] = np.nan
    resamples = Resamples(["one"] * 60, 20, 0)
    found = pair_correlations(rewards, resamples)
    for (first, second), (value, draws) in found.items():
        known = ~np.isnan(rewards[:, first]) & ~np.isnan(rewards[:, second])
        assert value == pytest.approx(np.corrcoef(rewards[known, first], rewards[known, second])[0, 1])
        repeated = np.repeat(np.flatnonzero(known), resamples.counts[3][known])
        assert draws[3] == pytest.approx(np.corrcoef(rewards[repeated, first], rewards[repeated, second])[0, 1], abs=1e-4)
    ordered = rank_correlation(np.array([[0.1, 0.2, 0.3, 0.4]]), np.array([[1.0, 2.0, 4.0, 3.0]]))
    assert ordered == pytest.approx([0.8])
    assert np.isnan(rank_correlation(np.ones((1, 4)), np.arange(4.0)[None])).all()
