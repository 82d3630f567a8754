"""Reads a user's Parquet, JSONL or CSV files into typed columns; a bad value is named by file, row and column.

    read_files(["votes.csv"], {"score": "acc"}, {"question": Field("text", required=True), "score": Field("number", high=1)})

gives the columns `question` and `score` (from the file's column `acc`), and `file` and `row`, or raises
`UserError("votes.csv: row 12: column 'acc' is 'abc', expected a number from 0 to 1")`. Rows are counted from 1, without
the header of a CSV file. Nothing here knows what the columns mean.
"""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import fsspec
import polars as pl

from tasks.errors import UserError, nearest


@dataclass(frozen=True)
class Field:
    """What a column holds: text (Float64 for number, Int64 for whole, List(String) for list), and what it may be.

    A required column must be there and have a value in every row; another one may be absent or empty, which gives nulls.
    Numbers lie in 0 … `high`.
    """

    kind: Literal["text", "number", "whole", "list"] = "text"
    required: bool = False
    blank: bool = False  # a required column that may be empty
    high: float = math.inf

    @property
    def expected(self) -> str:
        """What a user is told."""
        highest = f"{self.high:,.0f}" if self.kind == "whole" else f"{self.high:g}"
        bounds = f"from 0 to {highest}" if math.isfinite(self.high) else "not below 0"
        return {
            "text": "a text",
            "number": f"a number {bounds}",
            "whole": f"a whole number {bounds}",
            "list": 'a list of texts (in CSV a JSON list such as ["red", "blue"])',
        }[self.kind]


def read_files(files: Sequence[str], columns: Mapping[str, str], fields: Mapping[str, Field]) -> pl.DataFrame:
    """The rows of all files, one below the other, with the columns `fields`, `file` (String) and `row` (Int64, from 1).

    `columns` maps a name in `fields` to the name that the column has in the files. Files are local paths or fsspec URLs.
    Raises UserError for a file that is missing, unreadable, empty or of another type, and for the first bad value.
    """
    for ours in columns:
        if ours not in fields:
            raise UserError(f"{files[0]}: columns: there is no column {ours!r} to map{nearest(ours, fields)}")
    return pl.concat([_read(file, columns, fields) for file in dict.fromkeys(files)])


def require(rows: pl.DataFrame, good: pl.Expr, column: str, expected: str) -> None:
    """Raise UserError for the first row, by file and row, where `good` is not true. Null counts as good."""
    bad = rows.filter(~good)
    if bad.height:
        first = bad.sort("file", "row").row(0, named=True)
        raise UserError(f"{first['file']}: row {first['row']}: column {column!r} is {_shown(first[column])}, expected {expected}")


def stem(file: str) -> str:
    """`"s3://bucket/gsm8k-test.jsonl"` → `"gsm8k-test"`."""
    return PurePosixPath(file).stem


def _read(file: str, columns: Mapping[str, str], fields: Mapping[str, Field]) -> pl.DataFrame:
    content = _parse(file, _bytes(file))
    if content.is_empty():
        raise UserError(f"{file}: has no rows")
    for ours, field in fields.items():
        theirs = columns.get(ours, ours)
        if theirs not in content.columns and (field.required or ours in columns):
            hint = nearest(theirs, content.columns)
            raise UserError(f"{file}: column {theirs!r} is missing{hint}; columns = {{{ours} = ...}} takes another one")
    return pl.DataFrame({ours: _typed(file, content, columns.get(ours, ours), field) for ours, field in fields.items()}).with_columns(
        file=pl.lit(file), row=pl.int_range(1, content.height + 1, dtype=pl.Int64)
    )


def _bytes(file: str) -> bytes:
    if not file.lower().endswith((".parquet", ".jsonl", ".ndjson", ".csv")):
        raise UserError(f"{file}: unknown type of file; expected .parquet, .jsonl or .csv")
    try:
        with fsspec.open(file, "rb") as stream:
            return bytes(stream.read())
    except FileNotFoundError as error:
        raise UserError(f"{file}: no such file") from error
    except Exception as error:  # each file system's library raises its own
        raise UserError(f"{file}: cannot be read: {error}") from error


def _parse(file: str, data: bytes) -> pl.DataFrame:
    ending = file.lower().rpartition(".")[2]
    if not data.strip():
        raise UserError(f"{file}: has no rows")
    try:
        if ending == "parquet":
            return pl.read_parquet(io.BytesIO(data))
        if ending == "csv":
            return pl.read_csv(data, infer_schema=False)
        return pl.read_ndjson(data, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        where = _broken_line(ending, data)
        raise UserError(f"{file}: {where}is not {ending.upper()}: {str(error).splitlines()[0]}") from error


def _broken_line(ending: str, data: bytes) -> str:
    """Which row cannot be parsed, for a file that Polars refused as a whole."""
    if ending == "parquet":
        return ""
    text = data.decode("utf-8", errors="replace")
    if ending == "csv":
        lines = csv.reader(io.StringIO(text))
        width = len(next(lines, []))
        return next(
            (f"row {row}: has {len(line)} values, the header {width}: " for row, line in enumerate(lines, 1) if len(line) != width), ""
        )
    for row, line in enumerate(text.split("\n"), 1):
        try:
            good = not line.strip() or isinstance(json.loads(line), dict)
        except ValueError:
            good = False
        if not good:
            return f"row {row}: "
    return ""


def _typed(file: str, content: pl.DataFrame, column: str, field: Field) -> pl.Series:
    """The column with the field's type. A value that does not fit, or is missing where one must be, is a UserError."""
    dtype = {"text": pl.String(), "number": pl.Float64(), "whole": pl.Int64(), "list": pl.List(pl.String())}[field.kind]
    if column not in content.columns:
        return pl.Series(column, [None], dtype=dtype).new_from_index(0, content.height)
    given = content[column]
    if field.kind == "list":
        typed = _lists(given, file, field)
    elif given.dtype.is_nested():
        raise UserError(f"{file}: column {column!r} holds {given.dtype}, expected {field.expected}")
    elif field.kind == "text":
        typed = given.cast(pl.String)
    else:
        typed = _numbers(given, field).cast(dtype)
    bad = given.is_not_null() & typed.is_null() & ~_blank(given)
    if field.required and not field.blank:
        bad = bad | typed.is_null() | _blank(typed)
    if bad.any():
        row = bad.arg_true()[0]
        raise UserError(f"{file}: row {row + 1}: column {column!r} is {_shown(given[row])}, expected {field.expected}")
    return typed


def _numbers(given: pl.Series, field: Field) -> pl.Series:
    """Float64 within the field's bounds, null elsewhere."""
    values = given.str.strip_chars() if given.dtype == pl.String else given
    numbers = values.cast(pl.Float64, strict=False)
    good = numbers.is_finite() & (numbers >= 0) & (numbers <= field.high)
    if field.kind == "whole":
        good = good & (numbers == numbers.floor())
    return numbers.to_frame("n").select(pl.when(good).then("n"))["n"]


def _lists(given: pl.Series, file: str, field: Field) -> pl.Series:
    """Lists as they are; a text as a JSON list."""
    if given.dtype != pl.String:
        try:
            return given.cast(pl.List(pl.String))
        except pl.exceptions.PolarsError as error:
            raise UserError(f"{file}: column {given.name!r} holds {given.dtype}, expected {field.expected}") from error
    return pl.Series(given.name, [_json_list(text) for text in given], dtype=pl.List(pl.String))


def _json_list(text: str | None) -> list[str] | None:
    try:
        items = json.loads(text or "null")
    except ValueError:
        return None
    return [str(item) for item in items] if isinstance(items, list) else None


def _blank(values: pl.Series) -> pl.Series:
    if values.dtype != pl.String:
        return pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
    return (values.str.strip_chars() == "").fill_null(False)


def _shown(value: object) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        return "empty"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
