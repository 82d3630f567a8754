"""What a perfect router could count on, against worlds in which that is known."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_tables import query_rows

from tasks.evaluation.luck import lettered, oracle_without_luck
from tasks.evaluation.systems import FloatArray, Sheet

MODELS = 7


def credit(reward: FloatArray, *, samples: float | None = None, share: FloatArray | None = None, options: int | None = None) -> FloatArray:
    queries = query_rows(len(reward))
    if options:
        queries = queries.with_columns(choices=pl.lit(["x"] * options, dtype=pl.List(pl.String)))
    drawn = np.full(reward.shape, np.nan if samples is None else samples)
    unknown = np.full(reward.shape, np.nan)
    names = tuple(f"m{number:02}" for number in range(reward.shape[1]))
    sheet = Sheet(queries, names, reward, reward if share is None else share, drawn, unknown, unknown, unknown)
    return oracle_without_luck(sheet).accuracy


def chances(random: np.random.Generator, count: int, difficulty: float, preference: float) -> FloatArray:
    logits = difficulty * random.normal(size=(count, 1)) + preference * random.normal(size=(count, MODELS)) + np.linspace(-0.3, 0.3, MODELS)
    chance: FloatArray = 1 / (1 + np.exp(-logits))
    return chance


@pytest.mark.parametrize(("difficulty", "preference"), [(0, 0), (2, 0), (2, 1), (3, 2)])
def test_with_samples_it_is_near_what_the_best_model_really_earns(difficulty: float, preference: float) -> None:
    random = np.random.default_rng(0)
    truth = chances(random, 1500, difficulty, preference)
    shares = random.binomial(10, truth) / 10
    assert credit(shares, samples=10).mean() == pytest.approx(truth.max(axis=1).mean(), abs=0.035)
    assert credit(shares).mean() == pytest.approx(credit(shares, samples=10).mean())  # imported scores tell that they are of ten samples


def test_a_vote_is_worth_more_than_one_sample_and_that_counts() -> None:
    random = np.random.default_rng(0)
    truth = chances(random, 1500, 2, 1)
    shares, fresh = random.binomial(10, truth) / 10, random.binomial(10, truth) / 10
    votes = (shares > 0.5).astype(float)
    earned = (fresh > 0.5)[np.arange(1500), truth.argmax(axis=1)].mean()  # by who knows the truth and asks again
    assert credit(votes, samples=10, share=shares).mean() == pytest.approx(earned, abs=0.04)
    assert votes.max(axis=1).mean() > earned + 0.03  # the oracle is luckier


@pytest.mark.parametrize(("difficulty", "preference"), [(0, 0), (2, 0), (2, 1), (3, 2)])
def test_with_options_most_of_the_luck_of_guessing_is_taken_out(difficulty: float, preference: float) -> None:
    random = np.random.default_rng(0)
    knows = random.random((1500, MODELS)) < chances(random, 1500, difficulty, preference)
    right = (knows | (random.random(knows.shape) < 0.25)).astype(float)
    truth = np.where(knows.any(axis=1), 1, 0.25).mean()
    found = credit(right, options=4).mean()
    assert truth - 0.01 <= found <= truth + 0.07
    assert right.max(axis=1).mean() - found > 0.5 * (right.max(axis=1).mean() - truth)


def test_models_that_only_guess_leave_a_router_with_a_guess() -> None:
    right = (np.random.default_rng(0).random((1000, MODELS)) < 0.25).astype(float)
    assert right.max(axis=1).mean() > 0.8
    assert credit(right, options=4).mean() == pytest.approx(0.25, abs=0.08)


def test_models_that_are_never_right_are_not_said_to_guess() -> None:
    assert credit(np.zeros((100, 3)), options=4).max() == 0
    assert credit(np.zeros((100, 3)), samples=10).max() == 0


def test_guessing_by_hand() -> None:
    # Too few queries for classes: accuracy 0.55 of each, a right answer is lucky with 0.15 / 0.55.
    right = np.zeros((20, 2))
    right[:11, 0] = right[9:, 1] = 1
    lucky = 0.15 / 0.55
    assert credit(right, options=4)[:9] == pytest.approx(1 - lucky * 0.75)
    assert credit(right, options=4)[9:11] == pytest.approx(1 - lucky**2 * 0.75)


def test_without_samples_or_options_it_is_the_oracle() -> None:
    right = (np.random.default_rng(0).random((200, 3)) < 0.5).astype(float)
    graded = np.random.default_rng(0).integers(0, 3, (200, 3)) / 2  # halves are partial credit, not two samples
    scores = np.random.default_rng(0).random((200, 3))
    for reward in (right, graded, scores):
        assert (credit(reward) == reward.max(axis=1)).all()


def test_a_query_that_nobody_was_asked_is_not_known() -> None:
    for known in ({"options": 4}, {"samples": 10.0}):
        reward = np.array([[1.0, 0.0], [np.nan, np.nan], [np.nan, 1.0]])
        assert np.isnan(credit(reward, **known)).tolist() == [False, True, False]  # type: ignore[arg-type]


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 5), st.sampled_from([None, 2, 4]), st.sampled_from([None, 1, 3, 10]))
def test_it_is_a_chance_whatever_is_known(seed: int, count: int, models: int, options: int | None, samples: int | None) -> None:
    random = np.random.default_rng(seed)
    reward = random.binomial(samples or 1, random.random((count, models))) / (samples or 1)
    reward[random.random(reward.shape) < 0.2] = np.nan
    found = credit(reward, samples=samples, options=options)
    assert (np.isnan(found) == np.isnan(reward).all(axis=1)).all()
    assert ((found >= 0) & (found <= 1) | np.isnan(found)).all()


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("Which?\nA. one\nB. two\nC. three\nAnswer:", 3),
        ("Which?\n(A) one\n (B) two", 2),
        ("Example?\nA) x\nB) y\nC) z\nAnswer: A\n\nWhich?\nA) one\nB) two\nAnswer:", 2),
        ("变压器\nA. 绕组\nB、油\nC．引线\nD. 铁芯", 4),
        ("A. Smith has 3 apples. How many?", 1),
        ("What is 1 + 1?", 0),
        ("Which?\nB. two\nC. three", 0),
    ],
)
def test_lettered_options_are_counted(question: str, options: int) -> None:
    assert lettered(question) == options
