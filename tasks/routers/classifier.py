"""Classifier routers: a text encoder, fine-tuned to tell from a query which models will answer it correctly.

*Multi-label* is one encoder with an output per model; *separate* is an encoder per model. Both are the paper's (arXiv 2405.00467,
roberta-base); what differs here, and why, is said in `training.py`.

Example: model a was right on 80 % of the training queries and b on 50 %, so their log-odds are log(0.8 / 0.2) = 1.39 and 0. A
query for which the network's outputs are 1.0 and -0.4 gets the confidences sigmoid(2.39) = 0.92 and sigmoid(-0.4) = 0.40.
"""

import copy
import json
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.config import Settings
from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.lake.views import question_texts
from tasks.routers import encoders
from tasks.routers.examples import in_order
from tasks.routers.settings import ClassifierSettings
from tasks.routers.training import fine_tune, log_odds


class _Classifier:
    """What the two kinds share: a list of networks, each of which has the outputs of some of the models."""

    separate: ClassVar[bool]

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.models: tuple[str, ...] = ()
        self.log_odds_ = np.zeros(0)
        self.encoders_: list[encoders.Encoder] = []

    def fit(self, train: Examples, validation: Examples) -> Self:
        """Fine-tune. Raises UserError without training queries or if the encoder cannot be loaded."""
        chosen = self.settings
        assert isinstance(chosen, ClassifierSettings)
        if train.queries.is_empty():
            raise UserError("a classifier cannot be trained: there are no training queries")
        train, validation = in_order(train), in_order(validation)
        self.models = train.models
        self.log_odds_ = log_odds(train.labels)
        columns = [[column] for column in range(len(self.models))] if self.separate else [list(range(len(self.models)))]
        blank = encoders.load_pretrained(chosen.encoder, chosen.max_length, outputs=len(columns[0]))
        tokens, validation_tokens = (blank.tokens(question_texts(part.queries)) for part in (train, validation))
        self.encoders_ = []
        for own in columns:
            encoder = encoders.Encoder(blank.tokenizer, copy.deepcopy(blank.network))
            seen, known = (np.flatnonzero(~np.isnan(part.labels[:, own]).all(axis=1)) for part in (train, validation))
            if len(seen):
                fine_tune(
                    encoder,
                    ([tokens[row] for row in seen], train.labels[seen][:, own]),
                    ([validation_tokens[row] for row in known], validation.labels[known][:, own]),
                    chosen,
                    self.seed if chosen.seed is None else chosen.seed,
                )
            self.encoders_.append(encoder)
        return self

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        if queries.is_empty():
            return np.zeros((0, len(self.models)), dtype=np.float32)
        texts = question_texts(queries)
        outputs = np.concatenate([encoders.run(encoder, texts, encoders.logits) for encoder in self.encoders_], axis=1)
        return (1 / (1 + np.exp(-self.log_odds_ - outputs.astype(np.float64)))).astype(np.float32)

    def save(self) -> dict[str, bytes]:
        files = encoders.save_encoder(self.encoders_[0])
        del files["model.safetensors"]
        for number, encoder in enumerate(self.encoders_):
            files[f"model-{number}.safetensors"] = encoders.save_weights(encoder.network)
        files["router.json"] = json.dumps({"models": self.models, "log_odds": self.log_odds_.tolist()}).encode()
        return files

    @classmethod
    def load(cls, files: dict[str, bytes]) -> Self:
        state = json.loads(files["router.json"])
        router = cls(Settings(), 0)
        router.models = tuple(state["models"])
        router.log_odds_ = np.array(state["log_odds"])
        for number in range(len(router.models) if cls.separate else 1):
            weights = files[f"model-{number}.safetensors"]
            router.encoders_.append(encoders.load_encoder({**files, "model.safetensors": weights}, head=True))
        return router


class MultiLabelClassifier(_Classifier):
    """One encoder with an output per model."""

    separate = False


class SeparateClassifiers(_Classifier):
    """An encoder with one output for each model."""

    separate = True
