"""The real GSM8K through the main road, with models that know nothing of it: the verdict says so, and every table is there."""

from pathlib import Path

import pytest

from flows.refresh import refresh
from tasks.config import load_run
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import METRICS, QUERIES, TABLES
from tasks.report.words import verdict_sentences

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.usefixtures("server")
def test_models_that_know_nothing_of_gsm8k_are_told_apart_from_a_router_that_fails(real_data: Path, tmp_path: Path) -> None:
    files = [str(real_data / "gsm8k" / f"{split}.jsonl") for split in ("train", "test")]
    settings = [f"benchmarks.gsm8k.files={files}", "benchmarks.gsm8k.limit={train = 20, validation = 8, test = 12}", "sampling.k=4"]
    run = load_run(ROOT / "infra/runs/gsm8k.toml", settings=settings, lake=str(tmp_path / "lake"))
    refresh(run)
    lake = Lake(run.lake)
    assert all(lake.files(name) for name in TABLES)
    queries = read_table(lake, QUERIES)
    assert dict(queries.group_by("split").len().iter_rows()) == {"train": 20, "validation": 8, "test": 12}
    assert set(queries["answer_kind"]) == {"number"}
    verdicts = verdict_sentences(read_table(lake, METRICS))
    assert verdicts.answer == "No"
    assert "cannot answer these questions" in verdicts.headline
    assert "cannot answer these questions" in lake.read("report.html").decode()
