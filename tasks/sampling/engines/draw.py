"""Draws the next token of each row so that the sample's own seed decides it.

Gumbel's trick: the token with the highest log-probability + Gumbel noise is a draw from the softmax (Gumbel 1954; Maddison
et al. 2014). The noise of a token is a hash of (seed, step, token), so it is the same in whatever batch, order or process the
sample is drawn (the counter-based generators of Salmon et al. 2011). The hash is 32-bit integer arithmetic on tensors: two
rounds of Wellons' `lowbias32`, keyed by SplitMix64 of seed and step.

Example: logits [2.0, 1.9] and noise [0.3, 0.5] → scores [2.3, 2.4] → token 1. Rounding in the model's arithmetic, which does
differ between batches, could swap the two only if the scores were closer than that: such a row is not `sure`, and the caller
decides it by computing its logits alone, in a way that depends on nothing but its own tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Drawn:
    """`tokens` int64 (rows,); `sure` bool (rows,): no change of the logits within the tolerance would change the token."""

    tokens: Tensor
    sure: Tensor


def draw(
    logits: Tensor,
    seeds: Tensor,
    step: int,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    repetition_penalty: float = 1.0,
    seen: Tensor | None = None,
    tolerance: float = 0.0,
) -> Drawn:
    """Draw one token per row; temperature 0 takes the likeliest.

    logits: float (rows, vocabulary), two tokens or more. seeds: int64 (rows,). step: number of the token in the completion, from 0.
    seen: bool (rows, vocabulary), tokens of the prompt and the completion so far, for the penalty (Keskar et al. 2019).
    In the order of transformers and vLLM: penalty, temperature, top-k, top-p. Tokens that tie at the edge of top-k stay in.
    """
    scores = logits.float()
    if seen is not None and repetition_penalty != 1.0:
        penalised = torch.where(scores > 0, scores / repetition_penalty, scores * repetition_penalty)
        scores = torch.where(seen, penalised, scores)
    certain = None
    if temperature > 0:
        scores = scores / temperature
        tolerance = tolerance / temperature
        noise = _log_exponentials(seeds, step, scores.shape[1])
        if top_k > 0 or top_p < 1:
            possible, certain = _nucleus(scores, top_k, top_p, tolerance)
            scores = scores.masked_fill(~possible, -torch.inf)
        scores = scores - noise
    best, tokens = scores.max(dim=1)
    if tolerance == 0:
        return Drawn(tokens, torch.ones_like(tokens, dtype=torch.bool))
    second = scores.scatter(1, tokens[:, None], -torch.inf).amax(dim=1)
    sure = best - second > tolerance
    if certain is not None:
        sure &= certain.gather(1, tokens[:, None])[:, 0]
    return Drawn(tokens, sure)


def _nucleus(scores: Tensor, top_k: int, top_p: float, tolerance: float) -> tuple[Tensor, Tensor]:
    """Which tokens may be among the top k and the nucleus of probability p, and which are for certain; bool (rows, vocabulary)."""
    rows, size = scores.shape
    k = min(top_k, size) if top_k > 0 else size
    ordered = scores.topk(k + 1, dim=1).values if k < size else scores.sort(dim=1, descending=True).values
    if top_p < 1:
        probabilities = ordered[:, :k].softmax(dim=1)
        before = probabilities.cumsum(dim=1) - probabilities
        most, fewest = (before < top_p + tolerance).sum(dim=1), (before < top_p - tolerance).sum(dim=1).clamp(min=1)
    else:
        most = fewest = torch.full((rows,), k, device=scores.device)
    ordered = torch.cat([ordered, ordered.new_full((rows, 1), -torch.inf)], dim=1)
    last_in = ordered.gather(1, most[:, None] - 1)
    first_out = ordered.gather(1, fewest[:, None])
    return scores >= last_in - tolerance, scores > first_out + tolerance


def _log_exponentials(seeds: Tensor, step: int, count: int) -> Tensor:
    """Logarithms of standard exponential variates (minus Gumbel variates), float32 (rows, count)."""
    keys = _mix64(seeds ^ _mix64(torch.tensor(step, dtype=torch.int64, device=seeds.device)))
    low, high = keys.view(torch.int32).view(-1, 2).unbind(dim=1)
    tokens = _mix32(torch.arange(1, count + 1, dtype=torch.int32, device=seeds.device))
    bits = _mix32(_mix32(tokens[None, :] ^ low[:, None]) ^ high[:, None]) & 0x7FFFFFFF
    # Of the uniform variate u the small values matter, for they win: there -log(1 - u) keeps all 31 bits. u stays below 1.
    uniform = bits.float().add_(0.5).mul_(-(1 - 2**-23) / 2**31)
    return uniform.log1p_().neg_().log_()


def _mix64(words: Tensor) -> Tensor:
    """SplitMix64's finaliser (Steele et al. 2014) on int64."""
    words = words + (0x9E3779B97F4A7C15 - 2**64)
    words = (words ^ ((words >> 30) & (2**34 - 1))) * (0xBF58476D1CE4E5B9 - 2**64)
    words = (words ^ ((words >> 27) & (2**37 - 1))) * (0x94D049BB133111EB - 2**64)
    return words ^ ((words >> 31) & (2**33 - 1))


def _mix32(words: Tensor) -> Tensor:
    """`lowbias32` (Wellons 2018, https://nullprogram.com/blog/2018/07/31/) on int32."""
    words = (words >> 16).bitwise_and_(0xFFFF).bitwise_xor_(words)
    words *= 0x7FEB352D
    words ^= (words >> 15).bitwise_and_(0x1FFFF)
    words *= 0x846CA68B - 2**32
    words ^= (words >> 16).bitwise_and_(0xFFFF)
    return words
