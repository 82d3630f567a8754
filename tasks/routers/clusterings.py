"""Queries in clusters, again and again: of words and of encoders' vectors, few and many clusters, several seeds. For a study.

    cluster_queries(queries, embeddings, counts=[10, 20, 50], seeds=range(5))

    query_id  features  clusters  seed  cluster
    5f0c…     words           50     0       17

Clusters are made as the clustering routers make them (`clusters.py`): of training queries only, at most one per ten of them; the other
queries go to the nearest. Words are TF-IDF without few-shot prefixes. Routers start KMeans four times, here it is twice: it is done often.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tasks.lake.tables import CLUSTERS, empty
from tasks.lake.views import question_texts
from tasks.routers.clusters import ITERATIONS, QUERIES_PER_CLUSTER
from tasks.routers.prefixes import cut, shared_prefixes
from tasks.routers.settings import WordClusterSettings
from tasks.routers.tfidf import fit_tfidf

STARTS = 2


def cluster_queries(queries: pl.DataFrame, embeddings: pl.DataFrame, counts: Iterable[int], seeds: Iterable[int]) -> pl.DataFrame:
    """Rows of CLUSTERS for the queries, with words and with each encoder in `embeddings`.

    A count that comes to as many clusters as a smaller one, because there are too few training queries, is left out. No row where there
    are fewer than two clusters' worth of training queries. The order of the queries changes nothing.
    """
    seeds = list(seeds)
    found = [empty(CLUSTERS)]
    for features, asked, vectors in _vectors(queries.sort("query_id"), embeddings):
        train = np.flatnonzero((asked["split"] == "train").to_numpy())
        most = min(len(train) // QUERIES_PER_CLUSTER, len(set(question_texts(asked[train]))))
        made: set[int] = set()
        for wanted in sorted(set(counts)):
            count = min(wanted, most)
            if count < 2 or count in made:
                continue
            made.add(count)
            for seed in seeds:
                places = _clustered(vectors, train, count, seed)
                found.append(
                    pl.DataFrame(
                        {"query_id": asked["query_id"], "features": features, "clusters": wanted, "seed": seed, "cluster": places},
                        schema=CLUSTERS.schema,
                    )
                )
    return pl.concat(found)


def _clustered(vectors: Any, train: "np.typing.NDArray[np.int64]", count: int, seed: int) -> "np.typing.NDArray[np.int32]":
    """The cluster of each query, the nearest of those that the training queries `train` (rows) make."""
    # One thread, as in the routers: how many cores there are must not decide the order of a sum.
    with threadpool_limits(1), warnings.catch_warnings(category=ConvergenceWarning, action="ignore"):
        means = KMeans(count, n_init=STARTS, max_iter=ITERATIONS, random_state=seed % 2**32).fit(vectors[train])
        places: np.typing.NDArray[np.int32] = means.predict(vectors)
    return places


def _vectors(queries: pl.DataFrame, embeddings: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame, Any]]:
    """Features, the queries that have them, and their vectors (queries, dimensions)."""
    train = queries.filter(pl.col("split") == "train")
    if train.is_empty():
        return
    prefixes = shared_prefixes(question_texts(train))
    settings = WordClusterSettings()
    tfidf = fit_tfidf([cut(text, prefixes) for text in question_texts(train)], settings.min_df, settings.max_df)
    if tfidf is not None:
        yield "words", queries, tfidf.transform([cut(text, prefixes) for text in question_texts(queries)])
    for name, encoder in sorted(_names(embeddings["encoder"].unique().to_list()).items()):
        known = queries.join(embeddings.filter(pl.col("encoder") == encoder), on="query_id", maintain_order="left")
        if not known.is_empty():
            yield name, known, known["embedding"].list.to_array(len(known["embedding"][0])).to_numpy().astype(np.float64)


def _names(encoders: Sequence[str]) -> dict[str, str]:
    """What each encoder is called → as it stands in the table: of a folder its last part, if that is enough to tell them apart."""
    short = [Path(encoder).name if Path(encoder).is_absolute() else encoder for encoder in encoders]
    return dict(zip(short if len(set(short)) == len(short) else encoders, encoders, strict=True))
