"""Made-up examples that the tests of routers learn from."""

import numpy as np
import polars as pl

from tasks.config import Router
from tasks.lake.interfaces import Examples
from tasks.routers import make_router

COOKING = ["bake", "boil", "stir", "oven", "soup", "salt", "bread", "knife"]
SPACE = ["orbit", "rocket", "comet", "star", "lunar", "probe", "solar", "launch"]
MODELS = ("chef", "dunce", "pilot")  # right on cooking, never right, right on space


def queries(texts, benchmark="planted"):
    frame = pl.DataFrame({"question": texts}, schema={"question": pl.String})
    return frame.with_columns(
        query_id=pl.lit("q") + pl.int_range(pl.len()).cast(pl.String).str.zfill(5),
        benchmark=pl.lit(benchmark),
        choices=pl.lit(None, dtype=pl.List(pl.String)),
    )


def planted(count, seed=0, noise=0.1):
    """`count` queries, half of them about cooking and half about space, on which the other topic's model is right by luck only."""
    random = np.random.default_rng(seed)
    topics = np.arange(count) % 2
    texts = [" ".join(random.choice([COOKING, SPACE][topic], 5)) for topic in topics]
    labels = np.stack([topics == 0, np.zeros(count), topics == 1], axis=1).astype(np.float32)
    labels = np.where(random.random(labels.shape) < noise, 1 - labels, labels).astype(np.float32)
    labels[:, 1] = 0
    return Examples(queries(texts), labels, MODELS)


def noise_only(count, seed=0):
    """Queries that say nothing about the rewards; the second model is right slightly more often."""
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(COOKING + SPACE, 5)) for _ in range(count)]
    labels = (random.random((count, 3)) < [0.5, 0.6, 0.45]).astype(np.float32)
    return Examples(queries(texts), labels, ("a", "b", "c"))


def with_holes(examples, share=0.3, seed=0):
    labels = examples.labels.copy()
    labels[np.random.default_rng(seed).random(labels.shape) < share] = np.nan
    return Examples(examples.queries, labels, examples.models)


def shuffled(examples, seed=1):
    order = np.random.default_rng(seed).permutation(len(examples.labels))
    return Examples(examples.queries[order], examples.labels[order], examples.models)


def other_models_order(examples, order):
    """The same outcomes, with the models renamed so that they sort otherwise."""
    return Examples(examples.queries, np.ascontiguousarray(examples.labels[:, order]), tuple("abc"))


def none(examples):
    return Examples(examples.queries.clear(), examples.labels[:0], examples.models)


def router(kind, **settings):
    return make_router(Router(name=kind, **settings), seed=0)
