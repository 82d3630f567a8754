"""A saved router for one question, without what only training needs: torch, transformers and scikit-learn take seconds to import.

    router = load_light(lake, "routers/kmeans-encoder/5f0c…/manifest.json")     # None if its kind, or its encoder, is not known here
    router.confidences(query)                                                   # float32 (1, models)

Clusters give the very confidences that the router itself gives; classifiers give them but for rounding (a test compares both). For many
queries the router itself is quicker.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl
import safetensors.numpy
from tokenizers import Tokenizer

from tasks.asking.encoder import Network, embed, is_known, outputs, read_network
from tasks.asking.words import word_weights
from tasks.lake.files import Lake
from tasks.lake.views import question_texts
from tasks.routers import Router, load_router
from tasks.routers.saved import FOLDER

Floats = npt.NDArray[np.floating]

_LIGHT_ALREADY = ("best-single", "benchmark", "subject")


class SavedFiles:
    """The files of a router in the lake, read when they are asked for; a text's vector by one of its encoders."""

    def __init__(self, lake: Lake, manifest: str) -> None:
        content = json.loads(lake.read(manifest))
        self.kind: str = content["kind"]
        self.models: tuple[str, ...] = tuple(content["models"])
        self.names: list[str] = content["files"]
        self._lake, self._folder = lake, manifest.removesuffix("/manifest.json")

    def read(self, name: str) -> bytes:
        """The file's bytes; an encoder's files are shared between routers."""
        return self._lake.read(f"encoders/{name.removeprefix(FOLDER)}" if name.startswith(FOLDER) else f"{self._folder}/{name}")

    def json(self, name: str) -> Any:
        """What is in a JSON file."""
        return json.loads(self.read(name))


class _Light:
    """A router that is a function from a text to confidences."""

    def __init__(self, models: Sequence[str], of_text: Callable[[str], Floats]) -> None:
        self.models = tuple(models)
        self._of_text = of_text

    def confidences(self, queries: pl.DataFrame) -> npt.NDArray[np.float32]:
        rows = [self._of_text(text) for text in question_texts(queries)]
        return np.array(rows, dtype=np.float32).reshape(-1, len(self.models))


def load_light(lake: Lake, manifest: str) -> Router | None:
    """The router that was saved with this manifest, calibration and all; None if that takes the router's own code."""
    files = SavedFiles(lake, manifest)
    if files.kind in _LIGHT_ALREADY:
        return load_router(files.kind, {name: files.read(name) for name in files.names})
    makers = {
        "kmeans-encoder": _by_encoder_cluster,
        "kmeans-tfidf": _by_word_cluster,
        "roberta-multi-label": _by_classifier,
        "roberta-separate": _by_classifier,
    }
    of_text = makers[files.kind](files) if files.kind in makers else None
    if of_text is None:
        return None
    router = cast(Router, _Light(files.json("router.json")["models"], of_text))
    if "remaining.json" in files.names:
        from tasks.routers.leaving import load_remaining

        router = load_remaining(router, files.read("remaining.json"))
    if "calibration.json" in files.names:
        from tasks.routers.calibration import load_calibrated

        router = load_calibrated(router, files.read("calibration.json"))
    return router


def embedder(files: SavedFiles, features: str, name: str) -> Callable[[str], Floats] | None:
    """What makes the vector of a text by the encoder `name` of the router's `features.json`; None if torch has to."""
    state = files.json(features)
    note = state["encoders"][name]
    if "package" in note:  # in C
        from tasks.routers.packaged import E5

        packaged = E5(note["max_length"])
        return lambda text: packaged.embed([cut(text, state["prefixes"])])[0]
    folder = f"{FOLDER}{note['fingerprint']}/"
    network = _network(files, f"{folder}config.json", [f"{folder}model.safetensors"])
    if network is None:
        return None
    tokenizer = _tokenizer(files.read(f"{folder}tokenizer.json"), note["max_length"])
    return lambda text: embed(network, tokenizer, note["prefix"] + cut(text, state["prefixes"]), note["pooling"])


def cut(text: str, prefixes: Sequence[str]) -> str:
    """As `tasks/routers/prefixes.py` does it, which imports scikit-learn: the text without a few-shot prefix."""
    longest = max((len(prefix) for prefix in prefixes if text.startswith(prefix)), default=0)
    return text[longest:] if text[longest:].strip() else text


def _by_encoder_cluster(files: SavedFiles) -> Callable[[str], Floats] | None:
    nearest, (name,) = _clusters(files), files.json("features/features.json")["names"]
    vector = embedder(files, "features/features.json", name)
    return None if vector is None else lambda text: nearest(vector(text).astype(np.float64))


def _by_word_cluster(files: SavedFiles) -> Callable[[str], Floats]:
    nearest, prefixes = _clusters(files), files.json("prefixes.json")
    if "terms.json" not in files.names:  # no words tell the queries apart, and there is one cluster
        return lambda text: nearest(np.zeros(0))
    terms = files.json("terms.json")
    idf = dict(zip(terms, safetensors.numpy.load(files.read("idf.safetensors"))["idf"].tolist(), strict=True))
    columns = {term: column for column, term in enumerate(terms)}

    def of_text(text: str) -> Floats:
        vector = np.zeros(len(terms))
        for word, weight in word_weights(cut(text, prefixes), idf).items():
            vector[columns[word]] = weight
        return nearest(vector)

    return of_text


def _clusters(files: SavedFiles) -> Callable[[Floats], Floats]:
    """From a vector to the rewards of the nearest cluster."""
    arrays = safetensors.numpy.load(files.read("clusters.safetensors"))
    centroids, rewards = arrays["centroids"].astype(np.float64), arrays["rewards"]
    if len(centroids) == 1:
        return lambda vector: rewards[0]
    squares = np.square(centroids).sum(axis=1)
    return lambda vector: rewards[np.argmin(squares - 2 * (centroids @ vector))]


def _by_classifier(files: SavedFiles) -> Callable[[str], Floats] | None:
    trunk, state = files.json("trunk.json"), files.json("router.json")
    if "width" in trunk:  # a head on vectors of several kinds
        return None
    shared = [trunk["frozen"]] if trunk["frozen"] else []
    parts = [_network(files, "config.json", [*shared, f"model-{number}.safetensors"]) for number in range(state["networks"])]
    networks = [part for part in parts if part is not None]
    if len(networks) < len(parts):
        return None
    tokenizer = Tokenizer.from_str(files.read("tokenizer.json").decode())
    log_odds = np.array(state["log_odds"])

    def of_text(text: str) -> Floats:
        tokens = tokenizer.encode(trunk["prefix"] + cut(text, trunk["prefixes"])).ids or [networks[0].padding]
        runs = np.concatenate([outputs(network, tokens) for network in networks]).reshape(-1, len(log_odds))
        mean: Floats = (1 / (1 + np.exp(-log_odds - runs))).mean(axis=0)
        return mean

    return of_text


def _network(files: SavedFiles, config: str, weights: Sequence[str]) -> Network | None:
    """The network, whose weights are read only if it is known."""
    configuration = files.read(config)
    return read_network(configuration, *map(files.read, weights)) if is_known(json.loads(configuration)) else None


def _tokenizer(content: bytes, max_length: int | None) -> Tokenizer:
    tokenizer = Tokenizer.from_str(content.decode())
    if max_length is not None:
        tokenizer.enable_truncation(max_length)
    else:
        tokenizer.no_truncation()
    return tokenizer
