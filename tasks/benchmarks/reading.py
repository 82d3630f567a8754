"""Reads a user's Parquet, JSONL or CSV files into typed columns; a bad value is named by file, row and column.

    read_files(["votes.csv"], {"score": "acc"}, {"question": Field("text", required=True), "score": Field("number", high=1)})

gives the columns `question` and `score` (from the file's column `acc`), and `file` and `row`, or raises
`UserError("votes.csv: row 12: column 'acc' is 'abc', expected a number from 0 to 1")`. Rows are counted from 1, without
the header of a CSV file. Nothing here knows what the columns mean.
"""

import codecs
import csv
import io
import json
import math
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

import fsspec
import polars as pl

from tasks.errors import UserError, nearest


@dataclass(frozen=True)
class Field:
    """What a column holds: text (Float64 for number, Int64 for whole, List(String) for list), and what it may be.

    A required column must be there and have a value in every row; another one may be absent or empty, which gives nulls.
    Numbers lie in 0 … `high`.
    """

    kind: Literal["text", "number", "whole", "list", "json"] = "text"  # json: anything; what is no text becomes JSON
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
            "json": "a text or a JSON object",
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


def read_table(file: str, wanted: Container[str] | None = None) -> pl.DataFrame:
    """The rows of a Parquet, JSONL or CSV file (in which every value is a text): all columns, or those that are `wanted`.

    Raises UserError for a file that is missing, unreadable, empty or of another type.
    """
    check_ending(file, (".parquet", ".jsonl", ".ndjson", ".csv"), "expected .parquet, .jsonl or .csv")
    # Polars maps a local file into memory; another one is here as a whole while it is parsed.
    source = read_bytes(file) if "://" in file else _local(file)
    ending = file.lower().rpartition(".")[2]
    if ending != "parquet":
        source = _without_mark(source, file)
    try:
        content = _parse(source, ending, wanted)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        data = read_bytes(file)
        if not data.strip():
            raise UserError(f"{file}: has no rows") from error
        raise UserError(f"{file}: {_broken(ending, data, str(error).splitlines()[0])}") from error
    if content.width and content.is_empty():
        raise UserError(f"{file}: has no rows")
    return content


def typed(
    file: str, content: pl.DataFrame, fields: Mapping[str, Field], columns: Mapping[str, str] | None = None, rows: pl.Series | None = None
) -> pl.DataFrame:
    """The columns `fields` with their types, `file`, and `row`: from `rows` (Int64), else 1, 2, 3 …

    `columns` maps a name in `fields` to the name that the column has in `content`; one that is not there is all nulls. Raises
    UserError for the first bad value.
    """
    columns = columns or {}
    if rows is None:
        rows = pl.int_range(1, content.height + 1, dtype=pl.Int64, eager=True)
    values = {ours: _typed(file, content, columns.get(ours, ours), field, rows) for ours, field in fields.items()}
    return pl.DataFrame(values).with_columns(file=pl.lit(file), row=rows)


def check_ending(file: str, endings: tuple[str, ...], expected: str) -> None:
    """Raise UserError for a file of another type; it says what was `expected`."""
    if file.lower().endswith((".pkl", ".pickle")):
        raise UserError(
            f"{file}: reading a pickle can run any program that it holds, so none is read here; where you trust it, convert it: "
            "python -c \"import pandas; pandas.read_pickle('FILE.pkl').to_csv('FILE.csv', index=False)\""
        )
    if not file.lower().endswith(endings):
        raise UserError(f"{file}: unknown type of file; {expected}")


def read_bytes(file: str) -> bytes:
    """The content of a local file or fsspec URL. Raises UserError."""
    with _opened(file) as stream:
        return bytes(stream.read())


def parse_json(text: bytes, where: str) -> Any:
    """What a JSON text holds. Raises UserError that begins with `where`, also for a text that no table could keep."""
    try:
        value = json.loads(text)
        if b"\\u" in text:  # half of a pair of code units, for instance
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: is not JSON: {error}") from error


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
    names = {ours: columns.get(ours, ours) for ours in fields}
    content = read_table(file, names.values())
    for ours, theirs in names.items():
        if theirs not in content.columns and (fields[ours].required or ours in columns):
            there = read_table(file).columns
            if len(there) == 1 and any(mark in there[0] for mark in ";\t|"):
                raise UserError(f"{file}: its only column is {there[0]!r}; expected values that are separated by commas")
            raise UserError(f"{file}: column {theirs!r} is missing{nearest(theirs, there)}; columns = {{{ours} = ...}} takes another one")
    return typed(file, content, fields, columns)


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    try:
        with fsspec.open(file, "rb") as stream:
            yield stream
    except FileNotFoundError as error:
        raise UserError(f"{file}: no such file") from error
    except Exception as error:  # each file system's library raises its own
        raise UserError(f"{file}: cannot be read: {error}") from error


def _local(file: str) -> str:
    with _opened(file):
        return file


def _without_mark(source: str | bytes, file: str) -> str | bytes:
    """The source without the mark of UTF-8 that some programs put in front. Raises UserError for UTF-16."""
    if isinstance(source, str):
        with Path(source).open("rb") as stream:
            start = stream.read(3)
    else:
        start = source[:3]
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(f"{file}: is in UTF-16; expected UTF-8")
    if start != codecs.BOM_UTF8:
        return source
    return (source if isinstance(source, bytes) else Path(source).read_bytes())[3:]


def _parse(source: str | bytes, ending: str, wanted: Container[str] | None) -> pl.DataFrame:
    if ending == "csv":
        content = pl.read_csv(source, infer_schema=False, glob=False)
    elif ending == "parquet":
        lazy = pl.scan_parquet(source, glob=False, hive_partitioning=False)
        return lazy.select(name for name in lazy.collect_schema() if wanted is None or name in wanted).collect()
    else:
        content = pl.read_ndjson(source, infer_schema_length=None)
    return content.select(name for name in content.columns if wanted is None or name in wanted)


def _broken(ending: str, data: bytes, said: str) -> str:
    """What is wrong, and where, with a file that Polars refused as a whole; `said`: its own words."""
    if ending == "parquet":
        return f"is not Parquet, or is cut off: {said}"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        return f"line {number}: is not in UTF-8"
    if ending == "csv":
        rows = csv.reader(io.StringIO(text))
        width = len(next(rows, []))
        for row, values in enumerate(rows, 1):
            if len(values) != width:
                return f"row {row} (line {rows.line_num}): has {len(values)} values, the header {width}: is not CSV"
        return f"is not CSV: {said}"
    for row, line in enumerate(text.split("\n"), 1):
        try:
            if line.strip() and not isinstance(json.loads(line), dict):
                return f"row {row}: is not JSONL: expected one JSON object in each line"
        except json.JSONDecodeError as error:
            return f"row {row}: is not JSONL: {error.msg} (column {error.colno})"
    return f"is not JSONL: {said}"


def _typed(file: str, content: pl.DataFrame, column: str, field: Field, rows: pl.Series) -> pl.Series:
    """The column with the field's type. A value that does not fit, or is missing where one must be, is a UserError."""
    dtype = {"number": pl.Float64(), "whole": pl.Int64(), "list": pl.List(pl.String())}.get(field.kind, pl.String())
    if column not in content.columns:
        return pl.Series(column, [None], dtype=dtype).new_from_index(0, content.height)
    given = content[column]
    if field.kind == "text" and given.dtype.is_float():
        given = given.fill_nan(None)  # pandas' null
    if field.kind == "list":
        typed = _lists(given, file, field)
    elif field.kind == "json":
        typed = pl.Series(column, [value if isinstance(value, str | None) else json.dumps(value, default=str) for value in given], dtype)
    elif given.dtype.is_nested():
        raise UserError(f"{file}: column {column!r} holds {given.dtype}, expected {field.expected}")
    elif field.kind == "text":
        typed = given.cast(pl.String)
    else:
        typed = _numbers(given, field).cast(dtype)
    if field.required and not field.blank:
        bad = typed.is_null() | _blank(typed)
    elif typed.null_count() > given.null_count():
        bad = typed.is_null() & given.is_not_null() & ~_blank(given)
    else:
        return typed
    if bad.any():
        place = bad.arg_true()[0]
        raise UserError(f"{file}: row {rows[place]}: column {column!r} is {_shown(given[place])}, expected {field.expected}")
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


def _json_list(text: str | None) -> list[str | None] | None:
    try:
        items = json.loads(text or "null")
    except ValueError:
        return None
    return [None if item is None else str(item) for item in items] if isinstance(items, list) else None


def _blank(values: pl.Series) -> pl.Series:
    if values.dtype != pl.String:
        return pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
    return ~values.str.contains(r"\S").fill_null(True)


def _shown(value: object) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        return "empty"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
