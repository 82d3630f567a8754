"""`manyminds explain`: what it says of a question, to people and to programs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from planted_tables import query_rows, vote_rows

from flows.command_line import main
from flows.explaining import changes_in_words, choice_in_words
from tasks.config import Router
from tasks.lake.files import Lake, write_table
from tasks.lake.interfaces import Examples
from tasks.lake.tables import METRICS, QUERIES, VOTES
from tasks.routers import make_router
from tasks.routers.saved import save_router

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
        "policy_weight": None,
        "policy_budget": None,
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
        "By its own confidence alone would be chosen: owl from 0.70 (now 0.62).",
        "No confidence, not even 1, would bring the question to elk.",
        "If cost counted (confidence - weight x $): fox where it weighs nothing, owl from a weight of 20.",
        "With budget, the question would go to owl.",
        "The same choice is made by random.",
    ]
    assert "fox is chosen whatever the confidence in it is." in changes_in_words(document(runner_up=None))
    assert "More" not in next(iter(changes_in_words(document(calibration_error=None))))


def test_what_the_policy_goes_by_is_told_beside_what_would_change_it() -> None:
    weighed = list(changes_in_words(document(policy="cost-aware", policy_weight=3.5)))
    assert "Highest by confidence - weight x $ is fox where cost weighs nothing, owl from a weight of 20; now 3.5." in weighed
    within = list(changes_in_words(document(policy="budget", model="owl", policy_budget=0.002)))
    assert "fox would need a budget of $0.005 a question; now $0.002." in within
    assert not [sentence for sentence in within if sentence.startswith("elk would need")]
    unknown = [{**row, "expected_cost": None} for row in document()["models"]]
    assert not [said for said in changes_in_words(document(policy="budget", models=unknown, policy_budget=0.002)) if "would need" in said]
    low = [{**row, "confidence": 0.6 * row["confidence"]} for row in document()["models"]]
    drawn = list(changes_in_words(document(policy="random", models=low)))
    assert "No confidence is above 0.60: one of the 3 highest was drawn, always the same one for this question." in drawn
    assert not [sentence for sentence in changes_in_words(document(policy="random")) if "drawn" in sentence]


def test_where_all_others_are_alike_they_are_not_listed() -> None:
    alike = [row if row["model"] == "fox" else {**row, "chosen_from": 0.7} for row in document()["models"]]
    assert "Each of the others would be chosen from a confidence of 0.70 on." in changes_in_words(document(models=alike))
    never = [row if row["model"] == "fox" else {**row, "chosen_from": None} for row in document()["models"]]
    assert "No confidence in one of the others, not even 1, would change that." in changes_in_words(document(models=never))


HOSTILE = "[bold]fox\x1b[31m"


@pytest.fixture
def hand_lake(tmp_path: Path) -> Path:
    """Outcomes of three models on four training questions: no samples, no costs of one model, a hole, a policy that looks at samples."""
    lake, models = Lake(str(tmp_path / "lake")), (HOSTILE, "elk", "owl")
    queries = query_rows(4, split="train", subject="[red]sums").with_columns(question=pl.Series(["cat", "black cat\x07", "dog", "emu"]))
    votes = [vote_rows(queries, HOSTILE, [1, 1, 1, 0], k=None, latency_s=2.0), vote_rows(queries, "elk", [0, 0.5, 1, 0], k=None)]
    write_table(lake, QUERIES, queries, "b/")
    write_table(lake, VOTES, pl.concat([*votes, vote_rows(queries, "owl", [1, None, 0, 0], k=None, latency_s=None)]), "b/")
    labels = np.array([[1, 0, 1], [1, 0.5, np.nan], [1, 1, 0], [0, 0, 0]], dtype=np.float32)
    train = Examples(queries, labels, models)
    save_router(lake, "best-single", "best-single", make_router(Router(name="best-single"), 0).fit(train, train))
    order = {"seed": 0, "order": [0, 1, 2]}
    policies = {"argmax": order, "argmax-as-published": order, "cascade": order | {"looks": 3, "ladder": []}}
    lake.write("policies/best-single/1.json", json.dumps({"models": models, "policies": policies}).encode())
    lake.write(
        "costs/1.json", json.dumps({"unit": "usd", "models": models, "base": [0.2, 0.1, None], "per_character": [0, 0, None]}).encode()
    )
    blank = dict.fromkeys(METRICS.schema)
    figure = blank | {"study": "evaluation", "split": "test", "model": "elk", "metric": "accuracy", "value": 0.25, "n": 4}
    write_table(lake, METRICS, pl.DataFrame([figure], schema=METRICS.schema), "e/")
    return tmp_path / "lake"


def explained(lake: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["explain", "--lake", str(lake), "--router", "best-single", "--policy", "argmax", *arguments, "a black cat"]) == 0
    return capsys.readouterr().out


def test_a_document_of_a_lake_checked_by_hand(hand_lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(explained(hand_lake, capsys, "--json"))
    assert found["model"] == HOSTILE
    fox, elk, owl = (next(row for row in found["models"] if row["model"] == name) for name in (HOSTILE, "elk", "owl"))
    assert (fox["confidence"], elk["confidence"]) == (0.75, 0.375)
    assert (fox["expected_latency_s"], elk["expected_latency_s"], owl["expected_latency_s"]) == (2.0, 1.0, None)
    assert (fox["expected_cost"], elk["expected_cost"], owl["expected_cost"]) == (0.2, 0.1, None)
    assert (elk["accuracy"], fox["accuracy"]) == (0.25, None)
    assert elk["chosen_from"] == pytest.approx(0.75, abs=1e-5)
    assert found["weights"] is None  # the cost of one model is not known
    assert found["policies"] == [{"policy": "argmax-as-published", "model": HOSTILE}]  # the other one looks at samples
    near = found["nearest"]["queries"]
    assert found["nearest"]["by"] == "TF-IDF of words"
    assert [row["text"] for row in near[:2]] == ["black cat\x07", "cat"]
    assert near[1]["similarity"] == pytest.approx(0.619, abs=1e-3)  # idf of "cat" 1 + log(5 / 3), of "black" 1 + log(5 / 2)
    assert near[2]["similarity"] == near[3]["similarity"] == 0
    assert near[0]["labels"] == {HOSTILE: 1.0, "elk": 0.5}  # a hole is no zero


def test_names_and_questions_of_others_are_not_obeyed(hand_lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = explained(hand_lake, capsys)
    assert "\x1b" not in page and "\x07" not in page
    assert "[bold]fox" in page and "[red]sums" in page and "nan" not in page.lower()
    assert "\x1b" not in explained(hand_lake, capsys, "--json")
    assert "0.50" in page and "–" in page  # a share of a success, and what is not known


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


def heavy_imports(lake: Path, router: str) -> str:
    """What a process that explains a question has imported in vain."""
    code = f"""
import sys
from flows.command_line import main
assert main(["explain", "--lake", {str(lake)!r}, "--router", {router!r}, "--policy", "argmax", "--json", "a cat"]) == 0
print(sorted({{"torch", "transformers", "sklearn", "scipy", "prefect", "altair"}} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return done.stderr.strip()


def test_what_a_router_of_means_does_not_need_is_not_imported(hand_lake: Path) -> None:
    assert heavy_imports(hand_lake, "best-single") == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("router", ["kmeans-encoder", "kmeans-tfidf", "roberta-multi-label"])
def test_nor_for_the_routers_of_the_demo(demo_lake: Path, router: str) -> None:
    assert heavy_imports(demo_lake, router) == "[]"
