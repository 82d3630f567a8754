"""Where the samples of a shard are: `generations/model=ledger/recipe=r41d0…/bucket=03-of-16/5f0c….parquet`.

A bucket's samples may lie in files that were written when the queries were cut into another number of buckets. Such a file
is found because its label overlaps; it may hold other queries too.

A file that cannot be read (cut off, empty, something else) stops nobody: it is named in the log and left out, so that its
samples count as missing and are drawn again. Who samples or votes first moves it to `.set-aside/generations/…`.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import polars as pl

from tasks.errors import UserError
from tasks.lake.buckets import Bucket, parse_bucket
from tasks.lake.files import Broken, Lake, folder_name, is_broken, use_files
from tasks.lake.tables import GENERATIONS, empty

logger = logging.getLogger("manyminds")

IMPORTED = "imported"  # the recipe of what was made elsewhere
SET_ASIDE = ".set-aside"
_PART = 10_000  # rows whose texts are in memory at once
T = TypeVar("T")


def generation_files(lake: Lake, model: str, recipe_id: str, bucket: Bucket, listed: Iterable[str] | None = None) -> list[str]:
    """Files of this model and recipe that may hold samples of this bucket's queries, sorted.

    `listed`: all files in `generation_folder`, by who asks for bucket after bucket. Raises UserError for a folder that is no
    bucket's, or a file that lies beside these folders.
    """
    folder = generation_folder(model, recipe_id)
    if listed is not None:
        return [file for file in listed if _bucket(lake, folder, file.removeprefix(f"{folder}/").partition("/")[0]).overlaps(bucket)]
    labels = [label for label in lake.names(folder) if _bucket(lake, folder, label).overlaps(bucket)]
    return [file for label in labels for file in lake.files(f"{folder}/{label}")]


def generation_folder(model: str, recipe_id: str) -> str:
    """Folder in the lake of all samples of a model by a recipe."""
    return f"{GENERATIONS.name}/model={folder_name(model)}/recipe={folder_name(recipe_id)}"


def read_generations(lake: Lake, files: Iterable[str], columns: Iterable[str] | None = None, mend: bool = False) -> pl.DataFrame:
    """Rows of the files, each sample once even if it was written twice; a broken file is left out, and set aside if `mend`."""
    wanted = list(columns) if columns is not None else list(GENERATIONS.columns)
    names = list(dict.fromkeys([*wanted, *GENERATIONS.key]))
    rows, broken = query_generations(lake, files, lambda rows: rows.select(names))
    if mend:
        set_aside(lake, broken)
    return rows.unique(GENERATIONS.key, keep="first", maintain_order=True).select(wanted)


def query_generations(lake: Lake, files: Iterable[str], query: Callable[[pl.LazyFrame], pl.LazyFrame]) -> tuple[pl.DataFrame, list[str]]:
    """What `query` makes of the files that can be read, and the others, which are named in the log.

    Raises UserError if it is not a file that is broken.
    """
    return _use_readable(lake, files, lambda rows: query(rows).collect())


def reduce_generations(
    lake: Lake, files: Iterable[str], columns: Sequence[str], reduce: Callable[[pl.DataFrame], pl.DataFrame]
) -> list[pl.DataFrame]:
    """What `reduce` makes of the files' rows, part after part, so that memory never holds the texts of more than one part.

    `reduce` gets `columns` of about 10,000 rows, in no order that counts; a sample that was written twice comes twice. At least
    one part, which may be empty. A broken file is left out, and set aside.
    """

    def each(rows: pl.LazyFrame) -> list[pl.DataFrame]:
        parts = rows.select(columns).collect_batches(chunk_size=_PART, maintain_order=False)
        return [reduce(part) for part in parts]

    reduced, broken = _use_readable(lake, files, each)
    set_aside(lake, broken)
    return reduced or [reduce(empty(GENERATIONS).select(columns))]


def _use_readable(lake: Lake, files: Iterable[str], use: Callable[[pl.LazyFrame], T]) -> tuple[T, list[str]]:
    readable, left_out = sorted(files), list[str]()
    while readable:
        used = use_files(lake, GENERATIONS, readable, use)
        if not isinstance(used, Broken):
            return used, left_out
        if not used.files:
            raise UserError(f"{lake.location(GENERATIONS.name)}: cannot be read as table {GENERATIONS.name!r}: {used.error}")
        for file in used.files:
            logger.warning("%s cannot be read: its samples count as missing", lake.location(file))
        readable, left_out = [file for file in readable if file not in used.files], left_out + used.files
    return use(empty(GENERATIONS).lazy()), left_out


def set_aside(lake: Lake, files: Iterable[str]) -> None:
    """Move broken files out of the table, to `.set-aside/`. One that somebody else has moved or mended by now is left alone."""
    for file in files:
        try:
            content = lake.read(file)
        except FileNotFoundError:
            continue
        if is_broken(GENERATIONS, content):
            lake.write(f"{SET_ASIDE}/{file}", content)
            lake.remove(file)
            logger.warning("%s is set aside as %s", lake.location(file), lake.location(f"{SET_ASIDE}/{file}"))


def _bucket(lake: Lake, folder: str, label: str) -> Bucket:
    try:
        return parse_bucket(label.removeprefix("bucket="))
    except UserError as error:
        raise UserError(f"{lake.location(f'{folder}/{label}')}: {error}") from error
