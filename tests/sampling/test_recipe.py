"""A recipe changes with what a model would say, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from tasks.config import Model, Sampling
from tasks.errors import UserError
from tasks.sampling.recipe import Recipe, recipe_of

TEMPLATE = "{{ question }}"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    return folder


def id_of(folder: Path) -> str:
    return recipe_of(Model(name="m", path=str(folder)), TEMPLATE, Sampling()).id


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.8},
        {"top_p": 0.9},
        {"top_k": 50},
        {"repetition_penalty": 1.1},
        {"max_new_tokens": 20},
        {"stop_strings": ["END"]},
    ],
)
def test_what_changes_the_text_changes_the_recipe(change: dict[str, object]) -> None:
    model = Model(name="m", path="org/m")
    assert recipe_of(model, TEMPLATE, Sampling(**change)).id != recipe_of(model, TEMPLATE, Sampling()).id  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"k": 20}, {"engine": "transformers"}, {"buckets": 4}, {"chunk": 7}])
def test_what_does_not_change_the_text_does_not_change_the_recipe(change: dict[str, object]) -> None:
    model = Model(name="m", path="org/m")
    assert recipe_of(model, TEMPLATE, Sampling(**change)).id == recipe_of(model, TEMPLATE, Sampling()).id  # type: ignore[arg-type]


def test_a_hub_model_is_its_name_and_revision() -> None:
    recipe = recipe_of(Model(name="m", path="org/m"), TEMPLATE, Sampling())
    assert recipe.model == "org/m@main"
    assert recipe == recipe_of(Model(name="another name", path="org/m", revision="main"), TEMPLATE, Sampling())
    assert recipe.id != recipe_of(Model(name="m", path="org/m", revision="v2"), TEMPLATE, Sampling()).id
    assert recipe.id != recipe_of(Model(name="m", path="org/m", chat=True), TEMPLATE, Sampling()).id
    assert recipe.id != recipe_of(Model(name="m", path="org/m"), TEMPLATE + "\n", Sampling()).id


def test_a_folder_that_moved_is_the_same_model(checkpoint: Path, tmp_path: Path) -> None:
    before = id_of(checkpoint)
    shutil.move(checkpoint, tmp_path / "elsewhere")
    assert id_of(tmp_path / "elsewhere") == before


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "generation_config.json"])
def test_changed_or_added_files_of_a_checkpoint_are_another_model(checkpoint: Path, file: str) -> None:
    before = id_of(checkpoint)
    (checkpoint / file).write_bytes(b"changed")
    assert id_of(checkpoint) != before


def test_files_that_say_nothing_about_the_text_do_not_count(checkpoint: Path) -> None:
    before = id_of(checkpoint)
    for name in ("README.md", ".gitattributes", "training_args.bin", "LICENSE", "trainer_state.json"):
        (checkpoint / name).write_text("anything")
    assert id_of(checkpoint) == before


def test_large_weights_are_told_apart_by_size_beginning_and_end(checkpoint: Path) -> None:
    def weigh(size: int, at: int) -> str:
        with (checkpoint / "model.safetensors").open("wb") as stream:
            stream.truncate(size)
            stream.seek(at)
            stream.write(b"!")
        return id_of(checkpoint)

    size = 70 * 2**20
    assert len({weigh(size, 0), weigh(size, 9), weigh(size, size - 1), weigh(size + 8, 0)}) == 4


@pytest.mark.parametrize("change", [{"quantization": "fp8"}, {"quantization": "awq"}, {"lora": "org/adapter"}, {"lora": "org/other"}])
def test_quantization_and_an_adapter_are_part_of_the_recipe_where_they_are_set(change: dict[str, str]) -> None:
    bare = recipe_of(Model(name="m", path="org/m"), TEMPLATE, Sampling())
    changed = recipe_of(Model(name="m", path="org/m", **change), TEMPLATE, Sampling())  # type: ignore[arg-type]
    assert bare.model == "org/m@main"
    assert changed.model.startswith("org/m@main ") and next(iter(change.values())) in changed.model
    assert changed.id != bare.id


def test_an_adapter_in_a_folder_is_its_content(tmp_path: Path) -> None:
    def identity() -> str:
        return recipe_of(Model(name="m", path="org/m", lora=str(tmp_path)), TEMPLATE, Sampling()).model

    with pytest.raises(UserError, match=r"model 'm': .* has no adapter_config.json; expected the folder of a Hugging Face LoRA adapter"):
        identity()
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"weights")
    before = identity()
    assert before == identity()
    (tmp_path / "adapter_model.safetensors").write_bytes(b"changed")
    assert identity() != before


def test_a_folder_without_a_model_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model 'm': .* has no config.json"):
        id_of(tmp_path)


def test_ids_stay_the_same_between_versions() -> None:
    recipe = Recipe("org/m@main", TEMPLATE, False, 0.7, 1.0, 0, 1.0, 750, ("END",))
    assert recipe.id == "r34b2315660a536c9"
