"""Asks a process with sympy whether two expressions are the same, and ends it when it takes too long.

    confirmed("(x+1)^2", "x^2+2x+1")    →  True, after some milliseconds (the first time after a second: sympy is imported)
    confirmed("x^{x^{x^x}}", "…")       →  False, after two seconds, with a line in the log

math-verify's own time limit is a signal that only the main thread can have, and that sympy's long loops in C never see. So the worker is a
process: the kernel ends it when its CPU time is over, and we do when it is silent for longer. Several threads have a worker each, up to
the number of cores. A worker ends with us, as its standard input does.
"""

import atexit
import contextlib
import json
import logging
import os
import re
import selectors
import subprocess
import sys
import threading
from collections import Counter
from functools import lru_cache
from pathlib import Path

from tasks.voting.answers.math.expression import FUNCTIONS, GREEK

_WORKER = Path(__file__).with_name("worker.py")
_STARTING = 120.0  # seconds to import sympy, on a machine that does much else
_SILENT = 60.0  # seconds without an answer, on such a machine; what it has of CPU time for one is for the worker to say
_INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")  # what the environment has of secrets does not concern a worker
_LONGEST = 300  # characters
_DEEPEST = 25  # braces and brackets
_COMMANDS = {
    *GREEK,
    *FUNCTIONS,
    *("frac", "sqrt", "binom", "cdot", "div", "pi", "infty", "log", "le", "ge", "lfloor", "rfloor", "lceil", "rceil"),
}
_PLAIN = re.compile(r"[0-9a-zA-Z \\{}()\[\]+\-*/^_=<>|!.,%']*")

_TRIES = 3  # of an expression that takes too long: after that it is compared with nothing more

_slow = Counter[str]()
_idle: list[subprocess.Popen[str]] = []
_free = threading.BoundedSemaphore(os.cpu_count() or 1)
_log = logging.getLogger(__name__)


@lru_cache(maxsize=100_000)
def confirmed(left: str, right: str) -> bool:
    """Whether math-verify finds two expressions the same; False where it cannot tell within its time, or they are not plain LaTeX.

    `left` is not greater than `right` as a text, so that each pair is asked about once.
    """
    if not (is_plain(left) and is_plain(right)):
        return False
    if max(_slow[left], _slow[right]) >= _TRIES:
        return False
    with _free:
        worker = _ready()
        answer = _ask(worker, left, right)
        if answer is None:
            _end(worker)
            _slow.update((left, right))
            _log.warning("Taken as different, since comparing them takes too long or too much memory: %.80r and %.80r", left, right)
        else:
            _idle.append(worker)
    return answer is True


def is_plain(text: str) -> bool:
    """Whether `text` may reach sympy: short, not deep, of LaTeX commands only those of arithmetic, without attributes and long words."""
    if len(text) > _LONGEST or not _PLAIN.fullmatch(text) or re.search(r"__|[a-zA-Z]\s*\.|\.\s*[a-zA-Z]", text):
        return False
    if not set(re.findall(r"\\([a-zA-Z]+)", text)) <= _COMMANDS or re.search(r"[a-zA-Z]{5}", re.sub(r"\\[a-zA-Z]+", " ", text)):
        return False
    deep = deepest = 0
    for character in text:
        deep += (character in "{([") - (character in "})]")
        deepest = max(deep, deepest)
    return deep == 0 and deepest <= _DEEPEST


def _ready() -> subprocess.Popen[str]:
    """A worker that has nothing to do."""
    while True:
        try:
            worker = _idle.pop()
        except IndexError:
            return _started()
        if worker.poll() is None:
            return worker
        _end(worker)  # somebody else has ended it


def _started() -> subprocess.Popen[str]:
    """A new worker, once it is ready."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # -P: a script's folder is searched for modules first, and in ours there is a `math`. Without a seed sets have another order each time.
    command = [sys.executable, "-P", str(_WORKER)]
    worker = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Ctrl-C is for us: a worker that it ended would have said that two answers differ
        env=environment | {"PYTHONHASHSEED": "0"},
    )
    if _line(worker, _STARTING) != "ready":
        _end(worker)
        raise RuntimeError(f"{_WORKER.name} does not start; is math-verify installed?")
    return worker


def _ask(worker: subprocess.Popen[str], left: str, right: str) -> bool | None:
    """The worker's answer; None where it has none in time, or has ended."""
    assert worker.stdin
    try:
        worker.stdin.write(json.dumps([left, right]) + "\n")
        worker.stdin.flush()
    except OSError:
        return None
    return {"true": True, "false": False}.get(_line(worker, _SILENT))


def _line(worker: subprocess.Popen[str], seconds: float) -> str:
    """What the worker says next, which is one line; empty where it says nothing, or has ended."""
    assert worker.stdout
    with selectors.DefaultSelector() as selector:
        selector.register(worker.stdout, selectors.EVENT_READ)
        return worker.stdout.readline().strip() if selector.select(seconds) else ""


def _end(worker: subprocess.Popen[str]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        with contextlib.suppress(OSError):
            pipe.close()  # type: ignore[union-attr]


@atexit.register
def end_all() -> None:
    """End the workers that wait; the next comparison starts new ones."""
    while _idle:
        _end(_idle.pop())


os.register_at_fork(after_in_child=_idle.clear)  # they are the parent's
