"""Real flows on a real Prefect server, with the embedded models on few questions."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.testing.utilities import prefect_test_harness

from tasks.config import RunFile

WORLD = Path(__file__).parents[2] / "tasks" / "world"


@pytest.fixture(scope="session")
def server() -> Iterator[None]:
    """A Prefect server of the tests' own."""
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunFile]:
    """A run of two tiny models on 48 questions, three samples each; keyword arguments replace sections."""

    def make(**sections: Any) -> RunFile:
        models = [{"name": name, "path": str(WORLD / "models" / name)} for name in ("ledger", "scribe")]
        content: dict[str, Any] = {
            "name": "small",
            "lake": str(tmp_path / "lake"),
            "benchmarks": [{"name": "embedded", "limit": {"train": 24, "validation": 8, "test": 16}}],
            "models": models,
            "sampling": {"k": 3, "max_new_tokens": 40, "buckets": 2},
            "routers": [{"name": "kmeans-tfidf", "clusters": 4}],
            "evaluation": {"policies": ["argmax"], "bootstrap": 100},
        }
        return RunFile.model_validate(content | sections)

    return make
