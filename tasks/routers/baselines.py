"""What every router has to beat.

*Best single*: always the model with the highest mean reward on training queries; it reads nothing of a query.
*Benchmark*: a router that only knows which benchmark a query belongs to; telling benchmarks apart is not yet routing.
*Subject*: one that knows the subject inside the benchmark too.

Example: on two training queries of gsm8k model a earns 1 and 1, model b 0 and 0; on two of mmlu a earns 0 and 0, b 1 and 1.
Best single: (0.5, 0.5) for every query. Benchmark: (1, 0) on gsm8k, (0, 1) on mmlu, (0.5, 0.5) where the benchmark is new or not
known, as for a bare question. Subject: the same where no query has a subject. If a is as good as b on mmlu but always right on its 200
training queries of law, where b is always wrong, Subject gives nearly (1, 0) on law, and what it gives by benchmark on a new subject.
"""

import json
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.config import Settings
from tasks.lake.interfaces import Examples
from tasks.routers.examples import in_order
from tasks.routers.shrinkage import credible_means, fair_means, group_rewards, take_apart


class BestSingle:
    """Each model's mean training reward, whatever the query."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.models: tuple[str, ...] = ()
        self.rewards_ = np.zeros(0)

    def fit(self, train: Examples, validation: Examples) -> Self:
        self.models = train.models
        self.rewards_ = np.clip(fair_means(in_order(train).labels), 0, 1)
        return self

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        return np.tile(self.rewards_.astype(np.float32), (queries.height, 1))

    def save(self) -> dict[str, bytes]:
        return {"router.json": json.dumps({"models": self.models, "rewards": self.rewards_.tolist()}).encode()}

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        state = json.loads(files["router.json"])
        router = cls(Settings(), 0)
        router.models = tuple(state["models"])
        router.rewards_ = np.array(state["rewards"])
        return router


class Benchmark:
    """Each model's mean training reward on the query's benchmark, shrunk towards that on all queries."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.models: tuple[str, ...] = ()
        self.overall_ = np.zeros(0)
        self.rewards_: dict[str, list[float]] = {}

    def fit(self, train: Examples, validation: Examples) -> Self:
        train = in_order(train)
        names = sorted(train.queries["benchmark"].unique())
        groups = np.searchsorted(np.array(names), train.queries["benchmark"].to_numpy()) if names else np.zeros(0, dtype=np.int64)
        self.models = train.models
        self.overall_ = np.clip(fair_means(train.labels), 0, 1)
        self.rewards_ = dict(zip(names, group_rewards(train.labels, groups, len(names)).tolist(), strict=True))
        return self

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        names = queries["benchmark"].to_list() if "benchmark" in queries.columns else [None] * queries.height
        overall = self.overall_.tolist()
        rows = [self.rewards_.get(str(name), overall) for name in names]
        return np.array(rows, dtype=np.float32).reshape(len(names), len(self.models))

    def save(self) -> dict[str, bytes]:
        state = {"models": self.models, "overall": self.overall_.tolist(), "rewards": self.rewards_}
        return {"router.json": json.dumps(state).encode()}

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        state = json.loads(files["router.json"])
        router = cls(Settings(), 0)
        router.models = tuple(state["models"])
        router.overall_ = np.array(state["overall"])
        router.rewards_ = state["rewards"]
        return router


class Subject:
    """Each model's mean training reward on the query's subject, shrunk towards that on its benchmark, which is shrunk as above."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.benchmark_ = Benchmark(settings, seed)
        self.deviations_: dict[str, dict[str, list[float]]] = {}  # benchmark → subject → what each model earns above the benchmark's

    @property
    def models(self) -> tuple[str, ...]:
        return self.benchmark_.models

    def fit(self, train: Examples, validation: Examples) -> Self:
        train = in_order(train)
        self.benchmark_.fit(train, validation)
        self.deviations_ = {}
        groups = [(row, (benchmark, subject)) for row, (benchmark, subject) in enumerate(_places(train.queries)) if benchmark and subject]
        names = sorted({name for _, name in groups})
        number = {name: position for position, name in enumerate(names)}
        rows, of_row = np.array([(row, number[name]) for row, name in groups], dtype=np.int64).reshape(-1, 2).T
        _, ease, preference = take_apart(train.labels[rows] - self.benchmark_.confidences(train.queries[rows]))
        deviations = credible_means(ease, of_row, len(names)) + credible_means(preference, of_row, len(names))
        for (benchmark, subject), deviation in zip(names, deviations.tolist(), strict=True):
            self.deviations_.setdefault(benchmark, {})[subject] = deviation
        return self

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        known = self.benchmark_.confidences(queries)
        nothing = [0.0] * len(self.models)
        deviations = [self.deviations_.get(str(benchmark), {}).get(str(subject), nothing) for benchmark, subject in _places(queries)]
        confidences = np.clip(known + np.array(deviations, dtype=np.float32).reshape(known.shape), 0, 1)
        # A model that is never right earns nothing on an easy subject either.
        return np.where(self.benchmark_.overall_ > 0, confidences, 0).astype(np.float32)

    def save(self) -> dict[str, bytes]:
        return self.benchmark_.save() | {"subjects.json": json.dumps(self.deviations_).encode()}

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        router = cls(Settings(), 0)
        router.benchmark_ = Benchmark.load(files)
        router.deviations_ = json.loads(files["subjects.json"])
        return router


def _places(queries: pl.DataFrame) -> list[tuple[str | None, str | None]]:
    """Benchmark and subject of each query, None where not known."""
    columns = [queries[name].to_list() if name in queries.columns else [None] * queries.height for name in ("benchmark", "subject")]
    return list(zip(*columns, strict=True))
