"""RouterBench's table: one row for each query, with three columns for each model (Hu et al., arXiv 2403.12031).

    sample_id               arc-challenge.test.1108
    prompt                  ['George wants to warm his hands …\\nA) dry palms\\nB) wet palms …\\nAnswer:']
    eval_name               arc-challenge
    gpt-4-1106-preview                      1.0
    gpt-4-1106-preview|model_response       ['A']
    gpt-4-1106-preview|total_cost           0.00533
    claude-v1 …
    oracle_model_to_route_to   mistralai/mixtral-8x7b-chat

As outcomes: a score and a cost in US dollars for each query and model; a model that has no score on a query is missing there. As
generations: one sample each; for these, join a column `gold` to the table (and `choices` or `answer_kind` where they are
needed), because it has no right answers of its own. Prompts and responses are lists that were written as text. The 57
parts of MMLU ("mmlu-anatomy") are subjects of one benchmark, as in the paper. It is published as a pickle, which is never read.
"""

import ast
from collections.abc import Mapping

import polars as pl

from tasks.benchmarks.reading import Field, read_table, typed
from tasks.config import Import
from tasks.errors import UserError, nearest

_RESPONSE, _COST = "|model_response", "|total_cost"


def outcomes(file: str, entry: Import, fields: Mapping[str, Field]) -> tuple[pl.DataFrame, list[str]]:
    """One row for each query and model that has a score there."""
    table = _read(file)
    parts = [
        _of_model(file, table.with_columns(_as_number(table, model)), fields, model, {"score": model, "cost_usd": f"{model}{_COST}"})
        for model in _models(file, table)
    ]
    return pl.concat(parts), []


def generations(file: str, entry: Import, fields: Mapping[str, Field]) -> tuple[pl.DataFrame, list[str]]:
    """One row for each query and model whose response is there."""
    table = _read(file).with_columns(sample=pl.lit(0))
    if "gold" not in table.columns:
        raise UserError(
            f"{file}: column 'gold' is missing: RouterBench's table has no right answers, so its responses cannot be judged; "
            "join them to it, or import its scores as [[outcomes]]"
        )
    parts = [
        _of_model(file, table.with_columns(_as_text(table, f"{model}{_RESPONSE}")), fields, model, {"text": f"{model}{_RESPONSE}"})
        for model in _models(file, table)
        if f"{model}{_RESPONSE}" in table.columns
    ]
    if not parts:
        raise UserError(f"{file}: there is no column '(model){_RESPONSE}'")
    return pl.concat(parts), []


def _read(file: str) -> pl.DataFrame:
    """The table, with the columns of ours that all models share, and `row`."""
    table = read_table(file)
    for column in ("sample_id", "prompt", "eval_name"):
        if column not in table.columns:
            raise UserError(f"{file}: column {column!r} is missing{nearest(column, table.columns)}; expected RouterBench's wide table")
        if table[column].dtype.is_nested() and table[column].dtype != pl.List(pl.String):
            raise UserError(f"{file}: column {column!r} holds {table[column].dtype}, expected texts")
        if table[column].null_count():
            raise UserError(f"{file}: row {table[column].is_null().arg_true()[0] + 1}: column {column!r} is empty")
    name = _as_text(table, "eval_name")
    is_mmlu = name.str.starts_with("mmlu-")
    return table.with_columns(
        _as_text(table, "prompt"),
        benchmark=pl.when(is_mmlu).then(pl.lit("mmlu")).otherwise(name),
        subject=pl.when(is_mmlu).then(name.str.strip_prefix("mmlu-")),
        row=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
    )


def _models(file: str, table: pl.DataFrame) -> list[str]:
    models = [name for name in table.columns if f"{name}{_COST}" in table.columns or f"{name}{_RESPONSE}" in table.columns]
    if not models:
        raise UserError(f"{file}: no model has both a column (model) and (model){_COST}; expected RouterBench's wide table")
    return models


def _of_model(file: str, table: pl.DataFrame, fields: Mapping[str, Field], model: str, columns: dict[str, str]) -> pl.DataFrame:
    """The model's rows with the columns `fields`; `columns` says which of the table's are the model's own."""
    first = next(iter(columns.values()))
    there = table.filter(pl.col(first).is_not_null()).with_columns(pl.lit(model).alias("model"))
    return typed(file, there, fields, {"query_id": "sample_id", "question": "prompt", **columns}, there["row"])


def _as_number(table: pl.DataFrame, column: str) -> pl.Expr:
    """Some scores were written as True and False."""
    if table[column].dtype == pl.String:
        return pl.col(column).replace({"True": "1", "true": "1", "False": "0", "false": "0"})
    return pl.col(column).cast(pl.Float64) if table[column].dtype == pl.Boolean else pl.col(column)


def _as_text(table: pl.DataFrame, column: str) -> pl.Series:
    """`"['Which is …\\\\nAnswer:']"` → `"Which is …⏎Answer:"`; several turns below each other."""
    if table[column].dtype == pl.List(pl.String):
        return table[column].list.join("\n")
    if table[column].dtype.is_nested():
        return table[column]  # is refused when it is typed
    return pl.Series(column, [_joined(text) for text in table[column].cast(pl.String)], dtype=pl.String)


def _joined(text: str | None) -> str | None:
    if text is None or not text.startswith("["):
        return text
    try:
        turns = ast.literal_eval(text)
        joined = "\n".join(turns) if isinstance(turns, list) else text
        joined.encode()  # half of a pair of code units can stand in a literal, but in no table
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text  # it only looks like a list of texts
    return joined
