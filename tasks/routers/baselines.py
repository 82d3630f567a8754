"""What every router has to beat.

*Best single*: always the model with the highest mean reward on training queries; it reads nothing of a query.
*Benchmark*: a router that only knows which benchmark a query belongs to; telling benchmarks apart is not yet routing.

Example: on two training queries of gsm8k model a earns 1 and 1, model b 0 and 0; on two of mmlu a earns 0 and 0, b 1 and 1.
Best single: (0.5, 0.5) for every query. Benchmark: (1, 0) on gsm8k, (0, 1) on mmlu, (0.5, 0.5) where the benchmark is new or not
known, as for a bare question.
"""

import json
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.config import Settings
from tasks.lake.interfaces import Examples
from tasks.routers.examples import in_order
from tasks.routers.shrinkage import group_rewards, mean_rewards


class BestSingle:
    """Each model's mean training reward, whatever the query."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.models: tuple[str, ...] = ()
        self.rewards_ = np.zeros(0)

    def fit(self, train: Examples, validation: Examples) -> Self:
        self.models = train.models
        self.rewards_ = mean_rewards(in_order(train).labels)
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
        self.overall_ = mean_rewards(train.labels)
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
