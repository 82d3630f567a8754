"""Which imported rows are about the same query.

Rows of one benchmark with one `query_id` (the publisher's id) are one query, and have one text: where some rows show
another one (RouterBench has queries whose text is doubled for a single model), the most frequent text counts. Rows without
an id are told apart by what is asked. In the tables the publisher's id is `source_id`; `query_id` is the content hash.
"""

import polars as pl

from tasks.benchmarks.queries import check_splits, with_ids
from tasks.benchmarks.reading import stem

_SOURCE = ["benchmark", "source_id"]


def identify(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """`rows`, in their order, with `source_id` and the `query_id` of the tables instead of what is asked; what is asked; and notes.

    Args:
        rows: `benchmark` (null: the file's name), `split`, `query_id` (as published, or null), `question`, `choices`,
            `file`, `row`, and any others.

    What is asked has one row for each `benchmark` and `source_id`, with its `question`, `choices` and `query_id`.
    """
    check_splits(rows)
    names = {file: stem(file) for file in rows["file"].unique()}
    rows = rows.with_columns(
        benchmark=pl.coalesce("benchmark", pl.col("file").replace_strict(names, return_dtype=pl.String)),
        choices=pl.when(pl.col("choices").list.len() > 0).then("choices"),  # none are as good as an empty list
    )
    notes = _without_ids(rows)
    rows = _with_source_ids(rows)
    # Texts are grouped by a hash of 64 bits, as in `query_id`: Polars would write out all of them as keys.
    texts = (
        rows.select(*_SOURCE, "question", "choices", text=rows.select("question", "choices").hash_rows())
        .group_by(*_SOURCE, "text")
        .agg(pl.col("question").first(), pl.col("choices").first(), rows=pl.len())
        .sort(-pl.col("rows").cast(pl.Int64), pl.col("question").str.len_chars(), "question", pl.col("choices").list.join("\n"))
        .group_by(_SOURCE, maintain_order=True)
        .agg(pl.col("question").first(), pl.col("choices").first(), texts=pl.len())
    )
    several = texts.filter(pl.col("texts") > 1).group_by("benchmark").len().sort("benchmark")
    notes += [
        f"benchmark {benchmark!r}: {number:,} queries had more than one text under one id; the most frequent one counts"
        for benchmark, number in several.iter_rows()
    ]
    texts = with_ids(texts.drop("texts"))
    return (
        rows.drop("question", "choices").join(texts.select(*_SOURCE, "query_id"), on=_SOURCE, how="left", maintain_order="left"),
        texts,
        notes,
    )


def _without_ids(rows: pl.DataFrame) -> list[str]:
    files = rows.filter(pl.col("query_id").is_null())["file"].unique().sort()
    return [f"{file}: rows without a query_id are told apart by their question and choices" for file in files]


def _with_source_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """The published id, or the content hash where there is none."""
    rows = rows.rename({"query_id": "source_id"})
    anonymous = rows.filter(pl.col("source_id").is_null())
    if anonymous.is_empty():
        return rows
    content = ["benchmark", "question", "choices"]
    hashed = anonymous.select(content).unique()
    hashed = hashed.with_columns(with_ids(hashed)["query_id"].alias("hash"))
    rows = rows.join(hashed, on=content, how="left", nulls_equal=True, maintain_order="left")
    return rows.with_columns(pl.coalesce("source_id", "hash")).drop("hash")
