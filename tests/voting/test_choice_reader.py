"""What option a text chooses."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.voting.answers import choice
from tasks.voting.answers.choice import reading
from tasks.voting.answers.choice.options import LETTERS, mentions, options_of
from tasks.voting.answers.choice.plain import plain, segments
from tasks.voting.answers.choice.reading import read_text

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "choice.jsonl").read_text(encoding="utf-8").splitlines()]
PADDING = "First we look at the 7 boxes and think about all of them for a while. " * 5
CITIES = ("Lyon", "Paris", "Nice", "Lille")
SCHEMA = {"text": pl.String, "question": pl.String, "choices": pl.List(pl.String)}


@pytest.fixture(autouse=True, scope="module")
def all_patterns() -> Iterator[None]:
    """Few texts count as many, so that what is done with many is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "_FEW", 0)
        yield


def read(*texts: str | None, choices: Sequence[str] | None = CITIES, question: str = "?") -> list[str | None]:
    rows = [{"text": text, "question": question, "choices": choices} for text in texts]
    return choice.read(pl.DataFrame(rows, schema=SCHEMA)).to_list()


def test_of_the_hard_cases_at_least_98_in_100_are_read_right_and_at_most_one_is_falsely_called_correct() -> None:
    rows = pl.DataFrame(CASES)
    verdicts = (choice.read(rows) == choice.gold(rows)).fill_null(False)
    wrong = rows.filter(verdicts != rows["right"])["about"].to_list()
    false_correct = rows.filter(verdicts & ~rows["right"])["about"].to_list()
    assert len(CASES) >= 130
    assert len(wrong) <= 0.02 * len(CASES), wrong
    assert len(false_correct) <= 1, false_correct


def test_every_case_has_a_gold_among_its_options() -> None:
    assert choice.gold(pl.DataFrame(CASES)).null_count() == 0


@pytest.mark.parametrize("module", [choice, reading])
def test_the_examples_of_the_documentation_are_read_so(module: object) -> None:
    documentation = str(module.__doc__)
    examples = re.findall(
        r'^    (?:read_text\()?"(.*?)"(?:, "\?", (\(.*\))\))?\s+→  (?:"(.*)"|null|None)$', documentation, flags=re.MULTILINE
    )
    assert len(examples) == 5
    for text, offered, expected in examples:
        choices = re.findall('"(.*?)"', offered) or list("wxyz")
        assert read(text.replace("\\n", "\n"), choices=choices) == [expected or None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The answer is (C).", "C"),
        ("the answer is c", "C"),
        ("The correct answer is: **B**", "B"),
        ("The answer is option D because it is dry", "D"),
        ("Answer: (a)", "A"),
        ("Answer:\nB", "B"),
        ("(A) is wrong, (B) is right", "B"),
        ("A)", "A"),
        ("**C**", "C"),
        ("**C. black**", "C"),
        ("B", "B"),
        ("D. The moon", "D"),
        (r"\boxed{C}", "C"),
        (r"\boxed{\text{C}}", "C"),
        ("The answer is (C) because (A) and (B) are wrong.", "C"),
        ("The answer is (A). Wait, the answer is (B).", "B"),
        ("The answer is (E).", None),
        ("The answer is a triangle", None),
        ("Answer: I do not know", None),
        ("s s s = 3. (A) 4 (B) 3. I am not sure.", None),
        ("white. (A) white. I am not sure.", None),
        ("Kel. (A) Mip (B) Kel", "B"),
        ("I am not sure, but I choose (B)", "B"),
        ("A good question", None),
        ("apple(s)", None),
        ("The answer is (9", None),
        ("", None),
        (None, None),
    ],
)
def test_the_letter_that_a_text_chooses_is_read(text: str | None, expected: str | None) -> None:
    assert read(text, choices=["w", "x", "y", "z"]) == [expected]


SHAPES = (
    *(
        "{}",
        "({})",
        "{}.",
        "{})",
        "[{}]",
        "**{}**",
        "**({})**",
        "`{}`",
        '"{}"',
        r"$\boxed{{{}}}$",
        r"\boxed{{\text{{{}}}}}",
        r"$\text{{{}}}$",
    ),
    *(
        "Answer: {}",
        "**Answer:** {}",
        "The answer is {}.",
        "the correct option is {}:",
        "ANSWER IS {}",
        "#### {}",
        '{{"answer": "{}"}}',
        "I choose {}.",
    ),
    *(
        "<answer>{}</answer>",
        "Option {}",
        "{} is correct.",
        "So it must be {}.",
        "Answer\n\n{}",
        "The best answer is therefore {}",
        "Final answer: ({})",
    ),
)


@given(st.sampled_from(SHAPES), st.integers(1, 26), st.data())
def test_a_letter_is_read_in_any_shape(shape: str, count: int, data: st.DataObject) -> None:
    """Of up to 26 options without texts that could be meant."""
    letter = data.draw(st.sampled_from(LETTERS[:count]))
    choices = [f"option number {place}" for place in range(count)]
    assert read(shape.format(letter), choices=choices) == [letter]
    assert read(shape.format(letter), choices=None) == [letter]


@given(st.sampled_from(SHAPES), st.sampled_from("BCD"))
def test_a_letter_that_is_no_option_is_not_read(shape: str, letter: str) -> None:
    assert read(shape.format(letter), choices=CITIES[: LETTERS.index(letter)]) == [None]


@given(
    st.sampled_from(["The answer is {}.", "Answer: {}", "So it is {}.", "**{}**", "{}", r"\boxed{{{}}}", "I choose {}.", "It must be {}."]),
    st.integers(0, 3),
)
def test_an_options_own_text_is_as_good_as_its_letter(sentence: str, place: int) -> None:
    for choices in (
        CITIES,
        ("red", "dark red", "blue", "dark blue"),
        ("$5", "$50", "$500", "$5,000"),
        ("A cat", "A dog", "An owl", "A cat and a dog"),
    ):
        assert read(sentence.format(choices[place]), choices=choices) == [LETTERS[place]]


def test_the_first_answer_counts_where_another_question_follows_and_the_last_where_none_does() -> None:
    assert read("The answer is (B).\n" + PADDING + "(C)") == ["B"]
    assert read("Answer: B\n\nQuestion: Which?\nAnswer: C", "Answer: B\nAnswer: C") == ["B", "C"]
    assert plain(r"So **Answer:** $\boxed{\text{B}}$").split() == ["So", "Answer:", "####", "{(B)}"]
    assert segments("B\n\nQuestion: And of Spain?\nAnswer: C") == ["B\n", " And of Spain?\nAnswer: C"]


def test_options_that_only_the_question_has_are_known() -> None:
    question = "What is the largest planet?\nA. Mars\nB. Jupiter\nC. Venus"
    assert read("It is Jupiter.", "The answer is D.", choices=None, question=question) == ["B", None]
    assert read("It is Jupiter.", "The answer is D.", choices=None) == [None, "D"]


def test_of_options_that_contain_each_other_the_longest_is_mentioned() -> None:
    known = options_of(("red", "dark red", "12", "12.5"), "?")
    assert [one.letter for one in mentions(known, "dark red, red, 12.5 and $12.00, not 112 or infrared")] == ["B", "A", "D", "C"]


@settings(max_examples=25)
@given(st.permutations(CITIES), st.data())
def test_a_sentence_in_the_words_of_the_question_answers_it_whatever_letters_are_discussed_before(
    choices: list[str], data: st.DataObject
) -> None:
    town, *others = data.draw(st.permutations(choices))
    discussed = " ".join(f"{other} ({LETTERS[choices.index(other)]}) has a port." for other in others)
    question = "Which city is the capital of France?"
    answer = LETTERS[choices.index(town)]
    assert read(f"{discussed} The capital of France is {town}.", choices=choices, question=question) == [answer]
    assert read(f"{town} is the capital of France. {discussed}", choices=choices, question=question) == [answer]
    assert read(f"{discussed} The capital of Spain isn't {town}.", choices=choices, question=question) == [None]


def test_gold_is_a_letter_that_the_question_has() -> None:
    rows = pl.DataFrame({"gold": ["B", " (b) ", "E", "Paris", "AB", "", "E"], "choices": [list(CITIES)] * 6 + [None]})
    assert choice.gold(rows).to_list() == ["B", "B", None, None, None, None, "E"]


PIECES = st.sampled_from(
    [
        *(
            "The answer is (B).",
            " The answer is C.",
            "\n#### A",
            "\nAnswer: D",
            "Therefore, the correct option is (A).",
            r"The final answer is $\boxed{B}$.",
        ),
        *(
            "**Answer: C**",
            "\n\nQuestion: Which?\n",
            "\nQ: And?\nA: ",
            "Human: ",
            "<|im_end|>",
            "</think>",
            "(A) Lyon (B) Paris",
            "\nA. Lyon\nB. Paris\n",
        ),
        *(
            "Wait, ",
            "No, ",
            "Just kidding, ",
            "Edit: ",
            "the second option",
            "~~",
            "Die Antwort ist ",
            "The answer's ",
            "The place is ",
            "Actually it is B. ",
            "I don't think ",
            "If so, ",
            "Lyon is wrong. ",
            "not ",
            "so C ",
            "I am not sure. ",
            "Paris",
            " ",
            "\n",
            ". ",
            "é",
            "？",
        ),
        *(
            "\u200b",
            "\0",
            "Ⓑ",
            "option ",
            "A",
            "B is correct. ",
            "x" * 90,
            "Note that this is all. ",
            "The question asks: ",
            "{",
            "}",
            "**",
            "$",
            "answer",
            "\t",
            "\r\n",
        ),
    ]
)


OFFERED = st.sampled_from(
    [CITIES, tuple("1234"), tuple("ACGT"), ("A and B", "B only", "All of the above", "vitamin C"), ("1. a", "2. b"), None]
)


@given(st.lists(st.lists(PIECES, max_size=8).map("".join), min_size=1, max_size=6), OFFERED)
def test_what_is_read_from_whole_columns_is_what_the_careful_reader_reads(texts: list[str], choices: tuple[str, ...] | None) -> None:
    assert read(*texts, choices=choices) == [read_text(text, "?", choices) for text in texts]


def test_most_clear_texts_are_read_from_whole_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    clear = [
        "I see. The answer is (B).",
        "I see.\n#### B",
        "So\nAnswer: B\n",
        r"I see. So the final answer is: b The answer is $\boxed{B}$.",
    ]
    clear += [
        "“I see.” The answer is (B).\n\nI hope this helps!",
        "I see. The answer is (B).\n\nQuestion: Which?\nAnswer: C",
        "I see.\n\n**Answer: B**",
    ]
    monkeypatch.setattr(choice, "read_text", lambda *_: "text by text")
    assert read(*clear, "Hm. B?") == ["B"] * len(clear) + ["text by text"]


HOSTILE = {
    name: piece * (1_000_000 // len(piece))
    for name, piece in {
        "letters": "(A)",
        "bare letters": "A ",
        "markers": "the answer is ",
        "answers": "Answer: B\n",
        "boxes": r"\boxed{",
        "NULs": "\0",
        "right to left": "\u202e\u200f",
        "blanks": " ",
        "digits": "9",
        "numbers": "1 2 ",
        "circled": "Ⓑ",
        "quoted": "'B'",
        "questions": "why?\nA. \n",
        "verdicts": "A is not correct, ",
        "brackets": "(",
        "thoughts": "</think>",
        "options": "Paris. ",
        "combining": "\u0301",
        "struck out": "~~a",
        "in the question's words": "The capital is Paris, ",
        "excepted": "all of them but A are wrong, ",
        "places": "the first option ",
    }.items()
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_broken_text_neither_raises_nor_hangs(text: str) -> None:
    began = time.process_time()
    for choices in (CITIES, ("1", "2", "(" * 50, "")):
        read(text, text[:20_000] + " end", choices=choices)
    assert time.process_time() - began < 10  # it takes one or two; other threads of the tests count, too


@given(st.lists(st.text(max_size=60), max_size=10), st.lists(st.text(max_size=6), min_size=1, max_size=30))
def test_any_text_and_any_options_give_one_answer_each(texts: list[str], choices: list[str]) -> None:
    answers = read(*texts, choices=choices)
    assert len(answers) == len(texts)
    assert all(answer is None or answer in LETTERS[: len(choices)] for answer in answers)
    assert read(*(answer for answer in answers if answer), choices=[f"option {place}" for place in range(26)]) == [
        one for one in answers if one
    ]
