"""What is read from a text."""

import re
import string
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.voting.answers import READERS, choice, number, text

PADDING = "First we look at the 7 boxes and think about all of them for a while. " * 5


def read(kind: str, *texts: str | None, choices: list[str] | None = None) -> list[str | None]:
    schema = {"text": pl.String, "question": pl.String, "choices": pl.List(pl.String)}
    rows = [{"text": text, "question": "?", "choices": choices} for text in texts]
    return READERS[kind].read(pl.DataFrame(rows, schema=schema)).to_list()


@pytest.mark.parametrize("reader", [number, choice, text])
def test_a_reader_opens_with_five_texts_and_reads_them_so(reader: object) -> None:
    """The docstring's examples: `"text"  →  "answer"`."""
    documentation = str(reader.__doc__)
    examples = re.findall(r'^    "(.*?)"\s+→  (?:"(.*)"|null)$', documentation, flags=re.MULTILINE)
    assert len(examples) == 5
    kind = str(getattr(reader, "__name__", "")).rpartition(".")[2]
    for given_text, expected in examples:
        assert read(kind, given_text.replace("\\n", "\n"), choices=list("wxyz") if kind == "choice" else None) == [expected or None]


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("#### 18", "18"),
        ("#### $1,080.00", "1080"),
        ("#### -3", "-3"),
        ("#### −3", "-3"),
        ("#### $-3.50", "-3.5"),
        ("#### 25%", "25"),
        ("#### 2500", "2500"),
        ("#### 109,200,000", "109200000"),
        ("#### 007", "7"),
        ("#### 0.50", "0.5"),
        ("#### .5", "0.5"),
        ("#### -0.0", "0"),
        ("#### 10\n\nThat is 2 more than 8.", "10"),
        ("#### Step 2: add 4\nSo we get 11.", "11"),
        (r"Thus \boxed{42}. It is 3 times 14", "42"),
        (r"Thus $\boxed{\$1{,}234}$", "1234"),
        ("The answer is 5.", "5"),
        ("The answer is: **12,345.678** euros, 3 more", "12345.678"),
        ("The answer is approximately -7 degrees in 10 hours", "-7"),
        ("The answer is 3 + 4 = 7", "7"),
        ("The answer is 9. No wait, the answer is 8. I checked 2 times.", "8"),
        ("Answer: She has 16 - 3 = 13 eggs\nand sells them for 26", "26"),
        ("Answer: $26 (for 13 eggs)", "26"),
        ("So 16 - 3 - 4 = 9 eggs, times 2 is $18", "18"),
        ("8 * 2 = 16. I am not sure.", None),
        ("It takes 3 days, but I don’t know how many hours.", None),
        ("2 numbers are given. It cannot be determined from these", None),
        ("I was not sure at first, but it is 16.", "16"),
        ("#### 16\nI am not sure.", "16"),
        ("between 10-15", "15"),
        ("A: 4800", "4800"),
        ("from 3 to -5", "-5"),
        ("It rose by 12,5", "5"),
        ("1,000,000,000,000,000,000,001", "1000000000000000000001"),
        ("none", None),
        ("", None),
        (None, None),
    ],
)
def test_the_number_that_a_text_answers_is_read(given_text: str | None, expected: str | None) -> None:
    assert read("number", given_text) == [expected]


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=3),
    st.sampled_from(["#### {}", "The answer is {}.", r"so \boxed{{{}}}", "which makes {} in all", "Answer: ${}"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", " Done."]),
)
def test_a_number_is_read_by_value_however_it_is_written(value: Decimal, sentence: str, separators: bool, padded: bool, end: str) -> None:
    written = f"{value:,f}" if separators else f"{value:f}"
    answer = read("number", (PADDING if padded else "") + sentence.format(written) + end)[0]
    assert answer is not None and Decimal(answer) == value
    assert read("number", f"{value * 1000:f}")[0] == read("number", f"{value * 1000:,.2f}")[0]


@given(st.integers(0, 400), st.text("12,.- \n", max_size=40))
def test_where_the_end_of_a_long_text_is_cut_does_not_show(length: int, end: str) -> None:
    """Of a text the tail is searched first, of a gold the whole."""
    body = "9" * length + end
    gold = pl.DataFrame({"gold": [body]})
    assert read("number", body) == number.gold(gold).to_list()


def test_a_marker_far_before_the_end_still_counts() -> None:
    assert read("number", "#### 18\n" + PADDING) == ["18"]
    assert read("choice", "The answer is (B).\n" + PADDING + "(C)", choices=list("wxyz")) == ["B"]


@pytest.mark.parametrize(
    ("given_text", "expected"),
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
        ("I am not sure, but I choose (B)", "B"),
        ("A good question", None),
        ("apple(s)", None),
        ("", None),
        (None, None),
    ],
)
def test_the_letter_that_a_text_chooses_is_read(given_text: str | None, expected: str | None) -> None:
    assert read("choice", given_text, choices=["w", "x", "y", "z"]) == [expected]


def test_without_known_options_every_letter_counts() -> None:
    assert read("choice", "The answer is (E).") == ["E"]
    assert read("choice", "The answer is (E).", choices=list("abcdefghij")) == ["E"]


def test_texts_are_the_same_without_case_width_and_punctuation() -> None:
    assert read("text", "Paris.", "The answer is: PARIS", "Hm.\n\n **paris** \n", "answer: ｐａｒｉｓ", "  ") == ["paris"] * 4 + [None]
    assert read("math", r"The answer is x^2") == ["x^2"]


@given(st.lists(st.text(string.printable, max_size=30), max_size=20), st.sampled_from(["number", "choice", "text"]))
def test_a_reader_gives_one_answer_for_each_text_and_reads_its_own_answer_again(texts: list[str], kind: str) -> None:
    answers = read(kind, *texts)
    assert len(answers) == len(texts)
    known = [answer for answer in answers if answer is not None]
    assert read(kind, *known) == known
    gold = pl.DataFrame({"gold": known, "choices": [None] * len(known)}, schema={"gold": pl.String, "choices": pl.List(pl.String)})
    assert READERS[kind].gold(gold).to_list() == known
