"""`manyminds run` with vLLM, as a user types it: two models into a lake, and nothing loaded when all is there."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tasks.config import Model

MANYMINDS = str(Path(sys.executable).with_name("manyminds"))
RUN = """
name = "small"
[[benchmarks]]
name = "embedded"
limit = {{train = 24, validation = 8, test = 16}}
[[models]]
name = "ledger"
path = {ledger!r}
[[models]]
name = "scribe"
path = {scribe!r}
[sampling]
engine = "vllm"
k = 3
max_new_tokens = 40
buckets = 2
[evaluation]
policies = ["argmax"]
bootstrap = 100
"""


@pytest.mark.slow
def test_a_run_samples_with_vllm_and_a_second_one_loads_nothing(ledger: Model, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(RUN.format(ledger=ledger.path, scribe=str(Path(ledger.path).with_name("scribe"))))

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        threads = {"OMP_NUM_THREADS": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
        settings = os.environ | threads | {"PREFECT_HOME": str(tmp_path / "prefect")} | environment
        return subprocess.run([MANYMINDS, "run", str(file)], capture_output=True, text=True, check=False, timeout=500, env=settings)

    first = run()
    assert first.returncode == 0, first.stderr
    rows = pl.read_parquet(tmp_path / "lake" / "generations" / "**" / "*.parquet")
    assert rows.height == 2 * 48 * 3
    assert rows.filter(pl.col("finish_reason") == "stop").height > rows.height / 2
    assert rows["first_token_s"].min() > 0
    assert (rows["first_token_s"] <= rows["latency_s"]).all()
    assert "INFO" not in "\n".join(line for line in first.stderr.splitlines() if "vllm" in line.lower())
    loads = pl.read_parquet(tmp_path / "lake" / "loads" / "**" / "*.parquet").sort("model")
    assert loads.select("model", "engine", "device").rows() == [("ledger", "vllm", "cpu"), ("scribe", "vllm", "cpu")]
    second = run(VLLM_LOGGING_CONFIG_PATH="nowhere.json")  # with which vLLM cannot even be imported
    assert second.returncode == 0, second.stderr
    assert pl.read_parquet(tmp_path / "lake" / "generations" / "**" / "*.parquet").equals(rows)
