"""The training queries that are most like a new question, as the router sees it.

    found = nearest(lake, SavedFiles(lake, manifest), question, train, count=5)
    found.by         # "embeddings by all-MiniLM-L6-v2"
    found.rows       # query_id, similarity, text: 5f0c… 0.93 "Who …", 81aa… 0.90 "Which …", …

A router that has an encoder compares queries by its vectors, which the lake has of all training queries: similarity is their cosine. Of
other routers, and of encoders that were fine-tuned, no vectors are kept; then it is the cosine of the TF-IDF of words.

Example: of three training queries two contain "cat", one of these "black" too. The idf of "cat" is 1 + log(4 / 3) = 1.29, that of "black"
1 + log(4 / 2) = 1.69. "A black cat" and "cat" (where "a" is in no training query) have the cosine 1.29 / sqrt(1.29² + 1.69²) = 0.61.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.asking.light import SavedFiles, cut, embedder
from tasks.asking.words import TERM, word_weights
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import EMBEDDINGS
from tasks.lake.views import question_texts
from tasks.routers.saved import FOLDER

Floats = npt.NDArray[np.floating]

WORDS = "TF-IDF of words"


class Nearest(NamedTuple):
    """Training queries, nearest first, and what they were compared by.

    `rows`: `query_id`; `similarity`, a cosine; and `text`, what the router reads of the query: without a few-shot prefix.
    """

    by: str
    rows: pl.DataFrame


def nearest(lake: Lake, router: SavedFiles, question: pl.DataFrame, train: pl.DataFrame, count: int) -> Nearest:
    """The `count` training queries that are most like the question; of equal ones the first by id.

    Args:
        question: one row of `queries`.
        train: rows of `queries`, all that count as training queries.
    """
    (text,), prefixes = question_texts(question), _prefixes(router)
    texts = train.select("query_id", text=pl.Series([cut(one, prefixes) for one in question_texts(train)], dtype=pl.String))
    found = _by_encoders(lake, router, text, train["query_id"])
    by, rows = found if found is not None else (WORDS, _by_words(cut(text, prefixes), texts))
    order = rows.with_columns(pl.col("similarity").round(6)).sort(["similarity", "query_id"], descending=[True, False])
    return Nearest(by, order.head(count).join(texts, on="query_id", maintain_order="left"))


def _by_encoders(lake: Lake, router: SavedFiles, text: str, query_ids: pl.Series) -> tuple[str, pl.DataFrame] | None:
    """By all encoders that the router has, of equal weight; None if it has none, or their vectors are not in the lake."""
    features = next((name for name in router.names if name.endswith("features/features.json")), None)
    if features is None or not (encoders := router.json(features)["encoders"]):
        return None
    length = router.json(features)["max_length"]
    columns = [f"{name}, {length} tokens" for name in encoders]
    rows = read_table(lake, EMBEDDINGS, where=pl.col("encoder").is_in(columns) & pl.col("query_id").is_in(query_ids.to_list()))
    total = pl.DataFrame({"query_id": query_ids, "similarity": 0.0})
    for name, column in zip(encoders, columns, strict=True):
        known = rows.filter(pl.col("encoder") == column)
        if known.is_empty():
            return None
        vectors = known["embedding"].list.to_array(len(known["embedding"][0])).to_numpy()
        vector = (embedder(router, features, name) or _by_torch(router, features, name))(text)
        cosines = pl.DataFrame({"query_id": known["query_id"], "cosine": (vectors @ vector).astype(np.float64)})
        total = total.join(cosines, on="query_id").select("query_id", pl.col("similarity") + pl.col("cosine") / len(columns))
    named = " and ".join("/".join(name.rstrip("/").split("/")[-2:]) for name in encoders)
    return f"embeddings by {named}", total


def _by_torch(router: SavedFiles, features: str, name: str) -> Callable[[str], Floats]:
    """The vector of a text by an encoder that is of no family known here; the router itself has loaded it already."""
    from tasks.routers.embedders import load_embedder_again

    state: dict[str, Any] = router.json(features)
    note = state["encoders"][name]
    own = [file for file in router.names if file.startswith(f"{FOLDER}{note['fingerprint']}/")]
    encoder = load_embedder_again(note, {file: router.read(file) for file in own})
    return lambda text: encoder.embed([cut(text, state["prefixes"])])[0]


def _by_words(text: str, texts: pl.DataFrame) -> pl.DataFrame:
    """By TF-IDF of the words of the training queries, whose `texts` have `query_id` and `text`."""
    words = texts.lazy().select("query_id", word=pl.col("text").str.to_lowercase().str.extract_all(TERM))
    counts = words.explode("word").drop_nulls().group_by("query_id", "word").len()
    idf = 1 + ((1 + texts.height) / (1 + pl.len().over("word"))).log()
    weights = counts.with_columns(idf=idf, weight=(1 + pl.col("len").cast(pl.Float64).log()) * idf).collect()
    lengths = weights.group_by("query_id").agg(length=(pl.col("weight") ** 2).sum().sqrt())
    own = word_weights(text, dict(weights.select("word", "idf").unique("word").iter_rows()))
    shared = weights.join(
        pl.DataFrame({"word": list(own), "own": list(own.values())}, schema={"word": pl.String, "own": pl.Float64}), on="word"
    )
    products = shared.group_by("query_id").agg(product=(pl.col("weight") * pl.col("own")).sum())
    found = texts.select("query_id").join(products.join(lengths, on="query_id"), on="query_id", how="left")
    return found.select("query_id", similarity=(pl.col("product") / pl.col("length")).fill_null(0.0))


def _prefixes(router: SavedFiles) -> list[str]:
    """The few-shot prefixes that the router cuts off."""
    for ending in ("features/features.json", "trunk.json", "prefixes.json"):
        for name in router.names:
            if name.endswith(ending):
                content = router.json(name)
                return list(content.get("prefixes", []) if isinstance(content, dict) else content)
    return []
