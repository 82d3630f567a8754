"""Classifier routers: a text encoder, fine-tuned to tell from a query which models will answer it correctly.

*Multi-label* is one encoder with an output per model; *separate* is an encoder per model. Both are the paper's (arXiv 2405.00467,
roberta-base); what differs here, and why, is said in `training.py`. For small data only the last layers are trained, or the head
alone (`trunks.py`), and several runs from different seeds are averaged.

Example: model a was right on 80 % of the training queries and b on 50 %, so their log-odds are log(0.8 / 0.2) = 1.39 and 0. A
query for which the network's outputs are 1.0 and -0.4 gets the confidences sigmoid(2.39) = 0.92 and sigmoid(-0.4) = 0.40. A second
network, from another seed, says 0.88 and 0.44: the confidences are 0.90 and 0.42.
"""

import hashlib
import json
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.config import Settings
from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.lake.views import question_texts
from tasks.routers.examples import in_order
from tasks.routers.settings import ClassifierSettings
from tasks.routers.training import Part, benchmark_weights, log_odds, outputs_of, train_network
from tasks.routers.trunks import Inputs, Trunk, load_trunk, new_trunk

HELD_OUT = 10  # one training query in so many tells when to stop, where there are no validation queries
_TOGETHER = 4096  # queries that networks read one after the other


class _Classifier:
    """What the two kinds share: networks on one trunk, each of which has the outputs of some of the models."""

    separate: ClassVar[bool]

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.models: tuple[str, ...] = ()
        self.log_odds_ = np.zeros(0)
        self.networks_: list[Any] = []  # all of one seed, then all of the next

    def fit(self, train: Examples, validation: Examples) -> Self:
        """Fine-tune. Raises UserError without training queries or if the encoder cannot be loaded."""
        chosen = self.settings
        assert isinstance(chosen, ClassifierSettings)
        if train.queries.is_empty():
            raise UserError("a classifier cannot be trained: there are no training queries")
        train, validation = in_order(train), in_order(validation)
        self.models = train.models
        weights, validation_weights = (_weights(part, chosen.weights) for part in (train, validation))
        self.log_odds_ = log_odds(train.labels, weights)
        columns = [[column] for column in range(len(self.models))] if self.separate else [list(range(len(self.models)))]
        seed = self.seed if chosen.seed is None else chosen.seed
        self.trunk_: Trunk = new_trunk(chosen, train.queries, len(columns[0]), seed)
        held_out = _held_out(train.queries["query_id"].to_list())
        self.networks_ = []
        with self.trunk_.threads():
            inputs, validation_inputs = (self.trunk_.inputs(part.queries) for part in (train, validation))
            for number in range(chosen.seeds):
                for own in columns:
                    learned = _part(inputs, train.labels[:, own], weights)
                    checked = _part(validation_inputs, validation.labels[:, own], validation_weights)
                    if not checked.rows:
                        learned, checked = _rows(learned, ~held_out), _rows(learned, held_out)
                    network = self.trunk_.network()
                    # Runs of the same router from other seeds share none of them.
                    train_network(network, learned, checked, self.log_odds_[own], chosen, seed * chosen.seeds + number)
                    self.networks_.append(network)
        return self

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        texts = question_texts(queries)
        row_of = {text: row for row, text in enumerate(texts)}
        distinct = sorted(row_of, key=lambda text: (len(text), text))
        confidences = np.zeros((len(distinct), len(self.models)), dtype=np.float32)
        for start in range(0, len(distinct), _TOGETHER):
            together = distinct[start : start + _TOGETHER]
            confidences[start : start + _TOGETHER] = self._confidences(queries[[row_of[text] for text in together]])
        place_of = {text: place for place, text in enumerate(distinct)}
        return confidences[[place_of[text] for text in texts]]

    def _confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float64]:
        with self.trunk_.threads():
            inputs = self.trunk_.inputs(queries, shared=len(self.networks_) > 1)
            outputs = [outputs_of(network, inputs, range(queries.height)).numpy() for network in self.networks_]
        runs = np.concatenate(outputs, axis=1).reshape(queries.height, -1, len(self.models))
        mean: npt.NDArray[np.float64] = (1 / (1 + np.exp(-self.log_odds_ - runs))).mean(axis=1)
        return mean

    def save(self) -> dict[str, bytes]:
        files = self.trunk_.save()
        for number, network in enumerate(self.networks_):
            files[f"model-{number}.safetensors"] = self.trunk_.save_trained(network)
        state = {"models": self.models, "log_odds": self.log_odds_.tolist(), "networks": len(self.networks_)}
        return files | {"router.json": json.dumps(state).encode()}

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        state = json.loads(files["router.json"])
        router = cls(Settings(), 0)
        router.models = tuple(state["models"])
        router.log_odds_ = np.array(state["log_odds"])
        router.trunk_ = load_trunk(files)
        router.networks_ = [router.trunk_.load_trained(files[f"model-{number}.safetensors"]) for number in range(state["networks"])]
        return router


class MultiLabelClassifier(_Classifier):
    """One encoder with an output per model."""

    separate = False


class SeparateClassifiers(_Classifier):
    """An encoder with one output for each model."""

    separate = True


def _weights(examples: Examples, same: str) -> npt.NDArray[np.float32]:
    if same == "benchmarks":
        return benchmark_weights(examples.queries["benchmark"].to_numpy())
    return np.ones(examples.queries.height, dtype=np.float32)


def _held_out(query_ids: list[str]) -> npt.NDArray[np.bool_]:
    """A tenth of the queries, the same ones whatever the others are."""
    return np.array([int(hashlib.sha256(query_id.encode()).hexdigest(), 16) % HELD_OUT == 0 for query_id in query_ids])


def _part(inputs: Inputs, labels: npt.NDArray[np.float32], weights: npt.NDArray[np.float32]) -> Part:
    """Those queries on which some of the models is known."""
    rows = np.flatnonzero(~np.isnan(labels).all(axis=1))
    return Part(inputs, rows.tolist(), labels[rows], weights[rows])


def _rows(part: Part, wanted: npt.NDArray[np.bool_]) -> Part:
    kept = wanted[part.rows]
    return Part(part.inputs, np.array(part.rows, dtype=np.int64)[kept].tolist(), part.labels[kept], part.weights[kept])
