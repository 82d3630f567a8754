"""What `manyminds label` says, and that it reads and does not sample."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from lake_contents import changed, generations

from flows.refresh import refresh
from flows.relabelling import changed_labels, print_relabelled
from flows.showing import print_query
from tasks.config import RunFile
from tasks.lake.files import Lake, keep_only, read_table, write_table
from tasks.lake.tables import QUERIES, VOTES

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("server")]


def test_answers_are_read_again_and_what_changed_is_said(make_run: Callable[..., RunFile], capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run()
    refresh(run)
    lake, drawn, votes = Lake(run.lake), generations(run), read_table(Lake(run.lake), VOTES)
    before = {path: (Path(run.lake) / path).read_bytes() for path in changed(run)}

    shutil.rmtree(Path(run.lake) / "votes")
    print_relabelled(run)
    assert {path: (Path(run.lake) / path).read_bytes() for path in changed(run)} == before
    assert f"{votes.height} are new" in capsys.readouterr().out

    print_relabelled(run)
    assert "0 of 96 labels changed" in capsys.readouterr().out

    # As an earlier reader would have left it, which was wrong about one vote and read another one's runner-up otherwise.
    right = votes.filter("correct").row(0, named=True)
    is_first, is_other = pl.col("query_id") == right["query_id"], pl.col("majority").is_not_null() & ~pl.col("correct")
    is_first = is_first & (pl.col("model") == right["model"])
    other = votes.filter(is_other & ~is_first).row(0, named=True)
    is_other = (pl.col("query_id") == other["query_id"]) & (pl.col("model") == other["model"])
    none = pl.lit([None, None, None], pl.List(pl.String))
    old = votes.with_columns(
        label=pl.when(is_first).then(0.0).otherwise("label"),
        correct=pl.col("correct") & ~is_first,
        majority=pl.when(is_first).then(pl.lit("00")).otherwise("majority"),
        answers=pl.when(is_first | is_other).then(none).otherwise("answers"),
    )
    keep_only(lake, "votes", [write_table(lake, VOTES, old, "old/")])
    assert changed_labels(old, votes).select("query_id", "model").rows() == [
        (right["query_id"], right["model"]),
        (other["query_id"], other["model"]),
    ]
    print_relabelled(run)
    said = capsys.readouterr().out
    assert "1 of 96 labels changed: 1 count for more now, 0 for less" in said
    assert "1 more were read otherwise" in said
    assert "00, wrong" in said and f"{right['majority']}, right" in said
    assert read_table(lake, VOTES).sort(VOTES.key).equals(votes.sort(VOTES.key))
    assert generations(run).equals(drawn)

    # As an earlier version wrote it, in which the majority's verdict was the only label.
    former = Path(run.lake) / "votes" / "former.parquet"
    votes.drop("label", "runner_up_votes").write_parquet(former)
    keep_only(lake, "votes", ["votes/former.parquet"])
    print_relabelled(run)
    said = capsys.readouterr().out
    assert "0 of 96 labels changed" in said and "read otherwise" not in said

    query = read_table(lake, QUERIES).row(0, named=True)
    print_query(run.lake, query["query_id"])
    shown = capsys.readouterr().out
    assert "ledger, scribe" in shown[shown.index("Prompts") :]  # they saw the same prompt
    assert query["question"].split()[0] in shown[shown.index("Prompts") :]


def test_another_rule_for_labels_changes_them_and_samples_nothing(make_run: Callable[..., RunFile]) -> None:
    run = make_run()
    refresh(run)
    drawn, majority = generations(run), read_table(Lake(run.lake), VOTES)
    refresh(make_run(labels={"rule": "success-rate"}))
    soft = read_table(Lake(run.lake), VOTES)
    assert generations(run).equals(drawn)
    assert soft["label"].equals(soft["success_rate"].alias("label"))
    assert soft.drop("label").sort(VOTES.key).equals(majority.drop("label").sort(VOTES.key))
    assert "counts for the share of its samples" in Lake(run.lake).read("report.html").decode()
