"""By what a figure is traced: settings, recipes, files, software and commit; and that no secret is among it."""

import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest
from planted_tables import pool_tables
from report_pages import EVIL

from tasks.config import Benchmark, Import, Model, RunFile, Sampling
from tasks.evaluation.evaluate import evaluate
from tasks.lake.files import Lake
from tasks.lake.fingerprints import source_fingerprint
from tasks.report import settings
from tasks.report.page import render
from tasks.report.settings import code_revision, places_of, recipe_rows, settings_of, without_secrets
from tasks.sampling.recipe import recipe_of


def test_an_address_is_told_without_what_may_be_a_key() -> None:
    assert without_secrets("https://me:key@host.example:8000/v1?token=key#key") == "https://host.example:8000/v1"
    assert without_secrets("s3://bucket/prefix") == "s3://bucket/prefix"
    assert without_secrets("/data/a@b/lake?") == "/data/a@b/lake?"


def test_settings_say_what_was_drawn_and_how_and_hold_no_secret() -> None:
    run = RunFile(
        lake="s3://bucket/lake",
        seed=7,
        benchmarks=[Benchmark(name="gsm8k")],
        models=[Model(name="gemma", path="google/gemma", url="https://me:hunter2@host/v1?key=hunter2", key="SECRET")],
        sampling=Sampling(k=5, temperature=0.5, stop="decided"),
        outcomes=[Import(files=[f"https://store.example/{number}.csv?sig=hunter2" for number in range(7)])],
    )
    found = settings_of(run)
    assert found["seed"] == "7"
    assert found["samples"].startswith("k = 5, stopped once the vote is decided")
    assert found["drawn with"].startswith("temperature 0.5, top-p 1, top-k off")
    assert found["imported outcomes"].endswith("https://store.example/4.csv and 2 more")
    assert "2,000 resamples" in found["intervals"]
    assert "polars " in found["software"] and "python 3" in found["software"] and "prefect " in found["software"]
    recipe = recipe_of(run.models[0], "{{ question }}", run.sampling)
    (row,) = recipe_rows([(run.models[0], recipe.id, asdict(recipe), ("gsm8k",))])
    assert (row["recipe"], row["at"], row["weights"]) == (recipe.id, "https://host/v1", "google/gemma@main")
    assert "hunter2" not in str(found) + str(row)


def test_the_page_names_tables_recipes_and_prompts_and_escapes_them(tmp_path: Path) -> None:
    tables = pool_tables(12)
    parts = (tables.queries, tables.votes, tables.scores, tables.routes)
    lake = Lake(str(tmp_path / EVIL.replace("/", "")))
    places = places_of(lake, {"votes": ["votes/b.parquet", "votes/a.parquet"], "queries": ["queries/c.parquet"]})
    assert places["votes"] == places_of(lake, {"votes": ["votes/a.parquet", "votes/b.parquet"]})["votes"]
    recipe = recipe_of(Model(name=EVIL, path="org/name"), EVIL, Sampling(stop_strings=[EVIL]))
    recipes = recipe_rows([(Model(name=EVIL, path="org/name"), recipe.id, asdict(recipe), (EVIL,))])
    metrics = evaluate(*parts, {}, 100, 0)
    page = render("demo", *parts, metrics, [], {}, recipes=recipes, places=places)
    assert "<img src=x" not in page and "<script>window.hurt" not in page
    part = page[page.index("Data and settings</h2>") :]
    assert places["votes"]["fingerprint"] in part and recipe.id in part and "org/name@main" in part
    drawn = tables.votes["k"].sum()
    assert f"{drawn:,}" in part  # samples that voted


def test_the_commit_is_that_of_a_checkout_of_the_code_and_none_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.example", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    code = tmp_path / "tasks"
    code.mkdir()
    monkeypatch.setattr(settings, "_CODE", tmp_path)
    assert code_revision() is None  # no checkout
    git("init", "-q")
    assert code_revision() is None  # without a commit
    (code / "a.py").write_text("")
    git("add", ".")
    git("commit", "-qm", "one")
    commit = git("rev-parse", "HEAD")
    assert code_revision() == commit
    (tmp_path / "lake.txt").write_text("no code")
    assert code_revision() == commit
    (code / "a.py").write_text("1")
    assert code_revision() == f"{commit} with changes"
    monkeypatch.setattr(settings, "_CODE", code)  # as of a package that is installed inside somebody's checkout
    assert code_revision() is None
    monkeypatch.setenv("PATH", "")
    assert code_revision() is None


def test_a_template_belongs_to_what_the_page_is_made_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tasks" / "lake"
    folder.mkdir(parents=True)
    monkeypatch.setattr("tasks.lake.fingerprints.__file__", str(folder / "fingerprints.py"))
    (tmp_path / "tasks" / "page.html.jinja").write_text("one")
    before = source_fingerprint("tasks")
    (tmp_path / "tasks" / "page.html.jinja").write_text("two")
    assert source_fingerprint("tasks") != before
    (tmp_path / "tasks" / "notes.txt").write_text("not code")
    after = source_fingerprint("tasks")
    (tmp_path / "tasks" / "notes.txt").write_text("still not")
    assert source_fingerprint("tasks") == after
