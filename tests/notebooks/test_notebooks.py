"""Notebooks run from top to bottom on a lake, and are in the repository without their outputs."""

import io
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import polars as pl
import pytest
from planted_tables import pool_tables

from tasks.evaluation.evaluate import evaluate
from tasks.lake.files import Lake, write_table
from tasks.lake.tables import GENERATIONS, METRICS, QUERIES, ROUTES, SCORES, VOTES

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with planted tables, laid out as a run lays it out."""
    folder = tmp_path_factory.mktemp("lake")
    tables = pool_tables(12)
    metrics = evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {}, 100, 0)
    place = Lake(str(folder))
    for table, frame in (
        (QUERIES, tables.queries),
        (VOTES, tables.votes),
        (SCORES, tables.scores),
        (ROUTES, tables.routes),
        (METRICS, metrics),
    ):
        write_table(place, table, frame, "all.parquet")
    for (model,), said in tables.votes.partition_by("model", as_dict=True).items():
        text = said.select(
            "query_id",
            "model",
            "recipe",
            bucket=pl.lit("00-of-01"),
            sample=pl.lit(0),
            seed=pl.lit(0),
            text=pl.lit("The answer is 1."),
            finish_reason=pl.lit("stop"),
            prompt_tokens=pl.lit(9),
            completion_tokens=pl.lit(5),
            latency_s="latency_s",
        )
        write_table(place, GENERATIONS, text, f"model={model}/recipe=r1/bucket=00-of-01/a.parquet")
    return folder


def execute(notebook: Path, lake: Path, folder: Path) -> None:
    """Run in a process of its own, from the notebooks' folder, with the kernel of this Python."""
    script = (
        "import nbformat, sys; from nbclient import NotebookClient; "
        "NotebookClient(nbformat.read(sys.argv[1], 4), timeout=120, kernel_name='python3').execute()"
    )
    environment = {**os.environ, "MANYMINDS_LAKE": str(lake), "IPYTHONDIR": str(folder), "JUPYTER_PREFER_ENV_PATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(notebook)], cwd=FOLDER, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(notebook: Path, lake: Path, tmp_path: Path) -> None:
    execute(notebook, lake, tmp_path)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_has_no_outputs(notebook: Path) -> None:
    content = nbformat.read(io.StringIO(notebook.read_text(encoding="utf-8")), 4)
    nbformat.validate(content)
    for cell in content.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
