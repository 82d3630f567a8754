"""What an encoder makes of every query, computed once for all routers that use the encoder: rows of the table `embeddings`.

    rows = embed(queries, "all-MiniLM-L6-v2", max_length=128)      # query 5f0c…, "all-MiniLM-L6-v2", [0.03, -0.05, …]
    with_embeddings(queries, [rows])                               # queries with the column "embedding all-MiniLM-L6-v2"

Routers find the column there (`features.py`), and embed what comes without it themselves: the same vectors, as long as they read as many
tokens, and the few-shot prefixes that are cut are those of the same training queries.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.lake.tables import EMBEDDINGS
from tasks.lake.views import question_texts
from tasks.routers.embedders import load_embedder
from tasks.routers.prefixes import cut, shared_prefixes


def embedding_column(encoder: str) -> str:
    """Name of the column of queries that has the encoder's vectors."""
    return f"embedding {encoder}"


def embed(queries: pl.DataFrame, encoder: str, max_length: int) -> pl.DataFrame:
    """Rows of the table `embeddings` for rows of `queries` of all splits; few-shot prefixes are those of its training queries.

    Raises UserError if there is no such encoder.
    """
    prefixes = shared_prefixes(question_texts(queries.filter(pl.col("split") == "train")))
    texts = [cut(text, prefixes) for text in question_texts(queries)]
    vectors = load_embedder(encoder, max_length).embed(texts)
    columns = {"query_id": queries["query_id"], "encoder": [encoder] * len(texts), "embedding": vectors}
    return pl.DataFrame(columns).with_columns(pl.col("embedding").arr.to_list()).cast(dict(EMBEDDINGS.schema))  # type: ignore[arg-type]


def with_embeddings(queries: pl.DataFrame, tables: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The queries with a column for each encoder in the `tables`, rows of `embeddings`; null where a query has none."""
    for table in tables:
        for (encoder,), rows in table.group_by("encoder", maintain_order=True):
            own = rows.select("query_id", pl.col("embedding").alias(embedding_column(str(encoder))))
            queries = queries.join(own, on="query_id", how="left", maintain_order="left")
    return queries


def column_vectors(queries: pl.DataFrame, encoder: str) -> npt.NDArray[np.float32] | None:
    """The vectors that the queries come with, float32 (queries, width); None if any of them has none."""
    column = queries.get_column(embedding_column(encoder), default=None)
    if column is None or column.is_empty() or column.null_count():
        return None
    vectors: npt.NDArray[np.float32] = column.list.to_array(len(column[0])).to_numpy().astype(np.float32, copy=False)
    return vectors
