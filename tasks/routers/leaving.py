"""A model leaves the pool: routers whose columns know nothing of each other need not be trained again.

    origin = origin_of(section, seed, train, validation)         # what a router is made from, each model's labels by themselves
    found = find_reusable(lake, origin)                          # paths of a router that was made from these and from more models
    router = without(load_saved(lake, found), train.models) if found else make_router(section, seed).fit(train, validation)
    paths = keep_origin(lake, origin, save_router(lake, …, router))

Example: of seven models with a classifier each (`roberta-separate`) one leaves. What is left of the router are six columns, bit for
bit those that training six classifiers would have given: routes do not depend on which pools the lake has seen. Where models share
anything that is learned (an encoder, how much means are shrunk, how easy a query is), the others come out a little differently without the
one that left, and they are trained again. A calibration is shared too: it is taken off, to be fitted anew, which takes no time.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.config import Router as Section
from tasks.lake.files import Lake, folder_name
from tasks.lake.fingerprints import fingerprint, source_fingerprint
from tasks.lake.interfaces import Examples
from tasks.routers import Router
from tasks.routers.calibration import Calibrated
from tasks.routers.examples import in_order
from tasks.routers.saved import encoder_fingerprint

FILE = "remaining.json"
# Kinds of which each column is learned from that model's labels alone. A test trains them with and without a model.
INDEPENDENT = frozenset({"roberta-separate"})
_ORIGIN = "origin.json"


class Remaining:
    """A router of which only some models are left; in all else it is that router."""

    def __init__(self, router: Router, models: Sequence[str]) -> None:
        self.router = router
        self.models = tuple(sorted(models))

    def fit(self, train: Examples, validation: Examples) -> Self:
        """Fit the router; the models are those of `train`."""
        self.router.fit(train, validation)
        self.models = train.models
        return self

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        columns = [self.router.models.index(model) for model in self.models]
        return np.ascontiguousarray(self.router.confidences(queries)[:, columns])

    def save(self) -> dict[str, bytes]:
        """The router's files and `remaining.json`; `load_router` puts the two together again."""
        return self.router.save() | {FILE: json.dumps(self.models).encode()}


def without(router: Router, models: Sequence[str]) -> Router:
    """The router for `models` alone, some of its own, uncalibrated; their confidences stay as they are, bit for bit."""
    while isinstance(router, Calibrated | Remaining):
        router = router.router
    return router if set(models) == set(router.models) else Remaining(router, models)


def load_remaining(router: Router, content: bytes) -> Router:
    """The router without the models that have left, which was saved with `remaining.json`."""
    return Remaining(router, json.loads(content))


@dataclass(frozen=True)
class Origin:
    """What a router was made from, as fingerprints: `labels` of each model, and `made_from` of all else."""

    name: str
    kind: str
    made_from: str
    labels: dict[str, str]


def origin_of(section: Section, seed: int, train: Examples, validation: Examples) -> Origin:
    """What a router by this section, trained on these examples, is made from; the order of rows does not matter."""
    parts = [in_order(part) for part in (train, validation)]
    # The id stands for benchmark, question and choices.
    queries = [part.queries.select("query_id", "subject").to_dict(as_series=False) for part in parts]
    code = source_fingerprint("tasks.routers", "tasks.lake.views")
    labels = {
        model: fingerprint(*(np.ascontiguousarray(part.labels[:, column]).tobytes() for part in parts))
        for column, model in enumerate(train.models)
    }
    return Origin(section.name, section.of_kind, fingerprint(section, encoder_fingerprint(section), seed, code, queries), labels)


def keep_origin(lake: Lake, origin: Origin, paths: Sequence[str]) -> list[str]:
    """Write down what the router that `save_router` wrote to `paths` was made from; returns the paths, and that of this record."""
    if origin.kind not in INDEPENDENT:
        return list(paths)
    folder = next(path for path in paths if path.endswith("/manifest.json")).removesuffix("/manifest.json")
    record = {"made_from": origin.made_from, "labels": origin.labels, "paths": list(paths)}
    lake.write(f"{folder}/{_ORIGIN}", json.dumps(record, indent=1).encode())
    return [*paths, f"{folder}/{_ORIGIN}"]


def find_reusable(lake: Lake, origin: Origin) -> list[str] | None:
    """Paths of a router that was made from the same, and from labels of more models; None if there is none, or its kind forbids it."""
    if origin.kind not in INDEPENDENT:
        return None
    for record in lake.files(f"routers/{folder_name(origin.name)}", f"/{_ORIGIN}"):
        found = json.loads(lake.read(record))
        if found["made_from"] == origin.made_from and origin.labels.items() <= found["labels"].items():
            paths: list[str] = found["paths"]
            if all(lake.exists(path) for path in paths):
                return paths
    return None
