"""Notebooks run from top to bottom on the demo's lake, say what they promise, and are in the repository without their outputs."""

import io
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from s3fs import S3FileSystem

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SAYS = {
    "01-first-look": ["some model right: ", "kmeans-tfidf"],
    "02-sql": ["alone_right", "regret", "verdict"],
    "03-your-own-router": ["words · argmax", "words with argmax "],
    "04-your-own-outcomes": ["Yes. Routing is worth it for this pool: ", "How do I change my invoice?"],
}


def execute(notebook: Path, lake: str, folder: Path) -> str:
    """All that the notebook prints; run in a process of its own, from the notebooks' folder, with the kernel of this Python."""
    script = (
        "import nbformat, sys; from nbclient import NotebookClient; notebook = nbformat.read(sys.argv[1], 4); "
        "NotebookClient(notebook, timeout=120, kernel_name='python3').execute(); nbformat.write(notebook, sys.argv[2])"
    )
    environment = {**os.environ, "MANYMINDS_LAKE": lake, "IPYTHONDIR": str(folder), "JUPYTER_PREFER_ENV_PATH": "1", "TMPDIR": str(folder)}
    command = [sys.executable, "-c", script, str(notebook), str(folder / "executed.ipynb")]
    done = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    outputs = [output for cell in nbformat.read(folder / "executed.ipynb", 4).cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom_and_says_what_it_promises(notebook: Path, demo_lake: Path, tmp_path: Path) -> None:
    said = execute(notebook, str(demo_lake), tmp_path)
    assert all(words in said for words in SAYS[notebook.stem]), said


@pytest.mark.slow
def test_sql_says_the_same_of_a_lake_on_s3(s3: str, demo_lake: Path, tmp_path: Path) -> None:
    S3FileSystem(skip_instance_cache=True).put(f"{demo_lake}/", f"{s3}/demo/".removeprefix("s3://"), recursive=True)
    here, there = (tmp_path / name for name in ("here", "there"))
    here.mkdir(), there.mkdir()
    assert execute(FOLDER / "02-sql.ipynb", f"{s3}/demo", there) == execute(FOLDER / "02-sql.ipynb", str(demo_lake), here)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_has_no_outputs(notebook: Path) -> None:
    content = nbformat.read(io.StringIO(notebook.read_text(encoding="utf-8")), 4)
    nbformat.validate(content)
    for cell in content.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
