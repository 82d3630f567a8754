"""A tiny language model with random weights, and a lake to sample into."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tasks.config import Model
from tasks.lake.files import Lake
from tasks.lake.fingerprints import fingerprint

WORDS = ["red", "green", "blue", "one", "two", "three", "cat", "dog", "sun", "moon", "is", "not", "the", "a", "of", "STOP", "?", "."]
CONTEXT = 64


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A Llama of two layers that babbles: random weights, 22 words, at most 64 tokens."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "babbler"
    special = ["<pad>", "<bos>", "<eos>", "<unk>"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(special + WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    names = {"pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}
    template = (
        "{{ bos_token }} {% for message in messages %}{{ message.content }} . {% endfor %}{% if add_generation_prompt %}the {% endif %}"
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, padding_side="left", **names)
    fast.chat_template = template
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(special + WORDS),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=CONTEXT,
        initializer_range=0.3,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return Model(name="babbler", path=str(folder))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(str(tmp_path / "lake"))


@pytest.fixture(scope="session")
def make_queries() -> Callable[[int], pl.DataFrame]:
    """A function that makes so many queries, of different lengths."""
    return queries_of


def queries_of(count: int) -> pl.DataFrame:
    """Rows of the table `queries`, always the same."""
    questions = [" ".join(WORDS[(number * step) % 14] for step in range(1, 2 + number % 9)) + f" {number}" for number in range(count)]
    return pl.DataFrame(
        {
            "query_id": [fingerprint(question) for question in questions],
            "source_id": [str(number) for number in range(count)],
            "benchmark": "babble",
            "split": "test",
            "subject": None,
            "question": questions,
            "choices": pl.Series([None] * count, dtype=pl.List(pl.String)),
            "gold": "cat",
            "answer_kind": "text",
        },
        schema_overrides={"subject": pl.String},
    )
