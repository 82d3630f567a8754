"""Sampling that stops once a vote is decided: the votes of all samples, from fewer; the same ones however the work is cut."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tasks.config import Model, Sampling
from tasks.lake.buckets import Bucket, buckets
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import GENERATIONS
from tasks.sampling.engines import Completion, Engine, Failure, Request, start
from tasks.sampling.engines.sampler import Sampler
from tasks.sampling.plan import missing
from tasks.sampling.recipe import recipe_of
from tasks.sampling.sample import Progress, sample_shard
from tasks.voting.decided import decided, still_needed
from tasks.voting.vote import vote

SAMPLING = Sampling(max_new_tokens=1, temperature=0.5)  # one word each: some queries agree at once, others never
QUERIES, K = 60, 10
WHOLE = Bucket(0, 1)
Queries = Callable[[int], pl.DataFrame]
Samples = dict[tuple[str, int], str]


class Counted:
    """An engine that notes what it is asked, and fails after so many samples."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.asked: list[tuple[str, int]] = []
        self.left = 10**9
        self.room, self.close, self.load = engine.room, engine.close, engine.load

    def add(self, requests: Sequence[Request]) -> None:
        self.asked += [(request.query_id, request.sample) for request in requests]
        self.engine.add(requests)

    def step(self) -> list[Completion | Failure]:
        if self.left == 0:
            raise RuntimeError("the engine failed")
        done = self.engine.step()[: self.left]
        self.left -= len(done)
        return done


class Says:
    """An engine that says what it is told to: question → what its samples say, in order; "!" fails. One sample at a time."""

    load = None

    def __init__(self, says: dict[str, str]) -> None:
        self.says = says
        self.asked: list[tuple[str, int]] = []
        self.waiting: list[Request] = []

    def room(self) -> int:
        return 4 - len(self.waiting)

    def add(self, requests: Sequence[Request]) -> None:
        self.asked += [(request.prompt, request.sample) for request in requests]
        self.waiting += requests

    def step(self) -> list[Completion | Failure]:
        one = self.waiting.pop(0)
        text = self.says[one.prompt][one.sample]
        if text == "!":
            return [Failure(one.query_id, one.sample, RuntimeError("too long for this engine"))]
        return [Completion(one.query_id, one.sample, text, "stop", 3, 1, 0.1)]

    def close(self) -> None: ...


class Babbler:
    """The tiny model behind a sampler; every start of its engine is `engines[-1]`."""

    def __init__(self, model: Model) -> None:
        self.engines: list[Counted] = []

        def counted() -> Engine:
            self.engines.append(Counted(start(model, SAMPLING)))
            return self.engines[-1]

        self.sampler = Sampler(counted)


@pytest.fixture(scope="module")
def babbler(tiny_model: Model) -> Iterator[Babbler]:
    opened = Babbler(tiny_model)
    with opened.sampler:
        yield opened


def draw(
    lake: Lake,
    sampler: Sampler,
    model: Model,
    queries: pl.DataFrame,
    k: int = K,
    *,
    bucket: Bucket = WHOLE,
    chunk: int = 50,
    stop: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    recipe = recipe_of(model, "{{ question }}", SAMPLING)
    sample_shard(lake, sampler, model.name, recipe, bucket, queries, k, 0, chunk, progress, until(queries, k) if stop else None)


def until(queries: pl.DataFrame, k: int) -> Callable[[pl.DataFrame], Mapping[str, int]]:
    return lambda rows: still_needed(rows, queries, k)


def samples(lake: Lake) -> Samples:
    """Every sample in the lake; fails if one is there twice."""
    rows = pl.concat([pl.read_parquet(lake.location(file), columns=["query_id", "sample", "text"]) for file in lake.files("generations")])
    assert not rows.select("query_id", "sample").is_duplicated().any()
    return {(query_id, sample): text for query_id, sample, text in rows.iter_rows()}


def votes(lake: Lake, queries: pl.DataFrame, k: int = K) -> pl.DataFrame:
    return vote(read_table(lake, GENERATIONS), queries, k)


@pytest.fixture(scope="module")
def queries(make_queries: Queries) -> pl.DataFrame:
    return make_queries(QUERIES)


@pytest.fixture(scope="module")
def full(babbler: Babbler, tiny_model: Model, queries: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """All samples."""
    lake = Lake(str(tmp_path_factory.mktemp("full")))
    draw(lake, babbler.sampler, tiny_model, queries, stop=False)
    assert len(samples(lake)) == QUERIES * K
    return lake


@pytest.fixture(scope="module")
def adaptive(babbler: Babbler, tiny_model: Model, queries: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """No more samples than decide the votes."""
    lake = Lake(str(tmp_path_factory.mktemp("adaptive")))
    draw(lake, babbler.sampler, tiny_model, queries)
    return lake


def test_the_votes_are_those_of_all_samples_and_some_need_few_and_some_all(full: Lake, adaptive: Lake, queries: pl.DataFrame) -> None:
    early, all_drawn = votes(adaptive, queries), votes(full, queries)
    same = ["query_id", "model", "majority", "correct"]
    assert_frame_equal(early.select(same), all_drawn.select(same))
    assert set(samples(adaptive).items()) < set(samples(full).items())
    assert {5, 6, K} <= set(early["k"])
    assert dict(early.group_by("stop").agg(pl.col("k").max()).iter_rows()) == {"all": K, "decided": K - 1}


def test_each_query_gets_its_first_samples_up_to_the_one_that_decides(full: Lake, adaptive: Lake, queries: pl.DataFrame) -> None:
    """By a plain loop over one query after the other."""
    texts = read_table(full, GENERATIONS, columns=["query_id", "sample", "text"])
    expected = set()
    for query_id in queries["query_id"]:
        mine = texts.filter(pl.col("query_id") == query_id)
        count = next(count for count in range(1, K + 1) if decided(mine.filter(pl.col("sample") < count), queries, K))
        expected |= {(query_id, sample) for sample in range(count)}
    assert set(samples(adaptive)) == expected


def test_pieces_in_another_order_draw_the_same_samples(
    lake: Lake, babbler: Babbler, tiny_model: Model, queries: pl.DataFrame, adaptive: Lake
) -> None:
    draw(lake, babbler.sampler, tiny_model, queries.tail(3), 2, stop=False)
    for bucket in reversed(buckets(3)):
        draw(lake, babbler.sampler, tiny_model, queries.sample(fraction=1, shuffle=True, seed=1), bucket=bucket, chunk=7)
    for bucket in buckets(2):
        draw(lake, babbler.sampler, tiny_model, queries, bucket=bucket)
    assert samples(lake) == samples(adaptive)


def test_raising_k_costs_the_difference_only(
    lake: Lake, babbler: Babbler, tiny_model: Model, queries: pl.DataFrame, adaptive: Lake
) -> None:
    draw(lake, babbler.sampler, tiny_model, queries, 5)
    before = samples(lake)
    assert 3 * QUERIES < len(before) < 5 * QUERIES
    asked = len(babbler.engines[-1].asked)
    draw(lake, babbler.sampler, tiny_model, queries, K)
    assert samples(lake) == samples(adaptive)
    assert sorted(babbler.engines[-1].asked[asked:]) == sorted(set(samples(adaptive)) - set(before))


def test_switching_stop_off_draws_the_rest_and_switching_it_on_again_nothing(
    lake: Lake, babbler: Babbler, tiny_model: Model, queries: pl.DataFrame, full: Lake
) -> None:
    draw(lake, babbler.sampler, tiny_model, queries)
    before = len(samples(lake))
    asked = len(babbler.engines[-1].asked)
    draw(lake, babbler.sampler, tiny_model, queries, stop=False)
    assert samples(lake) == samples(full)
    assert len(babbler.engines[-1].asked) - asked == QUERIES * K - before
    asked = len(babbler.engines[-1].asked)
    draw(lake, babbler.sampler, tiny_model, queries)
    assert len(babbler.engines[-1].asked) == asked


def test_what_is_decided_lacks_nothing_and_the_rest_at_most_what_is_left(
    adaptive: Lake, tiny_model: Model, queries: pl.DataFrame, lake: Lake
) -> None:
    recipe, ids = recipe_of(tiny_model, "{{ question }}", SAMPLING).id, queries["query_id"]
    stop = until(queries, K)
    assert missing(adaptive, tiny_model.name, recipe, WHOLE, ids, K, stop).is_empty()
    assert missing(adaptive, tiny_model.name, recipe, WHOLE, ids, K).height == QUERIES * K - len(samples(adaptive))
    assert missing(lake, tiny_model.name, recipe, WHOLE, ids, K, stop).height == QUERIES * K


def test_a_broken_run_goes_on_with_the_same_samples(
    lake: Lake, babbler: Babbler, tiny_model: Model, queries: pl.DataFrame, adaptive: Lake
) -> None:
    wanted = samples(adaptive)
    babbler.engines[-1].left = len(wanted) - 40  # when the first halves are there, and some of what comes after
    with pytest.raises(RuntimeError, match="the engine failed"):
        draw(lake, babbler.sampler, tiny_model, queries, chunk=30)
    before = samples(lake)
    assert 5 * QUERIES < len(before) == len(wanted) - 40
    lost = lake.files("generations")[0]
    Path(lake.location(lost)).unlink()  # and a file is lost: now there are gaps
    draw(lake, babbler.sampler, tiny_model, queries)
    assert samples(lake) == wanted
    assert len(babbler.engines) >= 2


def ask(lake: Lake, model: Model, queries: pl.DataFrame, engine: Says, k: int = 6) -> None:
    with Sampler(lambda: engine) as sampler:
        draw(lake, sampler, model, queries, k)


def test_while_one_query_waits_others_are_asked(lake: Lake, tiny_model: Model, make_queries: Queries) -> None:
    queries = make_queries(3)
    first, second, third = queries.sort("query_id")["question"]
    engine = Says({first: "aabaab", second: "aaaaaa", third: "ababab"})
    ask(lake, tiny_model, queries, engine)
    at_first = [(question, sample) for question in (first, second, third) for sample in range(3)]
    assert engine.asked[:9] == at_first
    after = engine.asked[9:]
    assert [sample for question, sample in after if question == first] == [3]  # a: three of six, and seen first
    assert [sample for question, sample in after if question == second] == []
    assert [sample for question, sample in after if question == third] == [3, 4]  # 2:2, then 3:2 with one to come


def test_a_sample_that_cannot_be_drawn_fails_its_query_and_no_other(lake: Lake, tiny_model: Model, make_queries: Queries) -> None:
    queries = make_queries(2)
    first, second = queries["question"]
    with pytest.raises(RuntimeError, match="too long for this engine"):
        ask(lake, tiny_model, queries, Says({first: "a!aaaa", second: "abbbbb"}))
    counts = votes(lake, queries, 6).join(queries, on="query_id").select("question", "k", "stop").sort("question")
    assert set(counts.rows()) == {(first, 2, "incomplete"), (second, 5, "decided")}
    engine = Says({first: "aaaaaa", second: "abbbbb"})
    ask(lake, tiny_model, queries, engine)
    assert engine.asked == [(first, 1)]


def test_progress_counts_what_was_drawn(lake: Lake, babbler: Babbler, tiny_model: Model, queries: pl.DataFrame, adaptive: Lake) -> None:
    reports: list[Progress] = []
    draw(lake, babbler.sampler, tiny_model, queries, progress=reports.append)
    assert reports[-1].done == reports[-1].wanted == len(samples(adaptive))
    assert reports[-1].seconds_left == 0
