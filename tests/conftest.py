"""What more than one test needs."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import s3_servers
from hypothesis import settings

from tasks.config import RunFile

# Machines differ in speed; what is too slow is for the benchmarks to say.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

ROOT = Path(__file__).parents[1]
WORLD = ROOT / "tasks" / "world"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real outcomes and answers, which is not shipped; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("MANYMINDS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set MANYMINDS_DATA")
    return folder


@pytest.fixture(scope="session")
def demo_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake that `make demo` fills, filled anew by the same command."""
    lake = tmp_path_factory.mktemp("demo") / "lake"
    command = [str(Path(sys.executable).with_name("manyminds")), "run", str(ROOT / "infra/runs/demo.toml"), "--lake", str(lake)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=580)
    assert done.returncode == 0, done.stderr
    return lake


@pytest.fixture(scope="session")
def server() -> Iterator[None]:
    """A Prefect server of the tests' own."""
    from prefect.testing.utilities import prefect_test_harness

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


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A SeaweedFS of the tests' own: the environment that reaches it."""
    with s3_servers.seaweedfs(tmp_path_factory.mktemp("seaweedfs") / "data") as environment:
        yield environment


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A moto server of the tests' own: the environment that reaches it."""
    with s3_servers.moto(tmp_path_factory.mktemp("moto")) as environment:
        yield environment


@pytest.fixture(params=["seaweedfs", "moto"])
def s3(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A lake that is still empty on each of the two servers, which the environment then points to: `"s3://lakes/5f0c…"`."""
    for name, value in request.getfixturevalue(request.param).items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3_servers.BUCKET}/{uuid4().hex}"
