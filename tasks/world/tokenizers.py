"""The two tokenizers of the world: byte-level BPE of 768 tokens whose digits stay single.

Bytes, so that any text survives and none is unknown. Single digits, since a model this small can reverse "8294" or add
9 and 2 only if it sees the digits: "Write 8294" is "Write", " 8", "2", "9", "4".
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from tasks.world.prompts import answer, prompt
from tasks.world.questions import DECODERS, split_of
from tasks.world.skills import DIFFICULTIES, SKILLS, Problem, draw

VOCABULARY = 768
MODEL_MAX_LENGTH = 512
# GPT-2's pattern with one change: a digit is a piece of its own.
_PIECES = Regex(r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
_TEXTS = 24_000


def decoder_tokenizer() -> PreTrainedTokenizerFast:
    """Learnt from prompts and answers. A text begins with `<bos>`; an answer ends with `<eos>`, which nothing adds."""
    texts = (text for problem in decoder_problems("tokenizer", _TEXTS) for text in (prompt(problem), answer(problem)))
    tokenizer = _learn_bpe(texts, ["<pad>", "<bos>", "<eos>"])
    bos = tokenizer.token_to_id("<bos>")
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", pair="<bos> $A $B", special_tokens=[("<bos>", bos)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        padding_side="left",  # decoders continue on the right
        model_max_length=MODEL_MAX_LENGTH,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def encoder_tokenizer() -> PreTrainedTokenizerFast:
    """Learnt from prompts only, with RoBERTa's special tokens: `<s> text </s>`."""
    texts = (prompt(problem) for problem in decoder_problems("encoder tokenizer", _TEXTS))
    tokenizer = _learn_bpe(texts, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    start, end = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", start), ("</s>", end)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_max_length=MODEL_MAX_LENGTH,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Save it under the class name that all versions know: transformers 5 writes one that transformers 4 does not."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def decoder_problems(purpose: str, count: int) -> Iterator[Problem]:
    """`count` problems spread evenly over all cells, none of which is in the benchmark; another purpose, others."""
    rng = random.Random(f"problems for {purpose}")
    cells = [(skill, difficulty) for skill in SKILLS for difficulty in DIFFICULTIES]
    drawn = 0
    while drawn < count:
        problem = draw(*rng.choice(cells), rng)
        if split_of(problem) == DECODERS:
            yield problem
            drawn += 1


def _learn_bpe(texts: Iterator[str], special_tokens: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_PIECES, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
