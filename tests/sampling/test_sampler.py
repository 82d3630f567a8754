"""The sampler between an engine and the shards that share it: each gets its own, nothing is lost, and the engine never idles."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Barrier, Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import ModelUnusable, Stopped
from tasks.sampling.engines import Completion, Failure, Load, Request
from tasks.sampling.engines.sampler import Sampler, Stream

Key = tuple[str, int]
LONG = 60  # seconds; nothing here takes so long unless it hangs


class Scripted:
    """An engine that answers when it is told to: so many, or these, or it fails."""

    def __init__(self, capacity: int = 100) -> None:
        self.capacity = capacity
        self.load: Load | None = None
        self.script: SimpleQueue[int | list[Key] | Exception] = SimpleQueue()
        self.asked: list[Key] = []
        self.inside: list[Request] = []
        self.cannot: dict[Key, Exception] = {}
        self.taken: SimpleQueue[Key] = SimpleQueue()
        self.closed = False

    def room(self) -> int:
        return self.capacity - len(self.inside)

    def add(self, requests: Sequence[Request]) -> None:
        assert len(requests) <= self.room()
        self.inside += requests
        for request in requests:
            self.asked.append((request.query_id, request.sample))
            self.taken.put((request.query_id, request.sample))

    def step(self) -> list[Completion | Failure]:
        try:
            told = self.script.get(timeout=0.02)
        except Empty:
            return []
        if isinstance(told, Exception):
            raise told
        keys = [(one.query_id, one.sample) for one in self.inside[:told]] if isinstance(told, int) else told
        return self.answer(keys)

    def answer(self, keys: Sequence[Key]) -> list[Completion | Failure]:
        done = [next(one for one in self.inside if (one.query_id, one.sample) == key) for key in keys]
        self.inside = [one for one in self.inside if one not in done]
        return [
            Failure(one.query_id, one.sample, self.cannot[one.query_id, one.sample])
            if (one.query_id, one.sample) in self.cannot
            else Completion(one.query_id, one.sample, said(one), "stop", 3, 2, 0.1)
            for one in done
        ]

    def close(self) -> None:
        self.closed = True

    def wait_for(self, count: int) -> list[Key]:
        """The next so many that it takes in."""
        return [self.taken.get(timeout=LONG) for _ in range(count)]


class Diligent(Scripted):
    """An engine that answers one at a time by itself, once it may start, and notes how many it had at each step."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.may_start = Event()
        self.had: list[int] = []

    def step(self) -> list[Completion | Failure]:
        assert self.may_start.wait(LONG)
        self.had.append(len(self.inside))
        return self.answer([(one.query_id, one.sample) for one in self.inside[:1]])


def said(request: Request) -> str:
    return f"{request.prompt} {request.seed}"


def requests(query: str, samples: Sequence[int]) -> list[Request]:
    return [Request(query, sample, f"prompt of {query}", seed=sample + 1000) for sample in samples]


def keys(query: str, samples: Sequence[int]) -> list[Key]:
    return [(query, sample) for sample in samples]


def got(stream: Stream, seen: list[Key] | None = None) -> list[Key]:
    """All that comes, in its order; put into `seen` as it comes."""
    seen = [] if seen is None else seen
    for completions in stream:
        seen += [(one.query_id, one.sample) for one in completions]
    return seen


def engines_of(*engines: Scripted | Exception) -> tuple[Sampler, list[int]]:
    """A sampler that starts these engines one after the other, and a list that grows with each start."""
    starts: list[int] = []

    def start() -> Scripted:
        engine = engines[len(starts)]
        starts.append(len(starts))
        if isinstance(engine, Exception):
            raise engine
        return engine

    return Sampler(start), starts


def test_two_streams_at_once_get_each_their_own() -> None:
    engine = Scripted()
    sampler, _ = engines_of(engine)
    with sampler, sampler.stream() as one, sampler.stream() as two:
        one.add(requests("a", range(3)))
        two.add(requests("b", range(3)))
        engine.wait_for(6)
        engine.script.put([("b", 0), ("a", 2), ("b", 2)])
        engine.script.put([("a", 0), ("b", 1), ("a", 1)])
        assert got(two) == [("b", 0), ("b", 2), ("b", 1)]
        assert got(one) == [("a", 2), ("a", 0), ("a", 1)]


def test_what_it_took_to_load_is_told_for_each_engine() -> None:
    failing, working = Scripted(), Scripted()
    failing.load, working.load = Load("vllm", "H100", 40.0), Load("vllm", "H100", 30.0, 14.5)
    sampler, _ = engines_of(failing, working)
    with sampler:
        failing.script.put(RuntimeError("the engine failed"))
        with pytest.raises(RuntimeError):
            list(sampler.sample(requests("a", [0])))
        working.script.put(1)
        list(sampler.sample(requests("a", [0])))
    assert sampler.loads == [failing.load, working.load]


def test_a_completion_is_that_of_its_request() -> None:
    engine = Scripted()
    sampler, _ = engines_of(engine)
    with sampler:
        engine.script.put([])
        engine.script.put(2)
        completions = list(sampler.sample(requests("a", [7, 8])))
    assert [(one.sample, one.text) for one in completions] == [(7, "prompt of a 1007"), (8, "prompt of a 1008")]


def test_the_next_shard_is_in_the_engine_before_the_last_one_is_done() -> None:
    engine = Diligent(capacity=4)
    sampler, _ = engines_of(engine)
    with sampler, ExitStack() as open_streams:
        streams = [open_streams.enter_context(sampler.stream()) for _ in range(3)]
        for number, stream in enumerate(streams):
            stream.add(requests(f"shard {number}", range(6)))
        engine.may_start.set()
        for number, stream in enumerate(streams):
            assert got(stream) == keys(f"shard {number}", range(6))
    assert engine.had[:18] == [4] * 15 + [3, 2, 1]


def test_the_engine_goes_on_while_nobody_takes_what_it_has_done() -> None:
    engine = Diligent(capacity=2)
    sampler, _ = engines_of(engine)
    with sampler, sampler.stream() as stream:
        stream.add(requests("a", range(20)))
        engine.may_start.set()
        assert engine.wait_for(20) == keys("a", range(20))
        assert got(stream) == keys("a", range(20))


def test_queries_that_are_begun_go_before_those_that_are_not() -> None:
    engine = Scripted(capacity=2)
    sampler, _ = engines_of(engine)
    with sampler, sampler.stream() as one, sampler.stream() as two:
        one.add([*requests("a", [0]), *requests("b", [0, 1, 2])])
        assert engine.wait_for(2) == [("a", 0), ("b", 0)]
        two.add(requests("c", range(3)))
        engine.script.put([("a", 0)])
        assert engine.wait_for(1) == [("b", 1)]
        one.add(requests("a", [1, 2]))  # what the first samples of this query showed to be needed
        engine.script.put(1)
        assert engine.wait_for(1) == [("a", 1)]
        engine.script.put(2)
        assert engine.wait_for(2) == [("a", 2), ("b", 2)]
        engine.script.put(1)
        assert engine.wait_for(1) == [("c", 0)]
        one.add(requests("a", [3]))  # all of this shard was in the engine already, and it comes back
        engine.script.put(1)
        assert engine.wait_for(1) == [("a", 3)]


def test_what_an_engine_cannot_draw_fails_its_shard_alone_and_at_the_end() -> None:
    engine = Scripted()
    engine.cannot = {("a", 1): RuntimeError("too long"), ("b", 0): RuntimeError("no room"), ("b", 2): RuntimeError("no room")}
    sampler, starts = engines_of(engine)
    with sampler, sampler.stream() as one, sampler.stream() as two, sampler.stream() as three:
        for stream, query in ((one, "a"), (two, "b"), (three, "c")):
            stream.add(requests(query, range(4)))
        engine.wait_for(12)
        engine.script.put(3)
        engine.script.put(9)
        seen: list[Key] = []
        with pytest.raises(RuntimeError, match=r"^too long$"):
            got(one, seen)
        assert seen == keys("a", [0, 2, 3])
        with pytest.raises(RuntimeError, match="2 samples could not be drawn, the first because: no room"):
            got(two)
        assert got(three) == keys("c", range(4))
    assert starts == [0]


def test_failures_of_a_kind_that_cannot_be_made_from_words_are_told_all_the_same() -> None:
    class Odd(Exception):
        def __init__(self, code: int, reason: str) -> None:
            super().__init__(f"{code}: {reason}")

    engine = Scripted()
    engine.cannot = {("a", 0): Odd(5, "refused"), ("a", 1): Odd(5, "refused")}
    sampler, _ = engines_of(engine)
    with sampler, sampler.stream() as stream:
        stream.add(requests("a", range(2)))
        engine.wait_for(2)
        engine.script.put(2)
        with pytest.raises(RuntimeError, match="2 samples could not be drawn, the first because: 5: refused"):
            got(stream)


def test_an_engine_that_fails_fails_all_that_are_open_and_the_next_request_starts_it_anew() -> None:
    first, second = Scripted(capacity=4), Scripted()
    sampler, starts = engines_of(first, second)
    with sampler, sampler.stream() as one, sampler.stream() as two, sampler.stream() as waits:
        one.add(requests("a", range(2)))
        two.add(requests("b", range(2)))
        first.wait_for(4)
        waits.add(requests("c", range(2)))
        first.script.put([("a", 0)])
        first.script.put(RuntimeError("the engine died"))
        seen: list[Key] = []
        with pytest.raises(RuntimeError, match="the engine died"):
            got(one, seen)
        assert seen == [("a", 0)]  # what was done by then is given out
        for stream in (two, waits):
            with pytest.raises(RuntimeError, match="the engine died"):
                got(stream)
        assert first.closed
        with sampler.stream() as again:
            again.add([*requests("a", [1]), *requests("b", range(2))])
            second.wait_for(3)
            second.script.put(3)
            assert got(again) == [("a", 1), *keys("b", range(2))]
    assert starts == [0, 1]
    assert second.closed


def test_an_engine_that_does_not_start_is_tried_again_but_not_a_model_that_cannot_be_loaded() -> None:
    sampler, starts = engines_of(OSError("the network is down"), ModelUnusable("model 'a': there is no such folder"))
    with sampler:
        with pytest.raises(OSError, match="the network is down"):
            list(sampler.sample(requests("a", [0])))
        for _ in range(3):
            with pytest.raises(ModelUnusable, match="there is no such folder"):
                list(sampler.sample(requests("a", [0])))
    assert starts == [0, 1]


def test_an_engine_that_answers_what_nobody_asked_leaves_nobody_waiting() -> None:
    class Confused(Scripted):
        def step(self) -> list[Completion | Failure]:
            done = super().step()
            return [*done, Completion("nobody", 0, "asked", "stop", 3, 2, 0.1)] if done else []

    engine = Confused()
    sampler, _ = engines_of(engine)
    with sampler, sampler.stream() as one, sampler.stream() as two:
        one.add(requests("a", range(2)))
        two.add(requests("b", range(2)))
        engine.wait_for(4)
        engine.script.put(2)
        assert got(one) == keys("a", range(2))
        with pytest.raises(RuntimeError, match="nobody"):
            got(two)


def test_closing_wakes_everybody_for_good() -> None:
    engine = Scripted(capacity=3)
    sampler, starts = engines_of(engine)
    streams = [sampler.stream() for _ in range(4)]
    for number, stream in enumerate(streams):
        stream.add(requests(f"shard {number}", range(2)))  # two are in the engine, and two wait for a place
    engine.wait_for(3)
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(got, stream) for stream in streams]
        sampler.close()
        assert [type(future.exception(LONG)) for future in waiting] == [Stopped] * 4
    assert engine.closed
    with pytest.raises(Stopped):
        streams[0].add(requests("late", [0]))
    assert starts == [0]
    sampler.close()


def test_closing_while_the_model_is_loaded_wakes_who_waits_for_it() -> None:
    loads, may_go_on, engine = Event(), Event(), Scripted()

    def start() -> Scripted:
        loads.set()
        assert may_go_on.wait(LONG)
        return engine

    sampler = Sampler(start)
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(lambda: list(sampler.sample(requests("a", [0]))))
        assert loads.wait(LONG)
        closing = threads.submit(sampler.close)
        while not sampler._closing:
            assert not closing.done()
        may_go_on.set()
        closing.result(LONG)
        assert isinstance(waiting.exception(LONG), Stopped)
    assert engine.closed
    assert engine.asked == []


def test_a_shard_that_is_tried_again_gets_what_was_under_way_and_draws_nothing_twice() -> None:
    engine = Scripted(capacity=3)
    sampler, _ = engines_of(engine)
    with sampler:
        with sampler.stream() as given_up:
            given_up.add(requests("a", range(6)))
            engine.wait_for(3)
            engine.script.put([("a", 1)])
            assert [one.sample for one in next(iter(given_up))] == [1]
            engine.wait_for(1)
        with sampler.stream() as again:
            again.add(requests("a", [0, 2, 3, 4, 5]))  # its first three are in the engine
            engine.script.put([("a", 0)])
            engine.wait_for(1)
            engine.script.put(3)
            engine.wait_for(1)
            engine.script.put(1)
            assert sorted(got(again)) == keys("a", [0, 2, 3, 4, 5])
    assert engine.asked == keys("a", range(6))


def test_what_was_drawn_for_a_shard_that_gave_up_is_kept_until_it_is_tried_again() -> None:
    engine = Scripted()
    sampler, _ = engines_of(engine)
    with sampler, sampler.stream() as another:
        with sampler.stream() as given_up:
            given_up.add(requests("a", range(4)))
            engine.wait_for(4)
            engine.script.put([("a", 1)])
            engine.script.put([("a", 2)])
            another.add(requests("b", [0]))
            engine.wait_for(1)
            engine.script.put([("b", 0)])
            assert got(another) == [("b", 0)]  # so the others have come, and nobody took them
        engine.script.put([("a", 0)])
        another.add(requests("b", [1]))
        engine.wait_for(1)
        engine.script.put([("b", 1)])
        assert got(another) == [("b", 1)]
        sampler.keep([Completion("a", 4, "it could not be written", "stop", 3, 2, 0.1)])
        with sampler.stream() as again:
            again.add(requests("a", range(5)))
            engine.script.put([("a", 3)])
            assert sorted(got(again)) == keys("a", range(5))
    assert engine.asked == [*keys("a", range(4)), ("b", 0), ("b", 1)]


def test_a_sample_that_is_asked_for_twice_at_once_fails_who_asks_second_alone() -> None:
    engine = Scripted()
    sampler, _ = engines_of(engine)
    with sampler, sampler.stream() as one, sampler.stream() as two:
        one.add(requests("a", range(2)))
        engine.wait_for(2)
        two.add([*requests("a", [1]), *requests("b", [0])])
        engine.wait_for(1)
        engine.script.put(3)
        assert got(one) == keys("a", range(2))
        with pytest.raises(ValueError, match="asked for twice"):
            got(two)


class Fickle(Scripted):
    """An engine that answers some of what it has, in any order, and fails after so many steps."""

    def __init__(self, capacity: int, chance: random.Random, fails_after: int) -> None:
        super().__init__(capacity)
        self.chance, self.left = chance, fails_after

    def step(self) -> list[Completion | Failure]:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("the engine died")
        chosen = self.chance.sample(self.inside, self.chance.randint(0, len(self.inside)))
        return self.answer([(one.query_id, one.sample) for one in chosen])


@dataclass
class Shard:
    """How many samples it wants, how many it asks for at first, and after how many completions its first tries are given up."""

    wants: int
    at_first: int
    given_up_after: list[int]
    texts: list[str] = field(default_factory=list)  # that it got

    def ask(self, sampler: Sampler, wanted: list[Request], patience: int) -> None:
        """One try: some at first, then one more as each comes."""
        with sampler.stream() as stream:
            later = wanted[self.at_first :]
            stream.add(wanted[: self.at_first])
            for completions in stream:
                for one in completions[:patience]:
                    self.texts.append(one.text)
                patience -= len(completions)
                if patience <= 0:
                    return
                stream.add(later[: len(completions)])
                later = later[len(completions) :]


@settings(max_examples=60)
@given(
    shards=st.lists(
        st.builds(Shard, st.integers(1, 12), st.integers(1, 6), st.lists(st.integers(1, 4), max_size=2)), min_size=1, max_size=5
    ),
    capacity=st.integers(1, 6),
    fails_after=st.lists(st.integers(0, 8), max_size=2),
    seed=st.integers(0, 2**16),
)
def test_whatever_happens_every_request_is_answered_once(shards: list[Shard], capacity: int, fails_after: list[int], seed: int) -> None:
    """Shards in threads of their own ask in pieces, give up and are tried again; the engine answers in any order and dies."""
    chance, engines = random.Random(seed), list[Fickle]()

    def start() -> Fickle:
        engines.append(Fickle(capacity, chance, ([*fails_after, 10**9, 10**9, 10**9])[len(engines)]))
        return engines[-1]

    def work(sampler: Sampler, name: str, shard: Shard, together: Barrier) -> None:
        patience = iter(shard.given_up_after)
        together.wait(LONG)
        while left := [one for one in requests(name, range(shard.wants)) if said(one) not in shard.texts]:
            try:
                shard.ask(sampler, left, next(patience, 10**9))
            except RuntimeError as error:
                assert str(error) == "the engine died"

    with Sampler(start) as sampler, ThreadPoolExecutor(len(shards)) as threads:
        together = Barrier(len(shards))
        for future in [threads.submit(work, sampler, f"shard {number}", shard, together) for number, shard in enumerate(shards)]:
            future.result(LONG)
    for number, shard in enumerate(shards):
        assert sorted(shard.texts) == sorted(said(one) for one in requests(f"shard {number}", range(shard.wants)))
    asked = [key for engine in engines for key in engine.asked]
    if not fails_after and not any(shard.given_up_after for shard in shards):
        assert len(asked) == len(set(asked)) == sum(shard.wants for shard in shards)
