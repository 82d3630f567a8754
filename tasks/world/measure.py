"""Measures whether the models of the world are in their bands: `python -m tasks.world.measure`.

Each model is sampled k times on each question at temperature 0.7 with plain `transformers`, and its samples vote. This
is a check of the checkpoints alone: the real sampling, reading and voting are steps of the pipeline, and richer.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.world.prompts import prompt
from tasks.world.questions import Entry, benchmark_problems
from tasks.world.skills import Problem

TEMPERATURE = 0.7
MAX_NEW_TOKENS = 128
_QUESTIONS_AT_ONCE = 24
_ANSWER = {"number": re.compile(r"#### (\d+)\s*$"), "choice": re.compile(r"The answer is \(([A-D])\)\.\s*$")}


@dataclass(frozen=True)
class Votes:
    """One model's votes on n questions.

    correct: bool (n,), whether the majority equals gold. agreement: float64 (n,), the majority's share of the readable
    samples, 0 where there are none. unreadable: share of all samples.
    """

    correct: NDArray[np.bool_]
    agreement: NDArray[np.float64]
    unreadable: float


def vote(folder: Path, problems: Sequence[Problem], k: int = 10, seed: int = 0) -> Votes:
    """Sample the model in `folder` k times on each problem and let the samples vote; a tie goes to the first seen."""
    samples = [[_read(problem, text) for text in texts] for problem, texts in _sample(folder, problems, k, seed)]
    readable = [[answer for answer in answers if answer is not None] for answers in samples]
    majorities = [Counter(answers).most_common(1)[0] if answers else (None, 0) for answers in readable]
    return Votes(
        correct=np.array([answer == problem.gold for (answer, _), problem in zip(majorities, problems, strict=True)]),
        agreement=np.array([n / max(1, len(answers)) for (_, n), answers in zip(majorities, readable, strict=True)]),
        unreadable=1 - sum(map(len, readable)) / (k * len(problems)),
    )


def pool_figures(votes: Mapping[str, Votes]) -> dict[str, float]:
    """Accuracies on the questions voted on, in percent, and how much the samples agree.

    `single`: the best model; `random`: the expectation of choosing at random; `oracle`: any model is right.
    """
    correct = np.stack([votes[name].correct for name in votes], axis=1)
    return {
        "single": 100 * correct.mean(axis=0).max(),
        "random": 100 * correct.mean(),
        "oracle": 100 * correct.any(axis=1).mean(),
        "agreement": float(np.mean([one.agreement.mean() for one in votes.values()])),
        "unreadable": 100 * float(np.mean([one.unreadable for one in votes.values()])),
    }


def table_accuracy(train: Mapping[str, Votes], test: Mapping[str, Votes], groups_train: Sequence[str], groups_test: Sequence[str]) -> float:
    """Test accuracy in percent of the router that knows a question's group only, and takes the group's best model."""
    names = list(train)
    right = np.zeros(len(groups_test), dtype=bool)
    for group in set(groups_test):
        learnt, asked = np.array(groups_train) == group, np.array(groups_test) == group
        best = max(names, key=lambda name: train[name].correct[learnt].mean())
        right[asked] = test[best].correct[asked]
    return 100 * float(right.mean())


def _sample(folder: Path, problems: Sequence[Problem], k: int, seed: int) -> list[tuple[Problem, list[str]]]:
    """k texts per problem, in the order of the problems."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    torch.manual_seed(seed)
    texts: dict[int, list[str]] = {}
    order = sorted(range(len(problems)), key=lambda index: (problems[index].skill, len(prompt(problems[index]))))
    for start in range(0, len(order), _QUESTIONS_AT_ONCE):
        chunk = order[start : start + _QUESTIONS_AT_ONCE]
        batch = tokenizer([prompt(problems[index]) for index in chunk], padding=True, return_tensors="pt")
        drawn = model.generate(
            **batch, do_sample=True, temperature=TEMPERATURE, top_k=0, num_return_sequences=k, max_new_tokens=MAX_NEW_TOKENS
        )
        told = tokenizer.batch_decode(drawn[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        texts |= {index: told[at * k : (at + 1) * k] for at, index in enumerate(chunk)}
    return [(problem, texts[index]) for index, problem in enumerate(problems)]


def _read(problem: Problem, text: str) -> str | None:
    found = _ANSWER[problem.answer_kind].search(text)
    return found.group(1) if found else None


def _measure(folder: Path, problems: Sequence[Problem], k: int) -> Votes:
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    return vote(folder, problems, k)


def main() -> None:
    """Print, as JSON, the accuracy per model and cell, and the figures of the pool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path(__file__).parent / "models")
    parser.add_argument("--k", type=int, default=10, help="samples per question")
    parser.add_argument("--jobs", type=int, default=2, help="processes, one core each")
    arguments = parser.parse_args()
    entries = benchmark_problems()
    folders = sorted(path for path in arguments.models.iterdir() if (path / "config.json").exists())
    measure = partial(_measure, problems=[entry.problem for entry in entries], k=arguments.k)
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        votes = dict(zip([folder.name for folder in folders], pool.map(measure, folders), strict=True))
    print(json.dumps(_report(entries, votes), indent=1))


def _report(entries: Sequence[Entry], votes: Mapping[str, Votes]) -> dict[str, object]:
    splits = np.array([entry.split for entry in entries])
    skills = np.array([entry.problem.skill for entry in entries])
    difficulties = np.array([entry.problem.difficulty for entry in entries])
    cells = np.array([f"{skill}-{difficulty}" for skill, difficulty in zip(skills, difficulties, strict=True)])
    train, test = ({name: _part(one, splits == split) for name, one in votes.items()} for split in ("train", "test"))
    tables = {
        "skill table": table_accuracy(train, test, skills[splits == "train"], skills[splits == "test"]),
        "cell table": table_accuracy(train, test, cells[splits == "train"], cells[splits == "test"]),
        "skill table chosen on test": table_accuracy(test, test, skills[splits == "test"], skills[splits == "test"]),
        "cell table chosen on test": table_accuracy(test, test, cells[splits == "test"], cells[splits == "test"]),
    }
    unseen = {name: _part(one, splits != "train").correct for name, one in votes.items()}
    unseen_cells = cells[splits != "train"]
    return {
        "pool": {name: round(value, 2) for name, value in (pool_figures(test) | tables).items()},
        "models": {
            name: {
                "train": round(100 * train[name].correct.mean(), 1),
                "test": round(100 * test[name].correct.mean(), 1),
                "agreement": round(test[name].agreement.mean(), 3),
                "unreadable": round(100 * votes[name].unreadable, 1),
            }
            for name in votes
        },
        "cells, validation and test": {
            cell: {name: round(100 * correct[unseen_cells == cell].mean()) for name, correct in unseen.items()}
            for cell in dict.fromkeys(cells)
        },
    }


def _part(votes: Votes, where: NDArray[np.bool_]) -> Votes:
    return Votes(votes.correct[where], votes.agreement[where], votes.unreadable)


if __name__ == "__main__":
    main()
