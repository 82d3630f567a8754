"""Trains the router's encoder: a tiny RoBERTa, pretrained on the world's questions by guessing masked tokens.

Like any RoBERTa of the hub it is loaded by `AutoModel` or `AutoModelForSequenceClassification` and fine-tuned by a
router. It has read what a decoder may read, and no question of the benchmark.
"""

import logging
import random
import time
from pathlib import Path

import torch
from torch import Tensor
from transformers import RobertaConfig, RobertaForMaskedLM

from tasks.world.prompts import prompt
from tasks.world.tokenizers import MODEL_MAX_LENGTH, VOCABULARY, decoder_problems, encoder_tokenizer, save_tokenizer

logger = logging.getLogger(__name__)

HIDDEN = 96
LAYERS = 2
STEPS = 3000
BATCH = 32
WARM_UP = 150  # steps
LEARNING_RATE = 2e-3
MASKED = 0.15  # BERT's share of tokens to guess; of these 80 % are masked, 10 % replaced and 10 % left as they are
_IGNORED = -100


def train_encoder(folder: Path) -> float:
    """Train, and save the encoder in bfloat16 with its tokenizer into `folder`. Returns the CPU seconds it took."""
    began = time.process_time()
    torch.manual_seed(0)
    tokenizer = encoder_tokenizer()
    model = RobertaForMaskedLM(_config())
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / WARM_UP, (STEPS - step) / (STEPS - WARM_UP)))
    texts = [prompt(problem) for problem in decoder_problems("encoder", STEPS * BATCH)]
    # Whole pools are sorted by length, which saves the padding.
    starts = list(range(0, len(texts), BATCH))
    texts.sort(key=len)
    random.Random("order of the encoder's batches").shuffle(starts)
    noise = torch.Generator().manual_seed(0)
    special = torch.tensor(tokenizer.all_special_ids)
    model.train()
    for step, start in enumerate(starts):
        batch = tokenizer(texts[start : start + BATCH], padding=True, return_tensors="pt")
        ids, labels = _mask(batch["input_ids"], special, tokenizer.mask_token_id, noise)
        loss = model(input_ids=ids, attention_mask=batch["attention_mask"], labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if (step + 1) % 500 == 0:
            logger.info("encoder: step %d of %d, loss %.3f", step + 1, STEPS, loss.item())
    model.eval()
    model.to(torch.bfloat16).save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    return time.process_time() - began


def _config() -> RobertaConfig:
    return RobertaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=4 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HIDDEN // 32,
        max_position_embeddings=MODEL_MAX_LENGTH + 2,  # RoBERTa's first position is 2
        type_vocab_size=1,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
    )


def _mask(ids: Tensor, special: Tensor, mask_id: int, noise: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hide some tokens of `ids` (int64, texts x length).

    Returns:
        the ids with the chosen tokens hidden, and the labels: the chosen tokens, everything else ignored.
    """
    ordinary = torch.isin(ids, special, invert=True)
    chosen = (torch.rand(ids.shape, generator=noise) < MASKED) & ordinary
    how = torch.rand(ids.shape, generator=noise)
    anything = torch.randint(len(special), VOCABULARY, ids.shape, generator=noise)
    hidden = torch.where(chosen & (how < 0.8), torch.tensor(mask_id), ids)
    hidden = torch.where(chosen & (how >= 0.9), anything, hidden)
    return hidden, torch.where(chosen, ids, torch.tensor(_IGNORED))
