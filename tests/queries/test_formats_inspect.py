"""Logs that Inspect 0.3.285 wrote with its mock model (`logs/inspect/`): three epochs, two scorers, a sample whose tool broke."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.benchmarks.generations import read_generations
from tasks.benchmarks.outcomes import read_outcomes
from tasks.config import Import, Splits
from tasks.errors import UserError
from tasks.voting.vote import vote

LOGS = Path(__file__).parent / "logs" / "inspect"
GSM8K = f"{LOGS}/gsm8k-*.eval"


@pytest.fixture
def inspect_ai() -> None:
    pytest.importorskip("inspect_ai.analysis", reason="inspect-ai is not installed: pip install 'manyminds[inspect]'")


def imported(read: Callable[..., Any], file: str, **settings: Any) -> Any:
    return read([Import(files=[file], format="inspect", **settings)], Splits(), 0)


def refused(read: Callable[..., Any], file: str, **settings: Any) -> str:
    with pytest.raises(UserError) as error:
        imported(read, file, **settings)
    return str(error.value).replace(file, "FILE").replace(f"{LOGS}/", "")


def test_without_the_library_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "inspect_ai.analysis", None)
    message = "FILE: logs of Inspect are read by its own library; install it: pip install 'manyminds[inspect]'"
    assert refused(read_generations, str(LOGS / "arc.eval")) == message


def test_another_type_of_file_is_refused_without_the_library() -> None:
    assert refused(read_outcomes, "run.toml") == "FILE: unknown type of file; expected an Inspect log, .eval or .json"


@pytest.mark.usefixtures("inspect_ai")
def test_epochs_are_samples() -> None:
    made = imported(read_generations, GSM8K)
    assert made.queries.sort("source_id").select("benchmark", "source_id", "gold", "answer_kind").rows() == [
        ("gsm8k", "a", "3", "number"),
        ("gsm8k", "b", "18", "number"),
    ]
    questions = made.queries.sort("source_id")["question"].to_list()
    assert questions[1] == "Answer with a number.\n\nHow many eggs are a dozen and a half?"
    samples = made.generations.join(made.queries.select("query_id", "source_id"), on="query_id").filter(source_id="b", model="mockllm/one")
    assert samples.sort("sample").select("sample", "text", "finish_reason", "completion_tokens").rows() == [
        (0, "It is 18", "stop", 8),
        (1, "17", "stop", 2),
        (2, "18", "stop", 2),
    ]
    assert made.generations["latency_s"].null_count() == 0
    assert vote(made.generations, made.queries).filter(model="mockllm/one")["correct"].all()


@pytest.mark.usefixtures("inspect_ai")
def test_samples_that_ended_in_an_error_are_left_out_and_counted() -> None:
    made = imported(read_generations, GSM8K)
    assert "c" not in made.queries["source_id"]
    assert [note.replace(f"{LOGS}/", "") for note in made.notes[:2]] == [
        "gsm8k-one.eval: 3 samples ended in an error and are left out",
        "gsm8k-two.eval: 3 samples ended in an error and are left out",
    ]


@pytest.mark.usefixtures("inspect_ai")
def test_a_score_is_the_mean_over_epochs_by_the_scorer_that_is_named() -> None:
    outcomes = imported(read_outcomes, GSM8K, metric="match")
    votes = outcomes.votes.join(outcomes.queries.select("query_id", "source_id"), on="query_id").sort("source_id", "model")
    assert votes["success_rate"].round(4).to_list() == [0.6667, 1.0, 0.6667, 0.0]
    assert refused(read_outcomes, GSM8K) == "gsm8k-one.eval: has several scores; expected metric = one of 'includes', 'match'"
    assert refused(read_outcomes, GSM8K, metric="choice").startswith("gsm8k-one.eval: has no score 'choice'; expected metric = one of")


@pytest.mark.usefixtures("inspect_ai")
def test_choices_and_subjects_come_along() -> None:
    made = imported(read_generations, str(LOGS / "arc.eval"))
    assert made.queries.sort("source_id").select("source_id", "subject", "choices", "gold", "answer_kind").rows() == [
        ("1", "physics", ["frost", "dew", "rain", "steam"], "B", "choice"),
        ("2", None, ["shade", "desert"], "A", "choice"),
    ]
    assert vote(made.generations, made.queries).join(made.queries, on="query_id").sort("source_id")["correct"].to_list() == [True, False]


@pytest.mark.usefixtures("inspect_ai")
def test_a_target_of_several_right_answers_is_no_gold() -> None:
    message = "FILE: row 1: the target has several right answers, of which a query keeps one; import the log's scores as [[outcomes]]"
    assert refused(read_generations, str(LOGS / "names.eval")) == message
    assert refused(read_outcomes, str(LOGS / "names.eval")).endswith("routing needs at least two models")


@pytest.mark.usefixtures("inspect_ai")
def test_broken_logs_are_named(tmp_path: Path) -> None:
    assert refused(read_outcomes, str(tmp_path / "none.eval")) == "FILE: no such file"
    for name, content in (("text.eval", b"hello"), ("empty.eval", b""), ("cut.eval", (LOGS / "arc.eval").read_bytes()[:2000])):
        (tmp_path / name).write_bytes(content)
        assert refused(read_outcomes, str(tmp_path / name)).startswith("FILE: is no log that Inspect can read: ")
    (tmp_path / "folder.eval").mkdir()
    assert refused(read_outcomes, str(tmp_path / "folder.eval")) == "FILE: has no samples"


def test_scores_of_all_kinds_become_numbers() -> None:
    from tasks.benchmarks.formats.inspect_logs import _value

    values = ["C", "P", "I", "N", True, False, "yes", 0.25, 1]
    assert [_value("f", 1, value) for value in values] == [1, 0.5, 0, 0, 1, 0, 1, 0.25, 1]
    for value in (None, "maybe", {"a": 1}, [1]):
        with pytest.raises(UserError, match="f: row 1: the score is"):
            _value("f", 1, value)


@pytest.mark.usefixtures("inspect_ai")
def test_no_row_is_lost_between_the_log_and_the_table() -> None:
    made = imported(read_generations, f"{LOGS}/[ga][sr]*.eval")
    assert made.generations.height == 2 * 2 * 3 + 2
    assert made.generations.select("query_id", "model", "sample").is_unique().all()
    assert isinstance(made.generations.schema["latency_s"], pl.Float64)
