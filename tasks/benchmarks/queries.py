"""From a benchmark's rows to the table `queries`: content ids, no duplicates, all three splits.

    finish(rows, Splits(test=0.3, validation=0.15), seed=0)

gives the table and, for the report, notes such as "benchmark 'shop' brought no test split: 30% of its queries were set
aside by hash (42 of 140)". What is cut depends on the content of a query and the seed alone: neither the order of the
rows nor a query that is added later moves another query to another split. So a table of a few rows may get no test query:
to move one there all the same would be to move it back when the table grows.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl

from tasks.benchmarks.reading import require, stem
from tasks.config import Splits
from tasks.lake import tables

Split = Literal["train", "validation", "test"]
SPELLINGS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_PRECEDENCE = pl.col("split").replace_strict({"test": 0, "validation": 1, "train": 2}, return_dtype=pl.Int8)


def query_id(benchmark: str, question: str, choices: Sequence[str] | None) -> str:
    """16 hexadecimal digits of a hash of what is asked. An empty list of choices is as good as none."""
    content = json.dumps([benchmark, question, list(choices) if choices else None])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def split_of_files(rows: pl.DataFrame) -> pl.Expr:
    """The split in the name of each row's `file`: `"test-00000-of-00001.parquet"` → `"test"`; null where it tells none, or two."""
    splits = {file: {word for word in re.findall(r"[a-z]+", stem(file).lower()) if word in SPELLINGS} for file in rows["file"].unique()}
    one = {file: min(words) if len({SPELLINGS[word] for word in words}) == 1 else None for file, words in splits.items()}
    return pl.col("file").replace_strict(one, return_dtype=pl.String)


def check_splits(rows: pl.DataFrame) -> None:
    """Raise UserError, by file and row, for a split that is spelt in no known way."""
    good = pl.col("split").str.strip_chars().str.to_lowercase().is_in(list(SPELLINGS))
    require(rows, good, "split", "train, validation (val, valid, dev) or test")


def with_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` (`benchmark`, `question`, `choices`) with `query_id`; empty choices become null."""
    rows = rows.with_columns(choices=pl.when(pl.col("choices").list.len() > 0).then("choices"))
    ids = [query_id(*content) for content in rows.select("benchmark", "question", "choices").iter_rows()]
    return rows.with_columns(query_id=pl.Series(ids, dtype=pl.String))


def finish(rows: pl.DataFrame, splits: Splits, seed: int) -> tuple[pl.DataFrame, list[str]]:
    """The table `queries`, sorted by `query_id`, and notes in plain words on what was left out or cut.

    Args:
        rows: columns of `queries` without `query_id`. `split` is one of `SPELLINGS` in any case, or null; `source_id`
            may be null and is then the `query_id`. Rows without a split count as train.
        splits: the shares to cut where a benchmark has no test split (of all its queries) or no validation split (of
            its train queries).
        seed: the run's seed; another one cuts other queries.
    """
    rows = with_ids(rows).with_columns(
        split=pl.col("split").str.strip_chars().str.to_lowercase().replace_strict(SPELLINGS, return_dtype=pl.String).fill_null("train"),
        source_id=pl.coalesce("source_id", "query_id"),
    )
    queries, notes = _once_each(rows)
    parts = []
    for (benchmark,), part in sorted(queries.partition_by("benchmark", as_dict=True).items()):
        whole, cut = _cut(str(benchmark), part, splits, seed)
        parts.append(whole)
        notes += cut
    finished = pl.concat(parts) if parts else tables.empty(tables.QUERIES)
    return tables.check(tables.QUERIES, finished.sort("query_id").select(*tables.QUERIES.columns)), notes


def limited(queries: pl.DataFrame, limit: Mapping[Split, int], seed: int) -> pl.DataFrame:
    """At most `limit` queries of each split, the first in the order of a hash; a split that is not named is whole."""
    allowed = pl.col("split").replace_strict(dict(limit), default=queries.height, return_dtype=pl.Int64)
    ranked = queries.with_columns(rank=_positions(queries, "limit", seed))
    return ranked.filter(pl.col("rank").rank("ordinal").over("split") <= allowed).drop("rank")


def _once_each(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Each content once: as a test query where it is one, else as validation, else as train."""
    queries = rows.sort("query_id", _PRECEDENCE, "source_id", "gold", "answer_kind", "subject", nulls_last=True).unique(
        "query_id", keep="first", maintain_order=True
    )
    notes = []
    double = rows.group_by("benchmark", "query_id").agg(
        copies=pl.len() - 1, splits=pl.col("split").n_unique(), golds=pl.col("gold").drop_nulls().n_unique()
    )
    for benchmark, copies, leaks, disputes in (
        double.group_by("benchmark")
        .agg(pl.col("copies").sum(), (pl.col("splits") > 1).sum(), (pl.col("golds") > 1).sum())
        .filter(pl.col("copies") > 0)
        .sort("benchmark")
        .iter_rows()
    ):
        note = f"benchmark {benchmark!r}: {copies:,} duplicate rows left out"
        if leaks:
            note += f"; {leaks:,} queries stood in several splits and count in the first of test, validation, train"
        if disputes:
            note += f"; {disputes:,} queries had several right answers, of which the one of the first source_id counts"
        notes.append(note)
    return queries, notes


def _cut(benchmark: str, queries: pl.DataFrame, splits: Splits, seed: int) -> tuple[pl.DataFrame, list[str]]:
    """Set missing splits aside by hash."""
    cut, brought = [], set(queries["split"])
    if "test" not in brought:
        queries, number = _set_aside(queries, "test", ["train", "validation"], splits.test, seed)
        cut.append(f"no test split: {splits.test:.0%} of its queries were set aside by hash ({number:,} of {queries.height:,})")
    train = queries.filter(pl.col("split") == "train").height
    if "validation" not in brought and train:
        queries, number = _set_aside(queries, "validation", ["train"], splits.validation, seed)
        cut.append(f"no validation split: {splits.validation:.0%} of its train queries were set aside by hash ({number:,} of {train:,})")
    notes = [f"benchmark {benchmark!r} brought {'; '.join(cut)}"] if cut else []
    if not train:
        notes.append(f"benchmark {benchmark!r} has no train queries: routers learn about it from other benchmarks only")
    return queries, notes


def _set_aside(queries: pl.DataFrame, split: str, sources: list[str], share: float, seed: int) -> tuple[pl.DataFrame, int]:
    """Move the queries of `sources` whose hash lies below `share` to `split`."""
    chosen = queries["split"].is_in(sources) & (_positions(queries, split, seed) < share)
    return queries.with_columns(split=pl.when(chosen).then(pl.lit(split)).otherwise("split")), int(chosen.sum())


def _positions(queries: pl.DataFrame, purpose: str, seed: int) -> pl.Series:
    """A uniform number in [0, 1) for each query, another one for each purpose and seed."""
    digests = [hashlib.sha256(f"{purpose}:{seed}:{name}".encode()).hexdigest() for name in queries["query_id"]]
    return pl.Series([int(digest[:12], 16) / 16**12 for digest in digests], dtype=pl.Float64)
