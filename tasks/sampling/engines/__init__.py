"""Engines sample completions: requests in at any time, completions out as they finish, in any order.

    with open_sampler(model, sampling) as sampler:
        for completion in sampler.sample([Request("5f0c…", 0, "What is 2 + 2?\\n", seed=81)]):
            print(completion.text)                                      # "4."

An engine knows nothing of queries, shards or the lake. The `Sampler` (`sampler.py`) stands before it: it keeps the engine
busy with the requests of several shards at once and gives each shard its own completions. `__init__` loads no library: an
engine is imported and its model loaded when the first request comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from tasks.config import Model, Sampling
from tasks.errors import ModelUnusable

if TYPE_CHECKING:
    from tasks.sampling.engines.sampler import Sampler

FinishReason = Literal["stop", "length", "prompt-too-long", "content-filter"]
Name = Literal["vllm", "transformers", "openai"]


@dataclass(frozen=True)
class Request:
    """One sample that is wanted. The seed alone decides what the model says to the prompt."""

    query_id: str
    sample: int
    prompt: str
    seed: int  # 0 … 2⁶³-1


@dataclass(frozen=True)
class Completion:
    """One sample that was drawn. `text` has neither the prompt nor the stop string; it may be empty."""

    query_id: str
    sample: int
    text: str
    finish_reason: FinishReason
    prompt_tokens: int | None  # None: a server does not say
    completion_tokens: int | None  # generated, the end-of-text token included
    latency_s: float  # from the start of work on the sample (not its wait for a place) to its last token
    first_token_s: float | None = None  # from the start of work on the sample to its first token; None: not known


@dataclass(frozen=True)
class Failure:
    """One sample that this engine cannot draw, though it can go on with others: it fails the shard that asked, alone."""

    query_id: str
    sample: int
    error: Exception


@dataclass(frozen=True)
class Load:
    """What it took to load a model, once."""

    engine: Name
    device: str
    load_s: float  # from nothing to ready for the first request
    weights_gb: float | None = None  # memory that its weights take, in 10⁹ bytes
    sleep_s: float | None = None  # to put it to sleep, where the engine can: its weights wait in the machine's own memory
    wake_s: float | None = None  # to wake it again


class Engine(Protocol):
    """A model on its hardware. One thread, always the same, makes it and calls it."""

    @property
    def load(self) -> Load | None:
        """What it took to load the model; complete once the engine is closed. None: not known, as of a server's model."""
        ...

    def room(self) -> int:
        """How many further requests it wants now so that it does not run dry; 0 if it has enough ahead."""
        ...

    def add(self, requests: Sequence[Request]) -> None:
        """Take these in and return at once. They need not be answered in order, but what came first should not starve."""
        ...

    def step(self) -> list[Completion | Failure]:
        """Work for a moment (about a twentieth of a second at most, if it only waits) and give back what has finished, if anything.

        Raises RuntimeError if the engine itself failed: then it is closed, and every sample under way is lost.
        """
        ...

    def close(self) -> None:
        """Release the model, its memory and its processes."""
        ...


def open_sampler(model: Model, sampling: Sampling) -> "Sampler":
    """A sampler of the model on the engine that the run file asks for. Loads nothing yet."""
    from tasks.sampling.engines.sampler import Sampler

    return Sampler(lambda: start(model, sampling))


def engine_of(model: Model, sampling: Sampling) -> Name:
    """Which engine samples the model: a server where there is one, vLLM where a GPU is and vLLM installed, else transformers."""
    if model.url is not None:
        return "openai"
    if sampling.engine != "auto":
        return sampling.engine
    if not _is_installed("vllm"):
        return "transformers"
    import torch

    return "vllm" if torch.cuda.is_available() else "transformers"


def _is_installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def _why_not_vllm(sampling: Sampling) -> str:
    if sampling.engine == "transformers":
        return 'engine = "transformers"'
    return "there is no GPU here" if _is_installed("vllm") else "vLLM is not installed here"


def start(model: Model, sampling: Sampling) -> Engine:
    """The engine, with its model loaded. Raises ModelUnusable, saying what to do, if that cannot be done."""
    name = engine_of(model, sampling)
    gpus = model.tensor_parallel * model.pipeline_parallel
    if name == "transformers" and gpus > 1:
        raise ModelUnusable(
            f"model {model.name!r}: tensor_parallel and pipeline_parallel spread it over {gpus} GPUs, which only vLLM does, "
            f"but {_why_not_vllm(sampling)}; run it where there are {gpus} GPUs and vLLM, or remove these keys"
        )
    if name == "vllm" and not _is_installed("vllm"):
        raise ModelUnusable(
            f"model {model.name!r}: engine = \"vllm\", but vLLM is not installed here; install it with `pip install 'manyminds[vllm]'`, "
            'or set engine = "transformers"'
        )
    if name == "vllm":
        from tasks.sampling.engines.vllm import VllmEngine

        return VllmEngine(model, sampling)
    if name == "openai":
        from tasks.sampling.engines.openai import OpenAIEngine

        return OpenAIEngine(model, sampling)
    from tasks.sampling.engines.transformers import TransformersEngine

    return TransformersEngine(model, sampling)
