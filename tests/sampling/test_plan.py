"""The plan is what is wanted less what is present, whatever the buckets were called when it was written."""

import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.lake.buckets import Bucket, buckets
from tasks.lake.files import Lake, write_table
from tasks.lake.fingerprints import fingerprint
from tasks.lake.generations import generation_files
from tasks.lake.tables import GENERATIONS
from tasks.sampling.plan import missing

QUERY_IDS = [fingerprint(number) for number in range(12)]
samples = st.sets(st.tuples(st.sampled_from(QUERY_IDS), st.integers(0, 5)))


def write(lake: Lake, keys: set[tuple[str, int]], count: int, model: str = "m", recipe: str = "r1") -> None:
    """Write these samples under `count` buckets."""
    rows = pl.DataFrame(sorted(keys), schema={"query_id": pl.String, "sample": pl.Int32}, orient="row")
    for bucket in buckets(count):
        part = rows.filter(bucket.holds())
        if part.is_empty():
            continue
        nothing = {"seed": None, "finish_reason": None, "prompt_tokens": None, "completion_tokens": None}
        nothing |= {"latency_s": None, "first_token_s": None}
        named = {"model": model, "recipe": recipe, "bucket": bucket.label, "text": ""}
        frame = part.with_columns(**{name: pl.lit(value) for name, value in (nothing | named).items()})
        path = f"model={model}/recipe={recipe}/bucket={bucket.label}/{fingerprint(sorted(keys))}.parquet"
        write_table(lake, GENERATIONS, frame, path)


def planned(lake: Lake, count: int, k: int, recipe: str = "r1") -> list[tuple[str, int]]:
    """The plans of all buckets, one after the other."""
    ids = pl.DataFrame({"query_id": QUERY_IDS})
    plans = [missing(lake, "m", recipe, bucket, ids.filter(bucket.holds())["query_id"], k) for bucket in buckets(count)]
    return [row for plan in plans for row in plan.iter_rows()]


@settings(max_examples=40, deadline=None)
@given(first=samples, second=samples, old=st.integers(1, 20), new=st.integers(1, 20), k=st.integers(1, 6))
def test_the_plan_is_wanted_less_present_under_any_number_of_buckets(
    first: set[tuple[str, int]], second: set[tuple[str, int]], old: int, new: int, k: int
) -> None:
    wanted = {(query_id, sample) for query_id in QUERY_IDS for sample in range(k)}
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        write(lake, first, old)
        write(lake, second, 3)  # some samples are there twice
        plan = planned(lake, new, k)
    assert len(plan) == len(set(plan))
    assert set(plan) == wanted - first - second


def test_a_plan_is_sorted_and_does_not_depend_on_the_order_of_queries(lake: Lake) -> None:
    write(lake, {(QUERY_IDS[3], 1)}, 4)
    plan = missing(lake, "m", "r1", Bucket(0, 1), QUERY_IDS, 3)
    assert plan.equals(missing(lake, "m", "r1", Bucket(0, 1), pl.Series(QUERY_IDS[::-1]), 3))
    assert plan.rows() == sorted(plan.rows())
    assert plan.schema == {"query_id": pl.String, "sample": pl.Int32}


def test_samples_of_another_model_or_recipe_do_not_count(lake: Lake) -> None:
    everything = {(query_id, sample) for query_id in QUERY_IDS for sample in range(3)}
    write(lake, everything, 2, model="another")
    write(lake, everything, 2, recipe="r2")
    assert len(planned(lake, 2, 3)) == len(everything)
    assert planned(lake, 2, 3, recipe="r2") == []


def test_only_files_whose_bucket_overlaps_are_read(lake: Lake) -> None:
    write(lake, {(query_id, 0) for query_id in QUERY_IDS}, 8)
    files = generation_files(lake, "m", "r1", Bucket(0, 2))
    assert files
    assert all(int(file.split("bucket=")[1][:2]) < 4 for file in files)


def test_no_queries_need_no_samples(lake: Lake) -> None:
    assert missing(lake, "m", "r1", Bucket(0, 1), [], 3).is_empty()


@pytest.mark.parametrize("content", [b"", b"PAR1 this is no table PAR1"])
def test_a_broken_file_is_named_and_left_where_it_is_and_has_no_samples(
    lake: Lake, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    write(lake, {(query_id, 0) for query_id in QUERY_IDS}, 1)
    lacking = missing(lake, "m", "r1", Bucket(0, 1), QUERY_IDS, 3)
    broken = "generations/model=m/recipe=r1/bucket=00-of-01/broken.parquet"
    lake.write(broken, content)
    assert missing(lake, "m", "r1", Bucket(0, 1), QUERY_IDS, 3).equals(lacking)
    assert f"{broken} cannot be read" in caplog.text
    assert lake.read(broken) == content


def test_a_file_under_no_bucket_is_named(lake: Lake) -> None:
    lake.write("generations/model=m/recipe=r1/stray.parquet", b"")
    with pytest.raises(UserError, match=r"stray\.parquet"):
        missing(lake, "m", "r1", Bucket(0, 1), QUERY_IDS, 3)


def test_a_local_model_name_may_hold_any_character(lake: Lake) -> None:
    assert Path(lake.location("generations")).exists() is False
    assert missing(lake, "org/m = 1", "r1", Bucket(0, 1), QUERY_IDS[:1], 1).height == 1
