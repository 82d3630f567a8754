"""What `manyminds status` says of a lake: finished, unfinished, at work, broken, empty, in a bucket."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from planted_tables import hand_tables, query_rows

from flows import terminal
from flows.command_line import main
from flows.status import print_status, status_document
from tasks import steps
from tasks.config import RunFile, Sampling
from tasks.errors import ModelUnusable
from tasks.evaluation.evaluate import evaluate
from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, folder_name, write_table
from tasks.lake.tables import GENERATIONS, METRICS, QUERIES, ROUTES, SCORES, VOTES
from tasks.sampling.shards import in_shard, lacking, shards_of
from tasks.sampling.wanted import Asked, Wanted, failure_of, keep_failure, keep_wanted, read_wanted
from tasks.voting.decided import until_decided


def spread(queries: pl.DataFrame) -> pl.DataFrame:
    """The same queries over all buckets, as real ids are."""
    return queries.with_columns(query_id=pl.col("query_id").str.tail(8) + pl.col("query_id").str.head(8))


QUERY_ROWS = spread(query_rows(40))
HOSTILE = "\x1b[31m\x9b2J[red]owl[/red]"


def draw(
    lake: Lake, model: str, bucket: Bucket, samples: Sequence[int], but: int = 0, text: str = "#### 1", queries: pl.DataFrame = QUERY_ROWS
) -> None:
    """A file with these samples of the bucket's queries, but not of the first few."""
    ids = queries.filter(bucket.holds()).sort("query_id")["query_id"][but:]
    rows = pl.DataFrame(
        [
            {"query_id": query_id, "model": model, "recipe": "r1", "bucket": bucket.label, "sample": sample, "text": text}
            for query_id in ids
            for sample in samples
        ],
        schema=GENERATIONS.schema,
    )
    write_table(lake, GENERATIONS, rows, f"model={folder_name(model)}/recipe=r1/bucket={bucket.label}/")


def want(lake: Lake, *models: str, k: int = 3, stop: str = "all", buckets: int = 2, only: list[str] | None = None) -> None:
    keep_wanted(lake, Wanted("small", k, stop, buckets, {model: Asked({"r1": ["sums"]}, only) for model in models}))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with 40 queries."""
    lake = Lake(str(tmp_path / "lake"))
    write_table(lake, QUERIES, QUERY_ROWS, "sums/")
    return lake


def lacks(document: dict[str, Any]) -> dict[str, int]:
    return {one["shard"]: one["lacking"] for one in document["lacking"]}


def page_of(lake: Lake, capsys: pytest.CaptureFixture[str]) -> str:
    print_status(lake.url)
    return capsys.readouterr().out


def test_shards_that_lack_samples_are_named_as_prefect_names_them_with_what_happened(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = Bucket(0, 2), Bucket(1, 2)
    want(lake, "fox", "owl", "bat")
    for bucket in (first, second):
        draw(lake, "fox", bucket, range(3))
    draw(lake, "owl", first, range(3), but=2)
    keep_failure(
        lake, "owl", 0, failure_of({"owl · bucket 1 of 2": OSError("the server is gone"), "owl · bucket 2 of 2": OSError("it too")})
    )
    keep_failure(lake, "fox", 0, failure_of({"fox · bucket 1 of 2": OSError("that was before")}))
    count = QUERY_ROWS.filter(second.holds()).height
    document = status_document(lake)
    assert lacks(document) == {
        "owl · bucket 1 of 2": 2 * 3,
        "owl · bucket 2 of 2": count * 3,
        "bat · bucket 1 of 2": (40 - count) * 3,
        "bat · bucket 2 of 2": count * 3,
    }
    assert [one["why"] for one in document["lacking"]] == ["the server is gone", "it too", None, None]
    assert [(one["model"], one["wanted"], one["present"], one["lacking"]) for one in document["samples"]] == [
        ("fox", 120, 120, 0),
        ("owl", 120, 3 * (40 - count - 2), 6 + 3 * count),
        ("bat", 120, 0, 120),
    ]
    page = page_of(lake, capsys)
    assert "Shards that lack samples" in page and "owl · bucket 1 of 2" in page and "the server is gone" in page
    assert "bat · all buckets" in page and "that was before" not in page
    assert "`manyminds run` with the run file of small" in page


def test_a_model_that_cannot_be_loaded_is_said_once_until_its_samples_are_there(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    want(lake, "owl")
    errors = {f"owl · bucket {number} of 2": ModelUnusable("model 'owl': no weights in /models/owl") for number in (1, 2)}
    keep_failure(lake, "owl", 0, failure_of(errors))
    assert status_document(lake)["samples"][0]["unusable"] == "model 'owl': no weights in /models/owl"
    assert page_of(lake, capsys).count("no weights") == 1
    for bucket in (Bucket(0, 2), Bucket(1, 2)):
        draw(lake, "owl", bucket, range(3))
    assert status_document(lake)["samples"][0]["unusable"] is None
    keep_failure(lake, "owl", 0, None)
    assert lake.files("failures", ".json") == []


@pytest.mark.parametrize("stop", ["all", "decided"])
def test_what_is_lacking_is_what_the_plan_would_draw(lake: Lake, stop: str) -> None:
    """Samples written twice, samples beyond k, samples of other queries, files of another cut: none of them hides a lack."""
    want(lake, "owl", k=5, stop=stop, buckets=4)
    others = spread(query_rows(30, first=1000))
    draw(lake, "owl", Bucket(0, 4), range(5))
    draw(lake, "owl", Bucket(1, 4), range(4), text="#### 2")
    draw(lake, "owl", Bucket(1, 4), range(4), text="#### 3")  # the same samples again: as many rows as are wanted, or more
    draw(lake, "owl", Bucket(2, 4), range(3, 9))
    draw(lake, "owl", Bucket(3, 4), range(5), but=3)
    draw(lake, "owl", Bucket(3, 4), range(5), queries=others)
    draw(lake, "owl", Bucket(1, 2), [0])
    found = status_document(lake)
    shards = [shard for shard in (read_wanted(lake) or pytest.fail()).shards("owl") if shard.recipe == "r1"]
    decided = until_decided(Sampling(k=5, stop=stop), QUERY_ROWS)
    plan = {str(shard): count for shard, count in lacking(lake, shards, QUERY_ROWS, 5, decided) if count}
    assert lacks(found) == plan
    assert [name[-6] for name in plan] == (["2", "3", "4"] if stop == "all" else ["4"])
    assert found["samples"][0]["lacking"] == sum(plan.values())
    assert found["samples"][0]["wanted"] == 200


def test_a_model_that_is_asked_few_queries_lacks_no_others(lake: Lake) -> None:
    ids = QUERY_ROWS.filter(Bucket(0, 2).holds())["query_id"].to_list()
    want(lake, "owl", only=ids)
    draw(lake, "owl", Bucket(0, 2), range(3))
    document = status_document(lake)
    assert document["lacking"] == [] and document["samples"][0]["wanted"] == 3 * len(ids)


def test_samples_that_no_run_wants_are_told_from_those_of_which_it_is_not_known(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    draw(lake, "owl", Bucket(0, 1), range(3))
    before = status_document(lake)
    assert before["k"] is before["run"] is before["samples"][0]["wanted"] is before["samples"][0]["lacking"] is None
    assert "How many are wanted is not known" in page_of(lake, capsys)
    want(lake, "fox")
    fox, owl = status_document(lake)["samples"]
    assert (fox["model"], fox["present"], fox["lacking"]) == ("fox", 0, 120)
    assert (owl["model"], owl["present"], owl["wanted"], owl["lacking"]) == ("owl", 120, 0, 0)


def test_a_run_that_is_at_work_is_seen_and_not_disturbed(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    want(lake, "owl")
    before = lake.changed("", "")
    assert status_document(lake)["is_running"] is False
    with lake.alone():
        assert status_document(lake)["is_running"] is True
        page = " ".join(page_of(lake, capsys).split())
        assert "a run is at work" in page and "Still to be drawn" in page and "manyminds run" not in page
    assert status_document(lake)["is_running"] is False
    assert set(lake.changed("", "")) - set(before) == {".lock"}  # which is the run's


def test_files_that_cannot_be_read_are_named_and_the_rest_is_told(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    want(lake, "owl", buckets=1)
    draw(lake, "owl", Bucket(0, 1), range(3))
    lake.write("generations/model=owl/recipe=r1/bucket=00-of-01/cut.parquet", b"PAR1")
    lake.write("scores/knn/cut.parquet", b"PAR1")
    lake.write("metrics/cut.parquet", b"PAR1")
    document = status_document(lake)
    tables = {one["table"]: one for one in document["tables"]}
    assert tables["generations"]["rows"] == 120 and tables["generations"]["broken"][0].endswith("cut.parquet")
    assert tables["scores"]["rows"] is None and tables["scores"]["broken"] == ["scores/knn/cut.parquet"]
    assert document["verdict"] is None and document["lacking"] == []
    page = "".join(page_of(lake, capsys).split())
    assert page.count("cut.parquet") == 3 and "deleteitandrunagain" in page
    lake.write("wanted.json", b"[]")
    assert main(["status", "--lake", lake.url, "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "wanted.json" in err


def test_a_lake_in_which_nothing_is_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ([], ["--json"]):
        assert main(["status", "--lake", str(tmp_path / "nothing"), *form]) == 2
        out, err = capsys.readouterr()
        assert out == "" and "nothing there" in err
    assert not (tmp_path / "nothing").exists()


def evaluated(lake: Lake, k: int | None = None) -> None:
    """Two models, a router that is always right, and the figures."""
    answers = [1.0, 0.0] * 20
    chosen = {("perfect", "argmax"): ["fox", "owl"] * 20, ("other", "argmax"): ["fox"] * 40}
    tables = hand_tables({"fox": answers, "owl": [1 - answer for answer in answers]}, chosen, queries=QUERY_ROWS, k=k)
    write_table(lake, VOTES, tables.votes, "imported/")
    write_table(lake, SCORES, tables.scores, "r/")
    write_table(lake, ROUTES, tables.routes, "r/")
    write_table(lake, METRICS, evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {}, 100, 0), "evaluation/")


def test_the_verdict_is_told_in_short_and_in_numbers(
    lake: Lake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.console, "width", 80)
    evaluated(lake)
    verdict = status_document(lake)["verdict"]
    systems = {(one["model"], one["router"], one["policy"]): one for one in verdict["systems"]}
    perfect = systems[None, "perfect", "argmax"]
    assert perfect["accuracy"]["value"] == 1 and perfect["gain"]["value"] == 0.5 and perfect["verdict"]["value"] == 1
    assert systems["owl", None, None]["accuracy"]["value"] == 0.5 and perfect["accuracy"]["n"] == 40
    assert verdict["best_single"] == "fox" and not verdict["is_outdated"]
    page = page_of(lake, capsys)
    assert max(map(len, page.splitlines())) <= 80
    assert "perfect with argmax beats the best single model, fox, by 50.0 points" in " ".join(page.split())
    draw(lake, "owl", Bucket(0, 1), range(3))
    assert status_document(lake)["verdict"]["is_outdated"]


def test_the_document_is_json_whatever_a_model_is_called(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    want(lake, HOSTILE)
    draw(lake, HOSTILE, Bucket(0, 2), range(3))
    keep_failure(lake, HOSTILE, 0, failure_of({f"{HOSTILE} · bucket 2 of 2": OSError(HOSTILE)}))
    began = datetime.now(UTC)
    print_status(lake.url, as_json=True)
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    document = json.loads(out)
    assert document["samples"][0]["model"] == document["lacking"][0]["why"] == HOSTILE
    changed = next(one["changed"] for one in document["tables"] if one["table"] == "generations")
    assert changed.endswith("Z") and abs((began - datetime.fromisoformat(changed)).total_seconds()) < 60
    page = page_of(lake, capsys)
    assert page.replace("\n", "").isprintable() and "[red]owl[/red]" in page


def test_a_run_leaves_word_of_what_it_wants(make_run: Callable[..., RunFile]) -> None:
    run = make_run(sampling={"k": 2, "stop": "decided", "buckets": 3})
    lake = Lake(run.lake)
    steps.keep_wanted(run, [])
    wanted = read_wanted(lake)
    assert wanted is not None and (wanted.run, wanted.k, wanted.stop) == ("small", 2, "decided")
    for model in run.models:
        shards = shards_of(model, steps.templates_of(run, model), run.sampling)
        assert wanted.shards(model.name) == shards
        assert in_shard(QUERY_ROWS.with_columns(benchmark=pl.lit("embedded")), shards[0]).height > 0
    before = lake.changed("", "")
    steps.keep_wanted(run, [])
    assert lake.changed("", "") == before  # a run that wants the same writes nothing
    assert "path" not in lake.read("wanted.json").decode()


def test_a_lake_in_a_bucket(s3: str, capsys: pytest.CaptureFixture[str]) -> None:
    lake = Lake(s3)
    write_table(lake, QUERIES, QUERY_ROWS, "sums/")
    want(lake, "owl")
    draw(lake, "owl", Bucket(0, 2), range(3), but=1)
    evaluated(lake)
    document = status_document(lake)
    assert document["is_running"] is None and lacks(document)["owl · bucket 1 of 2"] == 3
    assert all(one["bytes"] > 0 and one["changed"] for one in document["tables"])
    print_status(s3)
    assert main(["show", "--lake", s3, str(QUERY_ROWS["query_id"][0])]) == 0
    out = capsys.readouterr().out
    assert "cannot be told" in out and "What is 0 + 1?" in out
