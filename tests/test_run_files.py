"""The run files in the repository, and the one in the README, are right to the last key."""

import re
from pathlib import Path

import pytest

from tasks.benchmarks.load import prompt_template
from tasks.config import load_run
from tasks.policies.rules import make_policy
from tasks.routers import check_settings

ROOT = Path(__file__).parents[1]
RUN_FILES = sorted((ROOT / "infra" / "runs").glob("*.toml"))


@pytest.mark.parametrize("file", [*RUN_FILES, ROOT / "README.md"], ids=lambda file: file.name)
def test_a_run_file_names_only_what_there_is(file: Path, tmp_path: Path) -> None:
    if file.suffix == ".md":
        (content,) = re.findall(r"```toml\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL)
        file = tmp_path / "mine.toml"
        file.write_text(content)
    imports = ("routerdc", "routerbench")
    run = load_run(file, outcomes=["outcomes.parquet"] if file.stem in imports else [])
    for router in run.routers:
        check_settings(router)
    for policy in run.evaluation.policies:
        make_policy(policy, run.seed)
    assert all(prompt_template(benchmark) for benchmark in run.benchmarks)
    assert run.models or run.outcomes
