"""RouterDC's JSON (`datasets/split2_model7/` of github.com/shuhao02/RouterDC; Chen et al., arXiv 2409.19886).

    gsm8k-train.json:
    [{"question": "Weng earns $12 an hour for babysitting. …",
      "scores": {"mistralai/Mistral-7B-v0.1": 0.9, "meta-llama/Meta-Llama-3-8B": 0.8, …}}, …]

are outcomes of benchmark "gsm8k" (the file's name without its split), query "gsm8k-train-00000", split train. A score is the share
of samples that were right, as in GSM8K. In the files of multiple-choice benchmarks it is the probability that the model gives
to the right option where that is its choice, else 0: there each score above 0 counts as 1, as the authors count it.
"""

import re
from collections.abc import Mapping

import polars as pl

from tasks.benchmarks.reading import Field, check_ending, parse_json, read_bytes, stem, typed
from tasks.config import Import
from tasks.errors import UserError


def generations(file: str, entry: Import, fields: Mapping[str, Field]) -> tuple[pl.DataFrame, list[str]]:
    """There are none. Raises UserError."""
    raise UserError(f"{file}: RouterDC's files hold scores and no texts; import them as [[outcomes]]")


def outcomes(file: str, entry: Import, fields: Mapping[str, Field]) -> tuple[pl.DataFrame, list[str]]:
    """One row for each question and model."""
    name = re.match(r"(.+?)(?:[-_](train|validation|val|dev|test))?$", stem(file))
    assert name is not None  # any name matches
    rows = [
        {
            "row": row,
            "benchmark": name[1],
            "split": name[2],
            "query_id": "-".join(filter(None, [*name.groups(), f"{row - 1:05d}"])),
            "question": question,
            "model": model,
            "score": score,
        }
        for row, (question, scores) in enumerate(_read(file), 1)
        for model, score in scores.items()
    ]
    if not rows:
        raise UserError(f"{file}: has no scores")
    content = pl.DataFrame(rows, schema_overrides={"split": pl.String, "score": pl.Float64})
    content, notes = _counted(file, typed(file, content, fields, rows=content["row"]))
    return content, notes


def _read(file: str) -> list[tuple[str, dict[str, float | None]]]:
    """Question and scores of each entry."""
    check_ending(file, (".json",), "expected RouterDC's .json")
    entries = parse_json(read_bytes(file), file)
    expected = 'expected {"question": …, "scores": {"some model": 0.9, …}}'
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{file}: is no list of entries, or an empty one; {expected}")
    for row, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("question"), str) or not isinstance(entry.get("scores"), dict):
            raise UserError(f"{file}: row {row}: {expected}")
        for model, score in entry["scores"].items():
            if not isinstance(score, int | float) or not 0 <= score <= 1:
                raise UserError(f"{file}: row {row}: the score of {model!r} is {score!r:.60}, expected a number from 0 to 1")
    return [(entry["question"], entry["scores"]) for entry in entries]


def _counted(file: str, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Scores as they are if they are shares of some number of samples, else 0 or 1."""
    scores = rows["score"]
    if any(((scores * k - (scores * k).round()).abs() < 1e-6).all() for k in range(1, 101)):
        return rows, []
    note = f"{file}: scores are probabilities of the right option, 0 where another one was chosen; each above 0 counts as 1"
    return rows.with_columns(score=(pl.col("score") > 0).cast(pl.Float64)), [note]
