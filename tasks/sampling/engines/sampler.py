"""The sampler stands between an engine and the shards that use it at the same time, and never lets the engine idle.

One thread owns the engine: it hands it requests before it runs dry, first those of queries that are begun, then the oldest
shard's, then the next one's. Each shard has a stream of its own:

    with sampler.stream() as stream:
        stream.add(requests)
        for completions in stream:          # lists: all that have come meanwhile; ends when nothing is under way
            ...                             # whatever is done here (reading, writing, upload) happens beside the engine
            stream.add(more)                # these go before all that was asked for at the start, here and by other shards

A shard that gave up and is tried again gets what was drawn for it meanwhile. The model is loaded at the first request. If the
engine fails, all streams that are open raise its error, and the next request starts it anew; a model that cannot be loaded is
not tried again. `loads` says, once the sampler is closed, what it took to load it each time.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Condition, Thread
from types import TracebackType
from typing import Self

from tasks.errors import ModelUnusable, Stopped, UserError
from tasks.sampling.engines import Completion, Engine, Failure, Load, Request

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
            self._sampler.enqueue(self, requests)
            self._under_way += len(requests)

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
            kind = UserError if all(isinstance(failure.error, UserError) for failure in failures) else RuntimeError
            raise first if len(failures) == 1 else kind(f"{len(failures):,} samples could not be drawn, the first because: {first}")

    def __enter__(self) -> Self:
        """The stream itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Drop what is still waiting; what is under way is finished and kept for whoever asks again."""
        self._sampler.forget(self)


class Sampler:
    """See the module. Every method may be called from any thread.

    A sample of a query has the same prompt and seed whenever it is asked for.
    """

    def __init__(self, start: Callable[[], Engine]) -> None:
        """`start` makes the engine and loads its model; it is called in the sampler's own thread."""
        self.loads: list[Load] = []  # of every engine that has been closed
        self._start = start
        self._changed = Condition()
        self._streams: list[Stream] = []  # with requests that wait, oldest first
        self._next: deque[tuple[Stream, Request]] = deque()  # go before those: what streams that have begun asked for since
        self._open: dict[tuple[str, int], Stream] = {}  # who asked for what the engine has
        self._kept: dict[tuple[str, int], Completion] = {}  # drawn for streams that were abandoned
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
            waiting = [request for request in requests if not self._is_drawn(request, stream)]
            if stream.begun:  # it goes on with queries that are begun, whose prompts the engine may still hold
                self._next.extend((stream, request) for request in waiting)
            elif waiting:
                stream.waiting.extend(waiting)
                if stream not in self._streams:
                    self._streams.append(stream)
            if self._thread is None and waiting:
                self._thread = Thread(target=self._run, name="sampler", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def forget(self, stream: Stream) -> None:
        """Nobody waits for this stream any more."""
        with self._changed:
            stream.abandoned = True
            stream.waiting.clear()
            self._next = deque(pair for pair in self._next if pair[0] is not stream)
            if stream in self._streams:
                self._streams.remove(stream)
            while not stream.arrived.empty():
                item = stream.arrived.get()
                if not isinstance(item, Exception):
                    self._keep(item)

    def keep(self, completions: Sequence[Completion]) -> None:
        """These could not be used, for instance written: who asks for them again gets them."""
        with self._changed:
            self._keep(completions)

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
                    self.loads += [load] if (load := engine.load) is not None else []
            with self._changed:
                self._thread = None
                if isinstance(error, ModelUnusable):
                    self._unusable = error
                for stream in {*self._streams, *self._open.values(), *(stream for stream, _ in self._next)}:
                    stream.waiting.clear()
                    stream.arrived.put(error)
                self._streams.clear()
                self._next.clear()
                self._open.clear()

    def _feed(self, engine: Engine) -> bool:
        """Give the engine what it has room for; wait if there is nothing at all to do. Returns False when it is time to close."""
        requests: list[Request] = []
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._next or self._streams or self._open)
            if self._closing:
                return False
            room = engine.room()
            while len(requests) < room and (self._next or self._streams):
                stream, request = self._pop()
                if self._is_drawn(request, stream):
                    continue
                if (request.query_id, request.sample) in self._open:
                    error = ValueError("it is asked for twice at the same time")
                    stream.arrived.put([Failure(request.query_id, request.sample, error)])
                    continue
                self._open[request.query_id, request.sample] = stream
                requests.append(request)
        if requests:
            began = time.perf_counter()
            engine.add(requests)
            self._seconds += time.perf_counter() - began
        return True

    def _pop(self) -> tuple[Stream, Request]:
        """The request whose turn it is."""
        if self._next:
            return self._next.popleft()
        stream = self._streams[0]
        stream.begun = True
        request = stream.waiting.popleft()
        if not stream.waiting:
            self._streams.pop(0)
        return stream, request

    def _hand_out(self, finished: Sequence[Completion | Failure]) -> None:
        of_stream: dict[Stream, list[Completion | Failure]] = {}
        strange: list[Completion | Failure] = []
        self._tokens += sum(one.completion_tokens or 0 for one in finished if isinstance(one, Completion))
        with self._changed:
            for one in finished:
                stream = self._open.pop((one.query_id, one.sample), None)
                if stream is None:
                    strange.append(one)
                elif stream.abandoned:
                    self._keep([one])
                else:
                    of_stream.setdefault(stream, []).append(one)
            for stream, items in of_stream.items():
                stream.arrived.put(items)
        if strange:
            raise RuntimeError(f"the engine answered what it was not asked: sample {strange[0].sample} of query {strange[0].query_id!r}")

    def _keep(self, items: Sequence[Completion | Failure]) -> None:
        self._kept |= {(one.query_id, one.sample): one for one in items if isinstance(one, Completion)}

    def _is_drawn(self, request: Request, stream: Stream) -> bool:
        """Whether a stream that was abandoned had asked for this: then what came, or comes, of it is the new stream's."""
        key = request.query_id, request.sample
        if key in self._kept:
            stream.arrived.put([self._kept.pop(key)])
            return True
        if key in self._open and self._open[key].abandoned:
            self._open[key] = stream
            return True
        return False
