"""What other programs have written, as the rows that `[[outcomes]]` and `[[generations]]` are made of. One file per format.

    [[outcomes]]
    files = ["results/*/samples_gsm8k_*.jsonl"]
    format = "lm-eval"
    metric = "exact_match,strict-match"

A format has `outcomes(file, entry, fields)` and `generations(file, entry, fields)`, which give the columns `fields`, `file` and
`row` of one file, and notes for the report. To add a format: one such file, its name in `tasks/config.py`, and a line here.
"""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Literal

import polars as pl

from tasks.benchmarks.formats import inspect_logs, lm_eval, routerbench, routerdc
from tasks.benchmarks.reading import Field, read_files
from tasks.config import Import
from tasks.errors import UserError

_FORMATS: dict[str, ModuleType] = {"lm-eval": lm_eval, "inspect": inspect_logs, "routerbench": routerbench, "routerdc": routerdc}
# Which formats, and which of the tables, heed a setting.
_SETTINGS = {
    "columns": (("table",), ("outcomes", "generations")),
    "model": (("lm-eval",), ("outcomes", "generations")),
    "metric": (("lm-eval", "inspect"), ("outcomes",)),
    "answer_kind": (("table", "lm-eval", "inspect", "routerbench"), ("generations",)),
}


def read_imports(
    imports: Sequence[Import], table: Literal["outcomes", "generations"], fields: Mapping[str, Field]
) -> tuple[pl.DataFrame, list[str]]:
    """The rows of all imports, with the columns `fields`, `file` (String) and `row` (Int64, from 1), and notes for the report.

    Raises UserError that names the file, and the row and column (or key) where it is about one.
    """
    parts, notes = list[pl.DataFrame](), list[str]()
    for entry in imports:
        _check_settings(entry, table)
        for rows, said in _read(entry, table, fields):
            kind = pl.lit(entry.answer_kind, pl.String)
            parts.append(rows.with_columns(pl.col("answer_kind").fill_null(kind)) if "answer_kind" in fields else rows)
            notes += said
    return pl.concat(parts), notes


def _read(entry: Import, table: str, fields: Mapping[str, Field]) -> list[tuple[pl.DataFrame, list[str]]]:
    if entry.format == "table":
        return [(read_files(entry.files, entry.columns, fields), [])]
    return [getattr(_FORMATS[entry.format], table)(file, entry, fields) for file in dict.fromkeys(entry.files)]


def _check_settings(entry: Import, table: str) -> None:
    for setting, (formats, tables) in _SETTINGS.items():
        if getattr(entry, setting) and (entry.format not in formats or table not in tables):
            where = f"[[{' or '.join(tables)}]] with format = {' or '.join(formats)}"
            raise UserError(f"{entry.files[0]}: {setting} is a setting of {where}; remove it")
