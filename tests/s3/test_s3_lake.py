"""The lake in a bucket, on two servers: written once, read by anybody, and errors that say what to do."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset
import pytest
from s3fs import S3FileSystem

from flows.command_line import main
from flows.refresh import refresh
from tasks.config import RunFile
from tasks.errors import UserError
from tasks.lake.files import Lake, keep_only, read_table, write_table
from tasks.lake.tables import GENERATIONS, SCORES, TABLES, VOTES

MakeRun = Callable[..., RunFile]


def scores(*confidences: float) -> pl.DataFrame:
    columns = {"router": "r", "model": "m", "cost": None}
    rows = [{"query_id": f"{number:02}", "confidence": value} | columns for number, value in enumerate(confidences)]
    return pl.DataFrame(rows, schema_overrides=SCORES.schema).select(list(SCORES.columns))


def test_what_is_written_is_listed_read_and_removed(s3: str) -> None:
    lake = Lake(s3)
    assert lake.files("scores") == lake.names("scores") == []
    path = write_table(lake, SCORES, scores(0.5), "a%2Fb=ü/")
    assert lake.exists(path)
    assert lake.files("scores") == [path]
    assert lake.names("scores") == ["a%2Fb=ü"]
    assert read_table(lake, SCORES).equals(scores(0.5))
    lake.remove(path, "scores/nothing-there.parquet")
    assert not lake.exists(path)
    with pytest.raises(FileNotFoundError):
        lake.read(path)


def test_a_prefix_that_begins_another_is_another_lake(s3: str) -> None:
    write_table(Lake(f"{s3}-other"), SCORES, scores(0.5), "r/")
    write_table(Lake(s3), SCORES, scores(0.5), "rr/")
    assert Lake(s3).files("scores/r") == []
    assert len(Lake(s3).files("")) == 1


def test_a_thousand_and_more_files_are_listed_and_removed(s3: str) -> None:
    lake = Lake(s3)
    paths = [f"votes/{number:04}.parquet" for number in range(1010)]
    lake.filesystem.pipe({f"{lake.location(path)}": b"x" for path in paths})
    assert lake.files("votes") == paths
    keep_only(lake, "votes", paths[:1])
    assert lake.files("votes") == paths[:1]


def test_of_two_writers_of_one_file_the_second_finds_it_done(s3: str) -> None:
    lake = Lake(s3)
    lake.create("votes/a.parquet", b"first")
    lake.create("votes/a.parquet", b"second")
    assert lake.read("votes/a.parquet") == b"first"
    lake.write("report.html", b"first")
    lake.write("report.html", b"second")
    assert lake.read("report.html") == b"second"


def test_threads_write_and_read_at_the_same_time(s3: str) -> None:
    lake, failed = Lake(s3), list[BaseException]()

    def work(number: int) -> None:
        try:
            for part in range(10):
                lake.create(f"votes/{part}.parquet", b"the same")
                write_table(Lake(s3), SCORES, scores(number / 10), f"{number}/")
                read_table(Lake(s3), SCORES)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(lake.files("votes")) == 10
    assert len(lake.files("scores")) == 8


@pytest.mark.parametrize(
    ("variables", "lake", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "s3://lakes/x", "no credentials; set AWS_ACCESS_KEY_ID"),
        ({"AWS_SECRET_ACCESS_KEY": "wr0ng-secret"}, "s3://lakes/x", "these credentials are not accepted"),
        ({"AWS_ENDPOINT_URL": "no address"}, "s3://lakes/x", "AWS_ENDPOINT_URL is not usable"),
        ({"AWS_PROFILE": "nobody"}, "s3://lakes/x", "profile (nobody) could not be found"),
        ({}, "s3://nobodys-bucket/x", "there is no such bucket"),
        ({}, "s3://name:wr0ng-secret@lakes/x", "expected s3://bucket/prefix"),
    ],
)
def test_what_a_person_has_to_put_right_is_said_in_one_line(
    seaweedfs: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str | None],
    lake: str,
    said: str,
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in (seaweedfs | variables).items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    assert main(["status", "--lake", lake]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert "wr0ng" not in error


def test_credentials_and_server_may_come_from_a_profile(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION")
    key, secret, endpoint, region = (os.environ[name] for name in names)
    profile = f"aws_access_key_id = {key}\naws_secret_access_key = {secret}\nendpoint_url = {endpoint}\nregion = {region}\n"
    (tmp_path / "config").write_text(f"[profile lake]\n{profile}")
    for name in names:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "lake")
    write_table(Lake(s3), SCORES, scores(0.5), "r/")
    assert read_table(Lake(s3), SCORES).equals(scores(0.5))


def test_a_table_that_is_broken_is_named(s3: str) -> None:
    Lake(s3).write("scores/r/broken.parquet", b"not parquet")
    with pytest.raises(UserError, match=r"scores/r/broken\.parquet: cannot be read .* delete it"):
        read_table(Lake(s3), SCORES)


@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_a_run_fills_a_bucket_once_and_everybody_reads_it(make_run: MakeRun, s3: str, capsys: pytest.CaptureFixture[str]) -> None:
    run, lake = make_run(lake=s3), Lake(s3)
    refresh(run)
    before = lake.changed("", "")
    assert any(path.startswith(".results/") for path in before)
    refresh(run)
    assert lake.changed("", "") == before

    local = make_run()
    refresh(local)
    for table in (GENERATIONS, VOTES):
        timed = [name for name in ("latency_s", "first_token_s") if name in table.columns]
        ours, theirs = (read_table(Lake(one.lake), table).drop(timed).sort(table.key) for one in (run, local))
        assert ours.equals(theirs)

    for arguments in (["status"], ["show", read_table(lake, VOTES)["query_id"][0]], ["route", "Write 8294 backwards."]):
        assert main([arguments[0], "--lake", s3, *arguments[1:]]) == 0
    said = capsys.readouterr().out
    assert "Samples" in said
    assert said.strip().splitlines()[-1] in {"ledger", "scribe"}

    anybody = S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"], client_kwargs={"region_name": "us-east-1"})
    connection = duckdb.connect()
    connection.register_filesystem(anybody)
    options = {"storage_options": {"aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"], "aws_allow_http": "true", "aws_region": "us-east-1"}}
    for table in TABLES.values():
        rows, folder = read_table(lake, table).height, f"{s3}/{table.name}".removeprefix("s3://")
        pattern = f"s3://{folder}/**/*.parquet"
        by_polars = pl.scan_parquet(pattern, hive_partitioning=True, **options).collect()
        by_duckdb = connection.sql(f"select * from read_parquet('{pattern}', hive_partitioning=true)").pl()
        by_pyarrow = pyarrow.dataset.dataset(folder, filesystem=anybody, partitioning="hive").to_table()
        by_pandas = pd.read_parquet(folder, filesystem=anybody)
        assert by_polars.height == by_duckdb.height == by_pyarrow.num_rows == len(by_pandas) == rows, table.name
        for name in table.hive:
            kinds = [by_polars[name].dtype, by_duckdb[name].dtype, pl.Series(by_pyarrow[name].to_pylist()).dtype]
            assert [*kinds, pl.Series(by_pandas[name].tolist()).dtype] == [pl.String] * 4, (table.name, name)
