"""Sample logs that lm-evaluation-harness 0.4.13 wrote (`logs/lm_eval/`; the model answered from a list), and broken ones."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tasks.benchmarks.generations import read_generations
from tasks.benchmarks.outcomes import read_outcomes
from tasks.config import Import, Splits, load_run
from tasks.errors import UserError
from tasks.voting.vote import vote

LOGS = Path(__file__).parent / "logs" / "lm_eval"
GSM8K, ARC, ARC_CHAT = (f"{LOGS}/*/samples_{task}_2026*.jsonl" for task in ("gsm8k", "arc_challenge", "arc_challenge_chat"))
SAMPLE = {"doc_id": 3, "doc": {"question": "How many?"}, "target": "2", "resps": [["It is 2."]], "filter": "none", "acc": 1.0}


def imported(read: Callable[..., Any], *files: str, **settings: Any) -> Any:
    return read([Import(files=list(files), format="lm-eval", **settings)], Splits(), 0)


def refused(read: Callable[..., Any], *files: str, **settings: Any) -> str:
    with pytest.raises(UserError) as error:
        imported(read, *files, **settings)
    return str(error.value).removeprefix(f"{files[0]}: ")


def log(folder: Path, *samples: Any, name: str = "samples_sums_2024-06-11T10-27-38.523214.jsonl") -> str:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text("".join(f"{sample if isinstance(sample, str) else json.dumps(sample)}\n" for sample in samples))
    return str(folder / name)


def with_queries(frame: pl.DataFrame, queries: pl.DataFrame) -> pl.DataFrame:
    return frame.join(queries.select("query_id", "source_id"), on="query_id").sort("source_id", "model", maintain_order=True)


def test_each_repeat_is_a_sample_once_although_two_filters_logged_it() -> None:
    made = imported(read_generations, GSM8K)
    assert made.queries.select("benchmark", "answer_kind").unique().rows() == [("gsm8k", "number")]
    assert made.queries.sort("source_id").select("source_id", "gold").rows() == [("0", "18"), ("1", "3")]
    assert made.queries["question"].str.starts_with("Janet’s ducks lay 16 eggs per day.").sum() == 1
    samples = with_queries(made.generations, made.queries)
    assert set(samples["model"]) == {"google/gemma-7b", "mistralai/Mistral-7B-v0.1"}
    assert samples.filter(source_id="0", model="google/gemma-7b").select("sample", "text").rows() == [
        (0, " Step by step we get 7.\n#### 7"),
        (1, " Step by step we get 7.\n#### 7"),
        (2, " Step by step we get 18.\n#### 18"),
    ]
    assert made.generations.height == 12 and not any("twice" in note for note in made.notes)
    votes = with_queries(vote(made.generations, made.queries), made.queries)
    assert votes["success_rate"].round(2).to_list() == [0.33, 0.67, 1.0, 0.33]


def test_a_choice_is_read_whatever_its_labels_are() -> None:
    made = imported(read_generations, ARC_CHAT)
    assert made.queries.sort("source_id").select("answer_kind", "gold", "choices").rows() == [
        ("choice", "B", ["frost", "dew", "rain", "steam"]),
        ("choice", "A", ["shade", "desert", "sea", "ice"]),
    ]


def test_a_gold_that_is_a_label_is_the_letter_of_its_option(tmp_path: Path) -> None:
    doc = {"question": "Which?", "choices": {"text": ["D", "C", "B", "A"], "label": ["1", "2", "3", "4"]}}
    made = imported(read_generations, log(tmp_path / "m", {**SAMPLE, "doc": doc}))
    assert made.queries["gold"].to_list() == ["B"]


def test_the_metric_is_the_score_and_there_must_be_one() -> None:
    outcomes = imported(read_outcomes, GSM8K, metric="exact_match,strict-match")
    assert with_queries(outcomes.votes, outcomes.queries)["success_rate"].to_list() == [0, 1, 1, 0]
    choices = imported(read_outcomes, ARC, metric="acc")
    assert with_queries(choices.votes, choices.queries)["success_rate"].to_list() == [0, 1, 0, 0]
    assert choices.queries["choices"].list.len().to_list() == [4, 4]
    alone = imported(read_outcomes, ARC_CHAT)
    assert alone.votes["success_rate"].to_list() == [0, 0, 0, 0]


def test_a_metric_that_is_ambiguous_or_not_there_is_told_what_there_is() -> None:
    first = sorted(str(file) for file in LOGS.glob("*/samples_gsm8k_*"))[0]
    both = "expected metric = one of 'exact_match,flexible-extract', 'exact_match,strict-match'"
    assert refused(read_outcomes, first) == f"has several metrics; {both}"
    assert refused(read_outcomes, first, metric="exact_match") == f"metric = 'exact_match' is ambiguous; {both}"
    assert refused(read_outcomes, first, metric="acc") == f"metric = 'acc' is not there; {both}"
    choices = sorted(str(file) for file in LOGS.glob("*/samples_arc_challenge_2026*"))[0]
    assert refused(read_outcomes, choices) == "has several metrics; expected metric = one of 'acc', 'acc_norm'"


def test_log_likelihoods_are_no_generations() -> None:
    file = sorted(str(file) for file in LOGS.glob("*/samples_arc_challenge_2026*"))[0]
    assert refused(read_generations, file) == "row 1: 'resps' holds log-likelihoods and no texts; the task gives [[outcomes]] only"


def test_logs_of_older_versions_are_read_too(tmp_path: Path) -> None:
    """Without `filter` and `metrics`; arguments and target as they came."""
    old = {"doc_id": 7, "doc": {"sentence": "…"}, "target": 2, "arguments": [["2 + _ = 4", {"until": ["\n"]}]], "resps": [["2"]], "acc": 1}
    files = [log(tmp_path / model, old, name="samples_cloze.jsonl") for model in ("a", "b")]
    made = imported(read_generations, *files)
    assert made.queries.select("benchmark", "source_id", "question", "gold").rows() == [("cloze", "7", "2 + _ = 4", "2")]
    outcomes = imported(read_outcomes, *files)
    assert outcomes.votes.select("model", "success_rate").rows() == [("a", 1.0), ("b", 1.0)]


@pytest.mark.parametrize(
    ("doc", "question"),
    [
        ({"query": "Q?", "gold": 1}, "Q?"),
        ({"Question": "Q?"}, "Q?"),
        ({"problem": "Q?", "solution": "…"}, "Q?"),
        ({"passage": "Kel is big.", "question": "Q?"}, "Kel is big.\n\nQ?"),
        ({"question": {"stem": "Q?"}}, "The prompt"),
        ({"question": " "}, "The prompt"),
    ],
)
def test_the_question_is_what_the_task_asks_else_the_prompt(tmp_path: Path, doc: dict[str, Any], question: str) -> None:
    arguments = {"gen_args_0": {"arg_0": "The prompt", "arg_1": {}}}
    made = imported(read_generations, log(tmp_path / "m", {**SAMPLE, "doc": doc, "arguments": arguments}))
    assert made.queries["question"].to_list() == [question]


def test_the_model_is_the_folder_or_what_the_run_file_says(tmp_path: Path) -> None:
    files = [log(tmp_path / "results", SAMPLE), log(tmp_path / "org__name", SAMPLE)]
    named = [Import(files=files[:1], format="lm-eval", model="mine"), Import(files=files[1:], format="lm-eval")]
    assert set(read_generations(named, Splits(), 0).generations["model"]) == {"mine", "org/name"}


def test_the_kind_of_answers_can_be_told(tmp_path: Path) -> None:
    file = log(tmp_path / "m", {**SAMPLE, "target": "\\frac{1}{2}"})
    assert imported(read_generations, file).queries["answer_kind"].to_list() == ["text"]
    assert imported(read_generations, file, answer_kind="math").queries["answer_kind"].to_list() == ["math"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{broken", "row 2: is not JSON: "),
        ('{"doc_id": "\\ud800"}', "row 2: is not JSON: 'utf-8' codec can't encode"),
        ("[" * 100_000, "row 2: is not JSON: "),
        ("[1]", "row 2: has no 'doc_id'; expected a sample log, as lm_eval --log_samples writes it"),
        ({**SAMPLE, "doc": "text"}, "row 2: has no 'doc'; expected a sample log, as lm_eval --log_samples writes it"),
        ({"results": {}}, "row 2: has no 'doc_id'; expected a sample log, as lm_eval --log_samples writes it"),
        ({**SAMPLE, "doc": {}}, "row 2: has neither a question in 'doc' (question, query, input, problem) nor a prompt in 'arguments'"),
        ({**SAMPLE, "resps": [["a"], ["b"]]}, "row 2: 'resps' is [['a'], ['b']]; expected one request, with a list of texts"),
        ({**SAMPLE, "resps": [[]]}, "row 2: 'resps' is [[]]; expected one request, with a list of texts"),
        ({**SAMPLE, "filter": None}, "row 2: has no 'filter'; expected a sample log"),
        ({**SAMPLE, "target": ""}, "row 2: column 'gold' is empty, expected a text"),
        ({**SAMPLE, "target": ["5", "five"]}, "row 2: 'target' is ['5', 'five']; expected one right answer; with several, import"),
    ],
)
def test_what_is_wrong_with_a_log_is_named_by_file_and_row(tmp_path: Path, bad: Any, message: str) -> None:
    assert refused(read_generations, log(tmp_path / "m", SAMPLE, bad)).startswith(message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "label", "question", "arg_0"]), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from(sorted(SAMPLE)), JSON, max_size=2), min_size=1, max_size=3))
def test_whatever_stands_in_a_log_it_is_read_or_refused(tmp_path: Path, changes: list[dict[str, Any]]) -> None:
    file = log(tmp_path / "m", *(SAMPLE | change for change in changes))
    for read in (read_generations, read_outcomes):
        try:
            found = imported(read, file)
        except UserError as error:
            assert str(file) in str(error)
        else:
            assert found.queries.height >= 1 and found.queries["gold"].null_count() in (0, found.queries.height)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (12.5, "row 2: 'acc' is 12.5, expected a number from 0 to 1"),
        (float("nan"), "row 2: 'acc' is nan, expected a number from 0 to 1"),
        (10**400, "row 2: 'acc' is 10000"),
        ([1, 0], "row 2: 'acc' is [1, 0], expected a number from 0 to 1"),
        (None, "row 2: 'acc' is None, expected a number from 0 to 1"),
    ],
)
def test_a_score_that_is_no_share_is_named(tmp_path: Path, score: Any, message: str) -> None:
    assert refused(read_outcomes, log(tmp_path / "m", SAMPLE, {**SAMPLE, "doc_id": 4, "acc": score})).startswith(message)


def test_other_files_of_the_harness_are_refused(tmp_path: Path) -> None:
    assert refused(read_outcomes, log(tmp_path / "m", SAMPLE, name="results_2026.json")).startswith(
        "unknown type of file; expected samples_"
    )
    assert refused(read_outcomes, log(tmp_path / "m")) == "has no rows"
    assert refused(read_outcomes, str(tmp_path / "none.jsonl")) == "no such file"


def test_two_runs_of_a_task_that_say_different_things_are_refused(tmp_path: Path) -> None:
    first = log(tmp_path / "m", SAMPLE)
    again = log(tmp_path / "m", {**SAMPLE, "resps": [["It is 3."]]}, name="samples_sums_2024-07-01T00-00-00.000000.jsonl")
    assert "column 'text' differs from row 1" in refused(read_generations, first, again)


def test_the_order_of_files_changes_nothing() -> None:
    files = sorted(str(file) for file in LOGS.glob("*/samples_gsm8k_*"))
    one, other = imported(read_generations, *files), imported(read_generations, *reversed(files))
    assert_frame_equal(one.queries, other.queries)
    assert_frame_equal(one.generations, other.generations)


def test_a_run_file_names_logs_by_a_pattern_beside_it(tmp_path: Path) -> None:
    shutil.copytree(LOGS, tmp_path / "results")
    run = tmp_path / "run.toml"
    run.write_text('[[outcomes]]\nfiles = ["results/*/samples_gsm8k_*"]\nformat = "lm-eval"\nmetric = "exact_match,strict-match"\n')
    entry = load_run(run).outcomes[0]
    assert [Path(file).parent.name for file in entry.files] == ["google__gemma-7b", "mistralai__Mistral-7B-v0.1"]
    run.write_text('[[outcomes]]\nfiles = ["nothing/*.jsonl"]\nformat = "lm-eval"\n')
    with pytest.raises(UserError, match=r"no file matches .*nothing/\*\.jsonl"):
        load_run(run)


@pytest.mark.parametrize(
    ("read", "settings", "message"),
    [
        (read_generations, {"metric": "acc"}, "metric is a setting of [[outcomes]] with format = lm-eval or inspect; remove it"),
        (
            read_outcomes,
            {"columns": {"score": "acc"}},
            "columns is a setting of [[outcomes or generations]] with format = table; remove it",
        ),
    ],
)
def test_a_setting_that_would_be_ignored_is_refused(tmp_path: Path, read: Any, settings: dict[str, Any], message: str) -> None:
    assert refused(read, log(tmp_path / "m", SAMPLE), **settings) == message
