"""Outcomes, and what encoders make of their queries, for the benchmarks of routers.

    examples = read("../shared/data/routerdc/outcomes-train.parquet")     # 5,935 queries, 7 models
    embedded(examples.queries, prefixes, section("domains", "all-MiniLM-L6-v2"))
        # the queries with the column "embedding all-MiniLM-L6-v2, 256 tokens"

Vectors are kept by text in `lakes/.bench`: a text that is cut elsewhere, because another few-shot prefix is known, is another text.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from tasks.benchmarks.outcomes import read_outcomes
from tasks.config import Import, Router, Splits
from tasks.lake.interfaces import Examples
from tasks.lake.views import matrix, pool, question_texts, reward
from tasks.routers import check_settings
from tasks.routers.embedders import load_embedder
from tasks.routers.embeddings import embedding_column, encoders_of
from tasks.routers.prefixes import cut
from tasks.routers.settings import KINDS, ClassifierSettings, EncoderClusterSettings, VectorSettings

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "lakes" / ".bench"
MAX_LENGTH = 256  # tokens that every encoder reads


def read(file: str) -> Examples:
    """All queries of a table of outcomes, whichever split they are of; ends the program if any is of the split "test"."""
    if "split" in pl.scan_parquet(file).collect_schema() and "test" in pl.read_parquet(file, columns=["split"])["split"]:
        raise SystemExit(f"{file}: has queries of split 'test', which no cross-validation may see; give a file without them")
    imported = read_outcomes([Import(files=[file])], Splits(), 0)
    queries, models = imported.queries.sort("query_id"), pool(imported.votes)
    return Examples(queries, matrix(imported.votes, queries["query_id"].to_list(), models, reward()), tuple(models))


def section(kind: str, encoder: str) -> Router:
    """A router of this kind that reads words and what the encoder makes of a query, and else has its defaults.

    Fine-tuned is the tiny encoder that comes with the package, as in `infra/runs/routerdc.toml`.
    """
    settings = KINDS.get(kind)
    if settings is None:
        raise SystemExit(f"no router {kind!r}; there are {', '.join(KINDS)}")
    if issubclass(settings, VectorSettings):
        return Router(name=kind, features=["words", encoder], max_length=MAX_LENGTH)
    if issubclass(settings, EncoderClusterSettings):
        return Router(name=kind, encoder=encoder, max_length=MAX_LENGTH)
    if issubclass(settings, ClassifierSettings):
        return Router(name=kind, encoder=str(ROOT / "tasks" / "world" / "encoder"), epochs=3, learning_rate=1e-3)
    return Router(name=kind)


def embedded(queries: pl.DataFrame, prefixes: Sequence[str], router: Router) -> pl.DataFrame:
    """The queries with the vectors that the router takes, of their texts without these few-shot prefixes."""
    texts = [cut(text, prefixes) for text in question_texts(queries)]
    for encoder, max_length in encoders_of(check_settings(router)):
        rows, vectors = _vectors(tuple(sorted(set(texts))), encoder, max_length)
        column = pl.Series(embedding_column(encoder, max_length), vectors[[rows[text] for text in texts]])
        queries = queries.with_columns(column.arr.to_list())
    return queries


@lru_cache(maxsize=64)
def _vectors(texts: tuple[str, ...], encoder: str, max_length: int) -> tuple[dict[str, int], np.ndarray]:
    """The row of each text among vectors, float32 (texts, width), which are computed if they are not known yet."""
    file = CACHE / f"{encoder.replace('/', '--')}-{max_length}.parquet"
    known = pl.read_parquet(file) if file.exists() else None
    missing = sorted(set(texts) - set(known["text"])) if known is not None else list(texts)
    if missing:
        new = pl.DataFrame({"text": missing, "embedding": load_embedder(encoder, max_length).embed(missing)})
        known = new if known is None else pl.concat([known, new])
        CACHE.mkdir(parents=True, exist_ok=True)
        known.write_parquet(file)
    mine = known.filter(pl.col("text").is_in(list(texts)))
    return {text: row for row, text in enumerate(mine["text"])}, mine["embedding"].to_numpy()
