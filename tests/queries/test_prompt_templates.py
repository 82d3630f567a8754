"""Which prompt a benchmark has for which model, what each of ours shows, and worked examples that are part of the template."""

import json
import os
import re
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.benchmarks import mmlu, shots
from tasks.benchmarks.load import OURS, prompt_template
from tasks.benchmarks.shots import with_shots
from tasks.config import Benchmark
from tasks.errors import UserError
from tasks.sampling.prompts import render

PROMPTS = Path(__file__).parents[2] / "infra" / "prompts"
NAMES = sorted(file.stem for file in PROMPTS.glob("*.jinja"))
HOSTILE = "{{ 7*7 }} {% for x in y %} {# gone #} {%- raw %} ${1} \\boxed{{x}} <s>"
SHOT = {"question": "Who rules?", "choices": ["a judge", "a jury"], "gold": "B"}
LETTERS = ("choice", "mmlu", "arc", "question", "embedded")  # prompts of these names show options


def jsonl(file: Path, *rows: dict[str, Any]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


def template(name: str, subject: str = "law") -> str:
    text = (PROMPTS / f"{name}.jinja").read_text(encoding="utf-8")
    return (with_shots({subject: [SHOT]}) or "") + text if name == "mmlu" else text


@pytest.mark.parametrize("name", NAMES)
def test_every_prompt_shows_a_question_as_it_is_and_ends_where_the_model_goes_on(name: str) -> None:
    text = render(template(name), HOSTILE, [HOSTILE, "south"], "law")
    shows_options = name.startswith(LETTERS)
    assert text.count(HOSTILE) == (2 if shows_options else 1)
    assert not shows_options or (f"(A) {HOSTILE}" in text and "(B) south" in text)
    assert "None" not in text and "\n\n\n" not in text
    if name.endswith("-chat"):
        assert re.search(r"step by step", text) and not text.rstrip().endswith(("Answer:", "Solution:"))
    elif name != "embedded":
        assert text.endswith(("\nAnswer:", "\nSolution:"))


@pytest.mark.parametrize("name", NAMES)
def test_no_prompt_brings_a_token_that_the_tokenizer_adds(name: str) -> None:
    assert not re.search(r"<s>|<\|?\w+\|?>|\[INST\]|<bos>", (PROMPTS / f"{name}.jinja").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(("choice", "mmlu", "arc"))])
def test_a_prompt_that_is_not_for_choices_alone_does_without_them(name: str) -> None:
    assert "How many?" in render(template(name), "How many?", None, None)


@pytest.mark.parametrize("name", ["mmlu", "mmlu-chat", "mmlu-zero-shot"])
def test_a_subject_is_named_in_words_where_there_is_one(name: str) -> None:
    assert " about high school law" in render(template(name, "high_school_law"), "q", ["x", "y"], "high_school_law")
    assert " about " not in render(template(name, ""), "q", ["x", "y"], None)


@pytest.mark.parametrize(("chat", "ending"), [(False, ""), (True, "-chat")])
def test_a_benchmark_has_its_own_prompt_for_each_kind_of_model(chat: bool, ending: str, tmp_path: Path) -> None:
    dev = jsonl(tmp_path / "dev.jsonl", {"question": "q", "choices": ["x", "y"], "answer": 0, "subject": "law"})
    for name in OURS:
        expected = (PROMPTS / (f"{name}.jinja" if name == "embedded" else f"{name}{ending}.jinja")).read_text(encoding="utf-8")
        got = prompt_template(Benchmark(name=name, files=[dev] if name == "mmlu" else []), chat)
        assert got.endswith(expected) and (got == expected or (name == "mmlu" and not chat))
    for kind, name in (("number", "number"), ("choice", "choice"), ("text", "question"), (None, "question")):
        got = prompt_template(Benchmark(name="shop", files=["f"], answer_kind=kind), chat)  # type: ignore[arg-type]
        assert got == (PROMPTS / f"{name}{ending}.jinja").read_text(encoding="utf-8")
    math = prompt_template(Benchmark(name="shop", files=["f"], answer_kind="math"), chat)
    assert math == (PROMPTS / f"math{'-chat' if chat else '-zero-shot'}.jinja").read_text(encoding="utf-8")


def test_a_prompt_from_the_run_file_is_for_all_models_unless_chat_models_have_another(tmp_path: Path) -> None:
    mine = tmp_path / "mine.jinja"
    mine.write_text("{{ question }}!", encoding="utf-8-sig")
    one = Benchmark(name="gsm8k", prompt=str(mine))
    assert prompt_template(one) == prompt_template(one, chat=True) == "{{ question }}!"
    two = Benchmark(name="gsm8k", prompt=str(mine), chat_prompt="number-chat")
    assert prompt_template(two) == "{{ question }}!"
    assert prompt_template(two, chat=True) == (PROMPTS / "number-chat.jinja").read_text(encoding="utf-8")
    three = Benchmark(name="gsm8k", chat_prompt="number-chat")
    assert prompt_template(three) == (PROMPTS / "gsm8k.jinja").read_text(encoding="utf-8")


def test_an_unknown_prompt_names_the_nearest(tmp_path: Path) -> None:
    for settings, chat in (({"prompt": "gsm8"}, False), ({"chat_prompt": "gsm8"}, True)):
        with pytest.raises(UserError, match="benchmark 'gsm8k': prompt 'gsm8' is no file and none of ours; did you mean 'gsm8k'"):
            prompt_template(Benchmark(name="gsm8k", **settings), chat)  # type: ignore[arg-type]
    for wanted in (str(tmp_path), "a\0b"):
        with pytest.raises(UserError, match="is no file and none of ours"):
            prompt_template(Benchmark(name="gsm8k", prompt=wanted))


def dev(question: str, subject: str | None = "law", **row: Any) -> dict[str, Any]:
    return {"question": question, "choices": ["a judge", "a jury"], "answer": 1, "subject": subject, "split": "dev"} | row


def test_mmlus_prompt_shows_five_examples_of_the_questions_subject(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "mmlu.jsonl",
        *[dev(f"Law {index}?") for index in range(7)],
        *[dev(f"Tide {index}?", "tides", answer="A") for index in range(3)],
        dev("Law 1?"),
        dev("Hole?", choices=["one"]),
        dev("Asked?", split="test"),
    )
    text = render(prompt_template(Benchmark(name="mmlu", files=[file])), "Which gate?", ["north", "south"], "law")
    assert re.findall(r"Question: (.*)", text) == ["Law 0?", "Law 1?", "Law 2?", "Law 3?", "Law 4?", "Which gate?"]
    assert "Question: Law 4?\n(A) a judge\n(B) a jury\nAnswer: The answer is (B).\n\nQuestion: Which gate?\n(A) north\n" in text
    text = render(prompt_template(Benchmark(name="mmlu", files=[file])), "Which gate?", ["north", "south"], "tides")
    assert re.findall(r"Question: (.*)", text)[:-1] == ["Tide 0?", "Tide 1?", "Tide 2?"] and "The answer is (A)." in text


def test_examples_from_the_hub_are_its_dev_file_alone_and_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def give(_: str, file: str, **__: Any) -> str:
        asked.append(file)
        return jsonl(tmp_path / "dev.jsonl", dev("Who rules?", split=None))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", give)
    shots._header.cache_clear()
    try:
        assert "Who rules?" in prompt_template(Benchmark(name="mmlu")) and prompt_template(Benchmark(name="mmlu"))
        assert prompt_template(Benchmark(name="mmlu"), chat=True)
        assert asked == ["all/dev-00000-of-00001.parquet"]
    finally:
        shots._header.cache_clear()


def test_a_subject_without_examples_is_the_users_error(tmp_path: Path) -> None:
    prompt = prompt_template(Benchmark(name="mmlu", files=[jsonl(tmp_path / "dev.jsonl", dev("Who rules?"))]))
    for subject, shown in (("tides", "tides"), (None, "none")):
        with pytest.raises(UserError, match=f"question 'Which gate\\?': there are no worked examples of the subject {shown}"):
            render(prompt, "Which gate?", ["north", "south"], subject)


def test_without_dev_questions_mmlus_prompt_is_zero_shot(tmp_path: Path) -> None:
    files = [jsonl(tmp_path / "test.jsonl", dev("q", split=None))]
    assert prompt_template(Benchmark(name="mmlu", files=files)) == (PROMPTS / "mmlu-zero-shot.jinja").read_text(encoding="utf-8")
    for name in ("mmlu", "shop"):
        with pytest.raises(UserError, match=f"benchmark '{name}': prompt 'mmlu' shows worked examples"):
            prompt_template(Benchmark(name=name, files=files, prompt="mmlu"))


def test_a_prompt_of_ones_own_may_show_the_examples_too(tmp_path: Path) -> None:
    mine = tmp_path / "mine.jinja"
    mine.write_text("{% for shot in shots %}{{ shot.question }}{% endfor %}{{ question }}", encoding="utf-8")
    files = [jsonl(tmp_path / "dev.jsonl", dev("Who rules?"))]
    assert render(prompt_template(Benchmark(name="mmlu", files=files, prompt=str(mine))), " q", None, "law") == "Who rules? q"
    mine.write_text("{% set shots = [1] %}{{ shots }}{{ question }}", encoding="utf-8")
    assert render(prompt_template(Benchmark(name="mmlu", files=files, prompt=str(mine))), "q", None, None) == "[1]q"


def test_the_order_of_dev_rows_changes_no_prompt(tmp_path: Path) -> None:
    rows = [*[dev(f"Law {index}?") for index in range(8)], dev("Law 3?", answer=0), *[dev(f"T{index}?", "tides") for index in range(3)]]
    first = prompt_template(Benchmark(name="mmlu", files=[jsonl(tmp_path / "a.jsonl", *rows)]))
    assert first == prompt_template(Benchmark(name="mmlu", files=[jsonl(tmp_path / "b.jsonl", *reversed(rows))]))


def test_dev_rows_are_read_once_for_each_state_of_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, reads, read = tmp_path / "dev.jsonl", [], mmlu.shots
    monkeypatch.setattr(mmlu, "shots", lambda files, columns: reads.append(files) or read(files, columns))
    benchmark = Benchmark(name="mmlu", files=[jsonl(file, dev("Who rules?"))])
    assert prompt_template(benchmark) is not None and prompt_template(benchmark) == prompt_template(benchmark)
    assert len(reads) == 1
    jsonl(file, dev("Who ruled?"))
    os.utime(file, ns=(1, 1))
    assert "Who ruled?" in prompt_template(benchmark) and len(reads) == 2


anything = st.text(max_size=30) | st.sampled_from(
    [
        '"',
        "'",
        "\\",
        '\\"',
        "{%",
        "%}",
        "{{ 1 }}",
        "{# #}",
        "-%}",
        "\n",
        "\r\n",
        "\u2028",
        "\x00\x1f\x7f\x85",
        "é😀\U0010ffff",
        "\\u0041",
        "\\N{DASH}",
        "\\x41",
    ]
)


@given(st.dictionaries(anything, st.lists(st.lists(anything, min_size=1, max_size=3), min_size=1, max_size=2), min_size=1, max_size=3))
def test_examples_of_any_text_come_out_of_the_template_as_they_went_in(contents: dict[str, list[list[str]]]) -> None:
    examples_of: dict[str, list[mmlu.Shot]] = {
        subject: [{"question": texts[0], "choices": texts, "gold": "A"} for texts in examples] for subject, examples in contents.items()
    }
    text = f"{with_shots(examples_of)}{{% for shot in shots %}}<{{{{ shot.question }}}}|{{{{ shot.choices | join('|') }}}}>{{% endfor %}}"
    for subject, examples in contents.items():
        assert render(text, "q", None, subject) == "".join(f"<{texts[0]}|{'|'.join(texts)}>" for texts in examples)
