"""Trains one decoder of the pool: a small Llama, from nothing, on its own mixture of the skills.

AdamW, a short warm-up and then a linear decay by step, never by clock, so that a slow machine trains the same model.
The loss counts the answer only: a decoder need not be able to ask questions.
"""

import logging
import random
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tasks.world.mixtures import Mixture, training_problems
from tasks.world.prompts import answer, prompt
from tasks.world.tokenizers import MODEL_MAX_LENGTH, VOCABULARY, save_tokenizer

logger = logging.getLogger(__name__)

BATCH = 32
WARM_UP = 150  # steps
# The kernels of fast engines want heads of 32, 64, ...: smaller heads would be no cheaper and run in fewer places.
HEAD_SIZE = 32
_POOL = 64  # batches that are sorted by length together
_IGNORED = -100

Example = tuple[list[int], int]  # token ids of prompt and answer, and how many of them are the prompt


def train_decoder(mixture: Mixture, tokenizer: PreTrainedTokenizerFast, folder: Path) -> float:
    """Train, and save the model in bfloat16 with its tokenizer into `folder`. Returns the CPU seconds that it took."""
    began = time.process_time()
    torch.manual_seed(0)
    model = LlamaForCausalLM(_config(mixture, tokenizer))
    optimizer = torch.optim.AdamW(model.parameters(), lr=mixture.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, mixture.steps))
    model.train()
    for step, batch in enumerate(_batches(_examples(mixture, tokenizer), random.Random(mixture.name))):
        loss = _loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if (step + 1) % 500 == 0:
            logger.info("%s: step %d of %d, loss %.3f", mixture.name, step + 1, mixture.steps, loss.item())
    model.eval()
    model.to(torch.bfloat16).save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    return time.process_time() - began


def _config(mixture: Mixture, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=mixture.hidden,
        intermediate_size=mixture.hidden * 8 // 3 // 32 * 32,  # Llama's own ratio
        num_hidden_layers=mixture.layers,
        num_attention_heads=mixture.hidden // HEAD_SIZE,
        num_key_value_heads=mixture.hidden // HEAD_SIZE,
        max_position_embeddings=MODEL_MAX_LENGTH,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def _rate(step: int, steps: int) -> float:
    """The learning rate at a step as a part of its peak."""
    return min((step + 1) / WARM_UP, max(0.0, (steps - step) / (steps - WARM_UP)))


def _examples(mixture: Mixture, tokenizer: PreTrainedTokenizerFast) -> list[Example]:
    """All training text of a model, tokenized, in order."""
    rng = random.Random(f"unsure answers of {mixture.name}")
    problems = list(training_problems(mixture, mixture.steps * BATCH))
    prompts = tokenizer([prompt(problem) for problem in problems])["input_ids"]
    answers = tokenizer(
        [answer(problem, unsure=rng.random() < mixture.unsure) + "<eos>" for problem in problems],
        add_special_tokens=False,
    )["input_ids"]
    return [(asked + told, len(asked)) for asked, told in zip(prompts, answers, strict=True)]


def _batches(examples: list[Example], rng: random.Random) -> list[list[Example]]:
    """Batches of texts of about the same length, which saves the padding; order and lengths mix within a pool only."""
    batches: list[list[Example]] = []
    for start in range(0, len(examples), BATCH * _POOL):
        pool = sorted(examples[start : start + BATCH * _POOL], key=lambda example: len(example[0]))
        chunks = [pool[at : at + BATCH] for at in range(0, len(pool), BATCH)]
        rng.shuffle(chunks)
        batches += chunks
    return batches


def _loss(model: LlamaForCausalLM, batch: list[Example]) -> Tensor:
    """Mean cross-entropy of the answers' tokens.

    Padded on the right, where causal attention makes a mask superfluous: no token of an answer sees the padding.
    """
    width = max(len(ids) for ids, _ in batch)
    pad = model.config.pad_token_id
    ids = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in batch])
    labels = torch.tensor([[_IGNORED] * asked + ids[asked:] + [_IGNORED] * (width - len(ids)) for ids, asked in batch])[:, 1:]
    told = labels != _IGNORED
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    return cross_entropy(model.lm_head(hidden[told]), labels[told])
