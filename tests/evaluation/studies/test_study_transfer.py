"""Skills that words give away on every benchmark carry over to an unseen one; words of one benchmark alone do not."""

import numpy as np
import polars as pl
import pytest
from planted_tables import query_rows, vote_rows
from polars.testing import assert_frame_equal

from tasks.config import Router
from tasks.evaluation.studies import Tables, make_study, trials_of
from tasks.lake.tables import METRICS, ROUTES, SCORES, check, empty
from tasks.report.studies import sections
from tasks.routers.trials import run_trials

MODELS = ["fox", "owl", "yak"]
SIZES = {"train": 150, "validation": 30, "test": 200}
NAMES = ("alpha", "beta", "gamma")
WORDS = {"alpha": ("violin melody", "train station"), "beta": ("sonnet rhyme", "engine gear"), "gamma": ("fresco canvas", "bridge steel")}


def pool(seed: int, *, shared: bool, subjects: bool = False, names: tuple[str, ...] = NAMES) -> tuple[pl.DataFrame, pl.DataFrame]:
    """On each benchmark questions of two skills; fox has one of them, owl the other. `shared`: words give the skill away everywhere."""
    random = np.random.default_rng([seed, 13])
    queries, votes, first = [], [], 0
    for name in names:
        for split, count in SIZES.items():
            skill = random.integers(2, size=count)
            # Where words are the benchmark's own, they mean one skill here and are not found there.
            words = [("violin melody", "train station")[of] if shared else WORDS[name][of] for of in skill]
            asked = query_rows(count, benchmark=name, split=split, first=first)
            first += count
            asked = asked.with_columns(question=pl.Series([f"{of} question" for of in words]))
            if subjects:
                asked = asked.with_columns(subject=pl.Series([("music", "travel")[of] for of in skill]))
            queries.append(asked)
            chances = np.select([skill[:, None] == 0], [np.array([0.85, 0.3, 0.5])], np.array([0.3, 0.85, 0.5]))
            right = random.random((count, 3)) < chances
            votes += [vote_rows(asked, model, right[:, number].astype(float).tolist(), k=None) for number, model in enumerate(MODELS)]
    return pl.concat(queries), pl.concat(votes)


def tried(queries: pl.DataFrame, votes: pl.DataFrame) -> Tables:
    router = Router.model_validate({"name": "linear", "features": ["words"]})
    trials = run_trials(router, 0, trials_of("transfer", {}, queries, votes, 0))
    return Tables(queries, votes, empty(SCORES), empty(ROUTES), trials=trials)


def figures(tables: Tables) -> dict[tuple[str, str, str | None, str | None], dict[str, float]]:
    rows = check(METRICS, make_study("transfer", {}, tables, 300, 0))
    return {(row["metric"], row["setting"], row["benchmark"], row["subject"]): row for row in rows.iter_rows(named=True)}


@pytest.mark.parametrize("seed", range(2))
def test_what_words_give_away_everywhere_carries_over_and_what_they_give_away_here_does_not(seed: int) -> None:
    tables = tried(*pool(seed, shared=True))
    shared, own = figures(tables), figures(tried(*pool(seed, shared=False)))
    for setting in ("trained on one", "trained without each"):
        assert shared["gain_over_best_known", setting, None, None]["ci_low"] > 0.1
        assert shared["lost", setting, None, None]["ci_low"] > -0.05
        assert own["lost", setting, None, None]["ci_high"] < -0.1
        assert abs(own["gain_over_best_known", setting, None, None]["value"]) < 0.05
    cells = [key for key in shared if key[0] == "lost" and key[1].startswith("trained on ") and key[2] is not None]
    assert len(cells) == 6  # each benchmark to each other one
    assert ("lost", "trained on alpha", "alpha", None) not in shared
    (section,) = sections(make_study("transfer", {}, tables, 300, 0))
    assert section.text.startswith("Yes.") and section.chart is not None and section.table is not None
    assert len(section.table.rows) == 6 + 3 + 2


def test_of_one_benchmark_subjects_are_left_out() -> None:
    tables = tried(*pool(0, shared=True, subjects=True, names=("alpha",)))
    found = figures(tables)
    assert found["lost", "trained without subject music", "alpha", "music"]["ci_high"] < -0.1
    assert found["lost", "trained without subject music", "alpha", "music"]["n"] > 50
    assert not any(setting == "trained on one" for _, setting, _, _ in found)
    (section,) = sections(make_study("transfer", {}, tables, 300, 0))
    assert section.text.startswith("No sign of it. On a subject")


def test_where_nothing_can_be_left_out_there_is_nothing() -> None:
    queries, votes = pool(0, shared=True, names=("alpha",))
    assert list(trials_of("transfer", {}, queries, votes, 0)) == []
    tables = Tables(queries, votes, empty(SCORES), empty(ROUTES))
    assert make_study("transfer", {}, tables, 100, 0).is_empty()
    # A benchmark that was only tested on can be tried on, and not learned from.
    queries, votes = pool(0, shared=True, names=("alpha", "beta"))
    queries = queries.filter((pl.col("benchmark") != "beta") | (pl.col("split") == "test"))
    assert [trial.setting for trial in trials_of("transfer", {}, queries, votes, 0)] == [
        "as it is",
        "trained on alpha",
        "trained without beta",
    ]


def test_no_router_sees_what_it_is_tried_on_and_the_order_of_rows_changes_nothing() -> None:
    queries, votes = pool(3, shared=True, subjects=True)
    for trial in trials_of("transfer", {}, queries, votes, 0):
        rows = trial.queries.with_columns(kind=pl.concat_str("benchmark", "subject"))
        learned, tested = (set(rows.filter((pl.col("split") == "test") == is_test)["kind"]) for is_test in (False, True))
        assert trial.setting == "as it is" or not learned & tested
    tables = tried(queries, votes)
    of = (queries, votes, tables.scores, tables.routes, tables.trials)
    mixed = [frame.sample(fraction=1, shuffle=True, seed=3) for frame in of]
    other = Tables(*mixed[:4], trials=mixed[4])
    assert_frame_equal(make_study("transfer", {}, tables, 100, 0), make_study("transfer", {}, other, 100, 0))
