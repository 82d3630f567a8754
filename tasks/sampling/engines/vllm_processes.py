"""What surrounds vLLM: where its log goes, why it failed, and that its processes end with ours.

vLLM runs the model in processes of its own. They say why they failed only in their log, so that is kept in a file and read when
one of them ends; and they live on when the process that started them is killed, so vLLM calls `end_with_owner` in each of them
(the entry point `vllm.general_plugins` in pyproject.toml). What they print beside the log, tracebacks above all, goes to that file too.
"""

import json
import os
import re
import select
import tempfile
from functools import cache
from itertools import count
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread
from typing import Any

_SCRATCH = "manyminds-vllm-"  # how the name of the folder with the logs begins
_OWNER = "MANYMINDS_VLLM_OWNER"  # process id of the process that holds the engine
_numbers = count()
_ERROR = re.compile(r"^(?:\S* )?((?:\w+\.)*\w*(?:Error|Exception|Interrupt)): (.+)$", re.MULTILINE)
# The first that fits; of memory, vLLM takes the share gpu_memory, and what its weights leave of that is for the texts.
_TO_DO = {
    "No available memory for the cache": "raise gpu_memory or tensor_parallel, or take a quantization: weights leave no room for texts",
    "less than desired GPU memory utilization": "lower gpu_memory, or end what else uses the GPU",
    "larger than the number of available GPUs": "lower tensor_parallel or pipeline_parallel, or run where there are as many GPUs",
    "Failed to infer device type|no NVIDIA|No CUDA GPUs": 'there is no GPU here; run it where there is one, or set engine = "transformers"',
    "out of memory|OutOfMemoryError|can't allocate memory|bad_alloc": (
        "lower gpu_memory or sampling.max_new_tokens, raise tensor_parallel, or end what else uses the GPU"
    ),
}
_OUT_OF_MEMORY = re.compile(r"out of memory|OutOfMemoryError|can't allocate memory|bad_alloc", re.IGNORECASE)


def new_log() -> Path:
    """Where an engine's log shall go: a file, not yet there, in a folder that is removed when this process ends."""
    return Path(_folder().name) / f"{next(_numbers)}.log"


def prepare(log: Path) -> None:
    """Set what vLLM reads from the environment when it is imported, here and in its processes. What the user has set stays.

    Only errors are logged, into `log`; with VLLM_LOGGING_LEVEL set, vLLM logs to the terminal as well.
    """
    level = os.environ.get("VLLM_LOGGING_LEVEL")
    handlers: dict[str, object] = {"file": {"class": "logging.FileHandler", "filename": str(log), "level": "ERROR", "delay": True}}
    if level is not None:
        handlers["terminal"] = {"class": "logging.StreamHandler", "level": level}
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": handlers,
        "loggers": {"vllm": {"handlers": list(handlers), "level": level or "ERROR", "propagate": False}},
    }
    settings = log.with_suffix(".json")
    settings.write_text(json.dumps(config))
    os.environ[_OWNER] = str(os.getpid())
    if _SCRATCH in os.environ.get("VLLM_LOGGING_CONFIG_PATH", _SCRATCH):  # not set, or by an engine before this one
        os.environ["VLLM_LOGGING_CONFIG_PATH"] = str(settings)
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")  # a fork of a process with threads may hang
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # nothing is sent home
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def forget(log: Path) -> None:
    """Take back what would mislead another vLLM that is started from here."""
    if os.environ.get("VLLM_LOGGING_CONFIG_PATH") == str(log.with_suffix(".json")):
        del os.environ["VLLM_LOGGING_CONFIG_PATH"]
    os.environ.pop(_OWNER, None)


def what_went_wrong(log: Path) -> str:
    """The first error in the log, "torch.OutOfMemoryError: CUDA out of memory. …", or an empty text."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    errors = [f"{name}: {said}" for name, said in _ERROR.findall(text)]
    return next((error for error in errors if is_out_of_memory(error)), errors[0] if errors else "")


def is_out_of_memory(error: str) -> bool:
    """Whether the text of an error says that memory ran out."""
    return _OUT_OF_MEMORY.search(error) is not None


def what_to_do(error: str) -> str:
    """What to change in the run file after such an error, to be put behind it; empty: not known."""
    return next((f"; {words}" for said, words in _TO_DO.items() if re.search(said, error, re.IGNORECASE)), "")


def tell_of_death(client: Any) -> None:
    """Make a wait for vLLM's next output end when its engine's process has ended.

    `client`: vLLM's side of the engine. It notices that the process is gone, but who waits for an output waits for ever (0.32).
    """
    processes = getattr(getattr(getattr(client, "resources", None), "engine_manager", None), "processes", None)
    if not processes:  # the engine runs in this process
        return
    outputs, ends = client.outputs_queue, [process.sentinel for process in processes]

    def watch() -> None:
        from vllm.v1.engine.exceptions import EngineDeadError

        wait(ends)
        outputs.put(EngineDeadError())

    Thread(target=watch, daemon=True, name="tell of death").start()


def end_with_owner() -> None:
    """Called by vLLM in each of its processes: end as soon as the process that holds the engine is gone, however it went."""
    owner = int(os.environ.get(_OWNER, "0"))
    if not owner or owner == os.getpid():  # started by somebody else; this is the owner
        return
    _be_quiet()
    if not hasattr(os, "pidfd_open"):  # no Linux
        return
    try:
        handle = os.pidfd_open(owner)
    except ProcessLookupError:
        os._exit(1)

    def watch() -> None:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.poll()
        os._exit(1)

    Thread(target=watch, daemon=True, name="end with owner").start()


def _be_quiet() -> None:
    """Let what this process prints to the terminal stand behind the log, unless the user wants to see vLLM's."""
    settings = os.environ.get("VLLM_LOGGING_CONFIG_PATH", "")
    if _SCRATCH in settings and "VLLM_LOGGING_LEVEL" not in os.environ:
        log = os.open(Path(settings).with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 2)
        os.close(log)


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix=_SCRATCH)
