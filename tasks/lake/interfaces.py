"""Values that pass between folders: what a router learns from, what a policy chooses among."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl


@dataclass(frozen=True)
class Examples:
    """Queries with what each model's answer to them is worth; what a router learns from.

    `queries`: rows of the table, sorted by `query_id`. `labels`: float32 (queries, models), the reward in 0 … 1, NaN
    where the model is missing on the query. `models`: names of the columns, sorted.
    """

    queries: pl.DataFrame
    labels: npt.NDArray[np.float32]
    models: tuple[str, ...]


@dataclass(frozen=True)
class Pool:
    """The models that a policy chooses among, sorted by name, with their mean reward on training queries.

    Ties between models go to the one with the higher training accuracy, then to the first by name, so that the order of
    rows or of models in any input cannot matter.
    """

    models: tuple[str, ...]
    training_accuracy: npt.NDArray[np.float64]  # (models,)

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """Indices of the models, best on training queries first: the order in which ties are broken."""
        return np.lexsort((np.arange(len(self.models)), -self.training_accuracy)).astype(np.int64)


@dataclass(frozen=True)
class Offers:
    """What a policy sees of each query. Columns are the pool's models; no label is among it.

    `confidences`: float32 (queries, models), 0 … 1. `costs`: float64 (queries, models), expected cost in the unit of the run file's
    [cost]; None where costs are not known. `agreement`: float32 (queries, models), share of the model's first `looks` samples that
    agree with the most frequent answer, 0 where none can be read, NaN where the model is missing; None where there are no samples.
    """

    confidences: npt.NDArray[np.float32]
    costs: npt.NDArray[np.float64] | None = None
    agreement: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Trial:
    """Tables that differ from those of the run in what a study asks about: fewer queries, fewer models, other labels.

    A router is trained on the train and validation queries of `queries` by the labels of `votes`, and tried on the test queries of
    `queries`. `setting` is its name in the tables: "25 % · draw 3", "without atlas".
    """

    setting: str
    queries: pl.DataFrame
    votes: pl.DataFrame
