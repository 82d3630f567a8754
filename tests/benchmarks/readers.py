r"""Whose verdicts are right: this project's readers and others', on the cases of tests/voting/cases and on real answers.

    .venv-readers/bin/python tests/benchmarks/readers.py      # make bench-readers
    text "9 eggs at $2.\n#### 18\n\nThis is 5 more than with 13 eggs at $1.", gold "18", right  →  flexible-extract reads 1: a false "wrong"

A case is a text, a gold answer and whether the text gives it. A false "correct" is a verdict that it does where it does not. Others' are:
`math-verify` (`parse` and `verify` by default; of choices its extraction of strings), the filters of lm-evaluation-harness with the
metrics of its tasks (see reading.py), the script of Qwen2.5-Math (as evalscope 0.17 carries it), and the rule of arXiv 2405.00467: the
last run of digits, or the last letter A to D in brackets. A kind that a reader does not know is "–". Real answers are 1,200 of four
OpenAI models to GSM8K with the publisher's own verdicts.
"""

import builtins
import contextlib
import importlib.util
import json
import logging
import re
import resource
import string
from collections.abc import Callable
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import exact_match_fn
from lm_eval.filters import build_filter_ensemble
from math_verify import StringExtractionConfig, parse, verify
from reading import FILTERS, METRIC
from sympy.parsing import sympy_parser
from texts import DATA, ROOT

from tasks.lake.tables import GENERATIONS, QUERIES
from tasks.voting.vote import vote

KINDS = ("number", "choice", "math", "text")
LIMIT, MEMORY = 5, 4 * 2**30  # seconds and bytes for a case, beyond which there is no answer; some comparisons of sympy do not end
Verdicts = list[bool]


def main() -> None:
    """Print the table."""
    _refuse_calls()
    logging.disable(logging.ERROR)  # math-verify reports each text that it cannot parse
    cases = {kind: _cases(kind) for kind in KINDS}
    real = _real()
    sizes = [f"{kind} ({len(cases[kind])})" for kind in KINDS]
    print(f"| reader | {' | '.join(sizes)} | against the publisher ({len(real)}) |\n| --- |{' ---: |' * (len(KINDS) + 1)}")  # noqa: T201
    for name, (kinds, judge) in JUDGES.items():
        cells = [_figures(cases[kind], judge(cases[kind])) if kind in kinds and cases[kind] else "–" for kind in KINDS]
        print(f"| {name} | {' | '.join(cells)} | {_disagreements(real, judge(real)) if real else '–'} |", flush=True)  # noqa: T201


def _cases(kind: str) -> list[dict[str, Any]]:
    file = ROOT / "tests" / "voting" / "cases" / f"{kind}.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def _real() -> list[dict[str, Any]]:
    file = DATA / "gsm8k" / "solutions-dev.parquet"
    if not file.exists():
        return []
    rows = pl.read_parquet(file).select("question", "text", "gold", right="is_correct", kind=pl.lit("number"))
    return rows.to_dicts()


def _figures(cases: list[dict[str, Any]], verdicts: Verdicts) -> str:
    """Share of right verdicts, false "correct" and false "wrong"."""
    false_correct = sum(bool(verdict) and not case["right"] for case, verdict in zip(cases, verdicts, strict=True))
    false_wrong = sum(not verdict and case["right"] for case, verdict in zip(cases, verdicts, strict=True))
    return f"{1 - (false_correct + false_wrong) / len(cases):.1%}, {false_correct} / {false_wrong}"


def _disagreements(rows: list[dict[str, Any]], verdicts: Verdicts) -> str:
    return str(sum(verdict != row["right"] for row, verdict in zip(rows, verdicts, strict=True)))


def _ours(cases: list[dict[str, Any]]) -> Verdicts:
    """By a vote of one sample for each case."""
    ids = [f"{place:016x}" for place in range(len(cases))]
    queries = pl.DataFrame(
        [
            {"query_id": query_id, "answer_kind": case["kind"], "benchmark": "cases", "split": "test", "source_id": query_id}
            | {"question": case["question"], "choices": case.get("choices"), "gold": case["gold"]}
            for query_id, case in zip(ids, cases, strict=True)
        ],
        schema=QUERIES.schema,
    )
    said = [
        {"query_id": query_id, "model": "m", "recipe": "r", "bucket": "00-of-01", "sample": 0, "text": case["text"]}
        for query_id, case in zip(ids, cases, strict=True)
    ]
    votes = vote(pl.DataFrame(said, schema=GENERATIONS.schema), queries, 1)
    return votes.sort("query_id")["correct"].to_list()


def _each(judge: Callable[[dict[str, Any]], bool]) -> Callable[[list[dict[str, Any]]], Verdicts]:
    return lambda cases: [judge(case) for case in cases]


def _apart(judge: Callable[[dict[str, Any]], bool]) -> Callable[[list[dict[str, Any]]], Verdicts]:
    """In another process, which can be ended wherever it is; the next one goes on behind the case that it was at."""

    def judged(cases: list[dict[str, Any]]) -> Verdicts:
        verdicts: Verdicts = []
        while len(verdicts) < len(cases):
            here, there = Pipe(duplex=False)
            process = get_context("fork").Process(target=_work, args=(judge, cases[len(verdicts) :], there))
            process.start()
            there.close()
            with contextlib.suppress(EOFError):  # it has ended, by itself or by the case
                while here.poll(LIMIT):
                    verdicts.append(here.recv_bytes() == b"right")
            process.kill()
            process.join()
            verdicts += [False] * (len(verdicts) < len(cases))
        return verdicts

    return judged


def _work(judge: Callable[[dict[str, Any]], bool], cases: list[dict[str, Any]], there: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for case in cases:
        try:
            verdict = judge(case)
        except Exception:  # whatever it stumbles over, it has no answer
            verdict = False
        there.send_bytes(b"right" if verdict else b"wrong")


def _math_verify(case: dict[str, Any]) -> bool:
    if case["kind"] == "choice":
        letters = [StringExtractionConfig(strings=tuple(string.ascii_uppercase[: len(case.get("choices") or "") or 26]))]
        return verify(parse(case["gold"], letters), parse(case["text"], letters))
    gold = case["gold"] if case["kind"] == "number" else f"${case['gold']}$"
    return verify(parse(gold), parse(case["text"]))


def _lm_eval(name: str) -> Callable[[dict[str, Any]], bool]:
    def judge(case: dict[str, Any]) -> bool:
        doc = {"choices": case.get("choices") or []}
        instance = Instance("generate_until", doc, (), 0, resps=[case["text"]])
        build_filter_ensemble(name, [FILTERS[name][case["kind"]], ("take_first", None)]).apply([instance])
        target, said = f"({case['gold']})" if case["kind"] == "choice" else case["gold"], instance.filtered_resps[name]
        return bool(exact_match_fn(references=[target], predictions=[said], **METRIC[case["kind"]])["exact_match"])

    return judge


def _evalscope() -> ModuleType:
    """The one file, without all that the package needs."""
    package = importlib.util.find_spec("evalscope")
    file = Path(package.submodule_search_locations[0]) / "metrics" / "math_parser.py"
    spec = importlib.util.spec_from_file_location("math_parser", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _refuse_calls() -> None:
    """What is not LaTeX sympy evaluates as Python, and so runs what a text calls: here names of Python's own are refused."""
    evaluate = sympy_parser.eval_expr

    def eval_expr(code: str, *names: dict[str, Any]) -> Any:
        if "__" in code or set(re.findall(r"[^\W\d]\w*", code)) & set(dir(builtins)):
            raise ValueError(code)
        return evaluate(code, *names)

    sympy_parser.eval_expr = eval_expr


QWEN = _evalscope()


def _qwen(case: dict[str, Any]) -> bool:
    if case["kind"] == "choice":
        return QWEN.choice_answer_clean(case["text"]) == case["gold"]
    return bool(QWEN.math_equal(QWEN.extract_answer(case["text"]), QWEN.strip_answer_string(case["gold"])))


def _paper(case: dict[str, Any]) -> bool:
    if case["kind"] == "choice":
        return re.findall(r"\(([A-D])\)", case["text"])[-1:] == [case["gold"]]
    runs = re.findall("[0-9]+", case["text"])
    return bool(runs) and float(runs[-1]) == _value(case["gold"])


def _value(gold: str) -> float | None:
    try:
        return float(gold.replace(",", ""))
    except ValueError:
        return None


# Name → the kinds that it knows, and what it makes of cases.
JUDGES: dict[str, tuple[tuple[str, ...], Callable[[list[dict[str, Any]]], Verdicts]]] = {
    "manyminds": (KINDS, _ours),
    "math-verify 0.9.0": (KINDS[:3], _apart(_math_verify)),
    "Qwen2.5-Math": (KINDS[:3], _apart(_qwen)),
    "lm-eval 0.4.13, strict-match": (KINDS[:2], _each(_lm_eval("strict-match"))),
    "lm-eval 0.4.13, flexible-extract": (KINDS[:2], _each(_lm_eval("flexible-extract"))),
    "arXiv 2405.00467": (KINDS[:2], _each(_paper)),
}

if __name__ == "__main__":
    main()
