"""The run files in the repository, and those in the README, are right to the last key."""

import re
from pathlib import Path

import pytest

from tasks.benchmarks import mmlu
from tasks.benchmarks.load import prompt_template
from tasks.config import load_run
from tasks.policies.rules import make_policy
from tasks.routers import check_settings

ROOT = Path(__file__).parents[1]
RUN_FILES = sorted(file.name for file in (ROOT / "infra" / "runs").glob("*.toml"))
IN_README = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_readme_has_run_files() -> None:
    assert len(IN_README) == 4


@pytest.mark.parametrize("name", [*RUN_FILES, *(f"README-{number}.toml" for number in range(len(IN_README)))])
def test_a_run_file_names_only_what_there_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shot: mmlu.Shot = {"question": "Which gate?", "choices": ["north", "south"], "gold": "B"}
    monkeypatch.setattr(mmlu, "shots", lambda *_: {"law": [shot]})  # they are on the hub
    file = ROOT / "infra" / "runs" / name
    if name not in RUN_FILES:
        file = tmp_path / name
        part = IN_README[int(name[7])]
        for pattern in re.findall(r'"([^"]+\*[^"]+)"', part):  # which a file has to match
            matching = tmp_path / pattern.replace("*", "x")
            matching.parent.mkdir(parents=True, exist_ok=True)
            matching.touch()
        whole = any(section in part for section in ("[[models]]", "[[generations]]"))
        file.write_text(part if whole else part + IN_README[0][IN_README[0].index("[[models]]") :])
    imports = ("routerdc", "routerbench")
    run = load_run(file, outcomes=["outcomes.parquet"] if file.stem in imports else [])
    for router in run.routers:
        check_settings(router)
    for policy in run.evaluation.policies:
        make_policy(policy, run.seed)
    assert all(prompt_template(benchmark) for benchmark in run.benchmarks)
    assert run.models or run.outcomes or run.generations
