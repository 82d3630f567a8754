"""Two runs that are started on one lake at the same time: the second waits, and then does what is left."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
MODELS = [f'{{name = "{name}", path = "{ROOT}/tasks/world/models/{name}"}}' for name in ("ledger", "scribe")]
SETTINGS = [
    f"models=[{', '.join(MODELS)}]",
    "sampling.max_new_tokens=40",
    'routers=[{name = "kmeans-tfidf", clusters = 4}]',
    'evaluation.policies=["argmax"]',
    "evaluation.bootstrap=100",
]


def start(lake: Path, *settings: str) -> "subprocess.Popen[str]":
    words = [word for setting in [*SETTINGS, *settings] for word in ("--set", setting)]
    command = [str(Path(sys.executable).with_name("manyminds")), "run", str(ROOT / "infra/runs/demo.toml"), "--lake", str(lake), *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_runs_at_once_do_not_take_the_tables_from_under_each_other(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    few, many = "{train = 24, validation = 8, test = 16}", "{train = 40, validation = 8, test = 16}"
    runs = [
        start(lake, f"benchmarks.embedded.limit={few}", "sampling.k=3"),
        start(lake, f"benchmarks.embedded.limit={many}", "sampling.k=2"),
    ]
    said = [run.communicate(timeout=400)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert sum("another run is at work" in words for words in said) == 1

    samples = pl.scan_parquet(f"{lake}/generations/**/*.parquet", hive_partitioning=True).collect()
    assert not samples.select("query_id", "model", "recipe", "sample").is_duplicated().any()
    assert samples.height == 2 * (48 * 3 + 16 * 2)
    queries = pl.read_parquet(f"{lake}/queries/**/*.parquet")
    votes = pl.read_parquet(f"{lake}/votes/**/*.parquet")
    last = (48, {3}) if queries.height == 48 else (64, {2})
    assert (votes.height, set(votes["k"])) == (last[0] * 2, last[1])  # all tables are of the same run
    assert set(votes["query_id"]) == set(queries["query_id"])
