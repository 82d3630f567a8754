"""`manyminds explain`: what it says of a question, to people and to programs."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows.command_line import main
from flows.explaining import changes_in_words, choice_in_words

QUESTION = "Write 8294 backwards."


def document(**changes: Any) -> dict[str, Any]:
    """What is found where fox has 0.70, owl 0.62 and elk 0.10, and costs are known."""
    of = {"fox": (0.70, 0.62, 0.005, 1.5), "owl": (0.62, 0.70, 0.001, 0.08), "elk": (0.10, None, 0.0001, None)}
    models = [
        {"model": name, "confidence": one[0], "chosen_from": one[1], "expected_cost": one[2], "expected_latency_s": one[3], "accuracy": 0.5}
        for name, one in of.items()
    ]
    found = {
        "router": "words",
        "policy": "argmax",
        "model": "fox",
        "models": models,
        "cost_unit": "usd",
        "calibration_error": 0.1,
        "best_single": "owl",
        "runner_up": {"model": "owl", "below": 0.62},
        "weights": [{"weight": 0.0, "model": "fox"}, {"weight": 20.0, "model": "owl"}],
        "policies": [{"policy": "budget", "model": "owl"}, {"policy": "random", "model": "fox"}],
    }
    return found | changes


def test_the_choice_is_told_beside_the_best_single_model() -> None:
    assert choice_in_words(document()) == (
        "fox, by words with argmax: the confidence that it can answer is 0.70. The best single model, owl, has 0.62; "
        "$0.005 against $0.001 and 1.5 s against 80 ms."
    )
    assert choice_in_words(document(best_single="fox")).endswith("It is the best single model, too.")
    assert choice_in_words(document(model=None)).startswith("No model: ")


def test_what_would_change_the_choice_is_told_with_its_numbers() -> None:
    assert list(changes_in_words(document())) == [
        "owl is next: the question goes to owl if the confidence in fox is below 0.62, 0.08 less than it is. "
        "That is less than the router's confidences are off on average (0.10).",
        "owl would be chosen from a confidence of 0.70 on; now 0.62.",
        "No confidence, not even 1, would bring the question to elk.",
        "If cost counted (confidence - weight x $): fox where it weighs nothing, owl from a weight of 20.",
        "With budget, the question would go to owl.",
        "The same choice is made by random.",
    ]
    assert "fox is chosen whatever the confidence in it is." in changes_in_words(document(runner_up=None))
    assert "More" not in next(iter(changes_in_words(document(calibration_error=None))))


def test_an_empty_question_costs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--lake", "nowhere", " "]) == 2
    assert capsys.readouterr().err == "manyminds: the question is empty\n"


@pytest.mark.slow
def test_a_document_has_all_that_the_page_shows(demo_lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--lake", str(demo_lake), "--json", QUESTION]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["question"] == QUESTION
    assert [row["confidence"] for row in found["models"]] == sorted((row["confidence"] for row in found["models"]), reverse=True)
    near = found["nearest"]["queries"]
    assert len(near) == 5 and all(row["question"].endswith("backwards.") for row in near)
    assert all(set(row["labels"]) == {row["model"] for row in found["models"]} for row in near)
    assert main(["explain", "--lake", str(demo_lake), QUESTION]) == 0
    page = capsys.readouterr().out
    assert all(words in page for words in (near[0]["question"], found["router"], "What would change the choice", "✓"))
    assert main(["route", "--lake", str(demo_lake), QUESTION]) == 0
    assert capsys.readouterr().out.strip() == found["model"]


@pytest.mark.slow
def test_what_a_question_says_is_not_obeyed_by_the_terminal(demo_lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--lake", str(demo_lake), "--router", "kmeans-tfidf", "\x1b[31m[red]Write 1 backwards.\x07"]) == 0
    assert "\x1b" not in capsys.readouterr().out
