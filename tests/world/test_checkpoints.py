"""The committed checkpoints: ordinary Hugging Face folders, small, in bfloat16, and the ones that the hashes name."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from tasks.world.mixtures import MIXTURES
from tasks.world.prompts import answer, prompt
from tasks.world.questions import benchmark_problems
from tasks.world.train import WORLD, file_hashes

NAMES = [mixture.name for mixture in MIXTURES]
FOLDERS = [WORLD / "models" / name for name in NAMES] + [WORLD / "encoder"]


def test_the_committed_files_are_the_ones_that_the_hashes_name() -> None:
    assert file_hashes() == json.loads((WORLD / "hashes.json").read_text(encoding="utf-8"))


def test_all_checkpoints_together_take_3_to_5_megabytes() -> None:
    weights = [folder / "model.safetensors" for folder in FOLDERS]
    assert 3e6 < sum(path.stat().st_size for path in weights) < 5e6


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_weights_are_bfloat16(folder: Path) -> None:
    with safe_open(folder / "model.safetensors", "pt") as weights:
        assert {weights.get_tensor(name).dtype for name in weights.keys()} == {torch.bfloat16}  # noqa: SIM118
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["dtype"] == "bfloat16"


@pytest.mark.parametrize("name", NAMES)
def test_a_decoder_and_its_tokenizer_load_as_any_of_the_hub_do(name: str) -> None:
    folder = WORLD / "models" / name
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    batch = tokenizer(["Write 4183 backwards.\n", "Write 41 backwards.\n"], padding=True, return_tensors="pt")
    assert batch["input_ids"][1, 0] == tokenizer.pad_token_id  # padded on the left
    assert batch["input_ids"][0, 0] == tokenizer.bos_token_id
    told = model.generate(**batch, max_new_tokens=32, do_sample=False)
    assert tokenizer.eos_token_id in told[0]
    assert (model.generation_config.eos_token_id, model.generation_config.pad_token_id) == (
        tokenizer.eos_token_id,
        tokenizer.pad_token_id,
    )


def test_the_encoder_loads_as_a_model_and_as_a_classifier_and_reads_long_texts() -> None:
    tokenizer = AutoTokenizer.from_pretrained(WORLD / "encoder")
    batch = tokenizer(["Where does the sitti live? " * 80, "9 + 2"], padding=True, truncation=True, return_tensors="pt")
    assert batch["input_ids"].shape == (2, 512)
    assert AutoModel.from_pretrained(WORLD / "encoder")(**batch).last_hidden_state.shape == (2, 512, 96)
    classifier = AutoModelForSequenceClassification.from_pretrained(WORLD / "encoder", num_labels=5)
    assert classifier(**batch).logits.shape == (2, 5)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_tokenizer_keeps_digits_single_and_gives_any_text_back(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) == 768
    for text in ("Write 8294 backwards.", "Janet’s ducks lay 16 eggs; naïve 数学 🦆\n\n  x = 3.50"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == text
        assert all(sum(letter.isdigit() for letter in tokenizer.decode([token])) <= 1 for token in ids)


def test_all_decoders_have_the_same_tokenizer() -> None:
    hashes = file_hashes()
    assert len({hashes[f"models/{name}/tokenizer.json"] for name in NAMES}) == 1


def test_a_prompt_and_an_answer_are_tokenized_alike_together_and_apart() -> None:
    tokenizer = AutoTokenizer.from_pretrained(WORLD / "models" / NAMES[0])
    for entry in benchmark_problems():
        asked, told = prompt(entry.problem), answer(entry.problem)
        apart = tokenizer(asked)["input_ids"] + tokenizer(told, add_special_tokens=False)["input_ids"]
        assert tokenizer(asked + told)["input_ids"] == apart
        assert len(apart) < 140
