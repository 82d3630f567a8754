"""The sampler stands between an engine and the shards that use it at the same time, and never lets the engine idle.

One thread owns the engine: it hands it requests before it runs dry, first those of queries that are begun, then the oldest
shard's, then the next one's. Each shard has a stream of its own:

    with sampler.stream() as stream:
        stream.add(requests)
        for completions in stream:          # lists: all that have come meanwhile; ends when nothing is under way
            ...                             # whatever is done here (reading, writing, upload) happens beside the engine
            stream.add(more)                # these go before what other shards have waiting

The model is loaded at the first request. If the engine fails, all streams that are open raise its error, and the next
request starts it anew; a model that cannot be loaded is not tried again.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Condition, Thread
from types import TracebackType
from typing import Self

from tasks.errors import ModelUnusable, Stopped
from tasks.sampling.engines import Completion, Engine, Failure, Request

_CLOSED = "the sampler was closed while samples were still to be drawn"


class Stream:
    """The requests of one shard, and what comes back. Used by one thread."""

    def __init__(self, sampler: "Sampler") -> None:
        self._sampler = sampler
        self.arrived: SimpleQueue[list[Completion | Failure] | Exception] = SimpleQueue()
        self.waiting: deque[Request] = deque()  # guarded by the sampler, like `begun` and `abandoned`
        self.begun = self.abandoned = False
        self._under_way = 0

    def add(self, requests: Sequence[Request]) -> None:
        """Ask for these. Raises what made the sampler unusable."""
        if requests:
            self._under_way += len(requests)
            self._sampler.enqueue(self, requests)

    def __iter__(self) -> Iterator[list[Completion]]:
        """What has come since, never an empty list, until all that was asked for is there.

        Raises what the engine raised; what it could not draw is raised at the end, when all the rest is there.
        """
        failures: list[Failure] = []
        while self._under_way:
            completions: list[Completion] = []
            error: Exception | None = None
            while error is None and (not completions or not self.arrived.empty()) and self._under_way:
                item = self.arrived.get()
                if isinstance(item, Exception):
                    error = item
                    continue
                self._under_way -= len(item)
                completions += (one for one in item if isinstance(one, Completion))
                failures += (one for one in item if isinstance(one, Failure))
            if completions:
                yield completions
            if error is not None:
                raise error
        if failures:
            first = failures[0].error
            raise first if len(failures) == 1 else type(first)(f"{len(failures):,} samples could not be drawn, the first because: {first}")

    def __enter__(self) -> Self:
        """The stream itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Drop what is still waiting; what is under way is finished and not given out."""
        self._sampler.forget(self)


class Sampler:
    """See the module. Every method may be called from any thread."""

    def __init__(self, start: Callable[[], Engine]) -> None:
        """`start` makes the engine and loads its model; it is called in the sampler's own thread."""
        self._start = start
        self._changed = Condition()
        self._streams: list[Stream] = []  # with requests that wait, oldest first
        self._open: dict[tuple[str, int], Stream] = {}  # who asked for what the engine has
        self._thread: Thread | None = None
        self._closing = False
        self._unusable: ModelUnusable | None = None
        self._tokens, self._seconds = 0, 0.0

    @property
    def tokens_per_second(self) -> float:
        """Tokens that the engine has generated for all shards, by the second in which it had work; loading does not count."""
        return self._tokens / self._seconds if self._seconds else 0.0

    def stream(self) -> Stream:
        """A new stream of requests, beside those that are open."""
        return Stream(self)

    def sample(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Each request's completion, as they finish.

        Raises ModelUnusable for a model that cannot be loaded, RuntimeError when the engine fails.
        """
        with self.stream() as stream:
            stream.add(requests)
            for completions in stream:
                yield from completions

    def enqueue(self, stream: Stream, requests: Sequence[Request]) -> None:
        """Put a stream's requests in line."""
        with self._changed:
            if self._closing:
                raise Stopped(_CLOSED)
            if self._unusable is not None:
                raise self._unusable
            stream.waiting.extend(requests)
            if stream not in self._streams:
                # A stream that comes back goes on with queries that are begun: before those that have not started.
                place = next((at for at, other in enumerate(self._streams) if not other.begun), None) if stream.begun else None
                self._streams.insert(len(self._streams) if place is None else place, stream)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="sampler", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def forget(self, stream: Stream) -> None:
        """Nobody waits for this stream any more."""
        with self._changed:
            stream.abandoned = True
            stream.waiting.clear()
            if stream in self._streams:
                self._streams.remove(stream)

    def close(self) -> None:
        """Release the model, for good. Streams that are open raise Stopped."""
        with self._changed:
            thread, self._closing = self._thread, True
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def __enter__(self) -> Self:
        """The sampler itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def _run(self) -> None:
        """The thread that owns the engine."""
        engine: Engine | None = None
        error: Exception = Stopped(_CLOSED)
        try:
            engine = self._start()
            while self._feed(engine):
                began = time.perf_counter()
                self._hand_out(engine.step())
                self._seconds += time.perf_counter() - began
        except Exception as raised:
            error = raised
        finally:
            with suppress(Exception):  # of an engine that has failed
                if engine is not None:
                    engine.close()
            with self._changed:
                self._thread = None
                if isinstance(error, ModelUnusable):
                    self._unusable = error
                for stream in {*self._streams, *self._open.values()}:
                    stream.waiting.clear()
                    stream.arrived.put(error)
                self._streams.clear()
                self._open.clear()

    def _feed(self, engine: Engine) -> bool:
        """Give the engine what it has room for; wait if there is nothing at all to do. Returns False when it is time to close."""
        requests: list[Request] = []
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._streams or self._open)
            if self._closing:
                return False
            room = engine.room()
            while room > len(requests) and self._streams:
                stream = self._streams[0]
                stream.begun = True
                while stream.waiting and len(requests) < room:
                    request = stream.waiting.popleft()
                    other = self._open.get((request.query_id, request.sample))
                    if other is None:
                        requests.append(request)
                    elif not other.abandoned:
                        error = ValueError("it is asked for twice at the same time")
                        stream.arrived.put([Failure(request.query_id, request.sample, error)])
                        continue
                    # A shard that is tried again gets what it asked for the first time.
                    self._open[request.query_id, request.sample] = stream
                if not stream.waiting:
                    self._streams.pop(0)
        if requests:
            engine.add(requests)
        return True

    def _hand_out(self, finished: Sequence[Completion | Failure]) -> None:
        of_stream: dict[Stream, list[Completion | Failure]] = {}
        self._tokens += sum(one.completion_tokens or 0 for one in finished if isinstance(one, Completion))
        with self._changed:
            for one in finished:
                of_stream.setdefault(self._open.pop((one.query_id, one.sample)), []).append(one)
        for stream, items in of_stream.items():
            stream.arrived.put(items)
