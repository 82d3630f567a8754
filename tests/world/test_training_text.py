"""What the models were trained on shares no question with what the router learns from or is tested on."""

import pytest

from tasks.world.mixtures import MIXTURES, Mixture, training_problems
from tasks.world.questions import benchmark_problems
from tasks.world.skills import Problem
from tasks.world.tokenizers import decoder_problems

SAMPLE = 8_000
# Larger than the default benchmark: also nobody else's questions of this world may be known to a model.
SIZES = {"train": 64, "validation": 16, "test": 40}


def content(problem: Problem) -> tuple[str, tuple[str, ...]]:
    return problem.question, problem.choices


def benchmark(split: str) -> set[tuple[str, tuple[str, ...]]]:
    return {content(entry.problem) for entry in benchmark_problems(**SIZES) if entry.split == split}


def test_the_three_splits_are_disjoint() -> None:
    train, validation, test = (benchmark(split) for split in SIZES)
    assert not (train & validation or train & test or validation & test)


@pytest.mark.parametrize("mixture", [one for one in MIXTURES if not one.benchmark_copies], ids=lambda one: one.name)
def test_a_decoder_is_trained_on_no_question_of_the_benchmark(mixture: Mixture) -> None:
    trained_on = {content(problem) for problem in training_problems(mixture, SAMPLE)}
    assert len(trained_on) > SAMPLE / 4
    for split in SIZES:
        assert not trained_on & benchmark(split)


def test_exactly_one_decoder_also_sees_training_questions_and_it_sees_nothing_else_of_the_benchmark() -> None:
    (mixture,) = (one for one in MIXTURES if one.benchmark_copies)
    trained_on = {content(problem) for problem in training_problems(mixture, SAMPLE)}
    default = {content(entry.problem) for entry in benchmark_problems() if entry.split == "train"}
    assert trained_on & benchmark("train") == default
    assert not trained_on & (benchmark("validation") | benchmark("test"))


@pytest.mark.parametrize("purpose", ["encoder", "encoder tokenizer", "tokenizer"])
def test_the_encoder_and_the_tokenizers_have_read_no_question_of_the_benchmark(purpose: str) -> None:
    read = {content(problem) for problem in decoder_problems(purpose, SAMPLE)}
    for split in SIZES:
        assert not read & benchmark(split)


def test_training_text_is_the_same_each_time() -> None:
    assert list(training_problems(MIXTURES[0], 500)) == list(training_problems(MIXTURES[0], 500))
