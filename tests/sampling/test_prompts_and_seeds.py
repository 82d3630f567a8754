"""Prompts are filled strictly; seeds follow from what a sample is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.sampling.prompts import render
from tasks.sampling.seeds import sample_seed

texts = st.text(max_size=12)


def test_a_prompt_has_the_question_and_its_choices() -> None:
    choice = "{% for choice in choices %}\n({{ 'ABCD'[loop.index0] }}) {{ choice }}\n{% endfor %}\n"
    template = f"{{{{ question }}}}\n{{% if choices %}}\n{choice}{{% endif %}}\n"
    assert render(template, "Which?", ["red", "blue"], None) == "Which?\n(A) red\n(B) blue\n"
    assert render(template, "How many?", None, None) == "How many?\n"


def test_a_question_is_text_and_never_a_template() -> None:
    assert render("{{ question }}", "{{ 7 * 7 }} <b>", None, None) == "{{ 7 * 7 }} <b>"


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
