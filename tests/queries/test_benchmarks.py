"""Benchmarks: ours from the hub's files and a user's own table."""

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tasks.benchmarks.load import load_benchmark
from tasks.benchmarks.math import last_boxed
from tasks.config import Benchmark, Splits
from tasks.errors import UserError


def jsonl(file: Path, *rows: dict[str, Any]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def load(name: str, *files: str, **settings: Any) -> pl.DataFrame:
    return load_benchmark(Benchmark(name=name, files=list(files), **settings), Splits(), seed=0)[0]


def refused(name: str, *files: str, **settings: Any) -> str:
    with pytest.raises(UserError) as error:
        load(name, *files, **settings)
    return str(error.value)


def test_the_embedded_benchmark_has_all_splits_and_needs_no_note() -> None:
    queries, notes = load_benchmark(Benchmark(name="embedded"), Splits(), seed=3)
    assert dict(queries["split"].value_counts().iter_rows()) == {"train": 384, "validation": 96, "test": 240}
    assert notes == []
    assert set(queries["answer_kind"]) == {"number", "choice"}


def test_gsm8k_is_read_in_its_original_shape(real_data: Path) -> None:
    queries = load("gsm8k", *[str(real_data / "gsm8k" / f"{split}.jsonl") for split in ("train", "test")])
    assert dict(queries["split"].value_counts().iter_rows()) == {"train": 6295, "validation": 1178, "test": 1319}
    robe = queries.filter(pl.col("question").str.starts_with("A robe takes 2 bolts")).row(0, named=True)
    assert (robe["gold"], robe["answer_kind"], robe["split"], robe["benchmark"]) == ("3", "number", "test", "gsm8k")


def test_gsm8k_takes_a_split_from_the_name_of_the_file(tmp_path: Path) -> None:
    row = {"question": "2 + 2?", "answer": "It is 2 + 2 = 4.\n#### 4"}
    assert load("gsm8k", jsonl(tmp_path / "test-00000-of-00001.jsonl", row))["split"].to_list() == ["test"]
    queries = load("gsm8k", jsonl(tmp_path / "main_test.jsonl", row, row | {"question": "x", "split": "val"}))
    assert dict(queries.select("question", "split").iter_rows()) == {"2 + 2?": "test", "x": "validation"}


def test_mmlu_answers_are_letters_from_indices_or_letters_and_its_splits_are_cut_by_hash(tmp_path: Path) -> None:
    question = {"subject": "law", "choices": ["x", "y", "z"]}
    numbers = jsonl(tmp_path / "test.jsonl", *[question | {"question": f"q{index}", "answer": index % 3} for index in range(30)])
    (tmp_path / "validation.csv").write_text('question,choices,answer\nlast,"[""a"", ""b""]",b\n', encoding="utf-8")
    queries, notes = load_benchmark(Benchmark(name="mmlu", files=[numbers, str(tmp_path / "validation.csv")]), Splits(), 0)
    golds = dict(queries.select("question", "gold").iter_rows())
    assert (golds["q0"], golds["q2"], golds["last"]) == ("A", "C", "B")
    assert set(queries["split"]) == {"train", "validation", "test"}
    assert notes[0] == "benchmark 'mmlu' brought no dev questions to show as worked examples: its prompt is zero-shot"
    assert notes[1].startswith("benchmark 'mmlu' brought no test split")
    bad = jsonl(tmp_path / "bad.jsonl", question | {"question": "q", "answer": 3})
    assert "row 1: column 'answer' is '3', expected the index (from 0) or the letter of one of the choices" in refused("mmlu", bad)


def test_mmlu_keeps_the_splits_of_files_where_one_of_them_is_for_training(tmp_path: Path) -> None:
    question = {"subject": "law", "choices": ["x", "y"], "answer": 0}
    files = [jsonl(tmp_path / f"{name}.jsonl", question | {"question": name}) for name in ("train", "test", "val")]
    assert dict(load("mmlu", *files).select("question", "split").iter_rows()) == {"train": "train", "test": "test", "val": "validation"}


def test_mmlus_dev_questions_are_never_queries_wherever_else_they_stand(tmp_path: Path) -> None:
    question = {"subject": "law", "choices": ["x", "y"], "answer": 0}
    dev = jsonl(tmp_path / "dev.jsonl", *[question | {"question": f"d{index}"} for index in range(5)])
    test = jsonl(
        tmp_path / "test.jsonl",
        *[question | {"question": f"q{index}"} for index in range(20)],
        question | {"question": "d3"},
        question | {"question": "d4", "choices": ["y", "x"]},
        question | {"question": "other", "split": " Dev"},
    )
    queries, notes = load_benchmark(Benchmark(name="mmlu", files=[dev, test]), Splits(), 0)
    assert set(queries["question"]) == {*[f"q{index}" for index in range(20)], "d4"}
    assert notes[0] == "benchmark 'mmlu': questions that are also worked examples of its prompt were left out (1)"


def test_mmlu_needs_more_than_dev_questions(tmp_path: Path) -> None:
    dev = jsonl(tmp_path / "dev.jsonl", {"question": "q", "choices": ["x", "y"], "answer": 0})
    assert refused("mmlu", dev) == f"{dev}: all its questions are of split dev, which are worked examples; expected others besides"


def test_math_is_read_in_its_original_shape(tmp_path: Path) -> None:
    rows = [
        {
            "problem": "a",
            "level": "Level 3",
            "type": "Counting & Probability",
            "solution": r"$\boxed{3}$ is too much, so $\boxed{\frac{1}{2}}$.",
        },
        {"problem": "b", "level": "Level ?", "type": "Geometry", "solution": r"\[\boxed{\left\{ 1, \{2\} \right\}}\]"},
    ]
    train = jsonl(tmp_path / "train.jsonl", *rows)
    test = tmp_path / "test-00000-of-00001.parquet"
    pl.DataFrame([{"problem": "c", "level": None, "type": None, "solution": r"It is $\boxed 7$."}]).write_parquet(test)
    queries = load("math", train, str(test)).sort("question")
    assert queries["gold"].to_list() == [r"\frac{1}{2}", r"\left\{ 1, \{2\} \right\}", "7"]
    assert queries["subject"].to_list() == ["counting & probability, level 3", "geometry, level ?", None]
    assert queries["split"].to_list()[2] == "test" and set(queries["answer_kind"]) == {"math"}


@pytest.mark.parametrize(
    ("solution", "gold"),
    [
        (r"\boxed{\text{a {nested} one}} and \boxedminus{no}", r"\text{a {nested} one}"),
        (r"\fbox{5}", "5"),
        (r"\boxed{\left\{ x \right.} if $x > 0$", r"\left\{ x \right."),
        (r"\boxed\frac12$ at the end", r"\frac12"),
        (r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (r"\boxed{3} or \boxed{never closed", None),
        (r"\boxed", None),
        ("no box", None),
        ("", None),
    ],
)
def test_the_gold_of_math_is_what_the_last_box_holds(solution: str, gold: str | None) -> None:
    assert last_boxed(solution) == gold


@given(st.text(alphabet="\\{}boxed $a", max_size=60))
def test_no_solution_is_too_broken_to_look_for_a_box(solution: str) -> None:
    assert (last_boxed(solution + r"\boxed{x}") or "").strip() == "x"
    last_boxed(solution)


def arc(**row: Any) -> dict[str, Any]:
    return {"id": "M1", "question": "Which?", "choices": {"text": ["a", "b", "c"], "label": ["1", "2", "3"]}, "answerKey": "2"} | row


def test_arc_challenge_is_read_in_both_original_shapes(tmp_path: Path) -> None:
    five = {"text": list("vwxyz"), "label": list("ABCDE")}
    validation = tmp_path / "validation-00000-of-00001.parquet"
    pl.DataFrame([arc(), arc(id="M2", question="Which five?", choices=five, answerKey="E")]).write_parquet(validation)
    authors = {"stem": "Whose?", "choices": [{"text": "mine", "label": "A"}, {"text": "yours", "label": "B"}]}
    test = jsonl(tmp_path / "ARC-Challenge-Test.jsonl", {"id": "M3", "question": authors, "answerKey": "A"})
    queries = load("arc-challenge", str(validation), test).sort("source_id")
    assert queries.select("source_id", "question", "gold", "split").rows() == [
        ("M1", "Which?", "B", "validation"),
        ("M2", "Which five?", "E", "validation"),
        ("M3", "Whose?", "A", "test"),
    ]
    assert queries["choices"].to_list() == [["a", "b", "c"], list("vwxyz"), ["mine", "yours"]]
    assert set(queries["answer_kind"]) == {"choice"}


def test_mistakes_in_arc_challenge_are_named(tmp_path: Path) -> None:
    key = jsonl(tmp_path / "key.jsonl", arc(), arc(answerKey="A"))
    assert refused("arc-challenge", key) == f"{key}: row 2: column 'answerKey' is 'A', expected the label of one of the choices"
    for choices in (
        {"text": ["a"], "label": ["1", "2"]},
        {"options": ["a", "b"]},
        ["a", "b"],
        "a or b",
        {"text": ["a", "b"], "label": ["1", "1"]},
    ):
        bad = jsonl(tmp_path / "bad.jsonl", arc(choices=choices))
        assert "row 1: column 'choices' is " in refused("arc-challenge", bad) and "expected options such as" in refused(
            "arc-challenge", bad
        )


def test_what_the_hub_does_not_give_can_be_given_as_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    assert refused("gsm8k") == (
        "dataset openai/gsm8k could not be fetched from the Hugging Face hub (ConnectionError); "
        "with local copies, give the benchmark files = [...]"
    )
    for name, dataset in (("mmlu", "cais/mmlu"), ("math", "EleutherAI/hendrycks_math"), ("arc-challenge", "allenai/ai2_arc")):
        assert f"dataset {dataset} could not be fetched" in refused(name)


IN_HUB_SHAPE: dict[str, dict[str, Any]] = {
    "gsm8k": {"answer": "#### 1,080"},
    "mmlu": {"choices": ["x", "y"], "answer": 1, "subject": "law"},
    "math": {"solution": r"\boxed{2}", "level": "Level 1", "type": "Algebra"},
    "arc-challenge": {"id": "M", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"},
}


@pytest.mark.parametrize(("name", "number"), [("gsm8k", 2), ("mmlu", 3), ("math", 14), ("arc-challenge", 3)])
def test_what_the_hub_gives_is_pinned_to_a_commit(name: str, number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def give(_: str, file: str, *, repo_type: str, revision: str) -> str:
        asked.append((file, revision))
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        text = {"problem" if name == "math" else "question": f"{file}?"}
        pl.DataFrame([text | IN_HUB_SHAPE[name], dict.fromkeys(text) | IN_HUB_SHAPE[name]]).write_parquet(path)
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", give)
    queries, notes = load_benchmark(Benchmark(name=name), Splits(), seed=0)
    assert len(set(asked)) == number and all(len(revision) == 40 for _, revision in asked)
    shots = 1 if name == "mmlu" else 0
    assert queries.height == number - shots and set(queries["gold"]) <= {"1,080", "B", "2"}
    assert notes[0].startswith(f"benchmark {name!r}: {number} of {2 * number} rows have holes and were left out: no question in row 2 of ")
    if name != "mmlu":
        assert "test" in set(queries["split"])


def test_an_unknown_benchmark_names_the_nearest() -> None:
    assert refused("gsm8") == "unknown benchmark 'gsm8' without files; did you mean 'gsm8k'?; your own table needs files = [...]"
    assert "takes no files" in refused("embedded", "x.jsonl")


def test_an_own_table_is_read_through_its_columns_and_kinds_are_inferred(tmp_path: Path) -> None:
    choices = jsonl(
        tmp_path / "gates.jsonl",
        {"prompt": "Which gate?", "options": ["north", "south"], "solution": "south", "fold": "train", "id": 7},
        {"prompt": "Which tide?", "options": ["low", "high"], "solution": "a", "fold": "test", "id": 8},
    )
    columns = {"question": "prompt", "choices": "options", "gold": "solution", "split": "fold", "source_id": "id"}
    queries = load("gates", choices, columns=columns).sort("source_id")
    assert queries.select("source_id", "gold", "answer_kind").rows() == [("7", "B", "choice"), ("8", "A", "choice")]
    numbers = jsonl(tmp_path / "n.jsonl", {"question": "a", "gold": 18}, {"question": "b", "gold": "-1,080.5"})
    assert set(load("n", numbers)["answer_kind"]) == {"number"}
    other = jsonl(tmp_path / "o.jsonl", *({"question": gold, "gold": gold} for gold in ("3/4", "-1 1/2", "2.5e3")))
    assert set(load("o", other)["answer_kind"]) == {"text"}  # they may be dates, or names
    assert set(load("o", other, answer_kind="number")["gold"]) == {"3/4", "-1 1/2", "2.5e3"}
    texts = jsonl(tmp_path / "t.jsonl", {"question": "a", "gold": "18"}, {"question": "b", "gold": "Kel"})
    assert set(load("t", texts)["answer_kind"]) == {"text"}
    assert set(load("t", texts, answer_kind="math")["answer_kind"]) == {"math"}


def test_mistakes_in_an_own_table_are_named_by_file_row_and_column(tmp_path: Path) -> None:
    good = {"question": "a", "gold": "1"}
    missing = jsonl(tmp_path / "missing.jsonl", {"question": "a", "golden": "1"})
    assert f"{missing}: column 'gold' is missing; did you mean 'golden'?" in refused("x", missing)
    empty = jsonl(tmp_path / "empty.jsonl", good, {"question": None, "gold": "1"})
    assert refused("x", empty) == (
        f"{empty}: 1 of 2 rows has holes: no question in row 2; expected in each a question and a gold, and two options or more "
        'where it has any; holes = "skip" leaves them out'
    )
    letter = jsonl(tmp_path / "letter.jsonl", good | {"choices": ["x", "y"], "gold": "C"})
    assert "row 1: column 'gold' is 'C', expected the letter of one of the choices, or one of the choices" in refused("x", letter)
    split = jsonl(tmp_path / "split.jsonl", good | {"split": "holdout"})
    assert "row 1: column 'split' is 'holdout', expected train, validation (val, valid, dev) or test" in refused("x", split)
    kind = jsonl(tmp_path / "kind.jsonl", good | {"answer_kind": "num"})
    assert "row 1: column 'answer_kind' is 'num', expected one of number, choice, math, text" in refused("x", kind)
    number = jsonl(tmp_path / "number.jsonl", good, good | {"gold": "four"})
    assert "row 2: column 'gold' is 'four', expected a number such as" in refused("x", number, answer_kind="number")
    for gold in ("1,00", "673,00,073", "- 5", "--5", "-$-5", "1.2.3", "2.e5", "5 apples", "1/0"):
        number = jsonl(tmp_path / "number.jsonl", good | {"gold": gold})
        assert f"row 1: column 'gold' is {gold!r}, expected a number such as" in refused("x", number, answer_kind="number")
    assert "columns: there is no column 'golds' to map; did you mean 'gold'?" in refused("x", number, columns={"golds": "gold"})


def test_the_order_of_a_tables_rows_changes_nothing(tmp_path: Path) -> None:
    rows = [{"question": f"q{index}", "gold": str(index)} for index in range(50)]
    limit = {"train": 10, "test": 5}
    first = load("x", jsonl(tmp_path / "a.jsonl", *rows), limit=limit)
    assert_frame_equal(first, load("x", jsonl(tmp_path / "b.jsonl", *reversed(rows)), limit=limit))
    assert first.filter(pl.col("split") == "train").height == 10
