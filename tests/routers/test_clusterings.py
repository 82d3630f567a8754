"""Clusters for the study: as the routers make them, of training queries only."""

import numpy as np
import polars as pl
import pytest
from planted_tables import query_rows

from tasks.lake.tables import CLUSTERS, EMBEDDINGS, check, empty
from tasks.routers.clusterings import cluster_queries

TOPICS = ("apples pears plums", "trains buses trams", "lions tigers bears", "violins drums flutes")


def questions(per_topic: int) -> pl.DataFrame:
    """Of four topics that share no word; half train, a quarter validation, a quarter test."""
    queries = query_rows(4 * per_topic)
    random = np.random.default_rng(0)
    texts = [" ".join(random.permutation(TOPICS[number % 4].split() * 2)[:5]) for number in range(queries.height)]
    splits = [("train", "train", "validation", "test")[number // 4 % 4] for number in range(queries.height)]
    return queries.with_columns(
        question=pl.Series(texts), split=pl.Series(splits), source_id=pl.Series([f"{n % 4}" for n in range(len(texts))])
    )


def vectors(queries: pl.DataFrame, encoder: str) -> pl.DataFrame:
    """Four directions, one per topic."""
    of = np.eye(4, dtype=np.float32)[queries["source_id"].cast(pl.Int64).to_numpy()]
    frame = pl.DataFrame({"query_id": queries["query_id"], "encoder": encoder, "embedding": of.tolist()})
    return check(EMBEDDINGS, frame)


def test_what_is_well_separated_is_found_by_every_seed_with_words_and_with_an_encoder() -> None:
    queries = questions(40)
    found = check(CLUSTERS, cluster_queries(queries, vectors(queries, "/models/tiny, 128 tokens"), [4], range(3)))
    assert sorted(found["features"].unique()) == ["tiny, 128 tokens", "words"]
    for _, one in found.group_by("features", "seed"):
        topics = one.join(queries, on="query_id").group_by("cluster").agg(pl.col("source_id").n_unique(), pl.len())
        assert topics.height == 4 and set(topics["source_id"]) == {1} and one.height == queries.height


def test_clusters_are_made_of_training_queries_only_and_the_order_of_rows_changes_nothing() -> None:
    queries = questions(40)
    found = cluster_queries(queries, empty(EMBEDDINGS), [2, 4], range(2))
    others = pl.when(pl.col("split") == "train").then("question").otherwise(pl.lit("lions"))
    changed = cluster_queries(queries.with_columns(question=others), empty(EMBEDDINGS), [2, 4], range(2))
    train = queries.filter(pl.col("split") == "train")
    assert found.join(train, on="query_id", how="semi").equals(changed.join(train, on="query_id", how="semi"))
    assert cluster_queries(queries.sample(fraction=1, shuffle=True, seed=1), empty(EMBEDDINGS), [2, 4], range(2)).equals(found)


@pytest.mark.parametrize(("per_topic", "wanted"), [(40, [2, 8]), (10, [2]), (2, [])])
def test_there_are_at_most_as_many_as_one_per_ten_training_queries(per_topic: int, wanted: list[int]) -> None:
    found = cluster_queries(questions(per_topic), empty(EMBEDDINGS), [2, 8, 50, 60], range(1))
    assert sorted(found["clusters"].unique()) == wanted  # 50 and 60 come to as many as 8
    assert found.filter(pl.col("clusters") == 8)["cluster"].n_unique() in (0, 8, 4)


def test_nothing_of_nothing() -> None:
    assert cluster_queries(questions(0), empty(EMBEDDINGS), [2], range(1)).is_empty()
    same = questions(40).with_columns(question=pl.lit("the same"))
    assert cluster_queries(same, empty(EMBEDDINGS), [2], range(1)).is_empty()
