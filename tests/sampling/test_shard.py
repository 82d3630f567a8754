"""Sampling a shard: the same texts however the work is cut, and nothing twice, even after kill -9."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest

from tasks.config import Model, Sampling
from tasks.errors import UserError
from tasks.lake.buckets import Bucket, buckets
from tasks.lake.files import Lake, read_table
from tasks.lake.folder import Folder
from tasks.lake.tables import GENERATIONS
from tasks.sampling.engines import Completion, Failure, Request, open_sampler
from tasks.sampling.engines.sampler import Sampler
from tasks.sampling.plan import missing
from tasks.sampling.recipe import recipe_of
from tasks.sampling.sample import Progress, sample_shard

TEMPLATE = "{{ question }}"
SAMPLING = Sampling(max_new_tokens=30)
WHOLE = Bucket(0, 1)
QUERIES, K = 200, 8  # enough work to be killed in the middle of it
Queries = Callable[[int], pl.DataFrame]


class Echo:
    """An engine that repeats what it is asked, and fails after so many samples."""

    load = None

    def __init__(self, fails_after: int = 10**9) -> None:
        self.asked: list[Request] = []
        self.waiting: list[Request] = []
        self.left = fails_after

    def room(self) -> int:
        return 10 - len(self.waiting)

    def add(self, requests: Sequence[Request]) -> None:
        self.waiting += requests

    def step(self) -> list[Completion | Failure]:
        done, self.waiting = self.waiting[:3], self.waiting[3:]
        if self.left == 0:
            raise RuntimeError("the engine failed")
        done = done[: self.left]
        self.left -= len(done)
        self.asked += done
        return [Completion(one.query_id, one.sample, f"{one.prompt} {one.seed}", "stop", 3, 2, 0.1) for one in done]

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def sampler(tiny_model: Model) -> Iterator[Sampler]:
    with open_sampler(tiny_model, SAMPLING) as opened:
        yield opened


def shard(
    lake: Lake,
    sampler: Sampler | Echo,
    model: Model,
    queries: pl.DataFrame,
    k: int,
    bucket: Bucket = WHOLE,
    chunk: int = 50,
    **more: object,
) -> list[str]:
    recipe = recipe_of(model, TEMPLATE, SAMPLING)
    if isinstance(sampler, Echo):
        with Sampler(lambda: sampler) as opened:
            return shard(lake, opened, model, queries, k, bucket, chunk, **more)
    return sample_shard(lake, sampler, model.name, recipe, bucket, queries, k, 0, chunk, **more)  # type: ignore[arg-type]


def samples(lake: Lake) -> dict[tuple[str, int], str]:
    """Every sample in the lake; fails if one is there twice."""
    rows = pl.concat([pl.read_parquet(lake.location(file), columns=["query_id", "sample", "text"]) for file in lake.files("generations")])
    assert not rows.select("query_id", "sample").is_duplicated().any()
    return {(query_id, sample): text for query_id, sample, text in rows.iter_rows()}


@pytest.fixture(scope="module")
def whole(
    sampler: Sampler, tiny_model: Model, make_queries: Queries, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, int], str]:
    """All samples, sampled in one go."""
    lake = Lake(str(tmp_path_factory.mktemp("whole")))
    shard(lake, sampler, tiny_model, make_queries(QUERIES), K)
    found = samples(lake)
    assert len(found) == QUERIES * K
    return found


def test_pieces_in_another_order_give_the_same_texts(
    lake: Lake, sampler: Sampler, tiny_model: Model, make_queries: Queries, whole: dict[tuple[str, int], str]
) -> None:
    queries = make_queries(QUERIES)
    shard(lake, sampler, tiny_model, queries.tail(3), 2)
    for bucket in reversed(buckets(3)):
        shard(lake, sampler, tiny_model, queries.sample(fraction=1, shuffle=True, seed=1), K - 2, bucket, chunk=7)
    for bucket in buckets(2):
        shard(lake, sampler, tiny_model, queries, K, bucket)
    assert samples(lake) == whole


@pytest.mark.slow
def test_after_kill_9_nothing_is_sampled_twice_and_nothing_is_missing(
    lake: Lake, sampler: Sampler, tiny_model: Model, make_queries: Queries, whole: dict[tuple[str, int], str]
) -> None:
    arguments = [sys.executable, __file__, lake.url, tiny_model.path]
    process = subprocess.Popen(arguments, start_new_session=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)})
    try:
        _wait_until(lambda: process.poll() is not None or len(lake.files("generations")) >= 2, 120)
    finally:
        workers = _workers_of(process.pid)
        process.send_signal(signal.SIGKILL)  # this one process only: its workers have to notice
        process.wait()
    written = samples(lake)
    assert 0 < len(written) < QUERIES * K, "it was not killed in the middle"
    files = {file: Path(lake.location(file)).stat().st_mtime_ns for file in lake.files("generations")}
    _wait_until(lambda: not any(_is_alive(worker) for worker in workers), 30)

    shard(lake, sampler, tiny_model, make_queries(QUERIES), K)
    assert samples(lake) == whole
    assert files.items() <= {file: Path(lake.location(file)).stat().st_mtime_ns for file in lake.files("generations")}.items()


def test_more_samples_cost_the_difference(lake: Lake, tiny_model: Model, make_queries: Queries) -> None:
    queries = make_queries(10)
    first, second, third = Echo(), Echo(), Echo()
    shard(lake, first, tiny_model, queries, 3)
    shard(lake, second, tiny_model, queries, 5)
    shard(lake, third, tiny_model, queries, 5)
    assert {request.sample for request in first.asked} == {0, 1, 2}
    assert sorted((request.query_id, request.sample) for request in second.asked) == sorted(
        (query_id, sample) for query_id in queries["query_id"] for sample in (3, 4)
    )
    assert third.asked == []


def test_a_new_query_costs_itself(lake: Lake, tiny_model: Model, make_queries: Queries) -> None:
    engine = Echo()
    shard(lake, Echo(), tiny_model, make_queries(10), 3)
    shard(lake, engine, tiny_model, make_queries(11), 3)
    assert {request.query_id for request in engine.asked} == set(make_queries(11)["query_id"]) - set(make_queries(10)["query_id"])


def test_chunks_are_written_as_they_fill(lake: Lake, tiny_model: Model, make_queries: Queries) -> None:
    with pytest.raises(RuntimeError, match="the engine failed"):
        shard(lake, Echo(fails_after=47), tiny_model, make_queries(20), 4, chunk=10)
    files = [pl.read_parquet(lake.location(file)) for file in lake.files("generations")]
    assert sorted(len(file) for file in files) == [7, 10, 10, 10, 10]  # the first one is what was there when it failed
    engine = Echo()
    shard(lake, engine, tiny_model, make_queries(20), 4, chunk=10)
    assert len(engine.asked) == 80 - 47
    assert len(samples(lake)) == 80


@pytest.mark.parametrize("stop", ["all", "decided"])
def test_what_could_not_be_written_is_not_drawn_again_when_the_shard_is_tried_again(
    lake: Lake, tiny_model: Model, make_queries: Queries, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    engine, write, full = Echo(), Folder.write, [True, True, False, True, True]

    def write_if_there_is_room(self: Folder, path: str, data: bytes) -> None:
        if full and full.pop():
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, path, data)

    monkeypatch.setattr(Folder, "write", write_if_there_is_room)
    more = {"decided": lambda rows: dict.fromkeys(rows["query_id"].unique(), 1)} if stop == "decided" else {}
    with Sampler(lambda: engine) as opened:
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                shard(lake, opened, tiny_model, make_queries(20), 4, chunk=10, **more)
        shard(lake, opened, tiny_model, make_queries(20), 4, chunk=10, **more)
    assert len(engine.asked) == len(set(engine.asked)) == len(samples(lake)) == 80


def test_a_chunk_that_was_written_although_its_writing_failed_is_there_once(
    lake: Lake, tiny_model: Model, make_queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, calls = Folder.create, []

    def answer_is_lost(folder: Folder, path: str, data: bytes) -> None:
        create(folder, path, data)
        calls.append(path)
        if len(calls) == 1:
            raise OSError("no answer")

    monkeypatch.setattr(Folder, "create", answer_is_lost)
    with pytest.raises(OSError, match="no answer"):
        shard(lake, Echo(), tiny_model, make_queries(6), 4, chunk=10)
    shard(lake, Echo(), tiny_model, make_queries(6), 4, chunk=10)
    assert len(samples(lake)) == 24  # none twice


def test_the_files_that_come_back_are_those_of_the_shard(lake: Lake, tiny_model: Model, make_queries: Queries) -> None:
    queries, recipe = make_queries(30), recipe_of(tiny_model, TEMPLATE, SAMPLING)
    first = shard(lake, Echo(), tiny_model, queries, 2, Bucket(0, 2))
    second = shard(lake, Echo(), tiny_model, queries, 2, Bucket(1, 2))
    assert sorted(first + second) == lake.files("generations")
    assert all(f"generations/model=babbler/recipe={recipe.id}/bucket=01-of-02/" in file for file in second)
    rows = read_table(lake, GENERATIONS, second)
    assert rows.filter(Bucket(1, 2).holds()).height == rows.height
    assert rows["model"].unique().to_list() == ["babbler"]
    assert missing(lake, "babbler", recipe.id, WHOLE, queries["query_id"], 2).is_empty()


def test_progress_ends_with_everything_done(lake: Lake, tiny_model: Model, make_queries: Queries) -> None:
    reports: list[Progress] = []
    shard(lake, Echo(), tiny_model, make_queries(5), 4, progress=reports.append)
    assert (reports[-1].done, reports[-1].wanted, reports[-1].seconds_left) == (20, 20, 0)
    assert reports[-1].tokens_per_second > 0


def test_a_template_that_fails_samples_nothing(lake: Lake, tiny_model: Model, make_queries: Queries) -> None:
    engine = Echo()
    with Sampler(lambda: engine) as opened, pytest.raises(UserError, match="prompt template"):
        sample_shard(lake, opened, "babbler", recipe_of(tiny_model, "{{ nothing }}", SAMPLING), WHOLE, make_queries(3), 2, 0, 10)
    assert engine.asked == []


@pytest.mark.slow
def test_a_worker_that_is_killed_is_an_error_and_the_next_try_goes_on(lake: Lake, tiny_model: Model, make_queries: Queries) -> None:
    others = _workers_of(os.getpid())
    with open_sampler(tiny_model, SAMPLING) as sampler:
        completions = sampler.sample([Request("q", sample, "red sun", seed=sample) for sample in range(3000)])
        next(completions)
        os.kill(_youngest(others), signal.SIGKILL)
        with pytest.raises(RuntimeError, match=r"model 'babbler': a process that sampled it ended with exit code -9"):
            list(completions)
        shard(lake, sampler, tiny_model, make_queries(4), 2)
    assert len(samples(lake)) == 8


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_is_the_users_error(tmp_path: Path) -> None:
    model = Model(name="broken", path=str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with open_sampler(model, SAMPLING) as sampler, pytest.raises(UserError, match="model 'broken'"):
        list(sampler.sample([Request("q", 0, "red", seed=1)]))


@pytest.mark.slow
def test_an_abandoned_stream_leaves_nothing_behind_and_closing_ends_the_workers(tiny_model: Model) -> None:
    others = _workers_of(os.getpid())
    with open_sampler(tiny_model, SAMPLING) as sampler:
        stream = sampler.sample([Request("q", sample, "red sun", seed=sample) for sample in range(3000)])
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert [one.query_id for one in sampler.sample([Request("another", 0, "red", seed=1)])] == ["another"]
        worker = _youngest(others)
        again = list(sampler.sample([Request("q", sample, "red sun", seed=sample) for sample in range(3000)]))
        assert len({one.sample for one in again}) == len(again) == 3000
    _wait_until(lambda: not _is_alive(worker), 10)


def test_opening_a_sampler_loads_nothing() -> None:
    code = (
        "import sys; from tasks.config import Model, Sampling; from tasks.sampling.engines import open_sampler;"
        "import tasks.sampling.sample; s = open_sampler(Model(name='m', path='nowhere'), Sampling()); s.close();"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.005)


def _workers_of(pid: int) -> list[int]:
    """Processes below this one."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    below = [child for child, parent in parents.items() if parent == pid]
    for child in below:
        below += [one for one, parent in parents.items() if parent == child]
    return below


def _youngest(others: list[int]) -> int:
    """A worker that is not one of the others."""
    return max(pid for pid in _workers_of(os.getpid()) if pid not in others)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":  # what the test of kill -9 kills
    from conftest import queries_of

    babbler = Model(name="babbler", path=sys.argv[2])
    with open_sampler(babbler, SAMPLING) as one:
        shard(Lake(sys.argv[1]), one, babbler, queries_of(QUERIES), K, chunk=10)
