"""A run that stops sampling where votes are decided, through all steps."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from lake_contents import changed, generations
from planted_tables import hand_tables

from flows.refresh import refresh
from flows.showing import print_query
from flows.status import print_status
from tasks.config import RunFile, Sampling
from tasks.evaluation.evaluate import evaluate
from tasks.lake.files import Lake, read_table, write_table
from tasks.lake.tables import METRICS, QUERIES, VOTES


@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_the_same_votes_from_fewer_samples_and_the_rest_on_request(make_run: Callable[..., RunFile]) -> None:
    sampling = Sampling(k=5, stop="decided", max_new_tokens=40, buckets=2)
    run, rest = make_run(sampling=sampling), make_run(sampling=sampling.model_copy(update={"stop": "all"}))
    lake = Lake(run.lake)
    refresh(run)
    few, early, said = generations(run), read_table(lake, VOTES).sort(VOTES.key), lake.read("report.html").decode()
    assert set(early["stop"]) == {"all", "decided"}
    saved = read_table(lake, METRICS).filter(pl.col("metric") == "samples_saved")
    assert saved["value"].min() > 0
    assert "are censored" in said
    before = changed(run)
    refresh(run)
    assert changed(run) == before

    refresh(rest)
    everything, votes = generations(run), read_table(lake, VOTES).sort(VOTES.key)
    assert everything.height == 48 * 2 * 5 > few.height
    assert everything.join(few, on=few.columns, how="semi", nulls_equal=True).height == few.height
    same = ["query_id", "model", "majority", "correct"]
    assert votes.select(same).equals(early.select(same))
    assert set(votes["stop"]) == {"all"}
    assert "are censored" not in lake.read("report.html").decode()


def test_votes_of_a_lake_from_before_they_said_why_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables, lake = hand_tables({"fox": [1.0, 0.4], "owl": [0.0, 0.8]}, {}), Lake(str(tmp_path))
    write_table(lake, QUERIES, tables.queries, "sums/")
    (tmp_path / "votes").mkdir()
    tables.votes.drop("wanted", "stop", "completion_tokens").write_parquet(tmp_path / "votes" / "old.parquet")
    votes = read_table(lake, VOTES)
    assert votes["stop"].null_count() == votes.height == 4
    print_status(lake.url)
    print_query(lake.url, votes["query_id"][0])
    assert "owl" in capsys.readouterr().out
    metrics = evaluate(tables.queries, votes, tables.scores, tables.routes, {}, 100, 0)["metric"].to_list()
    assert "agreement" in metrics and "samples_saved" not in metrics
