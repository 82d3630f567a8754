"""Answers that are spelt differently and are the same: in a vote, against gold, and how the comparison is kept within bounds."""

import json
import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tasks.lake import tables
from tasks.voting.answers import equivalence
from tasks.voting.answers.equivalence import right, unite
from tasks.voting.answers.math.comparison import same_answer
from tasks.voting.answers.math.process import confirmed, is_plain
from tasks.voting.vote import vote

WORKER = Path(equivalence.__file__).parent / "math" / "worker.py"
# Each line is one answer, in canonical spellings, and all lines are different answers.
CLASSES = [
    ["x+1", "1+x", "\\frac{2x+2}{2}"],
    ["0.5"],
    ["1,2", "\\{1,2\\}", "2,1", "x=1,x=2"],
    ["(1,2)"],
    ["[1,2]", "1\\le x\\le2"],
    ["\\sqrt{12}", "2\\sqrt{3}"],
    ["12\\text{cm}"],
    ["\\text{even}"],
    ["\\begin{matrix}1\\\\2\\end{matrix}"],
    ["y=2x", "2x-y=0"],
]
SPELT = [(spelling, number) for number, spellings in enumerate(CLASSES) for spelling in spellings]


def samples(answers: list[str | None], kind: str = "math", gold: str = "x+1", **columns: Any) -> pl.DataFrame:
    rows = [
        {"query": "q", "sample": at, "answer": answer, "gold": gold, "answer_kind": kind, **columns} for at, answer in enumerate(answers)
    ]
    schema = {"query": pl.String, "sample": pl.Int64, "answer": pl.String, "gold": pl.String, "answer_kind": pl.String}
    return pl.DataFrame(rows, schema=schema | dict.fromkeys(columns, pl.String))


@given(st.lists(st.one_of(st.none(), st.sampled_from(SPELT)), max_size=8), st.randoms())
def test_answers_of_a_voter_get_the_spelling_of_the_first_whatever_the_order_of_rows(drawn: list[Any], dice: Any) -> None:
    rows = samples([spelt and spelt[0] for spelt in drawn])
    first: dict[int, str] = {}
    expected = [spelt and first.setdefault(spelt[1], spelt[0]) for spelt in drawn]
    assert unite(rows, ["query"])["answer"].to_list() == expected
    order = list(range(rows.height))
    dice.shuffle(order)
    assert_frame_equal(unite(rows[order], ["query"]), unite(rows, ["query"])[order])
    assert right(rows).to_list() == [spelt is not None and spelt[1] == 0 for spelt in drawn]


@pytest.mark.parametrize(("left", "right_"), [(a, b) for a in SPELT for b in SPELT if a < b])
def test_two_spellings_are_the_same_exactly_where_they_are_meant_so(left: tuple[str, int], right_: tuple[str, int]) -> None:
    assert same_answer(left[0], right_[0]) == same_answer(right_[0], left[0]) == (left[1] == right_[1])


def test_voters_do_not_lend_each_other_spellings_and_columns_stay_as_they_are() -> None:
    rows = pl.concat([samples(["x+1", "1+x"], model="a"), samples(["1+x", "x+1"], model="b")])
    united = unite(rows, ["query", "model"])
    assert united["answer"].to_list() == ["x+1", "x+1", "1+x", "1+x"]
    assert_frame_equal(united.drop("answer"), rows.drop("answer"))


def test_each_distinct_pair_is_compared_once_over_all_voters(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def same(pairs: pl.DataFrame) -> pl.Series:
        asked.extend(pairs.iter_rows())
        return pl.Series([set(left) == set(right) for left, right in pairs.iter_rows()], dtype=pl.Boolean)

    monkeypatch.setattr(equivalence, "SAME", MappingProxyType({"math": same}))
    rows = pl.concat([samples(["ab", "c", "ba", "c", None, "d"], gold="cc", model=f"m{number}") for number in range(50)])
    united = unite(rows, ["query", "model"])
    assert united["answer"].to_list() == ["ab", "c", "ab", "c", None, "d"] * 50
    assert sorted(asked) == [("ab", "ba"), ("ab", "c"), ("ab", "d"), ("c", "d")]
    asked.clear()
    assert right(united).to_list() == [False, True, False, True, False, False] * 50
    assert sorted(asked) == [("ab", "cc"), ("c", "cc"), ("d", "cc")]


def test_other_kinds_are_compared_as_texts_and_cost_next_to_nothing() -> None:
    rows = samples(["x+1", "1+x", None], kind="text")
    assert unite(rows, ["query"]) is rows and right(rows).to_list() == [True, False, False]
    both = pl.concat([rows, samples(["1+x", "x+1"]).with_columns(query=pl.lit("r"))])
    assert right(unite(both, ["query"])).to_list() == [True, False, False, True, True]
    many = pl.DataFrame({"query": pl.int_range(1_000_000, eager=True), "answer": "1", "gold": "2"}).with_columns(
        sample=pl.lit(0), answer_kind=pl.lit("number")
    )
    began = time.process_time()
    assert unite(many, ["query"]) is many and not right(many).any()
    assert time.process_time() - began < 5  # it takes a tenth; other threads of the tests count, too


def test_a_vote_counts_equal_expressions_as_one_candidate_and_finds_them_right() -> None:
    texts = ["The answer is $7$.", "Thus $\\boxed{x(x+1)}$", "I get $x^2+x$", "#### 7"]
    query = {"query_id": "q", "source_id": "q", "benchmark": "b", "split": "test", "question": "?", "gold": "x+x^2", "answer_kind": "math"}
    named = {"query_id": "q", "model": "m", "recipe": "r", "bucket": "00-of-01"}
    rows = [{"sample": at, "text": text, **named} for at, text in enumerate([*texts, "so \\boxed{x + x^2}"])]
    votes = vote(pl.DataFrame(rows, schema=tables.GENERATIONS.schema), pl.DataFrame([query], schema=tables.QUERIES.schema))
    (row,) = votes.select("answers", "majority", "agreement", "correct", "success_rate").rows(named=True)
    assert row == {
        "answers": ["7", "x(x+1)", "x(x+1)", "7", "x(x+1)"],
        "majority": "x(x+1)",
        "agreement": 0.6,
        "correct": True,
        "success_rate": 0.6,
    }


def test_sympy_confirms_what_random_points_only_suggest() -> None:
    pairs = [("2\\sin x\\cos x", "\\sin2x"), ("\\cos^2x", "1-\\sin^2x"), ("f(2x)", "2f(x)")]
    assert [confirmed(*pair) for pair in pairs] == [True, True, False]
    assert same_answer("i^2+\\sqrt{2}i^4", "\\sqrt{2}-1") and not same_answer("f(2x)", "2f(x)")


def test_a_comparison_that_takes_too_long_is_ended_logged_once_and_the_next_one_works(caplog: pytest.LogCaptureFixture) -> None:
    tower = "2^{-10000000}"
    with caplog.at_level(logging.WARNING):
        began = time.monotonic()
        assert not confirmed(tower, f"{tower}+1") and not confirmed(tower, f"{tower}+1")
        assert time.monotonic() - began < 60
    assert [record.message[:18] for record in caplog.records] == ["Taken as different"]
    assert confirmed("(x+1)^2", "x^2+2x+1")


def test_several_threads_compare_at_once() -> None:
    with ThreadPoolExecutor(2) as threads:
        verdicts = threads.map(lambda number: confirmed(f"({number}x+1)^2", f"{number**2}x^2+2\\cdot {number}x+1"), range(3, 9))
    assert all(verdicts)


def test_a_worker_ends_with_its_owner_even_when_that_is_killed() -> None:
    script = (
        "import os, signal; from tasks.voting.answers.math import process; assert process.confirmed('(x+1)^2', 'x^2+2x+1');"
        "print(process._idle[0].pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    worker = int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=Path.cwd()).stdout)
    until = time.monotonic() + 60
    while _runs(worker) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _runs(worker)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch /tmp/x')",
        "execute",
        "lambda x: x",
        "x.real",
        "().__class__",
        "\\operatorname{diagonalize}(x)",
        "\\int x",
        "{" * 26 + "}" * 26,
        "9" * 301,
        "\x00",
        "(1",
        "x;y",
        "x\n1",
    ],
)
def test_what_is_not_plain_mathematics_never_reaches_sympy(text: str) -> None:
    assert not is_plain(text) and not confirmed(text, text + "1")


def test_a_worker_can_write_no_file_and_start_no_program_whatever_it_is_sent(tmp_path: Path) -> None:
    target = tmp_path / "written"
    attacks = [
        f"__import__('os').system('touch {target}')",
        f"open('{target}', 'w')",
        f"\\text{{__import__('os').system('touch {target}')}}",
    ]
    lines = "".join(json.dumps([attack, "1"]) + "\n" for attack in attacks)
    program = f"import os, resource, sys\nsys.argv = ['worker']\nimport runpy\nrunpy.run_path({str(WORKER)!r}, run_name='__main__')\n"
    after = (
        f"try:\n    os.system('touch {target}')\nexcept PermissionError:\n    print('refused')\n"
        f"try:\n    open({str(target)!r}, 'w').write('x' * 10000)\nexcept OSError:\n    print('refused')\n"
        "print(resource.getrlimit(resource.RLIMIT_AS)[0])\n"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", program + after], input=lines, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["ready", "false", "false", "false", "refused", "refused", str(2**31)]
    assert not target.exists() or target.stat().st_size == 0


def test_a_worker_knows_no_secret_of_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    from tasks.voting.answers.math import process

    assert confirmed("(x+2)^2", "x^2+4x+4")
    assert b"secret" not in Path(f"/proc/{process._idle[0].pid}/environ").read_bytes()
    assert os.environ["OPENAI_API_KEY"] == "secret"
