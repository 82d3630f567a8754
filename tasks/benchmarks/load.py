"""Loads the benchmarks of a run file: ours by name (embedded, gsm8k, mmlu, math, arc-challenge), or a user's own table.

    load_benchmark(Benchmark(name="gsm8k"), Splits(), seed=0)  →  8,792 rows of the table `queries`, and notes

To add a benchmark: one file with `load`, its prompts in `infra/prompts/<name>.jinja` and `<name>-chat.jinja`, and a line here.
"""

from importlib.resources import files as resources
from pathlib import Path

import polars as pl

from tasks.benchmarks import arc_challenge, embedded, gsm8k, math, mmlu, own
from tasks.benchmarks.gold import settle
from tasks.benchmarks.holes import without_holes
from tasks.benchmarks.queries import check_splits, finish, limited
from tasks.benchmarks.shots import header, shows_shots
from tasks.config import Benchmark, Splits
from tasks.errors import UserError, nearest

_FROM_FILES = {"gsm8k": gsm8k, "mmlu": mmlu, "math": math, "arc-challenge": arc_challenge}
OURS = ("embedded", *_FROM_FILES)


def load_benchmark(config: Benchmark, splits: Splits, seed: int) -> tuple[pl.DataFrame, list[str]]:
    """The benchmark's rows of the table `queries`, sorted by `query_id`, and notes for the report.

    Missing splits are cut by a hash of the query and `seed`; then `limit` takes the first so many of each split in the
    order of a hash. Raises UserError for an unknown benchmark, bad files, or a dataset that cannot be fetched.
    """
    rows, notes = _rows(config)
    queries, more = finish(rows.with_columns(benchmark=pl.lit(config.name)), splits, seed)
    return limited(queries, config.limit, seed), [*notes, *more]


def check_benchmark(config: Benchmark) -> None:
    """Raise UserError for a benchmark that is none of ours and has no files. Loads nothing."""
    if config.name not in OURS and not config.files:
        raise UserError(f"unknown benchmark {config.name!r} without files{nearest(config.name, OURS)}; your own table needs files = [...]")
    if config.name == "embedded" and config.files:
        raise UserError("benchmark 'embedded' is built in and takes no files; give your own table another name")


def prompt_template(config: Benchmark, chat: bool = False) -> str:
    """Text of the Jinja template that makes a query a prompt, from its `question`, `choices` (a list) and `subject`.

    It is the file `config.prompt`, or ours of that name, and for a chat model `config.chat_prompt` before that; without one, the
    benchmark's own for its kind of model, or for a user's table the one of its `answer_kind` ("question.jinja" where there is
    none). A template that shows worked examples, `shots`, gets them in front. Raises UserError.
    """
    ours = resources("infra") / "prompts"
    names = [entry.name.removesuffix(".jinja") for entry in ours.iterdir() if entry.name.endswith(".jinja")]
    given = (config.chat_prompt if chat else None) or config.prompt
    wanted = given or _default_prompt(config, chat)
    if wanted in names:
        text = (ours / f"{wanted}.jinja").read_text(encoding="utf-8")
    else:
        try:
            text = Path(wanted).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            raise UserError(f"benchmark {config.name!r}: prompt {wanted!r} is no file and none of ours{nearest(wanted, names)}") from error
    if not shows_shots(text):
        return text
    if (shots := header(config)) is not None:
        return shots + text
    if given:
        raise UserError(f"benchmark {config.name!r}: prompt {wanted!r} shows worked examples (`shots`), of which the benchmark has none")
    return (ours / f"{wanted}-zero-shot.jinja").read_text(encoding="utf-8")


def _rows(config: Benchmark) -> tuple[pl.DataFrame, list[str]]:
    """Rows as `finish` wants them, without holes."""
    check_benchmark(config)
    if config.name == "embedded":
        return embedded.load(), []
    source = _FROM_FILES.get(config.name, own)
    rows = source.load(config.files, config.columns).with_columns(benchmark=pl.lit(config.name))
    rows = rows.with_columns(answer_kind=pl.coalesce(pl.lit(config.answer_kind, pl.String), "answer_kind"))
    check_splits(rows)
    # Nobody can mend what comes from the hub.
    rows, notes = without_holes(rows, config.name, source.GOLD, skip=config.holes == "skip" or not config.files)
    if source is mmlu:
        rows, more = mmlu.without_shots(rows)
        notes += more
    return settle(rows), notes


def _default_prompt(config: Benchmark, chat: bool) -> str:
    if config.name == "embedded":
        return config.name
    if config.name in OURS:
        return f"{config.name}-chat" if chat else config.name
    if config.answer_kind == "math":
        return "math-chat" if chat else "math-zero-shot"
    kind = config.answer_kind if config.answer_kind in ("number", "choice") else "question"
    return f"{kind}-chat" if chat else kind
