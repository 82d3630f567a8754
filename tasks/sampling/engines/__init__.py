"""Engines sample completions: prompts with seeds in, completions out as they finish, in any order.

    with open_sampler(model, sampling) as sampler:
        for completion in sampler.sample([Request("5f0c…", 0, "What is 2 + 2?\\n", seed=81)]):
            print(completion.text)                                      # "4."

An engine knows nothing of queries, shards or the lake. It reads requests lazily and ahead of what it gives back, so a
caller that passes the requests of several shards as one stream keeps it busy between them. `__init__` loads no library:
an engine is imported when it is opened, its model when the first request comes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

from tasks.config import Model, Sampling

FinishReason = Literal["stop", "length", "prompt-too-long"]


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
    prompt_tokens: int
    completion_tokens: int  # generated, the end-of-text token included
    latency_s: float  # from the start of the sample's batch to its last token


class Sampler(Protocol):
    """A model, ready to be sampled."""

    def sample(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Each request's completion, as they finish.

        Raises ModelUnusable for a model that cannot be loaded, RuntimeError when a process of the engine dies.
        """
        ...

    def close(self) -> None:
        """Release the model and its processes. A later `sample` would start them again."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def open_sampler(model: Model, sampling: Sampling) -> Sampler:
    """The engine that the run file asks for; "auto" is `transformers`. Loads nothing yet."""
    from tasks.sampling.engines.transformers import TransformersSampler

    return TransformersSampler(model, sampling)
