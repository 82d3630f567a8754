"""Trains a classifier on rewards: which of these models can answer this query?

The network says how far the log-odds of a model's success on this query are from those on all training queries: for a model
that is right on 80 % of them, an output of 0 is a confidence of 0.8. The head starts with zeros, so the router starts as the
best single model; this start is itself a candidate, and the epoch with the best validation loss is kept.

The loss is binary cross-entropy of each model's reward, which may be a fraction (7 of 10 samples right counts as 0.7 of a
right answer and 0.3 of a wrong one); holes count nothing. For the model that is right on 80 % a right answer weighs 0.25
times a wrong one (the ratio of negatives to positives), so that the network learns what the model cannot do as well as what
it can. Such weights move the log-odds that the loss aims at by log 0.25; the loss adds the same, so that a confidence of 0.8
still means right in 80 % of cases.

With `target = "preference"` the network is also asked, for each two models, which of them is better on this query (Bradley and Terry
1952), and what they differ by is what the question weighs: confidences of 0.8 and 0.5 are log-odds of 1.39 and 0, so the first is said
to be the better one with probability sigmoid(1.39) = 0.8. Were models right independently of each other, that is just what the
confidences say of a query on which one of the two is right; the term corrects them where models are right and wrong together.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from tasks.routers.encoders import BATCH, seeded
from tasks.routers.settings import ClassifierSettings
from tasks.routers.trunks import Inputs

logger = logging.getLogger(__name__)

LEARNING_RATE = 2e-5  # the paper's, for roberta-base
HEAD_LEARNING_RATE = 1e-2  # of a linear head on vectors of length 1
WARM_UP = 0.1  # share of the steps
WEIGHT_DECAY = 0.01
LARGEST_NORM = 1.0  # of a gradient
LARGEST_RATIO = 50.0  # of negatives to positives or the reverse: a single lucky answer must not outweigh all else
SMALLEST_SHARE = 0.001  # of right or of wrong answers that is taken for a model's; nobody is sure
_POOL = 16  # batches that are sorted by length together, which saves padding

Labels = npt.NDArray[np.float32]
Weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """Some queries with rewards: rows of the inputs, rewards of each, float32 (rows, outputs) with NaN for holes, and weights (rows,)."""

    inputs: Inputs
    rows: Sequence[int]
    labels: Labels
    weights: Weights


def benchmark_weights(benchmarks: npt.NDArray[np.object_]) -> Weights:
    """What each query weighs if every benchmark is to weigh the same, float32 (queries,), 1 on average."""
    _, numbers, sizes = np.unique(benchmarks, return_inverse=True, return_counts=True)
    weights: Weights = (len(benchmarks) / len(sizes) / sizes[numbers]).astype(np.float32) if len(benchmarks) else np.zeros(0, np.float32)
    return weights


def log_odds(labels: Labels, weights: Weights) -> npt.NDArray[np.float64]:
    """Log-odds of each model's success on all queries, float64 (models,): confidence = sigmoid(output + log-odds)."""
    known = ~np.isnan(labels) * weights[:, None].astype(np.float64)
    means = (known * np.nan_to_num(labels)).sum(axis=0) / np.maximum(known.sum(axis=0), np.finfo(np.float64).tiny)
    share = np.clip(means, SMALLEST_SHARE, 1 - SMALLEST_SHARE)
    odds: npt.NDArray[np.float64] = np.log(share / (1 - share))
    return odds


def train_network(
    network: Any, train: Part, validation: Part, base: npt.NDArray[np.float64], settings: ClassifierSettings, seed: int
) -> float:
    """Train `network` in place and leave it at its best epoch. Returns the validation loss there (NaN without validation labels).

    Args:
        base: log-odds of each output's model, which the outputs are added to.
        seed: of the order of batches and of dropout.
    """
    with seeded(seed):
        learned = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
        parameters = list(learned.values())
        odds = torch.tensor(base, dtype=torch.float32, device=parameters[0].device)
        shift = (-odds).clamp(-math.log(LARGEST_RATIO), math.log(LARGEST_RATIO))
        _clear_head(network, len(base))
        order = torch.Generator().manual_seed(seed)
        rate = settings.learning_rate or (HEAD_LEARNING_RATE if settings.layers == 0 else LEARNING_RATE)
        optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=WEIGHT_DECAY)
        steps = settings.epochs * math.ceil(len(train.rows) / settings.batch_size)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _pace(step, steps))
        best, kept, waited = _validation_loss(network, validation, odds, settings.target), _copy(learned), 0
        for epoch in range(settings.epochs):
            network.train()
            for places in _batches([train.inputs.lengths[row] for row in train.rows], settings.batch_size, order):
                outputs = train.inputs.read(network, [train.rows[place] for place in places])
                labels, weights = (torch.from_numpy(values[places]).to(outputs.device) for values in (train.labels, train.weights))
                _loss(outputs + odds, labels, weights, shift, settings.target).backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(parameters, LARGEST_NORM)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            loss = _validation_loss(network, validation, odds, settings.target)
            logger.info("epoch %d of %d: validation loss %.4f", epoch + 1, settings.epochs, loss)
            if loss < best or math.isnan(loss):
                best, kept, waited = loss, _copy(learned), 0
            else:
                waited += 1
                if waited >= settings.patience:
                    break
        network.load_state_dict(kept, strict=False)
    return best


def outputs_of(network: Any, inputs: Inputs, rows: Sequence[int]) -> Tensor:
    """The network's outputs, float64 (rows, outputs), on the CPU."""
    order = sorted(range(len(rows)), key=lambda place: (inputs.lengths[rows[place]], place))
    network.eval()
    with torch.inference_mode():
        pieces = [
            inputs.read(network, [rows[place] for place in order[start : start + BATCH]]).cpu() for start in range(0, len(order), BATCH)
        ]
        return torch.cat(pieces).double()[torch.tensor(order).argsort()]


def _clear_head(network: Any, outputs: int) -> None:
    """Fill the last layer with zeros. It also makes the start the same for every model, so that their order cannot matter."""
    head = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear) and layer.out_features == outputs][-1]
    torch.nn.init.zeros_(head.weight)
    if head.bias is not None:
        torch.nn.init.zeros_(head.bias)


def _pace(step: int, steps: int) -> float:
    """Share of the learning rate: up over the first tenth of the steps, then down to nothing, both linear."""
    warm_up = max(1, round(WARM_UP * steps))
    return min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up))


def _batches(lengths: list[int], size: int, order: torch.Generator) -> Iterator[list[int]]:
    """Places in random order, in batches of similar length."""
    shuffled = torch.randperm(len(lengths), generator=order).tolist()
    batches = []
    for start in range(0, len(shuffled), size * _POOL):
        pool = sorted(shuffled[start : start + size * _POOL], key=lambda row: lengths[row])
        batches += [pool[first : first + size] for first in range(0, len(pool), size)]
    for place in torch.randperm(len(batches), generator=order).tolist():
        yield batches[place]


def _loss(logits: Tensor, labels: Tensor, weights: Tensor, shift: Tensor, target: str) -> Tensor:
    """Mean balanced loss over the known labels, in which every model weighs the same, however rarely it is right or wrong.

    Args:
        logits, labels: (queries, outputs), NaN for holes. weights: (queries,).
        shift: log of the ratio of negatives to positives, which are balanced by it, (outputs,); 0: as they are.
    """
    known = ~torch.isnan(labels)
    ratio = shift.exp()
    losses = binary_cross_entropy_with_logits(logits + shift, labels.nan_to_num(0), pos_weight=ratio, reduction="none")
    losses = torch.where(known, losses * (1 + ratio) / (2 * ratio), 0)
    loss = (losses.sum(dim=1) * weights).sum() / known.sum().clamp(min=1)
    return loss + _preference_loss(logits, labels, weights) if target == "preference" else loss


def _preference_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean loss over all pairs of models on the same query, each of which weighs by what the two rewards differ by."""
    difference = (labels.unsqueeze(2) - labels.unsqueeze(1)).nan_to_num(0)
    ahead = logits.unsqueeze(2) - logits.unsqueeze(1)
    losses = difference.abs() * softplus(-ahead * difference.sign())
    return (losses.sum(dim=(1, 2)) * weights).sum() / difference.abs().sum().clamp(min=1)


def _validation_loss(network: Any, validation: Part, odds: Tensor, target: str) -> float:
    """The loss of the confidences as they are, in nats; NaN without labels."""
    if np.isnan(validation.labels).all():
        return math.nan
    logits = outputs_of(network, validation.inputs, validation.rows) + odds.cpu().double()
    labels, weights = torch.from_numpy(validation.labels).double(), torch.from_numpy(validation.weights).double()
    return float(_loss(logits, labels, weights, torch.zeros_like(logits[0]), target))


def _copy(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in weights.items()}
