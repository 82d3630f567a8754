"""What more than one test needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Machines differ in speed; what is too slow is for the benchmarks to say.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

ROOT = Path(__file__).parents[1]


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
