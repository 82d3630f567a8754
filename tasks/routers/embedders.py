"""Any encoder as a function from texts to vectors: by folder, from a package that carries it, or from the Hugging Face hub.

    embedder = load_embedder("all-MiniLM-L6-v2", max_length=128)
    embedder.embed(["Who runs faster?"])     # float32 (1, 384), length 1

    note, files = save_embedder(embedder)    # note: {"fingerprint": "5f0c…", …}; files: {"encoder/5f0c…/model.safetensors": …, …}
    load_embedder_again(note, files)

Weights are large, and many routers use the same: they are files named by their content, and in memory once.
"""

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from tasks.lake.fingerprints import fingerprint
from tasks.routers import encoders, packaged
from tasks.routers.encoders import Encoder
from tasks.routers.packaged import E5
from tasks.routers.saved import FOLDER

_NETWORKS: WeakValueDictionary[str, Any] = WeakValueDictionary()  # fingerprint → the network that some router uses
_LOADING = threading.Lock()


class Embedder(Protocol):
    """An encoder."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The vector of each text, float32 (texts, width), of length 1."""


def load_embedder(name: str, max_length: int) -> Embedder:
    """The encoder of this name, which reads `max_length` tokens at most. Raises UserError if there is none."""
    full = packaged.full_name(name)
    return E5(max_length) if full == packaged.E5_SMALL and packaged.is_installed(full) else encoders.load_pretrained(full, max_length)


def save_embedder(embedder: Embedder) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What a router notes of its encoder, and the encoder's files, which are the same for each router that has it."""
    if not isinstance(embedder, Encoder):
        assert isinstance(embedder, E5)
        return {"package": packaged.E5_SMALL, "max_length": embedder.max_length}, {}
    files = encoders.save_encoder(dataclasses.replace(embedder, tokenizer=_reading(embedder.tokenizer, None)))
    mark = fingerprint(files)
    note = {
        "fingerprint": mark,
        "max_length": (embedder.tokenizer.truncation or {}).get("max_length"),
        "pooling": embedder.pooling,
        "prefix": embedder.prefix,
    }
    return note, {f"{FOLDER}{mark}/{name}": content for name, content in files.items()}


def load_embedder_again(note: dict[str, Any], files: Mapping[str, bytes]) -> Embedder:
    """What `save_embedder` saved. Weights that another router in this process has are not read again."""
    if "package" in note:
        return E5(note["max_length"])
    mark, folder = note["fingerprint"], f"{FOLDER}{note['fingerprint']}/"
    with _LOADING:
        network = _NETWORKS.get(mark)
        if network is None:
            network = encoders.load_network(files[f"{folder}config.json"], files[f"{folder}model.safetensors"], head=False)
            _NETWORKS[mark] = network
    tokenizer = _reading(Tokenizer.from_str(files[f"{folder}tokenizer.json"].decode()), note["max_length"])
    return Encoder(tokenizer, network, note["pooling"], note["prefix"])


def _reading(tokenizer: Tokenizer, max_length: int | None) -> Tokenizer:
    """The tokenizer, cutting texts off there."""
    own = Tokenizer.from_str(tokenizer.to_str())
    if max_length is None:
        own.no_truncation()
    else:
        own.enable_truncation(max_length)
    return own
