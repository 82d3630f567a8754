"""Confidences that are squared are found and mended by scaling; those that are right are left alone."""

import numpy as np
import polars as pl
import pytest
from planted_tables import query_rows, score_rows, vote_rows
from polars.testing import assert_frame_equal
from sklearn.metrics import brier_score_loss, log_loss

from tasks.evaluation.studies import Tables, make_study
from tasks.lake.tables import METRICS, ROUTES, check, empty
from tasks.report.studies import sections

MODELS = ["fox", "owl", "yak"]
SIZES = {"train": 60, "validation": 250, "test": 500}


def world(seed: int, power: float = 1.0, *, sizes: dict[str, int] = SIZES) -> Tables:
    """A router says `chance ** power` of answers that are right with that chance; answers to one query are alike."""
    random = np.random.default_rng([seed, 11])
    parts, votes, scores, first = [], [], [], 0
    for split, count in sizes.items():
        queries = query_rows(count, split=split, first=first)
        first += count
        chances = np.clip(random.beta(2, 2, count)[:, None] + random.normal(0, 0.1, (count, 3)), 0.03, 0.97)
        alike = random.random(count)[:, None]
        right = np.where(random.random((count, 3)) < 0.3, alike, random.random((count, 3))) < chances
        parts.append(queries)
        votes += [vote_rows(queries, model, right[:, number].astype(float).tolist(), k=None) for number, model in enumerate(MODELS)]
        scores.append(score_rows(queries, "linear", {model: (chances[:, number] ** power).tolist() for number, model in enumerate(MODELS)}))
    return Tables(pl.concat(parts), pl.concat(votes), pl.concat(scores), empty(ROUTES))


def study(tables: Tables) -> dict[tuple[str, str | None], dict[str, float]]:
    """(metric, setting) → the row."""
    rows = check(METRICS, make_study("calibration", {}, tables, 300, 0))
    return {(row["metric"], row["setting"]): row for row in rows.iter_rows(named=True)}


@pytest.mark.parametrize("seed", range(4))
def test_squared_confidences_are_found_and_mended(seed: int) -> None:
    tables = world(seed, 2.0)
    found = study(tables)
    assert found["miscalibrated", None]["value"] == 1
    assert found["calibration_error", None]["ci_low"] > 0.05
    assert found["brier_difference", "isotonic"]["ci_high"] < 0
    assert found["calibration_error", "isotonic"]["value"] < 0.5 * found["calibration_error", None]["value"]
    assert found["accuracy", "temperature"]["value"] == found["accuracy", None]["value"]
    (section,) = sections(make_study("calibration", {}, tables, 300, 0))
    assert section.text.startswith("Those of linear cannot.")
    assert "isotonic scaling makes those of 1 better" in section.text


def test_confidences_that_are_right_are_left_alone() -> None:
    found = [study(world(seed)) for seed in range(12)]
    assert not any(of["miscalibrated", None]["value"] for of in found)
    better = [scaling for of in found for scaling in ("isotonic", "temperature") if of["brier_difference", scaling]["ci_high"] < 0]
    assert len(better) <= 1
    # By luck as much as is found, on the whole: most of these calibration errors are nothing else.
    excess = [of["calibration_error", None]["value"] - of["calibration_error_by_luck", None]["value"] for of in found]
    assert abs(np.mean(excess)) < 0.01
    above = [of for of in found if of["calibration_error", None]["value"] > of["calibration_error_by_luck", None]["ci_high"]]
    assert len(above) <= 3


def test_the_figures_are_those_of_scikit_learn() -> None:
    tables = world(3, 1.5)
    found = study(tables)
    test = tables.queries.filter(pl.col("split") == "test").select("query_id")
    pairs = test.join(tables.votes, on="query_id").join(tables.scores, on=["query_id", "model"])
    right, confidence = pairs["label"].to_numpy(), pairs["confidence"].to_numpy().astype(float)
    assert found["brier", None]["value"] == pytest.approx(brier_score_loss(right, confidence), abs=1e-6)
    assert found["log_loss", None]["value"] == pytest.approx(log_loss(right, confidence), abs=1e-6)


def test_holes_order_and_few_validation_queries() -> None:
    tables = world(5, sizes={"train": 10, "validation": 2, "test": 60})
    holes = tables.votes.filter((pl.col("model") != "fox") | (pl.col("query_id").str.ends_with("1").not_()))
    with_holes = Tables(tables.queries, holes, tables.scores, tables.routes)
    found = study(with_holes)
    assert found["calibration_error", None]["n"] == 60
    assert ("brier", "isotonic") not in found  # two validation queries tell nothing
    mixed = Tables(*(of.sample(fraction=1, shuffle=True, seed=3) for of in (tables.queries, holes, tables.scores)), tables.routes)
    assert_frame_equal(make_study("calibration", {}, with_holes, 100, 0), make_study("calibration", {}, mixed, 100, 0))
    (section,) = sections(make_study("calibration", {}, with_holes, 100, 0))
    assert "could not be scaled" in section.text


def test_of_too_few_queries_nothing_is_believed() -> None:
    (section,) = sections(make_study("calibration", {}, world(0, 2.0, sizes={"train": 60, "validation": 2, "test": 8}), 300, 0))
    assert section.text.startswith("That cannot be told: there are too few test questions.") and "–" not in section.text
    assert "No choice" not in section.text


def test_without_scores_there_is_nothing() -> None:
    tables = world(0, sizes={"train": 4, "validation": 4, "test": 4})
    nothing = Tables(tables.queries, tables.votes, tables.scores.clear(), tables.routes)
    assert make_study("calibration", {}, nothing, 100, 0).is_empty()
