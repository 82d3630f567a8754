"""The run files in the repository are right to the last key."""

import json
import re
import shlex
import shutil
from pathlib import Path

import polars as pl
import pytest

from flows.planning import plan
from flows.refresh import refresh
from tasks.benchmarks import mmlu
from tasks.benchmarks.load import prompt_template
from tasks.config import RunFile, load_run
from tasks.evaluation.studies import KINDS, check_study
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import GENERATIONS, METRICS
from tasks.policies.rules import make_policy
from tasks.routers import check_settings

ROOT = Path(__file__).parents[1]
RUN_FILES = sorted(file.name for file in (ROOT / "infra" / "runs").glob("*.toml"))
PAPER = {"gsm8k": 6, "mmlu": 7}  # its models on each benchmark
GUIDE = (ROOT / "infra" / "guides" / "reproducing-the-paper.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", RUN_FILES)
def test_a_run_file_names_only_what_there_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shot: mmlu.Shot = {"question": "Which gate?", "choices": ["north", "south"], "gold": "B"}
    monkeypatch.setattr(mmlu, "shots", lambda *_: {"law": [shot]})  # they are on the hub
    file = ROOT / "infra" / "runs" / name
    imports = ("routerdc", "routerbench")
    run = load_run(file, outcomes=["outcomes.parquet"] if file.stem in imports else [])
    for router in run.routers:
        check_settings(router)
    for policy in run.evaluation.policies:
        make_policy(policy, run.seed)
    for study, settings in run.studies.wanted.items():
        check_study(study, settings)
    assert all(prompt_template(benchmark) for benchmark in run.benchmarks)
    assert run.models or run.outcomes or run.generations


@pytest.mark.parametrize("benchmark", PAPER)
def test_the_papers_models_are_pinned_and_all_studies_are_made(benchmark: str) -> None:
    run = load_run(ROOT / "infra" / "runs" / f"paper-{benchmark}.toml")
    pins = [model.revision or "" for model in run.models]
    pins += [router.settings["encoder"].partition("@")[2] for router in run.routers if "encoder" in router.settings]
    assert len(pins) == PAPER[benchmark] + 3 and all(re.fullmatch("[0-9a-f]{40}", pin) for pin in pins)
    assert set(run.studies.wanted) == set(KINDS) and run.studies.wanted["reproduction"] == {"of": benchmark}
    sampling = run.sampling
    assert (sampling.k, sampling.temperature, sampling.max_new_tokens, sampling.top_p, sampling.top_k) == (10, 0.7, 750, 1.0, 0)


def stand_ins(benchmark: str, folder: Path) -> RunFile:
    """The guide's run with stand-ins, its files in `folder`; of MMLU the same, with its seventh model and its own prompts."""
    (command,) = re.findall(r"```bash\n(cp .*?)```", GUIDE, re.DOTALL)
    words = shlex.split(command.replace("/data", str(folder)))
    settings = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
    if benchmark == "mmlu":
        settings = [setting.replace("gsm8k", "mmlu") for setting in settings if "prompt=" not in setting]
        settings.append("models.llama2-7b-lm.path=../../tasks/world/models/almanac")
        settings.append(f'benchmarks.mmlu.files=["{folder}/mmlu/dev.jsonl", "{folder}/mmlu/test.jsonl"]')
    shutil.copytree(ROOT / "tasks" / "world" / "models" / "general", folder / "chat")
    (folder / "chat" / "chat_template.jinja").write_text("{{ messages[0].content }}\n", encoding="utf-8")
    questions(benchmark, folder / benchmark)
    settings += [
        f"benchmarks.{benchmark}.limit={{train = 40, validation = 12, test = 24}}",
        "evaluation.bootstrap=100",
        "sampling.buckets=2",
    ]
    return load_run(ROOT / "infra" / "runs" / f"paper-{benchmark}.toml", settings=settings, lake=str(folder / "lake"))


def questions(benchmark: str, folder: Path) -> None:
    """Short questions in the benchmark's own schema; of MMLU two worked examples of each subject, which the prompt has to show."""
    rows: dict[str, list[dict[str, object]]] = {}
    for number in range(240):
        if benchmark == "gsm8k":
            split, row = "train" if number % 3 else "test", {"answer": f"{number} + 1 = {number + 1}\n#### {number + 1}"}
        else:
            split = "dev" if number < 4 else "test"
            row = {"choices": [str(number), str(number + 1)], "answer": 1, "subject": ("sums", "law")[number % 2]}
        rows.setdefault(split, []).append({"question": f"What is {number} + 1?"} | row)
    folder.mkdir()
    for split, of_split in rows.items():
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, of_split)), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("benchmark", PAPER)
def test_the_papers_run_is_right_to_the_last_key(benchmark: str, tmp_path: Path) -> None:
    run = stand_ins(benchmark, tmp_path)
    assert sum(model.chat for model in run.models) == 3 and all(model.revision for model in run.models)
    assert ("What is 1 + 1?" in prompt_template(run.benchmarks[0])) == (benchmark == "mmlu")  # a worked example
    before = plan(run)
    assert len(before) == PAPER[benchmark] and all(one.to_draw and one.hours for one in before)
    refresh(run)
    lake = Lake(run.lake)
    assert read_table(lake, GENERATIONS).height == sum(one.to_draw for one in before)
    assert not any(one.to_draw for one in plan(run))
    metrics = read_table(lake, METRICS)
    assert set(metrics.filter(study="evaluation")["router"]) >= {router.name for router in run.routers}
    mine = metrics.filter(study="reproduction")
    assert {"published_accuracy", "accuracy", "accuracy_difference_corrected"} <= set(mine["metric"])
    assert mine.filter(pl.col("router").is_null(), metric="accuracy")["model"].n_unique() == PAPER[benchmark]
    assert "Does this run find what the paper found?" in lake.read("report.html").decode()
