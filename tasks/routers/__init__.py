"""Routers: from a query's text to the confidence that each model can answer it.

    router = make_router(section, seed=0).fit(train, validation)
    router.confidences(queries)          # float32 (queries, models), 0 … 1

A router reads questions and what the models' answers to training queries were worth; which model is then taken is a
policy's business. It knows nothing of files, tables or splits: what it is not given it cannot have seen.
"""

from importlib import import_module
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.config import Router as Section
from tasks.config import Settings
from tasks.errors import UserError, nearest
from tasks.lake.interfaces import Examples
from tasks.routers.settings import KINDS, check_settings

__all__ = ["KINDS", "Router", "check_settings", "load_router", "make_router"]

# Where the class of each kind is. A module is imported when it is needed: some need torch.
_CLASSES = {
    "best-single": "baselines:BestSingle",
    "benchmark": "baselines:Benchmark",
    "subject": "baselines:Subject",
    "roberta-multi-label": "classifier:MultiLabelClassifier",
    "roberta-separate": "classifier:SeparateClassifiers",
    "kmeans-tfidf": "clusters:WordClusters",
    "kmeans-encoder": "encoder_clusters:EncoderClusters",
    "domains": "domains:Domains",
    "linear": "linear:Linear",
    "stacking": "stacking:Stacking",
    "auto": "auto:Auto",
    "knn": "neighbours:Neighbours",
    "cluster-and-rank": "ranked_clusters:RankedClusters",
    "latent": "latent:Latent",
    "pairwise": "pairwise:Pairwise",
    "looking": "looking:Looking",
    "dual-contrastive": "contrastive:DualContrastive",
}


class Router(Protocol):
    """Learns which model can answer what."""

    @property
    def models(self) -> tuple[str, ...]:
        """The columns of the confidences, sorted."""

    def fit(self, train: Examples, validation: Examples) -> Self:
        """Learn from `train`; `validation` (possibly empty) is for early stopping. The order of rows does not matter."""

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        """Confidence in each model, float32 (queries, models), 0 … 1. Reads `question` and `choices`."""

    def save(self) -> dict[str, bytes]:
        """The fitted router as files: name → content, each of them JSON or safetensors."""


class Kind(Router, Protocol):
    """A router as its file defines it."""

    def __init__(self, settings: Settings, seed: int) -> None:
        """Settings of the router's kind, and the run's seed."""

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        """The router that `save` saved, giving the same confidences bit for bit. No code in `files` is executed."""


def make_router(config: Section, seed: int) -> Router:
    """An untrained router as a section of the run file describes it. Raises UserError for a bad section."""
    return _router_class(config.of_kind, f"router {config.name!r}")(check_settings(config), seed)


def load_router(kind: str, files: dict[str, bytes]) -> Router:
    """A fitted router of this kind from the files that its `save` gave. Raises UserError for an unknown kind."""
    router: Router = _router_class(kind, "router").load(files)
    if "remaining.json" in files:
        from tasks.routers.leaving import load_remaining

        router = load_remaining(router, files["remaining.json"])
    if "calibration.json" in files:
        from tasks.routers.calibration import load_calibrated

        router = load_calibrated(router, files["calibration.json"])
    return router


def _router_class(kind: str, where: str) -> type[Kind]:
    if kind not in _CLASSES:
        raise UserError(f"{where}: unknown kind {kind!r}{nearest(kind, _CLASSES)}")
    module, _, name = _CLASSES[kind].partition(":")
    found: type[Kind] = getattr(import_module(f"tasks.routers.{module}"), name)
    return found
