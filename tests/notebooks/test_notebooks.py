"""Notebooks run from top to bottom on the demo's lake, and are in the repository without their outputs."""

import io
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def execute(notebook: Path, lake: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run in a process of its own, from the notebooks' folder, with the kernel of this Python."""
    script = (
        "import nbformat, sys; from nbclient import NotebookClient; "
        "NotebookClient(nbformat.read(sys.argv[1], 4), timeout=120, kernel_name='python3').execute()"
    )
    environment = {**os.environ, "MANYMINDS_LAKE": str(lake), "IPYTHONDIR": str(folder), "JUPYTER_PREFER_ENV_PATH": "1"}
    return subprocess.run(
        [sys.executable, "-c", script, str(notebook)], cwd=FOLDER, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(notebook: Path, demo_lake: Path, tmp_path: Path) -> None:
    done = execute(notebook, demo_lake, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_has_no_outputs(notebook: Path) -> None:
    content = nbformat.read(io.StringIO(notebook.read_text(encoding="utf-8")), 4)
    nbformat.validate(content)
    for cell in content.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
