"""Logs of Inspect (inspect.aisi.org.uk), read by its own dataframe functions: `pip install 'manyminds[inspect]'`.

    logs/2026-11-25T18-25-44-00-00_gsm8k_k5QgYZaPQc58ZXkND5ZjZD.eval holds the model "openai/gpt-4o", the task "gsm8k", and samples such as

    id 7, epoch 2, input "A robe takes 2 bolts of blue fiber and …", target "3", output "… ANSWER: 3", scores {"match": "C"}

As generations: an epoch is a sample (the second is number 1) of query "7" with gold "3". As outcomes: the mean score of a query's
epochs, where C (correct), P (partly), I (incorrect) and N (no answer) count as 1, 0.5, 0 and 0. Latency is that of the model's last
answer. Samples that ended in an error are left out and counted.
"""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from tasks.benchmarks.reading import Field, check_ending, typed
from tasks.config import Import
from tasks.errors import UserError

_VALUES = {"c": 1.0, "p": 0.5, "i": 0.0, "n": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def generations(file: str, entry: Import, fields: Mapping[str, Field]) -> tuple[pl.DataFrame, list[str]]:
    """Each epoch of each sample."""
    rows, notes = _read(file)
    several = rows.filter(pl.col("targets") > 1)
    if several.height:
        raise UserError(
            f"{file}: row {several['row'][0]}: the target has several right answers, of which a query keeps one; "
            "import the log's scores as [[outcomes]]"
        )
    rows = rows.with_columns(sample=pl.col("epoch") - 1)
    return typed(file, rows, fields, rows=rows["row"]), notes


def outcomes(file: str, entry: Import, fields: Mapping[str, Field]) -> tuple[pl.DataFrame, list[str]]:
    """The mean over a query's epochs of the score by `entry.metric`, or by the only scorer there is."""
    rows, notes = _read(file)
    scorer = _scorer(file, rows, entry.metric)
    scores = [_value(file, row, json.loads(scores or "{}").get(scorer)) for row, scores in rows.select("row", "scores").iter_rows()]
    rows = (
        rows.with_columns(score=pl.Series(scores, dtype=pl.Float64))
        .group_by("query_id", maintain_order=True)
        .agg(pl.col("score", "latency_s").mean(), pl.exclude("score", "latency_s").first())
    )
    return typed(file, rows, fields, rows=rows["row"]), notes


def _read(file: str) -> tuple[pl.DataFrame, list[str]]:
    """A row for each epoch of each sample that came to an end."""
    check_ending(file, (".eval", ".json"), "expected an Inspect log, .eval or .json")
    try:
        from inspect_ai.analysis import EvalColumn, SampleColumn, samples_df
    except ImportError as error:
        raise UserError(f"{file}: logs of Inspect are read by its own library; install it: pip install 'manyminds[inspect]'") from error

    columns = [
        EvalColumn("task", path="eval.task", required=True),
        EvalColumn("model", path="eval.model", required=True),
        *(SampleColumn(name, path=path, full=True) for name, path in _SAMPLE.items()),
    ]
    try:
        frame = samples_df(file, columns=columns, quiet=True, exclude_fields={"events", "store", "messages"})
    except FileNotFoundError as error:
        raise UserError(f"{file}: no such file") from error
    except Exception as error:  # a broken log raises whatever its part of the library does
        raise UserError(f"{file}: is no log that Inspect can read: {error}") from error
    if frame.empty:
        raise UserError(f"{file}: has no samples")
    rows = pl.from_pandas(frame).with_columns(
        # The dataframe has numbers and nulls where no value was a text.
        pl.col("query_id", "choices", "gold", "subject", "error", "scores").cast(pl.String),
        pl.col("latency_s").cast(pl.Float64),
        row=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        benchmark=pl.col("task").str.split("/").list.last(),
    )
    ended = rows.filter(pl.col("error").is_null())
    if ended.is_empty():
        raise UserError(f"{file}: all {rows.height:,} samples ended in an error; the first: {rows['error'][0]}")
    left_out = rows.height - ended.height
    return ended, [f"{file}: {left_out:,} samples ended in an error and are left out"] if left_out else []


def _question(sample: Any) -> str:
    return str(sample.input) if isinstance(sample.input, str) else "\n\n".join(message.text for message in sample.input)


def _targets(sample: Any) -> list[str]:
    return [sample.target] if isinstance(sample.target, str) else list(sample.target)


# Our column → where it is in a sample of a log: a path, or a function of the sample.
_SAMPLE = {
    "query_id": "id",
    "epoch": "epoch",
    "question": _question,
    "choices": "choices",
    "subject": lambda sample: (sample.metadata or {}).get("subject"),
    "gold": lambda sample: ", ".join(_targets(sample)),
    "targets": lambda sample: len(_targets(sample)),
    "text": lambda sample: sample.output.completion,
    "finish_reason": lambda sample: sample.output.stop_reason if sample.output.choices else None,
    "prompt_tokens": lambda sample: sample.output.usage and sample.output.usage.input_tokens,
    "completion_tokens": lambda sample: sample.output.usage and sample.output.usage.output_tokens,
    "latency_s": lambda sample: sample.output.time,
    "scores": lambda sample: {scorer: score.value for scorer, score in (sample.scores or {}).items()},
    "error": lambda sample: sample.error and sample.error.message,
}


def _scorer(file: str, rows: pl.DataFrame, wanted: str | None) -> str:
    names = sorted({name for scores in rows["scores"].drop_nulls() for name in json.loads(scores)})
    if wanted in names or (wanted is None and len(names) == 1):
        return wanted or names[0]
    problem = "has several scores" if wanted is None and names else "has no scores" if not names else f"has no score {wanted!r}"
    raise UserError(f"{file}: {problem}; expected metric = one of {', '.join(repr(name) for name in names) or '(there are none)'}")


def _value(file: str, row: int, value: object) -> float:
    number = _VALUES.get(str(value).lower()) if isinstance(value, str | bool) else value
    if isinstance(number, int | float) and 0 <= number <= 1:
        return float(number)
    raise UserError(f"{file}: row {row}: the score is {value!r:.60}, expected a number from 0 to 1, or C, P, I or N")
