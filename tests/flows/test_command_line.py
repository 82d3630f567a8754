"""The commands as a user types them, in processes of their own."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from flows import command_line
from flows.routing import asked
from tasks.errors import UserError

ROOT = Path(__file__).parents[2]
MANYMINDS = str(Path(sys.executable).with_name("manyminds"))


def manyminds(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MANYMINDS, *arguments], capture_output=True, text=True, check=False, env=os.environ | environment, timeout=300)


def test_help_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "prefect", "polars", "sklearn", "pydantic", "rich", "altair")
    code = f"""
import sys
from flows.command_line import main
try:
    main(["--help"])
except SystemExit as done:
    assert done.code == 0
assert not [name for name in {heavy} if name in sys.modules], sys.modules.keys()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert all(command in done.stdout for command in ("run", "plan", "label", "report", "route", "status", "show", "explain"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "content", "said"),
    [
        ("run", "benchmark,question,model,score\nb,q1,a,1\nb,q1,b,2.5\n", ["outcomes.csv", "row", "score", "2.5"]),
        ("plan", "benchmark,question,model,score\nb,q1,a,1\nb,q1,b,many\n", ["outcomes.csv", "score", "many"]),
        ("plan", "benchmark,question,model\nb,q1,a\n", ["outcomes.csv", "score"]),
        ("run", "benchmark,question,model,score\nb,q1,a,1\n", ["outcomes.csv"]),
        ("plan", "", ["outcomes.csv"]),
    ],
)
def test_a_bad_file_of_outcomes_ends_with_code_2_and_one_line(tmp_path: Path, command: str, content: str, said: list[str]) -> None:
    file = tmp_path / "outcomes.csv"
    file.write_text(content)
    done = manyminds(command, "--outcomes", str(file), "--lake", str(tmp_path / "lake"))
    complaint = [line for line in done.stderr.splitlines() if line.startswith("manyminds: ")]
    assert done.returncode == 2, done.stderr
    assert len(complaint) == 1
    assert all(word in complaint[0] for word in said), complaint
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "lake").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nowhere.toml"], "nowhere.toml: no such run file"),
        (["run"], "nothing to do"),
        (["run", "infra/runs/demo.toml", "--set", "sampling.kk=3"], "did you mean 'k'"),
        (["status", "--lake", "nowhere"], "nothing there"),
        (["show", "--lake", "nowhere", "x"], "no queries"),
        (["route", "--lake", "nowhere", "x"], "no metrics"),
        (["route", "--lake", "nowhere"], "expected a question or --file"),
        (["status", "--lake", "README.md"], "is a file"),
        (["plan", "infra/runs/routerdc.toml", "--outcomes", "nowhere.parquet"], "nowhere.parquet"),
    ],
)
def test_a_mistake_ends_with_code_2_and_one_line(arguments: list[str], said: str) -> None:
    done = subprocess.run([MANYMINDS, *arguments], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("manyminds: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


# ── on the demo's lake ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_question_is_routed_to_a_model_of_the_pool(demo_lake: Path) -> None:
    done = manyminds("route", "--lake", str(demo_lake), "Write 8294 backwards.")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in {"general", "ledger", "atlas", "scribe", "almanac"}


@pytest.mark.slow
def test_a_file_of_known_queries_is_routed_as_the_run_routed_them(demo_lake: Path, tmp_path: Path) -> None:
    routes = pl.read_parquet(f"{demo_lake}/routes/**/*.parquet").filter(
        (pl.col("router") == "kmeans-tfidf") & (pl.col("policy") == "argmax")
    )
    queries = pl.read_parquet(f"{demo_lake}/queries/**/*.parquet").sample(40, seed=1, shuffle=True)
    queries.select("benchmark", "question", "choices").write_parquet(tmp_path / "queries.parquet")
    done = manyminds(
        "route", "--lake", str(demo_lake), "--router", "kmeans-tfidf", "--policy", "argmax", "--file", str(tmp_path / "queries.parquet")
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["query_id"] for line in lines] == queries["query_id"].to_list()
    expected = dict(routes.select("query_id", "model").iter_rows())
    assert [line["model"] for line in lines] == [expected[query_id] for query_id in queries["query_id"]]


def test_a_question_that_is_not_in_utf_8_is_told() -> None:
    with pytest.raises(UserError, match="the question is not in UTF-8"):
        asked("caf\udcff")


@pytest.mark.slow
def test_a_router_that_is_not_there_is_named_with_the_nearest(demo_lake: Path) -> None:
    done = manyminds("route", "--lake", str(demo_lake), "--router", "kmeans-tfdif", "--policy", "argmax", "x")
    assert done.returncode == 2
    assert "did you mean 'kmeans-tfidf'" in done.stderr
    done = manyminds("route", "--lake", str(demo_lake), "--router", "kmeans-tfdif", "x")
    assert done.returncode == 2
    assert "did you mean 'kmeans-tfidf'" in done.stderr
    done = manyminds("route", "--lake", str(demo_lake), " ")
    assert (done.returncode, done.stderr) == (2, "manyminds: the question is empty\n")


@pytest.mark.slow
def test_status_show_and_explain_tell_what_the_lake_holds(demo_lake: Path) -> None:
    status = manyminds("status", "--lake", str(demo_lake))
    assert status.returncode == 0, status.stderr
    assert "36,000" in status.stdout  # 720 questions, 5 models, 10 samples
    query = pl.read_parquet(f"{demo_lake}/queries/**/*.parquet").filter(pl.col("split") == "test").sort("query_id").row(0, named=True)
    shown = manyminds("show", "--lake", str(demo_lake), query["query_id"], COLUMNS="200")
    assert shown.returncode == 0, shown.stderr
    assert query["question"].splitlines()[0] in shown.stdout
    assert all(word in shown.stdout for word in ("Votes", "Confidences", "Routes", "Samples", "roberta-multi-label", "best single model"))
    explained = manyminds("explain", "--lake", str(demo_lake), query["question"])
    assert explained.returncode == 0, explained.stderr
    assert "chosen" in explained.stdout


@pytest.mark.slow
def test_the_plan_of_a_finished_lake_is_empty_and_of_a_new_one_is_everything(demo_lake: Path, tmp_path: Path) -> None:
    done = manyminds("plan", str(ROOT / "infra/runs/demo.toml"), "--lake", str(demo_lake))
    assert done.returncode == 0, done.stderr
    assert [cell.strip() for cell in done.stdout.splitlines()[-2].split("│")][1:6] == ["all", "36,000", "36,000", "0", "0"]
    new = manyminds("plan", str(ROOT / "infra/runs/demo.toml"), "--lake", str(tmp_path / "new"))
    assert "36,000" in new.stdout
    assert not (tmp_path / "new").exists()


def test_a_run_from_the_terminal_tells_a_server_often_enough_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    patience = int(re.findall(r"within: (\d+)", (root / "infra" / "automations.yaml").read_text(encoding="utf-8"))[0])
    monkeypatch.delenv("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", raising=False)
    monkeypatch.setattr(logging.getLogger("manyminds"), "handlers", [])
    command_line._quiet_prefect()
    assert 4 * int(os.environ["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]) <= patience
