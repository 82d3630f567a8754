"""Prompts are filled strictly; seeds follow from what a sample is."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.sampling.engines.tokens import encode
from tasks.sampling.prompts import render
from tasks.sampling.seeds import sample_seed

ROOT = Path(__file__).parents[2]
texts = st.text(max_size=12)
hostile = st.lists(
    st.sampled_from(["{{", "}}", "{%", "%}", "{#", "#}", "7*7", "for x in y", "raw", "-", "\n", "'", '"', "\\"]), max_size=12
)


def test_a_prompt_has_the_question_and_its_choices() -> None:
    choice = "{% for choice in choices %}\n({{ 'ABCD'[loop.index0] }}) {{ choice }}\n{% endfor %}\n"
    template = f"{{{{ question }}}}\n{{% if choices %}}\n{choice}{{% endif %}}\n"
    assert render(template, "Which?", ["red", "blue"], None) == "Which?\n(A) red\n(B) blue\n"
    assert render(template, "How many?", None, None) == "How many?\n"


@given(hostile.map(" ".join), hostile.map("".join), hostile.map(" ".join))
def test_a_question_is_text_and_never_a_template(question: str, choice: str, subject: str) -> None:
    template = "{{ question }}|{% for choice in choices %}{{ choice }}{% endfor %}|{{ subject }}"
    assert render(template, question, [choice, "{{ 7 * 7 }} <b>"], subject) == f"{question}|{choice}{{{{ 7 * 7 }}}} <b>|{subject}"


def test_a_template_may_refuse_a_query() -> None:
    template = '{{ raise_exception("no subject") if not subject else question }}'
    assert render(template, "Which?", None, "law") == "Which?"
    with pytest.raises(UserError, match=r"cannot be filled for the question 'Which\?': no subject"):
        render(template, "Which?", None, None)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A real tokenizer, which adds the token that begins a text, with a chat template that has it too, as Gemma's and Llama's."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(ROOT / "tasks" / "world" / "models" / "ledger")
    turns = "{% for message in messages %}{{ message.role }}: {{ message.content | trim }}\n{% endfor %}"
    tokenizer.chat_template = f"{{{{ bos_token }}}}{turns}{{% if add_generation_prompt %}}model:{{% endif %}}"
    return tokenizer


@pytest.mark.parametrize("name", ["gsm8k", "math", "arc-challenge", "mmlu-zero-shot", "number", "embedded"])
@pytest.mark.parametrize("chat", [False, True])
def test_a_prompt_begins_once_and_ends_where_the_model_goes_on(name: str, chat: bool, tokenizer: Any) -> None:
    file = ROOT / "infra" / "prompts" / f"{name}{'-chat' if chat and name in ('gsm8k', 'math', 'arc-challenge', 'number') else ''}.jinja"
    prompt = render(file.read_text(encoding="utf-8"), "Which gate?", ["north", "south"], "law")
    (ids,) = encode(tokenizer, [prompt], chat=chat, name="ledger")
    assert ids[0] == tokenizer.bos_token_id and ids.count(tokenizer.bos_token_id) == 1 and tokenizer.eos_token_id not in ids
    text = tokenizer.decode(ids[1:], clean_up_tokenization_spaces=False)
    assert text == (f"user: {prompt.strip()}\nmodel:" if chat else prompt)


@pytest.mark.parametrize(
    ("template", "part"),
    [
        ("{{ qestion }}", "'qestion' is undefined"),
        ("a\n{% if %}", "line 2"),
        ("{{ choices[0] }}", "cannot be filled"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ question.__class__.__mro__ }}", "unsafe"),
    ],
)
def test_a_bad_template_is_the_users_error(template: str, part: str) -> None:
    with pytest.raises(UserError, match=part):
        render(template, "Which?", None, None)


@given(st.integers(0, 2**31), texts, texts, texts, st.integers(0, 999))
def test_a_seed_is_a_non_negative_int64_and_always_the_same(run_seed: int, query_id: str, model: str, recipe: str, sample: int) -> None:
    seed = sample_seed(run_seed, query_id, model, recipe, sample)
    assert 0 <= seed < 2**63
    assert seed == sample_seed(run_seed, query_id, model, recipe, sample)


def test_any_part_of_a_sample_changes_its_seed() -> None:
    seeds = {
        sample_seed(run, query, model, recipe, sample)
        for run in (0, 1)
        for query in ("a", "b", "ab")
        for model in ("m", "bm")
        for recipe in ("r1", "r2")
        for sample in range(20)
    }
    assert len(seeds) == 2 * 3 * 2 * 2 * 20


def test_seeds_stay_the_same_between_versions() -> None:
    assert sample_seed(0, "5f0c", "ledger", "r1", 3) == 2057247030154890091
