"""Draws follow the softmax, and only (seed, step, token) decide the noise."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from tasks.sampling.engines.draw import draw

LOGITS = torch.tensor([2.0, 1.5, 1.0, 0.5, 0.0, -1.0, -2.0, -3.0])
ROWS = 40_000


def exact(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    """The distribution that a draw should follow, the slow and obvious way."""
    probabilities = (logits / temperature).softmax(0)
    order = probabilities.argsort(descending=True)
    kept = order[:top_k] if top_k else order
    share = probabilities[kept] / probabilities[kept].sum()
    inside = [token for number, token in enumerate(kept.tolist()) if share[:number].sum() < top_p]
    result = torch.zeros_like(probabilities)
    result[inside] = probabilities[inside]
    return result / result.sum()


@pytest.mark.parametrize("step", [0, 7])
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, 0, 1.0), (0.7, 0, 1.0), (2.0, 0, 1.0), (1.0, 3, 1.0), (1.0, 0, 0.8), (0.7, 5, 0.9), (1.0, 100, 1.0)],
)
def test_draws_follow_the_softmax(temperature: float, top_k: int, top_p: float, step: int) -> None:
    seeds = torch.arange(ROWS) * 7919
    drawn = draw(LOGITS.expand(ROWS, -1), seeds, step, temperature=temperature, top_k=top_k, top_p=top_p).tokens
    counts = torch.bincount(drawn, minlength=len(LOGITS)).double()
    expected = exact(LOGITS.double(), temperature, top_k, top_p) * ROWS
    assert counts[expected == 0].sum() == 0
    inside = expected > 0
    assert stats.chisquare(counts[inside], expected[inside]).pvalue > 1e-4


def test_draws_of_neighbouring_seeds_and_steps_are_independent() -> None:
    logits = torch.zeros(ROWS, 4)
    first = draw(logits, torch.arange(ROWS), 0).tokens
    for other in (draw(logits, torch.arange(ROWS) + 1, 0).tokens, draw(logits, torch.arange(ROWS), 1).tokens):
        table = torch.bincount(first * 4 + other, minlength=16).reshape(4, 4).numpy()
        assert stats.chi2_contingency(table).pvalue > 1e-4


def test_a_rare_token_comes_as_often_as_it_should() -> None:
    logits = torch.tensor([0.0, -9.0])  # 1.2 in ten thousand
    drawn = draw(logits.expand(1_000_000, -1), torch.arange(1_000_000), 0).tokens
    assert stats.binomtest(int(drawn.sum()), 1_000_000, float(logits.softmax(0)[1])).pvalue > 1e-4


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**63 - 1), st.integers(0, 1000), st.integers(0, 6))
def test_a_draw_does_not_depend_on_the_other_rows(seed: int, step: int, at: int) -> None:
    others = torch.randint(0, 2**62, (7,), generator=torch.Generator().manual_seed(step))
    others[at] = seed
    alone = draw(LOGITS[None], torch.tensor([seed]), step).tokens
    together = draw(LOGITS.expand(7, -1), others, step).tokens
    assert together[at] == alone[0]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(-40, 40), min_size=3, max_size=12),
    st.integers(0, 2**63 - 1),
    st.sampled_from([0, 1, 2, 3]),
    st.sampled_from([1.0, 0.9, 0.5, 0.1]),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_a_sure_draw_survives_rounding(halves: list[int], seed: int, top_k: int, top_p: float, temperature: float) -> None:
    logits = (torch.tensor(halves) / 10).expand(64, -1)
    noise = (torch.rand(logits.shape, generator=torch.Generator().manual_seed(len(halves))) - 0.5) * 2e-4
    seeds = (torch.arange(64) * 1_000_003) ^ seed
    drawn = draw(logits, seeds, 3, temperature=temperature, top_k=top_k, top_p=top_p, tolerance=1e-3)
    rounded = draw(logits + noise, seeds, 3, temperature=temperature, top_k=top_k, top_p=top_p)
    assert torch.equal(drawn.tokens[drawn.sure], rounded.tokens[drawn.sure])


def test_few_draws_are_unsure() -> None:
    logits = torch.randn(ROWS, 50, generator=torch.Generator().manual_seed(0)) * 3
    assert (~draw(logits, torch.arange(ROWS), 0, tolerance=1e-3).sure).float().mean() < 2e-3


def test_temperature_zero_takes_the_likeliest() -> None:
    assert draw(LOGITS.flip(0)[None], torch.tensor([5]), 0, temperature=0.0).tokens.tolist() == [7]


def test_the_penalty_makes_seen_tokens_less_likely_whatever_their_sign() -> None:
    seen = torch.tensor([[True, False, False]])
    for logits in ([1.0, 0.9, 0.0], [-1.0, -1.1, -5.0]):
        drawn = draw(torch.tensor([logits]), torch.tensor([0]), 0, temperature=0.0, repetition_penalty=1.5, seen=seen)
        assert drawn.tokens.tolist() == [1]


def test_half_precision_logits_can_be_drawn_from() -> None:
    assert draw(LOGITS.bfloat16()[None], torch.tensor([1]), 0).tokens.tolist() == draw(LOGITS[None], torch.tensor([1]), 0).tokens.tolist()
