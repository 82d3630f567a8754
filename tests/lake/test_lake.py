"""The lake: files written whole or not at all, schemas checked at every write, tables readable without us."""

import os
from pathlib import Path
from uuid import uuid4

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.lake.buckets import Bucket, buckets, parse_bucket
from tasks.lake.files import Lake, folder_name, keep_only, read_table, write_table
from tasks.lake.fingerprints import fingerprint
from tasks.lake.tables import GENERATIONS, SCORES, TABLES, check, empty


def generations(query_id: str = "00", sample: int = 0, text: str = "11", model: str = "m/1") -> pl.DataFrame:
    row = {"query_id": query_id, "model": model, "recipe": "r1", "bucket": "00-of-01", "sample": sample, "seed": 1, "text": text}
    return pl.DataFrame(
        [row | dict.fromkeys(("finish_reason", "prompt_tokens", "completion_tokens", "latency_s", "first_token_s"))],
        schema=GENERATIONS.schema,
    )


def scores(**columns: object) -> pl.DataFrame:
    row = {"query_id": "00", "router": "r", "model": "m", "confidence": 0.5, "cost": None} | columns
    return pl.DataFrame([row], schema_overrides=SCORES.schema)


def path_of(model: str) -> str:
    return f"model={folder_name(model)}/recipe=r1/bucket=00-of-01/"


@pytest.mark.parametrize("place", ["folder", "memory"])
def test_what_is_written_is_read_back_from_a_folder_and_from_another_filesystem(tmp_path: Path, place: str) -> None:
    lake = Lake(str(tmp_path / "lake") if place == "folder" else f"memory://{uuid4().hex}")
    path = write_table(lake, SCORES, scores(), "r/")
    assert lake.files("scores") == [path]
    if place == "folder":  # Polars has no reader for fsspec's memory
        assert read_table(lake, SCORES).equals(check(SCORES, scores()))
    lake.remove(path)
    assert not lake.exists(path)


def test_a_lake_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    with pytest.raises(UserError, match="is a file"):
        Lake(str(tmp_path / "lake")).files("votes")


def test_a_name_that_no_file_system_would_take_is_refused() -> None:
    with pytest.raises(UserError, match="too long for a name"):
        folder_name("🦉" * 30)


def test_a_table_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_table(Lake(str(tmp_path)), GENERATIONS).equals(empty(GENERATIONS))


def test_the_same_rows_have_the_same_file_name(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert write_table(lake, SCORES, scores(), "r/") == write_table(lake, SCORES, scores(), "r/")
    assert write_table(lake, SCORES, scores(confidence=0.25), "r/") != write_table(lake, SCORES, scores(), "r/")
    assert write_table(lake, SCORES, scores(), "") in lake.files("scores")  # in no folder of its own


def test_a_sample_that_was_written_twice_is_read_once(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    write_table(lake, GENERATIONS, generations(), path_of("m/1") + "a.parquet")
    write_table(lake, GENERATIONS, generations(), path_of("m/1") + "b.parquet")
    assert read_table(lake, GENERATIONS).height == 1


@given(model=st.text(min_size=1, max_size=40).filter(lambda name: "\0" not in name and name.isprintable()))
def test_any_model_name_survives_the_path(model: str) -> None:
    assert "/" not in folder_name(model)
    assert folder_name(model) not in {".", ".."}


@pytest.mark.parametrize("model", ["google/gemma-7b", "7", "a=b c%2F", "..", "modèle"])
def test_polars_duckdb_pyarrow_and_pandas_read_partitioned_tables_without_us(tmp_path: Path, model: str) -> None:
    lake = Lake(str(tmp_path))
    write_table(lake, GENERATIONS, generations(model=model), path_of(model))
    pattern = f"{tmp_path}/generations/**/*.parquet"
    assert read_table(lake, GENERATIONS)["model"].to_list() == [model]
    assert [str(name) for name in pl.scan_parquet(pattern, hive_partitioning=True).collect()["model"]] == [model]
    assert [str(row[0]) for row in duckdb.sql(f"select model from read_parquet('{pattern}', hive_partitioning=true)").fetchall()] == [model]
    assert [
        str(name) for name in pyarrow.dataset.dataset(tmp_path / "generations", partitioning="hive").to_table()["model"].to_pylist()
    ] == [model]
    assert [str(name) for name in pd.read_parquet(tmp_path / "generations")["model"]] == [model]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(str(tmp_path))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(lake.filesystem), "mv", full)
    with pytest.raises(OSError, match="No space"):
        lake.write("scores/a.parquet", b"x")
    assert [file for _, _, files in os.walk(tmp_path) for file in files] == []


def test_an_unfinished_file_belongs_to_no_table(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    path = write_table(lake, SCORES, scores(), "r/")
    (tmp_path / "scores" / "r" / "x.parquet.123.unfinished").write_bytes(b"half")
    assert lake.files("scores") == [path]


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.write("scores/r/broken.parquet", b"not parquet")
    with pytest.raises(UserError, match="scores"):
        read_table(lake, SCORES)


def test_keep_only_removes_what_is_no_longer_part_of_the_table(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    old, new = write_table(lake, SCORES, scores(), "r/"), write_table(lake, SCORES, scores(confidence=1.0), "r/")
    keep_only(lake, "scores", [new])
    assert lake.files("scores") == [new]
    assert old != new


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (scores().drop("router"), "missing columns"),
        (scores().with_columns(extra=pl.lit(1)), "unknown columns"),
        (scores(confidence=1.5), "outside 0"),
        (scores(confidence=float("nan")), "outside 0"),
        (scores(model=None), "nulls"),
        (pl.concat([scores(), scores(confidence=0.1)]), "two rows"),
    ],
)
def test_a_table_with_a_wrong_row_is_not_written(tmp_path: Path, frame: pl.DataFrame, said: str) -> None:
    lake = Lake(str(tmp_path))
    with pytest.raises(ValueError, match=said):
        write_table(lake, SCORES, frame, "r/")
    assert lake.files("scores") == []


def test_every_column_says_what_it_means() -> None:
    assert all(column.meaning for table in TABLES.values() for column in table.columns.values())
    assert all(set(table.key) <= set(table.columns) and set(table.hive) <= set(table.columns) for table in TABLES.values())


# ── buckets ──────────────────────────────────────────────────────────────────────────────────────────────────────────

query_ids = st.lists(st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}"), min_size=1, max_size=50, unique=True)


@given(query_ids, st.integers(1, 99))
def test_every_query_lies_in_exactly_one_bucket(ids: list[str], count: int) -> None:
    frame = pl.DataFrame({"query_id": ids})
    held = [frame.filter(bucket.holds())["query_id"].to_list() for bucket in buckets(count)]
    assert sorted(query_id for part in held for query_id in part) == sorted(ids)


@given(query_ids, st.integers(1, 99), st.integers(1, 99))
def test_buckets_of_different_cuts_that_share_a_query_overlap(ids: list[str], one: int, other: int) -> None:
    frame = pl.DataFrame({"query_id": ids})
    cuts = [
        frame.select(pl.coalesce(pl.when(bucket.holds()).then(bucket.index) for bucket in buckets(count)).alias("index"))["index"]
        for count in (one, other)
    ]
    for left, right in zip(*cuts, strict=True):
        assert Bucket(left, one).overlaps(Bucket(right, other))
        assert Bucket(right, other).overlaps(Bucket(left, one))


def test_buckets_that_share_no_query_do_not_overlap() -> None:
    assert not Bucket(0, 2).overlaps(Bucket(1, 2))
    assert not Bucket(0, 4).overlaps(Bucket(1, 2))
    assert not Bucket(3, 4).overlaps(Bucket(0, 3))


@given(st.integers(1, 99), st.data())
def test_a_label_names_its_bucket(count: int, data: st.DataObject) -> None:
    bucket = Bucket(data.draw(st.integers(0, count - 1)), count)
    assert parse_bucket(bucket.label) == bucket


@pytest.mark.parametrize("label", ["", "3", "3-of", "a-of-b", "-1-of-2"])
def test_what_is_no_label_is_refused(label: str) -> None:
    with pytest.raises(UserError, match="not a bucket"):
        parse_bucket(label)


# ── fingerprints ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_different_values_have_different_fingerprints() -> None:
    values: list[object] = [
        1,
        1.0,
        True,
        "1",
        None,
        "None",
        [],
        [[]],
        ["ab"],
        ["a", "b"],
        {"a": 1},
        {"a": 2},
        b"1",
        -0.0,
        0.0,
        float("inf"),
    ]
    assert len({fingerprint(value) for value in values}) == len(values)


def test_a_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_a_fingerprint_is_the_same_everywhere() -> None:
    assert fingerprint("number", 3, (0.7, None)) == "79920d69c6ec5111"


@pytest.mark.parametrize("value", [object(), len, lambda: 0, {1, 2}, {1: 2}])
def test_what_may_differ_between_runs_has_no_fingerprint(value: object) -> None:
    with pytest.raises(TypeError, match="cannot fingerprint"):
        fingerprint(value)
