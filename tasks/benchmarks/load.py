"""Loads the benchmarks of a run file: ours by name (embedded, gsm8k, mmlu), or a user's own table.

    load_benchmark(Benchmark(name="gsm8k"), Splits(), seed=0)  →  8,792 rows of the table `queries`, and notes

To add a benchmark: one file with `load`, its prompt in `infra/prompts/<name>.jinja`, and a line here.
"""

from importlib.resources import files as resources
from pathlib import Path

import polars as pl

from tasks.benchmarks import embedded, gsm8k, mmlu, own
from tasks.benchmarks.queries import check_splits, finish, limited
from tasks.config import Benchmark, Splits
from tasks.errors import UserError, nearest

OURS = ("embedded", "gsm8k", "mmlu")


def load_benchmark(config: Benchmark, splits: Splits, seed: int) -> tuple[pl.DataFrame, list[str]]:
    """The benchmark's rows of the table `queries`, sorted by `query_id`, and notes for the report.

    Missing splits are cut by a hash of the query and `seed`; then `limit` takes the first so many of each split in the
    order of a hash. Raises UserError for an unknown benchmark, bad files, or a dataset that cannot be fetched.
    """
    rows = _rows(config)
    if config.answer_kind is not None:
        rows = rows.with_columns(answer_kind=pl.lit(config.answer_kind))
    if "row" in rows.columns:
        check_splits(rows)
    queries, notes = finish(rows.with_columns(benchmark=pl.lit(config.name)), splits, seed)
    return limited(queries, config.limit, seed), notes


def prompt_template(config: Benchmark, chat: bool = False) -> str:
    """Text of the Jinja template that makes a query a prompt, from its `question`, `choices` (a list) and `subject`.

    It is the file `config.prompt`, or ours of that name; without one, the benchmark's own, or for a user's table the one of
    its `answer_kind` ("question.jinja" where there is none). Raises UserError.
    """
    folder = resources("infra") / "prompts"
    names = [entry.name.removesuffix(".jinja") for entry in folder.iterdir() if entry.name.endswith(".jinja")]
    wanted = config.prompt or _default_prompt(config)
    if wanted in names:
        return (folder / f"{wanted}.jinja").read_text(encoding="utf-8")
    try:
        return Path(wanted).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"benchmark {config.name!r}: prompt {wanted!r} is no file and none of ours{nearest(wanted, names)}") from error


def _rows(config: Benchmark) -> pl.DataFrame:
    if config.name == "gsm8k":
        return gsm8k.load(config.files, config.columns)
    if config.name == "mmlu":
        return mmlu.load(config.files, config.columns)
    if config.name == "embedded":
        if config.files:
            raise UserError("benchmark 'embedded' is built in and takes no files; give your own table another name")
        return embedded.load()
    if config.files:
        return own.load(config.files, config.columns, config.name, config.answer_kind)
    raise UserError(f"unknown benchmark {config.name!r} without files{nearest(config.name, OURS)}; your own table needs files = [...]")


def _default_prompt(config: Benchmark) -> str:
    if config.name in OURS:
        return config.name
    return config.answer_kind if config.answer_kind in ("number", "choice") else "question"
