"""Outcomes made elsewhere, through the whole DAG; and what test labels, row order and model order may not change."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from lake_contents import changed

from flows.refresh import refresh
from tasks.config import RunFile
from tasks.errors import UserError
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import METRICS, QUERIES, ROUTES, SCORES, VOTES

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("server")]
ENCODER = str(Path(__file__).parents[2] / "tasks" / "world" / "encoder")
ROUTERS = [{"name": "kmeans-tfidf", "clusters": 8}, {"name": "roberta-multi-label", "encoder": ENCODER, "epochs": 1}]
# Not by the name "auto": that would be the default whatever the labels say.
CHOOSING = [{"name": "choosing", "kind": "auto", "features": ["words"]}, {"name": "domains", "features": ["words"]}]
POLICIES = ["argmax", "random", "prediction", "sorted-prediction"]


def outcomes(seed: int = 0) -> pl.DataFrame:
    """300 questions of two benchmarks, three models that are each good at one kind of question; many models tie."""
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(300):
        kind = ("cats", "dogs", "fish")[number % 3]
        split = ("train", "train", "validation", "test")[number // 3 % 4]
        for place, model in enumerate(("org/b", "a", "c d")):
            chance = 0.8 if number % 3 == place else 0.4
            rows.append(
                {
                    "benchmark": "easy" if number < 150 else "hard",
                    "split": split,
                    "query_id": f"q{number}",
                    "question": f"What about {kind} number {number}?",
                    "model": model,
                    "score": float(generator.random() < chance),
                }
            )
    return pl.DataFrame(rows)


def routes(frame: pl.DataFrame, folder: Path, **sections: Any) -> pl.DataFrame:
    folder.mkdir()
    frame.write_parquet(folder / "outcomes.parquet")
    content = {
        "lake": str(folder / "lake"),
        "outcomes": [{"files": [str(folder / "outcomes.parquet")]}],
        "routers": ROUTERS,
        "evaluation": {"policies": POLICIES, "bootstrap": 100},
    }
    run = RunFile.model_validate(content | sections)
    refresh(run)
    return read_table(Lake(run.lake), ROUTES).sort("query_id", "router", "policy")


def test_permuting_labels_and_costs_of_the_test_split_changes_no_route_no_score_and_no_default(tmp_path: Path) -> None:
    prices = pl.col("model").replace_strict({"org/b": 0.01, "a": 0.02, "c d": 0.05}, return_dtype=pl.Float64)
    frame = outcomes().with_columns(cost_usd=prices * pl.col("query_id").str.len_chars())
    test = frame.filter(pl.col("split") == "test").with_columns(pl.col("score", "cost_usd").shuffle(seed=1))
    permuted = pl.concat([frame.filter(pl.col("split") != "test"), test])
    assert not permuted.sort("query_id", "model")["score"].equals(frame.sort("query_id", "model")["score"])
    sections = {"routers": ROUTERS + CHOOSING, "evaluation": {"policies": [*POLICIES, "cost-aware", "budget"], "bootstrap": 100}}
    before, after = routes(frame, tmp_path / "as-it-is", **sections), routes(permuted, tmp_path / "permuted", **sections)
    assert before.equals(after)
    assert {("choosing", "cost-aware"), ("domains", "prediction")} <= set(before.select("router", "policy").iter_rows())
    lakes = [Lake(str(tmp_path / name / "lake")) for name in ("as-it-is", "permuted")]
    scores = [read_table(lake, SCORES).sort("query_id", "router", "model") for lake in lakes]
    assert scores[0].equals(scores[1]) and scores[0]["cost"].null_count() == 0
    metrics = [read_table(lake, METRICS).sort(METRICS.key) for lake in lakes]
    chosen = [found.filter(pl.col("metric") == "default").select("router", "policy") for found in metrics]
    assert chosen[0].equals(chosen[1]) and chosen[0].height == 1
    assert not metrics[0].equals(metrics[1])  # what is measured does change


def test_the_order_of_rows_and_of_models_changes_no_route(tmp_path: Path) -> None:
    frame = outcomes()
    assert routes(frame, tmp_path / "as-it-is").equals(routes(frame.sample(fraction=1.0, shuffle=True, seed=3), tmp_path / "shuffled"))


def test_new_train_labels_do_change_routes(tmp_path: Path) -> None:
    """So that the two tests above could fail."""
    frame = outcomes()
    other = frame.with_columns(pl.when(pl.col("split") == "train").then(1 - pl.col("score")).otherwise(pl.col("score")).alias("score"))
    assert not routes(frame, tmp_path / "as-it-is").equals(routes(other, tmp_path / "other"))


def test_a_missing_split_is_cut_by_hash_and_the_report_says_so(tmp_path: Path) -> None:
    frame = outcomes().with_columns(split=pl.lit("train"))
    routes(frame, tmp_path / "cut")
    lake = Lake(str(tmp_path / "cut" / "lake"))
    assert set(read_table(lake, QUERIES)["split"]) == {"train", "validation", "test"}
    assert "by hash" in lake.read("report.html").decode()


def test_holes_stay_holes(tmp_path: Path) -> None:
    frame = outcomes().filter(~((pl.col("model") == "a") & (pl.col("query_id").is_in(["q3", "q9", "q10", "q11"]))))
    routes(frame, tmp_path / "holes")
    lake = Lake(str(tmp_path / "holes" / "lake"))
    assert read_table(lake, VOTES).height == frame.height
    single = read_table(lake, METRICS).filter(
        (pl.col("metric") == "accuracy")
        & (pl.col("model") == "a")
        & (pl.col("split") == "test")
        & pl.col("benchmark").is_null()
        & pl.col("router").is_null()
        & pl.col("subject").is_null()
    )
    test = frame.filter((pl.col("split") == "test") & (pl.col("model") == "a"))
    assert single["n"].to_list() == [test.height]
    assert single["value"][0] == pytest.approx(test["score"].mean())


@pytest.mark.parametrize("split", ["test", "validation"])
def test_outcomes_that_nothing_can_be_learned_from_leave_the_lake_as_it_was(tmp_path: Path, split: str) -> None:
    routes(outcomes(), tmp_path / "good")
    outcomes().with_columns(split=pl.lit(split)).write_parquet(tmp_path / "bad.parquet")
    content = {"lake": str(tmp_path / "good" / "lake"), "outcomes": [{"files": [str(tmp_path / "bad.parquet")]}], "routers": ROUTERS}
    run = RunFile.model_validate(content)
    before = changed(run)
    with pytest.raises(UserError, match=r"bad\.parquet: no query of split 'train'"):
        refresh(run)
    assert changed(run) == before


@pytest.mark.parametrize(("name", "queries", "models"), [("routerdc", 5935, 7), ("routerbench", 2218, 11)])
def test_real_outcomes_give_all_tables_and_a_report(real_data: Path, tmp_path: Path, name: str, queries: int, models: int) -> None:
    file = real_data / name / "outcomes-train.parquet"
    run = RunFile.model_validate(
        {"lake": str(tmp_path / "lake"), "outcomes": [{"files": [str(file)]}], "routers": [{"name": "kmeans-tfidf"}]}
    )
    refresh(run)
    lake = Lake(run.lake)
    assert read_table(lake, QUERIES).height == queries
    assert read_table(lake, VOTES)["model"].n_unique() == models
    assert read_table(lake, SCORES).height == queries * models * 4
    assert read_table(lake, METRICS).filter(pl.col("metric") == "verdict")["value"].is_in([-1.0, 0.0, 1.0]).all()
    assert lake.exists("report.html")
