"""What is read from a text."""

import re
import string

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.voting.answers import READERS, choice, text

PADDING = "First we look at the 7 boxes and think about all of them for a while. " * 5


def read(kind: str, *texts: str | None, choices: list[str] | None = None) -> list[str | None]:
    schema = {"text": pl.String, "question": pl.String, "choices": pl.List(pl.String)}
    rows = [{"text": text, "question": "?", "choices": choices} for text in texts]
    return READERS[kind].read(pl.DataFrame(rows, schema=schema)).to_list()


@pytest.mark.parametrize("reader", [choice, text])
def test_a_reader_opens_with_five_texts_and_reads_them_so(reader: object) -> None:
    """The docstring's examples: `"text"  →  "answer"`."""
    documentation = str(reader.__doc__)
    examples = re.findall(r'^    "(.*?)"\s+→  (?:"(.*)"|null)$', documentation, flags=re.MULTILINE)
    assert len(examples) == 5
    kind = str(getattr(reader, "__name__", "")).rpartition(".")[2]
    for given_text, expected in examples:
        assert read(kind, given_text.replace("\\n", "\n"), choices=list("wxyz") if kind == "choice" else None) == [expected or None]


def test_a_marker_far_before_the_end_still_counts() -> None:
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


@given(st.lists(st.text(string.printable, max_size=30), max_size=20), st.sampled_from(["choice", "text"]))
def test_a_reader_gives_one_answer_for_each_text_and_reads_its_own_answer_again(texts: list[str], kind: str) -> None:
    answers = read(kind, *texts)
    assert len(answers) == len(texts)
    known = [answer for answer in answers if answer is not None]
    assert read(kind, *known) == known
    gold = pl.DataFrame({"gold": known, "choices": [None] * len(known)}, schema={"gold": pl.String, "choices": pl.List(pl.String)})
    assert READERS[kind].gold(gold).to_list() == known
