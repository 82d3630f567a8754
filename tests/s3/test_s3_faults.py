"""A server in trouble: nothing is lost, nothing is double, and nothing is drawn again beyond what was not yet written."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from s3_proxy import Fault, Proxy, proxy

from flows.refresh import refresh
from tasks.benchmarks.embedded import load
from tasks.benchmarks.queries import with_ids
from tasks.config import Model, RunFile, Sampling
from tasks.errors import UserError
from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import GENERATIONS, VOTES
from tasks.sampling.engines import open_sampler
from tasks.sampling.engines.sampler import Sampler
from tasks.sampling.recipe import recipe_of
from tasks.sampling.sample import sample_shard

MODEL = Model(name="ledger", path=str(Path(__file__).parents[2] / "tasks" / "world" / "models" / "ledger"))
SAMPLING = Sampling(max_new_tokens=40)
QUERIES, K, CHUNK = 20, 3, 15
Sample = Callable[[Lake], list[int]]


@pytest.fixture
def between(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy between us and the server."""
    import os

    with proxy(os.environ["AWS_ENDPOINT_URL"]) as state:
        monkeypatch.setenv("AWS_ENDPOINT_URL", state.address)
        yield state


@pytest.fixture
def lake(s3: str, between: Proxy) -> Lake:
    """A lake behind the proxy."""
    return Lake(s3)


@pytest.fixture(scope="module")
def sampler() -> Iterator[Sampler]:
    """A real model, loaded once."""
    with open_sampler(MODEL, SAMPLING) as opened:
        yield opened


@pytest.fixture
def sample(sampler: Sampler) -> Sample:
    """Sample one shard into the lake; gives how many samples it wanted."""
    queries = with_ids(load().head(QUERIES))

    def run(lake: Lake) -> list[int]:
        wanted: list[int] = []
        recipe = recipe_of(MODEL, "{{ question }}", SAMPLING)
        sample_shard(lake, sampler, MODEL.name, recipe, Bucket(0, 1), queries, K, 0, CHUNK, lambda now: wanted.append(now.wanted))
        return wanted[-1:]

    return run


def written(lake: Lake) -> pl.DataFrame:
    """All samples; fails if one is there twice, or a file is not whole."""
    parts = [read_table(lake, GENERATIONS, [file]) for file in lake.files("generations")]
    rows = pl.concat(parts) if parts else read_table(lake, GENERATIONS)
    assert not rows.select(GENERATIONS.key).is_duplicated().any()
    return rows


def of_files(fault: Fault, times: int, method: str = "PUT") -> Callable[[str, str], Fault]:
    """So many requests for files of samples meet the fault."""
    left = [times]

    def meet(asked: str, path: str) -> Fault:
        if asked != method or not path.partition("?")[0].endswith(".parquet") or not left[0]:
            return None
        left[0] -= 1
        return fault

    return meet


@pytest.mark.parametrize("fault", ["slow down", "late", "cut off", "answer lost"])
def test_what_passes_is_waited_for(lake: Lake, between: Proxy, sample: Sample, fault: Fault) -> None:
    between.fault = of_files(fault, times=2)
    assert sample(lake) == [QUERIES * K]
    assert written(lake).height == QUERIES * K
    before = lake.changed("")
    assert sample(lake) == []
    assert lake.changed("") == before


@pytest.mark.parametrize("fault", ["slow down", "cut off"])
def test_reading_is_tried_again(lake: Lake, between: Proxy, sample: Sample, fault: Fault) -> None:
    sample(lake)
    between.fault = of_files(fault, times=3, method="GET")
    assert sample(lake) == []


def test_a_server_that_stays_in_trouble_costs_what_was_not_yet_written(
    lake: Lake, between: Proxy, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    puts: list[str] = []

    def third_is_cut_off(method: str, path: str) -> Fault:
        puts.extend([path] if method == "PUT" and path not in puts else [])
        return "cut off" if path in puts[2:] else None

    between.fault = third_is_cut_off
    with pytest.raises(OSError) as error:
        sample(lake)
    assert not isinstance(error.value, UserError)  # it may pass: the step is tried again
    assert written(lake).height == 2 * CHUNK
    before = lake.changed("generations")
    between.fault = lambda method, path: None
    assert sample(lake) == [QUERIES * K - 2 * CHUNK]
    assert written(lake).height == QUERIES * K
    assert before.items() <= lake.changed("generations").items()


def test_rights_that_are_refused_are_said_at_once(lake: Lake, between: Proxy, sample: Sample) -> None:
    between.fault = lambda method, path: "forbidden" if method == "PUT" else None
    with pytest.raises(UserError, match=r"not allowed .AccessDenied.*need the rights to list, read, write"):
        sample(lake)
    assert sum(method == "PUT" for method, _ in between.requests) <= 2  # the chunk, and what was left when the shard ended
    assert written(lake).is_empty()
    between.fault = lambda method, path: None
    assert sample(lake) == [QUERIES * K]


@pytest.mark.parametrize("content", [b"", b"PAR1 something else PAR1", None])
def test_a_broken_file_is_named_set_aside_and_its_samples_are_drawn_again(
    s3: str, sample: Sample, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    lake = Lake(s3)
    sample(lake)
    whole, file = written(lake), lake.files("generations")[0]
    content = lake.read(file)[:-20] if content is None else content
    lake.write(file, content)
    with caplog.at_level(logging.WARNING, "manyminds"):
        assert sample(lake) == [CHUNK]
    assert f"{file} cannot be read" in caplog.text
    assert lake.read(f".set-aside/{file}") == content
    timed = ["latency_s", "first_token_s"]
    assert written(lake).drop(timed).sort(GENERATIONS.key).equals(whole.drop(timed).sort(GENERATIONS.key))


@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_one_shard_that_may_not_write_stops_no_other_and_is_all_that_is_drawn_afterwards(
    make_run: Callable[..., RunFile], seaweedfs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in seaweedfs.items():
        monkeypatch.setenv(name, value)
    with proxy(seaweedfs["AWS_ENDPOINT_URL"]) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL", between.address)
        run = make_run(lake="s3://lakes/refused")
        lake = Lake(run.lake)
        refused = "model=ledger", "bucket=01-of-02"
        between.fault = lambda method, path: "forbidden" if method == "PUT" and all(part in path for part in refused) else None
        with pytest.raises(UserError, match=r"ledger · bucket 2 of 2: lake .* not allowed"):
            refresh(run)
        rows, before = written(lake), lake.changed("generations")
        assert set(rows.select("model", "bucket").unique().iter_rows()) == {
            ("ledger", "00-of-02"), ("scribe", "00-of-02"), ("scribe", "01-of-02")
        }  # fmt: skip
        between.fault = lambda method, path: None
        refresh(run)
        assert written(lake).height == 48 * 2 * 3
        assert before.items() <= lake.changed("generations").items()
        assert read_table(lake, VOTES).height == 48 * 2
