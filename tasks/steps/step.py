"""What makes a function a step: when it is redone, where its result is kept, whether a retry makes sense."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, ParamSpec, TypedDict, TypeVar, cast

from prefect import Task, task
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.filesystems import WritableFileSystem
from prefect.settings import PREFECT_API_URL

from tasks.config import RunFile
from tasks.errors import Stopped, UserError
from tasks.lake.files import Lake, keep_only
from tasks.lake.fingerprints import fingerprint, source_fingerprint

_RESULTS = ".results"
P = ParamSpec("P")
R = TypeVar("R")


class Written(TypedDict, total=False):
    """What a step wrote: paths in the lake per folder, and what a reader of the report should know."""

    queries: list[str]
    generations: list[str]
    votes: list[str]
    embeddings: list[str]
    evidence: list[str]
    costs: list[str]
    routers: list[str]
    encoders: list[str]
    scores: list[str]
    routes: list[str]
    policies: list[str]
    metrics: list[str]
    trials: list[str]
    clusters: list[str]
    growth: list[str]
    endings: list[str]
    notes: list[str]
    seconds_per_query: float
    seconds: float


def is_worth_a_retry(_: Task[Any, Any], __: TaskRun, state: State[Any]) -> bool:
    """A full disk or a network that stumbles may pass; the user's mistake does not, nor does the end of the run."""
    return not isinstance(state.result(raise_on_failure=False), UserError | Stopped)


def _may_pass(_: Task[Any, Any], __: TaskRun, state: State[Any]) -> bool:
    """A lake that does not answer may answer later; what a step computes would come out the same."""
    return isinstance(state.result(raise_on_failure=False), OSError)


def step(
    name: str,
    reads: Callable[..., Sequence[object]],
    code: Sequence[str],
    retry_if: Callable[[Task[Any, Any], TaskRun, State[Any]], bool] = _may_pass,
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A Prefect task that is redone when `reads(**parameters)`, or the code of the packages, has changed."""

    def key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
        function = context.task.fn.__name__
        made_from = fingerprint(function, source_fingerprint(*code), *reads(**parameters))
        lake = Lake(parameters["run"].lake)
        # A record whose files are gone is no record: the files are made again, under the next name. The newest record counts.
        attempt, valid = 0, None
        while context.result_store.exists(candidate := f"{function}-{made_from}-{attempt}"):
            valid = candidate if _are_there(lake, context.result_store.read(candidate).result) else valid
            attempt += 1
        return valid or candidate

    def named(parameters: dict[str, Any]) -> str:
        return name.format(**{key: _shown(value) for key, value in parameters.items()})

    return task(
        task_run_name=named,  # type: ignore[arg-type]
        cache_key_fn=key,
        persist_result=True,
        result_serializer="json",
        cache_result_in_memory=False,
        retries=2,
        retry_delay_seconds=5,
        retry_condition_fn=retry_if,
    )


def _shown(value: object) -> object:
    """An encoder in a folder is known by the folder's name."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _are_there(lake: Lake, written: Written) -> bool:
    folders = set(written) - {"notes", "seconds_per_query", "seconds"}
    return all(lake.exists(path) for folder in folders for path in cast(dict[str, list[str]], written)[folder])


class LakeResults(WritableFileSystem):
    """Prefect's results in a lake on S3: a block that knows where, while credentials come from the environment, as for all else."""

    _block_type_name = "Manyminds Lake"
    _block_type_slug = "manyminds-lake"

    lake: str

    def read_path(self, path: str, _sync: bool = True) -> bytes:  # type: ignore[override]
        """The bytes of a result. Raises FileNotFoundError."""
        return _result(self.lake, path)

    def write_path(self, path: str, content: bytes, _sync: bool = True) -> None:  # type: ignore[override]
        """Keep a result."""
        Lake(self.lake).write(f"{_RESULTS}/{path}", content)

    async def aread_path(self, path: str) -> bytes:
        """The same, without holding up the event loop."""
        return await asyncio.to_thread(self.read_path, path)

    async def awrite_path(self, path: str, content: bytes) -> None:
        """The same, without holding up the event loop."""
        await asyncio.to_thread(self.write_path, path, content)


@lru_cache(maxsize=4096)
def _result(lake: str, path: str) -> bytes:
    """Prefect reads a result three or four times on its way; one that was written never changes."""
    return Lake(lake).read(f"{_RESULTS}/{path}")


@cache
def _results_of(lake: str, server: str | None) -> LakeResults:
    """Known to the server, as Prefect wants it, once for each process: a block given by its name is looked up for every task."""
    block = LakeResults(lake=lake)
    block.save(f"lake-{fingerprint(lake)}", overwrite=True, _sync=True)  # type: ignore[call-arg]
    return block


def stored(run: RunFile, made: Task[P, R]) -> Task[P, R]:
    """The step with its results kept in the run's lake."""
    lake = Lake(run.lake)
    place = Path(lake.location(_RESULTS)) if lake.is_local else _results_of(run.lake, PREFECT_API_URL.value())
    return made.with_options(result_storage=place)


def publish(run: RunFile, folder: str, results: Sequence[Written]) -> list[str]:
    """Make a table (or the routers, or the policies) consist of what these steps wrote to it, and return its paths."""
    paths = sorted(path for written in results for path in cast(dict[str, list[str]], written).get(folder, []))
    keep_only(Lake(run.lake), folder, paths)
    return paths
