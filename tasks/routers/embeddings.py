"""What an encoder makes of every query, computed once for all routers that use the encoder: rows of the table `embeddings`.

    encoders_of(settings)                          # of a router: [("all-MiniLM-L6-v2", 256)], the tokens that it reads of a query
    rows = embed(queries, "all-MiniLM-L6-v2", 256) # query 5f0c…, "all-MiniLM-L6-v2, 256 tokens", [0.03, -0.05, …]
    with_embeddings(queries, [rows])               # queries with the column "embedding all-MiniLM-L6-v2, 256 tokens"

Routers find the column there (`features.py`), and embed what comes without it themselves: the same vectors, as long as the few-shot
prefixes that are cut are those of the same training queries.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.config import Settings
from tasks.lake.tables import EMBEDDINGS
from tasks.lake.views import question_texts
from tasks.routers.prefixes import cut, shared_prefixes
from tasks.routers.settings import ClassifierSettings, EncoderClusterSettings, VectorSettings
from tasks.routers.terms import KINDS


def encoders_of(settings: Settings) -> list[tuple[str, int]]:
    """The encoders that a router of these settings takes as they are, and how many tokens of a query they read."""
    if isinstance(settings, EncoderClusterSettings) or (isinstance(settings, ClassifierSettings) and settings.layers == 0):
        return [(settings.encoder, settings.max_length)]
    if isinstance(settings, VectorSettings):
        return [(name, settings.max_length) for name in settings.features if name not in KINDS]
    return []


def embedding_column(encoder: str, max_length: int) -> str:
    """Name of the column of queries that has the encoder's vectors."""
    return f"embedding {_name(encoder, max_length)}"


def embed(queries: pl.DataFrame, encoder: str, max_length: int) -> pl.DataFrame:
    """Rows of the table `embeddings` for rows of `queries` of all splits; few-shot prefixes are those of its training queries.

    Raises UserError if there is no such encoder.
    """
    from tasks.routers.embedders import load_embedder

    prefixes = shared_prefixes(question_texts(queries.filter(pl.col("split") == "train")))
    texts = [cut(text, prefixes) for text in question_texts(queries)]
    vectors = load_embedder(encoder, max_length).embed(texts)
    columns = {"query_id": queries["query_id"], "encoder": [_name(encoder, max_length)] * len(texts), "embedding": vectors}
    return pl.DataFrame(columns).with_columns(pl.col("embedding").arr.to_list()).cast(dict(EMBEDDINGS.schema))  # type: ignore[arg-type]


def with_embeddings(queries: pl.DataFrame, tables: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The queries with a column for each encoder in the `tables`, rows of `embeddings`; null where a query has none."""
    for table in tables:
        for (name,), rows in table.group_by("encoder", maintain_order=True):
            own = rows.select("query_id", pl.col("embedding").alias(f"embedding {name}"))
            queries = queries.join(own, on="query_id", how="left", maintain_order="left")
    return queries


def column_vectors(queries: pl.DataFrame, encoder: str, max_length: int) -> npt.NDArray[np.float32] | None:
    """The vectors that the queries come with, float32 (queries, width); None if any of them has none."""
    column = queries.get_column(embedding_column(encoder, max_length), default=None)
    if column is None or column.is_empty() or column.null_count():
        return None
    vectors: npt.NDArray[np.float32] = column.list.to_array(len(column[0])).to_numpy().astype(np.float32, copy=False)
    return vectors


def _name(encoder: str, max_length: int) -> str:
    return f"{encoder}, {max_length} tokens"
