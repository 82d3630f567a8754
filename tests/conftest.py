"""What more than one test needs."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real outcomes and answers, which is not shipped; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("MANYMINDS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set MANYMINDS_DATA")
    return folder
