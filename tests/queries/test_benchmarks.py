"""Benchmarks: ours from the hub's files and a user's own table."""

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tasks.benchmarks.load import OURS, load_benchmark, prompt_template
from tasks.config import Benchmark, Splits
from tasks.errors import UserError
from tasks.sampling.prompts import render


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


def test_a_gsm8k_solution_without_gold_is_named(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "train.jsonl", {"question": "a", "answer": "#### 1"}, {"question": "b", "answer": "so 4"})
    assert refused("gsm8k", file) == f"{file}: row 2: column 'answer' is 'so 4', expected a solution that ends in '#### 42'"


def test_mmlu_answers_are_letters_from_indices_or_letters_and_its_splits_are_cut_by_hash(tmp_path: Path) -> None:
    question = {"subject": "law", "choices": ["x", "y", "z"]}
    numbers = jsonl(tmp_path / "test.jsonl", *[question | {"question": f"q{index}", "answer": index % 3} for index in range(30)])
    (tmp_path / "dev.csv").write_text('question,choices,answer\nlast,"[""a"", ""b""]",b\n', encoding="utf-8")
    queries, notes = load_benchmark(Benchmark(name="mmlu", files=[numbers, str(tmp_path / "dev.csv")]), Splits(), 0)
    golds = dict(queries.select("question", "gold").iter_rows())
    assert (golds["q0"], golds["q2"], golds["last"]) == ("A", "C", "B")
    assert set(queries["split"]) == {"train", "validation", "test"}
    assert notes[0].startswith("benchmark 'mmlu' brought no test split")
    bad = jsonl(tmp_path / "bad.jsonl", question | {"question": "q", "answer": 3})
    assert "row 1: column 'answer' is '3', expected the index (from 0) or the letter of one of the choices" in refused("mmlu", bad)


def test_what_the_hub_does_not_give_can_be_given_as_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    assert refused("gsm8k") == (
        "dataset openai/gsm8k could not be fetched from the Hugging Face hub (ConnectionError); "
        "with local copies, give the benchmark files = [...]"
    )
    assert "cais/mmlu" in refused("mmlu")


def test_what_the_hub_gives_is_pinned_to_a_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str, str]] = []

    def give(name: str, file: str, *, repo_type: str, revision: str) -> str:
        asked.append((name, file, revision))
        path = tmp_path / Path(file).name
        pl.DataFrame({"question": [f"{file}?"], "answer": ["#### 1,080"]}).write_parquet(path)
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", give)
    queries = load("gsm8k")
    assert {name for name, _, _ in asked} == {"openai/gsm8k"} and all(len(revision) == 40 for *_, revision in asked)
    assert queries["gold"].to_list() == ["1,080", "1,080"] and "test" in queries["split"]


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
    texts = jsonl(tmp_path / "t.jsonl", {"question": "a", "gold": "18"}, {"question": "b", "gold": "Kel"})
    assert set(load("t", texts)["answer_kind"]) == {"text"}
    assert set(load("t", texts, answer_kind="math")["answer_kind"]) == {"math"}


def test_mistakes_in_an_own_table_are_named_by_file_row_and_column(tmp_path: Path) -> None:
    good = {"question": "a", "gold": "1"}
    missing = jsonl(tmp_path / "missing.jsonl", {"question": "a", "golden": "1"})
    assert f"{missing}: column 'gold' is missing; did you mean 'golden'?" in refused("x", missing)
    empty = jsonl(tmp_path / "empty.jsonl", good, {"question": None, "gold": "1"})
    assert refused("x", empty) == f"{empty}: row 2: column 'question' is empty, expected a text"
    letter = jsonl(tmp_path / "letter.jsonl", good | {"choices": ["x", "y"], "gold": "C"})
    assert "row 1: column 'gold' is 'C', expected the letter of one of the choices, or one of the choices" in refused("x", letter)
    split = jsonl(tmp_path / "split.jsonl", good | {"split": "holdout"})
    assert "row 1: column 'split' is 'holdout', expected train, validation (val, valid, dev) or test" in refused("x", split)
    kind = jsonl(tmp_path / "kind.jsonl", good | {"answer_kind": "num"})
    assert "row 1: column 'answer_kind' is 'num', expected one of number, choice, math, text" in refused("x", kind)
    number = jsonl(tmp_path / "number.jsonl", good, good | {"gold": "four"})
    assert "row 2: column 'gold' is 'four', expected a number such as" in refused("x", number, answer_kind="number")
    for gold in ("1,00", "- 5", "1.2.3", "5 apples", "1/2"):
        number = jsonl(tmp_path / "number.jsonl", good | {"gold": gold})
        assert f"row 1: column 'gold' is {gold!r}, expected a number such as" in refused("x", number, answer_kind="number")
    assert "columns: there is no column 'golds' to map; did you mean 'gold'?" in refused("x", number, columns={"golds": "gold"})


def test_the_order_of_a_tables_rows_changes_nothing(tmp_path: Path) -> None:
    rows = [{"question": f"q{index}", "gold": str(index)} for index in range(50)]
    limit = {"train": 10, "test": 5}
    first = load("x", jsonl(tmp_path / "a.jsonl", *rows), limit=limit)
    assert_frame_equal(first, load("x", jsonl(tmp_path / "b.jsonl", *reversed(rows)), limit=limit))
    assert first.filter(pl.col("split") == "train").height == 10


@pytest.mark.parametrize("name", [*OURS, "question", "choice", "number"])
def test_every_prompt_shows_the_question_and_its_choices(name: str) -> None:
    template = prompt_template(Benchmark(name="own", files=["x"], prompt=name))
    assert "Which gate?" in render(template, "Which gate?", None, None)
    if name not in ("gsm8k", "number"):
        text = render(template, "Which gate?", ["north", "south"], "high_tide")
        assert "(A) north" in text and "(B) south" in text and "None" not in text


def test_a_benchmark_has_its_own_prompt_unless_the_run_file_names_another(tmp_path: Path) -> None:
    assert prompt_template(Benchmark(name="gsm8k")).endswith("Question: {{ question }}\nAnswer:")
    assert prompt_template(Benchmark(name="x", files=["f"], answer_kind="number")) == prompt_template(
        Benchmark(name="gsm8k", prompt="number")
    )
    own = tmp_path / "own.jinja"
    own.write_text("{{ question }}!", encoding="utf-8")
    assert prompt_template(Benchmark(name="gsm8k", prompt=str(own))) == "{{ question }}!"
    with pytest.raises(UserError, match="prompt 'gsm8' is no file and none of ours; did you mean 'gsm8k'"):
        prompt_template(Benchmark(name="gsm8k", prompt="gsm8"))
