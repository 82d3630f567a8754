"""What routers say of training queries that they were not trained on: by folds, inside the training split.

Example: ten queries in five folds. A router is trained five times, on eight queries each, and asked about the other two: ten
rows of confidences, none of which has seen its own query's outcome. What is chosen by them (weights, a router) is chosen without a
look at validation or test queries.

    for member in members(settings, seed=0):          # the routers by the names that a section lists
        confidences = out_of_fold(member, train)      # float32 (queries, models)
"""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.config import Router as Section
from tasks.lake.interfaces import Examples
from tasks.routers import Router, check_settings, load_router, make_router
from tasks.routers.settings import KINDS, StackingSettings

FOLDS = 5
_SHARED = "encoder/"  # files of encoders, which all routers share


@dataclass(frozen=True)
class Member:
    """A router among others, with the kind that it is of."""

    kind: str
    router: Router
    section: Section | None = None
    seed: int = 0

    def blank(self) -> Router:
        """The same router, untrained."""
        assert self.section is not None
        return make_router(self.section, self.seed)

    def save(self, folder: str) -> dict[str, bytes]:
        """The router's files in a folder; an encoder's stay where all can share them."""
        return {name if name.startswith(_SHARED) else f"{folder}/{name}": content for name, content in self.router.save().items()}

    @classmethod
    def load(cls, kind: str, files: dict[str, bytes], folder: str) -> "Member":
        """The member whose files `save` put into this folder."""
        return cls(kind, load_router(kind, _Folder(files, folder)))


class _Folder(dict[str, bytes]):
    """The files in a folder among others, by their names in it; what is not in it is looked for among the others when it is asked for."""

    def __init__(self, files: dict[str, bytes], folder: str) -> None:
        super().__init__({name.removeprefix(f"{folder}/"): files[name] for name in files if name.startswith(f"{folder}/")})
        self.others = files

    def __missing__(self, name: str) -> bytes:
        return self.others[name]


def members(settings: StackingSettings, seed: int) -> list[Member]:
    """The routers that the settings name, untrained, with the settings that they share. Raises UserError for an unknown kind."""
    found = []
    for kind in settings.routers:
        shared: dict[str, Any] = {name: getattr(settings, name) for name in ("features", "max_length", "seed")}
        known = KINDS[kind].model_fields if kind in KINDS else {}
        section = Section(name=kind, **{name: value for name, value in shared.items() if name in known})
        check_settings(section)
        found.append(Member(kind, make_router(section, seed), section, seed))
    return found


def fold_of(train: Examples) -> npt.NDArray[np.int64]:
    """The fold of each training query, 0 … 4, (queries,): as many of each benchmark in each, by hash, whatever the order of rows."""
    ids, benchmarks = train.queries["query_id"].to_list(), train.queries["benchmark"].to_numpy()
    order = sorted(range(len(ids)), key=lambda row: (zlib.crc32(ids[row].encode()), ids[row]))
    folds = np.zeros(len(ids), dtype=np.int64)
    for name in set(benchmarks.tolist()):
        rows = [row for row in order if benchmarks[row] == name]
        folds[rows] = np.arange(len(rows)) % FOLDS
    return folds


def out_of_fold(member: Member, train: Examples) -> npt.NDArray[np.float32]:
    """Confidences on each training query by a router that was trained on the other folds, float32 (queries, models)."""
    folds = fold_of(train)
    confidences = np.zeros(train.labels.shape, dtype=np.float32)
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(inside) and len(outside):
            router = member.blank().fit(rows_of(train, outside), rows_of(train, outside[:0]))
            confidences[inside] = router.confidences(train.queries[inside])
    return confidences


def rows_of(examples: Examples, rows: npt.NDArray[np.int64]) -> Examples:
    """Some of the examples."""
    return Examples(examples.queries[rows], examples.labels[rows], examples.models)
