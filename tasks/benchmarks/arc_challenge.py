"""ARC-Challenge: multiple-choice questions of grade-school science (Clark et al., arXiv 1803.05457; CC BY-SA 4.0).

    {"id": "Mercury_SC_415702",
     "question": "George wants to warm his hands quickly by rubbing them. Which skin surface will produce the most heat?",
     "choices": {"text": ["dry palms", "wet palms", "palms covered with oil", "palms covered with lotion"], "label": ["A", "B", "C", "D"]},
     "answerKey": "A"}

The gold is the letter of the option whose label is `answerKey`: "A". Labels are also "1" … "4", and some questions have three
or five options. 1,119 train, 299 validation ("dev") and 1,172 test questions. In the authors' own files the options stand inside
the question: `{"stem": "George …", "choices": [{"text": "dry palms", "label": "A"}, …]}`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tasks.benchmarks.gold import LETTERS
from tasks.benchmarks.hub import Dataset, fetch
from tasks.benchmarks.queries import split_of_files
from tasks.benchmarks.reading import Field, read_files, require

GOLD = "two options or more, and an answerKey"
HUB = Dataset(
    "allenai/ai2_arc",
    "210d026faf9955653af8916fad021475a3f00453",
    tuple(f"ARC-Challenge/{split}-00000-of-00001.parquet" for split in ("train", "validation", "test")),
)
_FIELDS = {
    "question": Field("json", required=True, blank=True),
    "choices": Field("json"),
    "answerKey": Field(required=True, blank=True),
    "id": Field(),
    "split": Field(),
}


def load(files: Sequence[str], columns: Mapping[str, str]) -> pl.DataFrame:
    """Rows for `load_benchmark`, from the hub or from files in either original shape; `gold` is null where there is none.

    A file without a column `split` is of the split in its name ("ARC-Challenge-Test.jsonl"). Raises UserError.
    """
    rows = read_files(files or fetch(HUB), columns, _FIELDS)
    asked = [_asked(question, choices) for question, choices in rows.select("question", "choices").iter_rows()]
    rows = rows.with_columns(
        question=pl.Series([question for question, _, _ in asked], dtype=pl.String),
        texts=pl.Series([texts for _, texts, _ in asked], dtype=pl.List(pl.String)),
        labels=pl.Series([labels for _, _, labels in asked], dtype=pl.List(pl.String)),
        answerKey=pl.col("answerKey").str.strip_chars(),
    )
    labels = pl.col("labels").list
    known = (pl.col("texts").list.len() == labels.len()) & (labels.len() == labels.n_unique()) & (labels.len() <= len(LETTERS))
    require(
        rows, known.fill_null(False), "choices", 'options such as {"text": ["dry palms", "wet palms"], "label": ["A", "B"]}, at most 26'
    )
    has_key = (pl.col("answerKey") != "").fill_null(False) & (labels.len() > 1)
    require(rows, ~has_key | labels.contains(pl.col("answerKey")), "answerKey", "the label of one of the choices")
    golds = [LETTERS[labels.index(key)] if key in labels else None for labels, key in rows.select("labels", "answerKey").iter_rows()]
    return rows.with_columns(
        split=pl.coalesce("split", split_of_files(rows)),
        choices="texts",
        gold=pl.Series(golds, dtype=pl.String),
        answer_kind=pl.lit("choice"),
        subject=pl.lit(None, pl.String),
        source_id="id",
    )


def _asked(question: str | None, choices: str | None) -> tuple[str | None, list[str | None] | None, list[str] | None]:
    """Question, options and labels of either shape; options without a shape are null, none at all are empty."""
    whole = _parsed(question)
    if isinstance(whole, dict) and "stem" in whole:
        question, options = whole["stem"] and str(whole["stem"]), whole.get("choices")
    else:
        options = _parsed(choices)
        if options is None and (choices or "").strip():
            return question, None, None
    if options is None:
        return question, [], []
    try:
        if isinstance(options, list):
            options = {name: [option[name] for option in options] for name in ("text", "label")}
        texts = [text if text is None else str(text) for text in options["text"]]
        return question, texts, [str(label).strip() for label in options["label"]]
    except (KeyError, TypeError):
        return question, None, None


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return None
