"""What `manyminds show` prints of a lake that it did not expect."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from flows.showing import print_query
from tasks.config import Model, Sampling
from tasks.lake.files import Lake, write_table
from tasks.lake.tables import GENERATIONS, QUERIES
from tasks.sampling.recipe import recipe_of
from tasks.sampling.records import keep_recipe

LEDGER = Path(__file__).parents[2] / "tasks" / "world" / "models" / "ledger"
QUERY = {"query_id": "q", "source_id": "q", "benchmark": "b", "split": "test", "question": "Which gate?", "answer_kind": "text"}


def sampled(lake: Lake, model: Model, template: str, text: str) -> str:
    """A sample of the model by this prompt, with its recipe; returns the recipe's id."""
    recipe = recipe_of(model, template, Sampling())
    keep_recipe(lake, recipe, model)
    row = {"query_id": "q", "model": model.name, "recipe": recipe.id, "bucket": "00-of-01", "sample": 0, "seed": 1, "text": text}
    folder = f"model={model.name}/recipe={recipe.id}/bucket=00-of-01/"
    write_table(lake, GENERATIONS, pl.DataFrame([row], schema=GENERATIONS.schema), folder)
    return recipe.id


def test_samples_of_one_model_by_two_recipes_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake, model = Lake(str(tmp_path)), Model(name="ledger", path=str(LEDGER))
    write_table(lake, QUERIES, pl.DataFrame([QUERY], schema=QUERIES.schema), "b/")
    recipes = [sampled(lake, model, f"{said} {{{{ question }}}}", f"{said} it is") for said in ("Once", "Twice")]
    sampled(lake, Model(name="other", path=str(LEDGER)), "Once {{ question }}", "The north one")
    print_query(str(tmp_path), "q")
    shown = "".join(capsys.readouterr().out.split())
    assert all(shown.count(recipe) == 3 for recipe in recipes)  # with its vote, its prompt and its samples
    assert "other" in shown and "otherby" not in shown


def test_a_chat_template_that_fails_leaves_the_rest_to_be_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake, folder = Lake(str(tmp_path / "lake")), tmp_path / "model"
    shutil.copytree(LEDGER, folder)
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no users here') }}", encoding="utf-8")
    write_table(lake, QUERIES, pl.DataFrame([QUERY], schema=QUERIES.schema), "b/")
    sampled(lake, Model(name="ledger", path=str(folder), chat=True), "{{ question }}", "The north one")
    print_query(lake.url, "q")
    shown = capsys.readouterr().out
    assert "cannot be used" in " ".join(shown.split()) and shown.count("Which gate?") == 2 and "The north one" in shown
