import random
import string

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.routers.prefixes import LENGTH, TEXTS, cut, shared_prefixes

SHOTS = "".join(f"Q: What is {number} and {number}?\nA: {2 * number}\n\n" for number in range(12))  # longer than LENGTH
WORDS = [
    *(f"{first}{second}" for first in ("riv", "tra", "se", "app", "mov", "猫", "Ün") for second in ("er", "in", "ven", "les", "es", "狗")),
    "12.5",
]


def questions(count, seed=0):
    draw = random.Random(seed)
    return [f"{' '.join(draw.sample(WORDS, 9))} {number}?" for number in range(count)]


def cut_all(texts):
    prefixes = shared_prefixes(texts)
    return [cut(text, prefixes) for text in texts]


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.lists(st.text(alphabet=string.ascii_letters + " ", min_size=1, max_size=80), min_size=5, max_size=9))
def test_what_remains_of_a_few_shot_prompt_is_its_question(seed, lines):
    prefix = "".join(f"{line}: {number}\n" for number, line in enumerate(lines)) + "=" * LENGTH + "\n"
    asked = questions(60, seed)
    assert cut_all([prefix + question for question in asked] + ["Another text"]) == [*asked, "Another text"]


TEXT = st.text(alphabet="ab \n", max_size=6)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(["", SHOTS, SHOTS * 2, SHOTS.replace("Q", "R"), "a" * 300]), TEXT), max_size=80), st.randoms())
@example([(SHOTS, str(number)) for number in range(40)] + [(SHOTS, "")], random.Random(0))
def test_a_cut_text_is_the_end_of_the_text_and_not_blank_and_the_order_of_texts_decides_nothing(parts, order):
    texts = [prefix + rest for prefix, rest in parts]
    mixed = order.sample(texts, len(texts))
    assert shared_prefixes(texts) == shared_prefixes(mixed) == shared_prefixes(texts + mixed)
    for text, rest in zip(texts, cut_all(texts), strict=True):
        assert text.endswith(rest) and bool(rest.strip()) == bool(text.strip())


def test_questions_that_begin_alike_stay_whole():
    texts = [f"Write a Python function to {question}" for question in questions(200)]
    assert cut_all(texts) == texts


@pytest.mark.parametrize(
    "template",
    [
        "Natalia sold clips to {0} of her friends, and then half as many. " * 5 + "How many?",
        "A passage about rivers, which nobody has ever read to its end. " * 5 + "\nWas it {0} or {0}?\nA) {0}\nB) none of them",
        "{0} " + "is a number between one and a thousand, or so the teacher said. " * 5 + "Is it?",
    ],
)
def test_one_question_with_other_numbers_stays_whole(template):
    texts = [template.format(100 + number) for number in range(80)]
    assert cut_all(texts) == texts


def test_a_passage_with_a_few_questions_stays_whole():
    passage = " ".join(WORDS * 10)
    texts = [f"{passage}\n{question}" for question in questions(TEXTS - 1)]
    assert cut_all(texts) == texts


def test_a_text_that_others_go_on_from_is_no_prefix():
    texts = [SHOTS, *(SHOTS + question for question in questions(50))]
    assert cut_all(texts) == [SHOTS, *questions(50)]
    long = " ".join(WORDS * 3)
    texts = [long, *(f"{long} {number}" for number in range(60))]
    assert cut_all(texts) == texts


def test_a_few_prompts_with_a_slip_do_not_hide_what_the_others_share():
    slips = [SHOTS.replace("11", "eleven"), SHOTS.rstrip() + "?\n\n", SHOTS[:-30]]
    texts = [slip + question for slip, question in zip(slips, questions(3, seed=1), strict=True)]
    assert cut_all([SHOTS + question for question in questions(50)] + texts) == questions(50) + texts


def test_other_examples_after_the_same_beginning_are_prompts_of_their_own():
    other = SHOTS.replace("10", "ten").replace("11", "eleven")
    texts = [SHOTS + question for question in questions(300)] + [other + question for question in questions(40, seed=1)]
    assert cut_all(texts) == questions(300) + questions(40, seed=1)


def test_each_of_two_prompts_that_begin_with_the_same_examples_is_cut_at_its_own_end():
    short, long = questions(60), questions(60, seed=1)
    other = SHOTS.replace("What", "How much")
    assert cut_all([SHOTS + question for question in short] + [SHOTS + other + question for question in long]) == short + long


def test_examples_on_one_line_are_cut_at_the_end_of_a_word():
    prefix = SHOTS.replace("\n", " ")
    assert cut_all([f"{prefix}What runs: {question}" for question in questions(60)]) == questions(60)
    assert shared_prefixes([f"{SHOTS.replace(chr(10), '.').replace(' ', '.')}{question}" for question in questions(60)]) == []


def test_nothing_is_shared_by_no_text_and_by_one():
    assert shared_prefixes([]) == shared_prefixes([SHOTS]) == shared_prefixes([SHOTS] * 100) == []


def test_of_real_few_shot_prompts_the_question_remains(real_data):
    rows = (
        pl.read_parquet(real_data / "routerbench" / "outcomes-train.parquet", columns=["benchmark", "question"]).unique().sort("question")
    )
    rest = pl.Series("rest", cut_all(rows["question"].to_list()))
    rows = rows.with_columns(rest, whole=rest == rows["question"])
    assert rows.group_by("benchmark").agg(pl.col("whole").mean()).sort("benchmark")["whole"].to_list() == [0, 1, 0]  # arc, mbpp, winogrande
    assert rest.n_unique() == rows.height
    first = rows.filter(benchmark="winogrande")["rest"].str.split("\n").list.first()
    assert first.str.contains("_").mean() > 0.99  # the gap that is to be filled, in the one sentence that is left
