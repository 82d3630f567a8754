"""Leaked questions are found whatever they look like, and questions from one template are no leak."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from planted_tables import query_rows

from tasks.evaluation.studies.leakage import leaks
from tasks.world.questions import embedded_questions

LONG = (
    "A baker has a large oven and a small oven, and whenever the large one is full she puts what is left of the dough into the small one. "
    "One morning she makes {} loaves. The large oven takes {} of them. How many loaves must wait for the small oven, and who eats them?"
)


def found(tests: Sequence[str], learned: Sequence[str], *, options: Sequence[list[str] | None] | None = None) -> list[tuple[bool, bool]]:
    """Of each of the tests: the same, nearly the same. The last of the learned questions is validation, of another benchmark."""
    splits = ["test"] * len(tests) + ["train"] * (len(learned) - 1) + ["validation"]
    queries = query_rows(len(splits)).with_columns(
        query_id=pl.Series([f"{number:04d}" for number in range(len(splits))]),
        question=pl.Series([*tests, *learned]),
        choices=pl.Series(list(options or [None] * len(splits)), dtype=pl.List(pl.String)),
        split=pl.Series(splits),
        benchmark=pl.Series(["sums"] * (len(splits) - 1) + ["other"]),
    )
    rows = leaks(queries)
    assert leaks(queries.reverse()).equals(rows)
    return list(rows.select("same", "nearly").iter_rows())


@pytest.mark.parametrize(
    "learned",
    [
        "what is the capital of  Kuland",
        "What's well-known, in 1,000 words?",
        "Compute 3 - 4 (of 2.5).",
        "以下关于信号的说法，正确的是？",
    ],
)
def test_case_whitespace_and_punctuation_make_no_other_question(learned: str) -> None:
    changed = learned.upper().replace(" ", "\n ").replace(",", "").replace("?", "!").replace("well-known", "well known").replace("，", "")
    changed = changed.replace("WELL-KNOWN", "WELL KNOWN")
    assert found([changed], ["something else", learned]) == [(True, False)]
    assert found([changed], [learned, "something else"]) == [(True, False)]


@pytest.mark.parametrize(
    ("one", "other"),
    [("What is 3 + 4?", "What is 3 - 4?"), ("2*(3+4)", "2*3+4"), ("Is 3.5 more?", "Is 35 more?"), ("x^2", "x2"), ("", ""), ("?", "!")],
)
def test_signs_that_mean_something_make_another_question_and_no_words_make_none(one: str, other: str) -> None:
    assert found([one], [other]) == [(False, False)]


def test_options_may_change_places_and_nothing_else() -> None:
    asked = ["Which colour is it?", "Which colour is it?"]
    same = [["Red", "green", "blue"], ["blue", "red", "GREEN "]]
    assert found(asked[:1], asked[1:], options=same) == [(True, False)]
    assert found(asked[:1], asked[1:], options=[same[0], ["blue", "red", "grey"]]) == [(False, False)]
    assert found(asked[:1], asked[1:], options=[same[0], None]) == [(False, False)]


def test_a_long_question_with_a_word_changed_is_nearly_the_same_but_not_with_other_numbers() -> None:
    question = LONG.format(120, 75)
    assert found([question.replace("baker", "cook")], ["x", question]) == [(False, True)]
    assert found([question.replace("A baker has", "A baker also has")], ["x", question]) == [(False, True)]
    assert found([LONG.format(120, 70)], ["x", question]) == [(False, False)]
    assert found([LONG.format(75, 120)], ["x", question]) == [(False, False)]
    assert found([question[: len(question) * 2 // 3]], ["x", question]) == [(False, False)]
    assert found(["Anna has three red cups"], ["x", "Anna has three blue cups"]) == [(False, False)]


def test_letters_in_another_order_are_another_question() -> None:
    random = np.random.default_rng(0)
    asked = ["How often does r occur in " + " ".join(random.choice(list("car"), 40)) for _ in range(60)]
    assert found(asked[:30], asked[30:]) == [(False, False)] * 30


def test_questions_from_one_template_are_not_accused() -> None:
    random = np.random.default_rng(0)
    asked = [LONG.format(number, random.integers(10, 99)) for number in range(200)]
    assert found(asked[:100], asked[100:]) == [(False, False)] * 100


def test_examples_that_stand_before_every_question_make_none_of_them_alike() -> None:
    random = np.random.default_rng(0)
    prompt = " ".join("".join(random.choice(list("abcdefgh"), 4)) for _ in range(400))
    asked = [f"{prompt} {' '.join(''.join(random.choice(list('abcdefgh'), 4)) for _ in range(12))}" for _ in range(60)]
    asked[-1] = asked[0]
    assert found(asked[:30], asked[30:]) == [(True, False)] + [(False, False)] * 29


def test_all_pairs_are_found_that_looking_at_all_finds() -> None:
    random = np.random.default_rng(1)
    vocabulary = ["".join(random.choice(list("abcdefgh"), 4)) for _ in range(300)] + ["11", "12"]
    learned = [list(map(str, random.choice(vocabulary, random.integers(20, 120)))) for _ in range(80)]
    tests = []
    for text in learned:
        changed = list(text)
        for place in random.choice(len(text), random.integers(0, 3), replace=False):
            changed[place] = str(random.choice(vocabulary))
        tests.append(changed)

    def pieces(text: list[str]) -> set[tuple[object, ...]]:
        cut = [tuple(text[start : start + 3]) for start in range(len(text) - 2)]
        return {(*piece, cut[:number].count(piece)) for number, piece in enumerate(cut)}

    of_learned = [(pieces(text), [word for word in text if word.isdigit()]) for text in learned]

    def is_nearly(text: list[str]) -> bool:
        mine, numbers = pieces(text), [word for word in text if word.isdigit()]
        return any(len(mine & other) >= 0.9 * len(mine | other) and numbers == theirs for other, theirs in of_learned)

    expected = [(text in learned, text not in learned and is_nearly(text)) for text in tests]
    assert 5 < sum(nearly for _, nearly in expected) < 50
    assert found([" ".join(text) for text in tests], [" ".join(text) for text in learned]) == expected


def test_the_embedded_world_is_not_accused_for_its_templates() -> None:
    questions = embedded_questions(train=40, test=30)
    rows = leaks(questions.rename({"source_id": "query_id"}))
    assert rows["nearly"].sum() <= 1  # "Gus fills 5 bags with 2 shells each …" is learned from as Dora's
    assert rows["same"].sum() <= 1  # with its options in another order
