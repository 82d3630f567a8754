"""What the tests with vLLM need. All of them are skipped where it is not installed."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tasks.config import Model

WORLD = Path(__file__).parents[2] / "tasks" / "world" / "models"

if find_spec("vllm") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="module")
def in_process() -> Iterator[None]:
    """vLLM in this process, in one thread: starts in a second or two."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def ledger() -> Model:
    """One of the embedded models; it can do sums, sometimes."""
    return Model(name="ledger", path=str(WORLD / "ledger"))


@pytest.fixture(scope="session")
def prompts() -> Callable[[int], list[str]]:
    """A function that makes so many prompts of one to four questions, of which only the last is open."""

    def make(count: int) -> list[str]:
        asked = [f"What is {number % 19} plus {number // 3}?\n" for number in range(count)]
        return [
            "".join(f"What is {step} plus 2?\n#### {step + 2}\n" for step in range(number % 4)) + one for number, one in enumerate(asked)
        ]

    return make
