"""Cut-off samples are counted where they lie: each once, and only those that voted."""

from pathlib import Path

import polars as pl
import pytest
from planted_tables import query_rows, vote_rows

from tasks.lake.files import Lake, write_table
from tasks.lake.generations import generation_folder
from tasks.lake.tables import ENDINGS, GENERATIONS
from tasks.voting import endings as module
from tasks.voting.endings import endings

QUERIES = pl.concat([query_rows(4), query_rows(4, benchmark="facts", first=4)])
VOTES = vote_rows(QUERIES, "m/1", [1.0] * 8, k=3).with_columns(wanted=pl.lit(3, pl.Int32))


def write(lake: Lake, name: str, *, recipe: str = "r1", bucket: str = "00-of-01", cut: int = 1, samples: int = 4) -> None:
    """A file of samples of all queries; of each query the first `cut` samples are cut off."""
    rows = [
        {"query_id": query, "sample": sample, "finish_reason": "length" if sample < cut else "stop", "text": "x"}
        for query in QUERIES["query_id"]
        for sample in range(samples)
    ]
    known = pl.DataFrame(rows).with_columns(model=pl.lit("m/1"), recipe=pl.lit(recipe), bucket=pl.lit(bucket))
    frame = known.with_columns(pl.lit(None).alias(column) for column in GENERATIONS.columns if column not in known.columns)
    write_table(lake, GENERATIONS, frame, f"{generation_folder('m/1', recipe)}/bucket={bucket}/{name}.parquet".removeprefix("generations/"))


@pytest.mark.parametrize("part", [100_000, 3])
def test_each_sample_that_voted_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    lake = Lake(str(tmp_path))
    monkeypatch.setattr(module, "_PART", part)
    write(lake, "a")  # the fourth sample did not vote: three are wanted
    write(lake, "b", bucket="00-of-02")  # the same samples, written again when the queries were cut otherwise
    write(lake, "c", recipe="r2", cut=4)  # of another recipe
    found = endings(lake, QUERIES, VOTES)
    assert found.schema == pl.Schema(ENDINGS.schema)
    assert found.rows() == [("facts", "m/1", 12, 4), ("sums", "m/1", 12, 4)]
    assert endings(lake, QUERIES.head(4), VOTES).rows() == [("sums", "m/1", 12, 4)]
    assert endings(lake, QUERIES.reverse(), VOTES.reverse()).equals(found)


def test_imported_samples_count_if_it_is_known_how_they_ended(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    write(lake, "a")
    imported = VOTES.with_columns(wanted=pl.lit(None, pl.Int32))
    assert endings(lake, QUERIES, imported).rows() == [("facts", "m/1", 16, 4), ("sums", "m/1", 16, 4)]
    [file] = lake.files("generations")
    frame = pl.read_parquet(Path(lake.location(file)), hive_partitioning=False)
    frame.with_columns(finish_reason=pl.lit(None, pl.String)).write_parquet(lake.location(file))
    assert endings(lake, QUERIES, imported).is_empty()


def test_outcomes_without_samples_have_no_endings_and_a_broken_file_stops_nobody(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert endings(lake, QUERIES, VOTES).is_empty()
    write(lake, "a")
    [whole] = lake.files("generations")
    lake.write(whole.replace("a.parquet", "b.parquet"), b"cut off")
    assert endings(lake, QUERIES, VOTES)["samples"].to_list() == [12, 12]
