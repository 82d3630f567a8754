"""Fine-tunes a text classifier on rewards: which of these models can answer this query?

The network says how far the log-odds of a model's success on this query are from those on all training queries: for a model
that is right on 80 % of them, an output of 0 is a confidence of 0.8. The head starts with zeros, so the router starts as the
best single model; this start is itself a candidate, and the epoch with the best validation loss is kept.

The loss is binary cross-entropy of each model's reward, which may be a fraction (7 of 10 samples right counts as 0.7 of a
right answer and 0.3 of a wrong one); holes count nothing. For the model that is right on 80 % a right answer weighs 0.25
times a wrong one (the ratio of negatives to positives), so that the network learns what the model cannot do as well as what
it can. Such weights move the log-odds that the loss aims at by log 0.25; the loss adds the same, so that a confidence of 0.8
still means right in 80 % of cases.
"""

import logging
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from tasks.routers.encoders import BATCH, Encoder, seeded, threads
from tasks.routers.settings import ClassifierSettings
from tasks.routers.shrinkage import mean_rewards

logger = logging.getLogger(__name__)

WARM_UP = 0.1  # share of the steps
WEIGHT_DECAY = 0.01
LARGEST_NORM = 1.0  # of a gradient
LARGEST_RATIO = 50.0  # of negatives to positives or the reverse: a single lucky answer must not outweigh all else
SMALLEST_SHARE = 0.001  # of right or of wrong answers that is taken for a model's; nobody is sure
_POOL = 16  # batches that are sorted by length together, which saves padding

Labels = npt.NDArray[np.float32]
Tokens = list[list[int]]


def log_odds(labels: Labels) -> npt.NDArray[np.float64]:
    """Log-odds of each model's success on all queries, float64 (models,): confidence = sigmoid(output + log-odds)."""
    share = np.clip(mean_rewards(labels), SMALLEST_SHARE, 1 - SMALLEST_SHARE)
    odds: npt.NDArray[np.float64] = np.log(share / (1 - share))
    return odds


def fine_tune(
    encoder: Encoder, train: tuple[Tokens, Labels], validation: tuple[Tokens, Labels], settings: ClassifierSettings, seed: int
) -> float:
    """Train `encoder` in place and leave it at its best epoch. Returns the validation loss there (NaN without validation labels).

    Args:
        train, validation: token ids of each query, with its rewards, float32 (queries, outputs), NaN where a model is missing.
        seed: of the order of batches and of dropout.
    """
    with seeded(seed), threads(encoder):
        base = torch.tensor(log_odds(train[1]), dtype=torch.float32, device=encoder.device)
        _clear_head(encoder)
        order = torch.Generator().manual_seed(seed)
        parameters = list(encoder.network.parameters())
        optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate or 2e-5, weight_decay=WEIGHT_DECAY)
        steps = settings.epochs * math.ceil(len(train[0]) / settings.batch_size)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _pace(step, steps))
        best, kept, waited = _validation_loss(encoder, validation, base), _copy(encoder), 0
        for epoch in range(settings.epochs):
            encoder.network.train()
            for rows in _batches([len(row) for row in train[0]], settings.batch_size, order):
                logits = encoder.network(**encoder.batch([train[0][row] for row in rows])).logits + base
                _loss(logits, torch.from_numpy(train[1][rows]).to(encoder.device), base).backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(parameters, LARGEST_NORM)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            loss = _validation_loss(encoder, validation, base)
            logger.info("epoch %d of %d: validation loss %.4f", epoch + 1, settings.epochs, loss)
            if loss < best or math.isnan(loss):
                best, kept, waited = loss, _copy(encoder), 0
            else:
                waited += 1
                if waited >= settings.patience:
                    break
        encoder.network.load_state_dict(kept)
    return best


def _clear_head(encoder: Encoder) -> None:
    """Fill the last layer with zeros. It also makes the start the same for every model, so that their order cannot matter."""
    outputs = encoder.network.config.num_labels
    head = [layer for layer in encoder.network.modules() if isinstance(layer, torch.nn.Linear) and layer.out_features == outputs][-1]
    torch.nn.init.zeros_(head.weight)
    if head.bias is not None:
        torch.nn.init.zeros_(head.bias)


def _pace(step: int, steps: int) -> float:
    """Share of the learning rate: up over the first tenth of the steps, then down to nothing, both linear."""
    warm_up = max(1, round(WARM_UP * steps))
    return min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up))


def _batches(lengths: list[int], size: int, order: torch.Generator) -> Iterator[list[int]]:
    """Rows in random order, in batches of similar length."""
    shuffled = torch.randperm(len(lengths), generator=order).tolist()
    batches = []
    for start in range(0, len(shuffled), size * _POOL):
        pool = sorted(shuffled[start : start + size * _POOL], key=lambda row: lengths[row])
        batches += [pool[first : first + size] for first in range(0, len(pool), size)]
    for place in torch.randperm(len(batches), generator=order).tolist():
        yield batches[place]


def _loss(logits: Tensor, labels: Tensor, base: Tensor) -> Tensor:
    """Mean balanced loss over the known labels, in which every model weighs the same, however rarely it is right or wrong."""
    known = ~torch.isnan(labels)
    shift = (-base).clamp(-math.log(LARGEST_RATIO), math.log(LARGEST_RATIO))
    ratio = shift.exp()
    loss = binary_cross_entropy_with_logits(logits + shift, labels.nan_to_num(0), pos_weight=ratio, reduction="none")
    return torch.where(known, loss * (1 + ratio) / (2 * ratio), 0).sum() / known.sum().clamp(min=1)


def _validation_loss(encoder: Encoder, validation: tuple[Tokens, Labels], base: Tensor) -> float:
    """Mean cross-entropy of the confidences, unweighted, in nats; NaN without labels."""
    tokens, labels = validation
    known = torch.from_numpy(~np.isnan(labels))
    if not known.any():
        return math.nan
    order = sorted(range(len(tokens)), key=lambda row: (len(tokens[row]), row))
    encoder.network.eval()
    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            logits = encoder.network(**encoder.batch([tokens[row] for row in rows])).logits + base
            target = torch.from_numpy(labels[rows]).to(encoder.device)
            losses = binary_cross_entropy_with_logits(logits, target.nan_to_num(0), reduction="none")
            total += float(torch.where(torch.isnan(target), 0, losses).sum())
    return total / int(known.sum())


def _copy(encoder: Encoder) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in encoder.network.state_dict().items()}
