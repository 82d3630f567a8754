"""What the README and the guides say: every command is run, every run file loads, every link leads somewhere (`guides.py`)."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import guides
import pytest
from guides import PAGES, ROOT, Block, Command, blocks, commands

from flows.command_line import _parser
from infra.tables import page
from tasks.benchmarks.load import prompt_template
from tasks.config import RunFile, load_run
from tasks.evaluation.studies import check_study
from tasks.policies.rules import make_policy
from tasks.routers import check_settings

OPERATE = "infra/operate.py"  # which tests/operate runs
GUIDE_OF_PAPER = "tests/test_run_files.py"
# Commands that are not run here → the file that does run them, and how it says so. What is in no row is run.
ELSEWHERE = {
    r"git clone .*": (".ci/run", "on a clean checkout"),
    r"(\. |source )\.venv/bin/activate": (".ci/run", "make .venv-vllm/.installed"),
    r"make demo": ("tests/conftest.py", '"run", str(ROOT / "infra/runs/demo.toml")'),
    r"make (test|test-slow|test-vllm|check)": (".ci/run", "make {0}"),
    r"make operate": ("tests/operate/test_operate.py", "operate.show_retry(running"),
    r"make s3": ("tests/s3_servers.py", "from infra.seaweed import BUCKET, HOST, free_ports, serve"),
    r"manyminds run --outcomes outcomes.parquet --lake lake": (
        "infra/guides/own-outcomes.md",
        "manyminds run --outcomes outcomes.csv --lake outcomes-lake",
    ),
    r"make tables": ("tests/test_guides.py", "from infra.tables import page"),
    r"prefect server start .*": (OPERATE, '"server", "start"'),
    r"prefect work-pool create (cpu|gpu) .*process.json": (
        OPERATE,
        '"work-pool", "create", pool, "--type", "process", "--base-job-template", "infra/work-pools/process.json"',
    ),
    r"prefect work-pool set-concurrency-limit gpu \d+": (OPERATE, '"work-pool", "set-concurrency-limit", "gpu", str(gpus)'),
    r"prefect automation create .*": (OPERATE, '"automation", "create", "--from-file", "infra/automations.yaml"'),
    r"prefect --no-prompt deploy .*": (OPERATE, '"deploy", "--all", "--prefect-file", "infra/prefect.yaml"'),
    r"prefect deployment run refresh/refresh .*": (OPERATE, "deployments/{deployment}/create_flow_run"),
    r"(CUDA_VISIBLE_DEVICES=\d )?prefect worker start .*": (OPERATE, '"worker", "start", "--pool", pool'),
    r"export PREFECT_API_URL=.*": (OPERATE, '"PREFECT_API_URL": api'),
    r"python -c 'import os; from prefect.blocks.system import Secret.*": ("tests/flows/test_secrets.py", 'save("manyminds-test"'),
    r"(cp -r tasks/world/models/general|echo '\{\{ messages).*": (GUIDE_OF_PAPER, "chat_template.jinja"),
    r"manyminds run infra/runs/paper-gsm8k.toml --lake /data/lake .*": (GUIDE_OF_PAPER, 'r"```bash\\n(cp .*?)```", GUIDE'),
}


def text_of(name: str) -> str:
    return PAGES[name].read_text(encoding="utf-8")


def with_blocks(*languages: str) -> list[str]:
    """The pages that have one of these."""
    return [name for name in PAGES if any(block.language in languages for block in blocks(text_of(name)))]


def commands_of(name: str) -> list[Command]:
    found = [block for block in blocks(text_of(name)) if block.language in ("bash", "inline")]
    return [command for block in found for command in commands(block)]


def elsewhere(command: str) -> tuple[str, str] | None:
    """The file that runs the command, and the text in it that does."""
    for pattern, (file, text) in ELSEWHERE.items():
        if matched := re.fullmatch(pattern, command, re.DOTALL):
            return file, text.replace("{0}", matched[1]) if "{0}" in text else text
    return None


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files_and_headings_that_there_are(name: str) -> None:
    text = re.sub(r"```.*?```", "", text_of(name), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        file, _, heading = target.partition("#")
        path = PAGES[name].parent / file if file else PAGES[name]
        assert path.exists(), f"{name}: {target}"
        if heading:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}, f"{name}: {target}"


def test_every_guide_is_in_the_index() -> None:
    index = text_of("infra/guides/README.md")
    for name in PAGES:
        if name.startswith("infra/guides/") and not name.endswith("README.md"):
            assert f"]({Path(name).name})" in index, name


@pytest.mark.parametrize("name", PAGES)
def test_a_command_that_is_not_run_here_is_run_elsewhere_or_says_what_it_needs(name: str) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for command in commands_of(name):
        words = shlex.split(command.text, comments=True)
        if words[0] == "make":
            assert words[1] in targets, f"{name}:{command.line}: no such target: {command.text}"
            assert command.needs or elsewhere(command.text), f"{name}:{command.line}: where is it run? {command.text}"
        if words[0] == "manyminds" and command.needs:
            _parser().parse_args(words[1:])  # exits where there is no such command or option
        if found := elsewhere(command.text):
            file, text = found
            assert text in (ROOT / file).read_text(encoding="utf-8"), f"{name}:{command.line}: {file} does not run {command.text}"


def test_what_runs_commands_elsewhere_is_run_in_ci() -> None:
    ci, makefile = (ROOT / ".ci/run").read_text(encoding="utf-8"), (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^make test$", ci, re.MULTILINE) and "make test-slow" in ci
    assert "-m pytest tests/operate tests/faults" in makefile and "--ignore=tests/operate --ignore=tests/faults" in makefile
    used = [command.text for name in PAGES for command in commands_of(name)]
    for pattern in ELSEWHERE:
        # Else the row is of no use.
        assert any(re.fullmatch(pattern, text, re.DOTALL) for text in used), f"no page has a command like {pattern}"


# A page that changes the code is followed below, and nowhere else are its keys right.
@pytest.mark.parametrize("name", [name for name in with_blocks("toml") if name not in with_blocks("diff")])
def test_every_key_of_a_run_file_is_right(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks").symlink_to(ROOT / "tasks")
    shutil.copytree(ROOT / "tests/queries/logs", tmp_path / "tests/queries/logs")
    found = list(blocks(text_of(name)))
    for block in found:
        if block.language == "jinja" and block.file:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    for run in (loaded(block, tmp_path) for block in found if block.language == "toml"):
        for router in run.routers:
            check_settings(router)
        for policy in run.evaluation.policies:
            make_policy(policy, run.seed)
        for study, settings in run.studies.wanted.items():
            check_study(study, settings)
        for benchmark in run.benchmarks:
            if benchmark.name != "mmlu":  # its worked examples are on the hub
                assert prompt_template(benchmark)


def loaded(block: Block, folder: Path) -> RunFile:
    """The block as a run file; what is only a part of one gets questions and models."""
    text, content = block.text, tomllib.loads(block.text)
    for pattern in re.findall(r'"([^"]+\*[^"]+)"', text):  # which a file has to match
        matching = folder / pattern.replace("*", "x")
        matching.parent.mkdir(parents=True, exist_ok=True)
        matching.touch()
    has_models = "models" in content
    if has_models or not content.keys() & {"outcomes", "generations"}:
        text += "" if "benchmarks" in content else '[[benchmarks]]\nname = "embedded"\n'
        text += "" if has_models else '[[models]]\nname = "ledger"\npath = "tasks/world/models/ledger"\n'
    file = folder / "block.toml"
    file.write_text(text, encoding="utf-8")
    return load_run(file)


def test_the_table_of_columns_is_up_to_date() -> None:
    assert text_of("infra/guides/tables.md") == page(), "`make tables` writes it"


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory, demo_lake: Path) -> Callable[[], Path]:
    """Makes fresh checkouts, each with the lake that `make demo` fills."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("checkout")
        for part in ("flows", "tasks", "infra", "tests", "notebooks"):
            shutil.copytree(ROOT / part, folder / part)
        for part in ("pyproject.toml", "Makefile", "README.md"):
            shutil.copy2(ROOT / part, folder)
        shutil.copytree(demo_lake, folder / "lakes" / "demo")
        return folder

    return make


@pytest.mark.slow
@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("name", with_blocks(*guides.RUN))
def test_a_page_can_be_followed_from_top_to_bottom(name: str, checkout: Callable[[], Path]) -> None:
    folder = checkout()
    done = follow(text_of(name), folder)
    assert done.returncode == 0, f"{name}\n{done.stdout[-6000:]}"


def test_a_page_is_followed_up_to_the_first_command_that_fails(tmp_path: Path) -> None:
    page = "Save this as `a.txt`:\n```text\none\n```\nIn `a.txt`:\n```diff\n one\n+two\n```\n"
    page += "```bash\ncat a.txt\nfalse  # needs a GPU\ntrue && \\\n  false\necho not reached\n```\n"
    done = follow(page, tmp_path)
    assert done.returncode == 1 and "one\ntwo\n" in done.stdout and done.stdout.endswith("false\n")


def test_inline_code_is_run_where_it_is_a_whole_command(tmp_path: Path) -> None:
    done = follow("Some `python -c 1/0` (needs a GPU), `python -c 2/0` and `manyminds plan`.\n", tmp_path)
    assert done.returncode == 1 and "python -c 2/0" in done.stdout and "1/0" not in done.stdout
    with pytest.raises(AssertionError, match="make nothing is not run"):
        follow("Now `make nothing`.\n", tmp_path)


def follow(markdown: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Do in `folder` what the page says, up to the first command that fails; each is printed before what it prints."""
    script = ["set -euo pipefail"]
    for number, block in enumerate(blocks(markdown)):
        if block.file:
            copy = folder / ".blocks" / str(number)
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(block.text, encoding="utf-8")
            verb = "apply" if block.language == "diff" else "copy"
            script.append(f"python {shlex.quote(str(ROOT / 'tests/guides.py'))} {verb} {copy} {shlex.quote(block.file)}")
        elif block.language == "python":
            script.append(f"python - <<'END OF BLOCK'\n{block.text}END OF BLOCK")
        elif block.language in ("bash", "inline"):
            for command in commands(block):
                if not command.needs and not elsewhere(command.text):
                    assert not command.text.startswith(("make ", "pip ")), f"{command.text} is not run, and says not why"
                    script += [f"printf '%s\\n' {shlex.quote('$ ' + command.text)}", command.text]
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment: dict[str, Any] = {**os.environ, "PATH": programs, "PYTHONPATH": str(folder), "COLUMNS": "120", "NO_COLOR": "1"}
    from prefect.settings import PREFECT_API_URL

    if address := PREFECT_API_URL.value():
        environment["PREFECT_API_URL"] = address
    return subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
