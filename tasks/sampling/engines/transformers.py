"""The engine on `transformers`: runs wherever torch does, one process per GPU, or per core where there is none.

This process only hands out work: batches of requests, longest prompts first so that the cores finish together, each to the next
idle worker, and passes on what comes back. It loads no torch. Workers are forked from a server that has imported torch and
transformers already (once per run, not once per model), end when this process ends, however it ends, and load the model when they start.
"""

import math
import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from queue import SimpleQueue
from threading import Thread
from typing import Any

from tasks.config import Model, Sampling
from tasks.errors import ModelUnusable
from tasks.sampling.engines import Completion, Failure, Load, Request

_HEAVY = "tasks.sampling.engines.decoding"
_READ_AHEAD = 16_384  # requests that are sorted by length together
_ROWS = 512  # requests handed to a worker at once
_PATIENCE = 0.05  # seconds to wait for a worker before new requests are looked for
_HINTS = {
    -9: " (killed: perhaps memory ran out; a smaller sampling.max_new_tokens or fewer other programs would leave more)",
    1: " (it did not start; a script that samples has to begin it below `if __name__ == '__main__':`)",
}


class TransformersEngine:
    """An `Engine`; see the protocol."""

    def __init__(self, model: Model, sampling: Sampling) -> None:
        """Start the processes; the first one loads the model before this returns. Raises ModelUnusable if that fails."""
        self.load: Load | None = None
        self._model, self._sampling = model, sampling
        self._waiting: list[Request] = []
        self._batches: deque[list[Request]] = deque()  # made of what was waiting, and not yet handed out
        self._workers: dict[Connection, ForkServerProcess] = {}
        self._busy: set[Connection] = set()
        try:
            self._start_workers()
        except BaseException:
            self.close()
            raise

    def room(self) -> int:
        """Enough to sort by length."""
        return max(0, _READ_AHEAD - len(self._waiting))

    def add(self, requests: Sequence[Request]) -> None:
        """Keep these until a worker is idle."""
        self._waiting += requests

    def step(self) -> list[Completion | Failure]:
        """Hand a batch to each idle worker, and give back what has come. Raises RuntimeError for a lost worker."""
        for worker in [worker for worker in self._workers if worker not in self._busy]:
            if not self._batches:
                window, self._waiting = self._waiting[:_READ_AHEAD], self._waiting[_READ_AHEAD:]
                self._batches.extend(_batches(window, len(self._workers)))
            if self._batches:
                self._send(worker, self._batches.popleft())
                self._busy.add(worker)
        finished: list[Completion | Failure] = []
        ready = wait(list(self._busy), _PATIENCE) if self._busy else []
        for worker in [worker for worker in self._busy if worker in ready]:
            kind, content = self._receive(worker)
            if kind == "done":
                self._busy.remove(worker)
            else:
                finished += content
        return finished

    def close(self) -> None:
        """End the workers, and with them the model."""
        for connection, process in self._workers.items():
            connection.close()
            process.terminate()
        for process in self._workers.values():
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()
        self._workers = {}

    def _start_workers(self) -> None:
        """The first worker says which devices there are; then one is started for each of the others."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([_HEAVY])
        first = self._start_worker(context, "")
        _, devices = self._receive(first)
        self._send(first, devices[0])
        for device in devices[1:]:
            self._start_worker(context, device)
        _, self.load = self._receive(first)

    def _start_worker(self, context: Any, device: str) -> Connection:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._model, self._sampling, device), daemon=True)
        process.start()
        theirs.close()
        self._workers[ours] = process
        return ours  # type: ignore[no-any-return]

    def _send(self, worker: Connection, message: Any) -> None:
        with suppress(OSError):  # it has died, and `_receive` will say so
            worker.send(message)

    def _receive(self, worker: Connection) -> tuple[str, Any]:
        try:
            kind, content = worker.recv()
        except (EOFError, OSError) as error:
            process = self._workers[worker]
            process.join(5)
            hint = _HINTS.get(process.exitcode or 0, "")
            raise RuntimeError(
                f"model {self._model.name!r}: a process that sampled it ended with exit code {process.exitcode}{hint}"
            ) from error
        if kind == "user error":
            raise ModelUnusable(content)
        if kind == "error":
            said, trace = content
            failed = RuntimeError(f"model {self._model.name!r}: sampling failed: {said}")
            failed.add_note(trace)  # for the log
            raise failed
        return kind, content


def _batches(requests: Sequence[Request], workers: int) -> Iterator[list[Request]]:
    """Batches for the workers, as many for each; samples of a prompt together, long prompts first."""
    rounds = math.ceil(len(requests) / (_ROWS * workers))
    size = math.ceil(len(requests) / max(rounds * workers, 1))
    batch: list[Request] = []
    for request in sorted(requests, key=lambda one: (-len(one.prompt), one.prompt)):
        if (len(batch) >= size and request.prompt != batch[-1].prompt) or len(batch) >= _ROWS:
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _work(connection: Connection, model: Model, sampling: Sampling, device: str) -> None:
    """A worker process: batches in, lists of completions out, until the connection closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that hands out the work
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        import torch  # only workers load torch

        from tasks.sampling.engines.decoding import Decoder

        torch.set_num_threads(1)
        is_first = not device
        if is_first:
            count = torch.cuda.device_count()
            connection.send(("devices", [f"cuda:{number}" for number in range(count)] or ["cpu"] * _cores()))
            device = connection.recv()
        batches = _inbox(connection)
        began = time.perf_counter()
        decoder = Decoder(model, sampling, device)
        if is_first:
            name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
            connection.send(("loaded", Load("transformers", name, time.perf_counter() - began, decoder.weights_gb)))
        while True:
            for completions in decoder.sample(batches.get()):
                connection.send(("completions", completions))
            connection.send(("done", None))
    except ModelUnusable as error:
        connection.send(("user error", str(error)))
    except Exception as error:
        said = f"{type(error).__name__}: {(str(error).strip() or '(no more is said)').splitlines()[0]}"
        connection.send(("error", (said, traceback.format_exc())))


def _inbox(connection: Connection) -> "SimpleQueue[list[Request]]":
    """What comes over the connection, read in a thread, so that this process ends at once when the other one is gone."""
    inbox: SimpleQueue[list[Request]] = SimpleQueue()

    def read() -> None:
        with suppress(EOFError, OSError):
            while True:
                inbox.put(connection.recv())
        os._exit(0)

    Thread(target=read, daemon=True).start()
    return inbox
