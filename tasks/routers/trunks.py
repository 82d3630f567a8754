"""What the networks of a classifier have in common: how they read a query, and the layers that are not trained.

Of MiniLM's six layers the last one is trained, for seven models separately. The other five do the same for all models and all epochs, so
they run once: what the sixth layer reads is kept (in a temporary file: 5,935 queries of 90 tokens and 384 numbers are 0.8 GB), and
each of the seven networks starts there. With no layer trained, all that is left of a query is its vector (`features.py`), of which
a linear head makes the outputs.

    trunk = new_trunk(settings, train.queries, outputs=1, seed=0)
    inputs, network = trunk.inputs(train.queries), trunk.network()
    inputs.read(network, [0, 1, 2])         # float32 (3, 1)
"""

import copy
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
import polars as pl
import safetensors.torch
import torch
from tokenizers import Tokenizer
from torch import Tensor

from tasks.errors import UserError
from tasks.lake.fingerprints import fingerprint
from tasks.lake.views import question_texts
from tasks.routers import encoders
from tasks.routers.encoders import BATCH, Encoder
from tasks.routers.features import Features
from tasks.routers.prefixes import cut, shared_prefixes
from tasks.routers.saved import FOLDER
from tasks.routers.settings import ClassifierSettings

_STARTING = threading.Lock()  # a network that starts at a layer is changed for the moment


@dataclass(frozen=True)
class Inputs:
    """Queries as a network reads them."""

    read: Callable[[Any, Sequence[int]], Tensor]  # network, rows → its outputs, (rows, outputs)
    lengths: Sequence[int]  # tokens of each query: what is of similar length is read together


class Trunk(Protocol):
    """How queries are read, and what is not trained."""

    def inputs(self, queries: pl.DataFrame, shared: bool = True) -> Inputs:
        """The queries; `shared`: for several networks, or several times, so that what they have in common is computed once."""

    def network(self) -> Any:
        """A new network, a torch.nn.Module, which shares with others what is not trained."""

    def threads(self) -> AbstractContextManager[None]:
        """Within, torch takes as many threads as pay, and as give the same result everywhere."""

    def save(self) -> dict[str, bytes]:
        """As files, but for what is trained."""

    def save_trained(self, network: Any) -> bytes:
        """What is trained of a network."""

    def load_trained(self, content: bytes) -> Any:
        """The network of which `save_trained` saved what is trained."""


def new_trunk(settings: ClassifierSettings, queries: pl.DataFrame, outputs: int, seed: int) -> Trunk:
    """The trunk of a classifier that is to be trained on these queries.

    Raises UserError if the encoder cannot be loaded, or does not have so many layers.
    """
    if settings.layers == 0:
        features = Features([settings.encoder], settings.max_length, seed)
        width = features.fit(queries).shape[1]
        return VectorTrunk(features, width, outputs)
    encoder = encoders.load_pretrained(settings.encoder, settings.max_length, outputs)
    first = None
    if settings.layers is not None:
        count = len(_layers(encoder.network, settings.encoder))
        if settings.layers > count:
            raise UserError(f"layers = {settings.layers}: encoder {settings.encoder!r} has {count}")
        first = count - settings.layers
    return EncoderTrunk(encoder, first, shared_prefixes(question_texts(queries)))


def load_trunk(files: dict[str, bytes]) -> Trunk:
    """The trunk that a trunk's `save` saved, among other files of a router."""
    state = json.loads(files["trunk.json"])
    if "width" in state:
        return VectorTrunk(Features.load(files), state["width"], state["outputs"])
    # A network is made of the weights that are not trained, and of those of any that is: they are replaced.
    weights = files["model-0.safetensors"]
    if state["frozen"]:
        weights = _joined(files[state["frozen"]], weights)
    network = encoders.load_network(files["config.json"], weights, head=True)
    encoder = Encoder(Tokenizer.from_str(files["tokenizer.json"].decode()), network, prefix=state["prefix"])
    return EncoderTrunk(encoder, state["first"], state["prefixes"])


class VectorTrunk:
    """The whole encoder, and whatever else makes vectors of texts; a linear head is trained."""

    def __init__(self, features: Features, width: int, outputs: int) -> None:
        self.features, self.width, self.outputs = features, width, outputs

    def inputs(self, queries: pl.DataFrame, shared: bool = True) -> Inputs:
        vectors = torch.tensor(self.features.vectors(queries))
        return Inputs(lambda network, rows: network(vectors[list(rows)]), [1] * queries.height)

    def network(self) -> Any:
        with encoders.seeded(0):
            return torch.nn.Linear(self.width, self.outputs)

    def threads(self) -> AbstractContextManager[None]:
        return _one_thread()

    def save(self) -> dict[str, bytes]:
        return self.features.save() | {"trunk.json": json.dumps({"width": self.width, "outputs": self.outputs}).encode()}

    def save_trained(self, network: Any) -> bytes:
        return encoders.save_weights(network)

    def load_trained(self, content: bytes) -> Any:
        network = self.network()
        encoders.load_weights(network, content)
        return network


class EncoderTrunk:
    """An encoder with a head, of which everything is trained, or what comes from layer `first` on."""

    def __init__(self, encoder: Encoder, first: int | None, prefixes: list[str]) -> None:
        self.encoder, self.first, self.prefixes = encoder, first, prefixes
        self._tuples = first is not None and _freeze(encoder, first)

    def inputs(self, queries: pl.DataFrame, shared: bool = True) -> Inputs:
        tokens = self.encoder.tokens([self.encoder.prefix + cut(text, self.prefixes) for text in question_texts(queries)])
        lengths = [len(row) for row in tokens]

        def batch(rows: Sequence[int]) -> dict[str, Tensor]:
            return self.encoder.batch([tokens[row] for row in rows])

        def read(network: Any, rows: Sequence[int]) -> Tensor:
            outputs: Tensor = network(**batch(rows)).logits
            return outputs

        if self.first is None or not shared or not tokens:
            return Inputs(read, lengths)
        first, states = self.first, self._states(tokens)

        def read_on(network: Any, rows: Sequence[int]) -> Tensor:
            padded = torch.nn.utils.rnn.pad_sequence([states[row] for row in rows], batch_first=True)
            with _starting_at(network, first, padded.to(self.encoder.device), self._tuples):
                return read(network, rows)

        return Inputs(read_on, lengths)

    def _states(self, tokens: list[list[int]]) -> list[Tensor]:
        """What layer `first` reads of each query, float32 (tokens, hidden), kept in a file that is gone with it."""
        assert self.first is not None
        lengths = np.array([len(row) for row in tokens])
        ends = lengths.cumsum()
        store = None
        order = sorted(range(len(tokens)), key=lambda row: (len(tokens[row]), row))
        self.encoder.network.eval()
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                states = _read_by(self.encoder.network, self.first, self.encoder.batch([tokens[row] for row in rows])).cpu().numpy()
                if store is None:
                    file = tempfile.TemporaryFile()  # noqa: SIM115  (it stays for as long as the array does)
                    store = np.memmap(file, np.float32, "w+", shape=(int(ends[-1]), states.shape[2]))
                for place, row in enumerate(rows):
                    store[ends[row] - lengths[row] : ends[row]] = states[place, : lengths[row]]
        assert store is not None
        return list(torch.split(torch.from_numpy(store), lengths.tolist()))

    def network(self) -> Any:
        shared = {id(weight): weight for weight in self.encoder.network.parameters() if not weight.requires_grad}
        return copy.deepcopy(self.encoder.network, shared)

    def threads(self) -> AbstractContextManager[None]:
        return encoders.threads(self.encoder)

    def save(self) -> dict[str, bytes]:
        files = encoders.save_encoder(self.encoder)
        del files["model.safetensors"]
        state: dict[str, Any] = {"first": self.first, "prefixes": self.prefixes, "prefix": self.encoder.prefix, "frozen": None}
        if self.first is not None:
            content = _save(self.encoder.network, trained=False)
            state["frozen"] = f"{FOLDER}{fingerprint(content)}/frozen.safetensors"
            files[state["frozen"]] = content
        return files | {"trunk.json": json.dumps(state, ensure_ascii=False).encode()}

    def save_trained(self, network: Any) -> bytes:
        return encoders.save_weights(network) if self.first is None else _save(network, trained=True)

    def load_trained(self, content: bytes) -> Any:
        network = self.network()
        encoders.load_weights(network, content if self.first is None else _joined(_save(network, trained=False), content))
        return network


def _layers(network: Any, name: str) -> Any:
    """The list of an encoder's layers."""
    count = network.config.num_hidden_layers
    for module in network.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == count:
            return module
    raise UserError(f"encoder {name!r} has no {count} layers of which some could be trained; expected none of the key 'layers', or 0")


def _freeze(encoder: Encoder, first: int) -> bool:
    """Train only those weights on which it does not depend what layer `first` reads. Returns whether layers return tuples."""
    weights = list(encoder.network.parameters())
    outputs: list[Any] = []
    encoder.network.eval()
    hook = _layers(encoder.network, "")[0].register_forward_hook(lambda layer, arguments, output: outputs.append(output))
    with torch.enable_grad():
        try:
            states = _read_by(encoder.network, first, encoder.batch([[encoder.padding + 1] * 2]))
        finally:
            hook.remove()
        gradients = torch.autograd.grad(states.sum(), weights, allow_unused=True)
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.requires_grad_(gradient is None)
    return isinstance(outputs[0], tuple)


def _read_by(network: Any, first: int, batch: dict[str, Tensor]) -> Tensor:
    """What layer `first` reads of a batch, (texts, tokens, hidden)."""
    caught: list[Tensor] = []
    hook = _layers(network, "")[first].register_forward_pre_hook(lambda layer, arguments: caught.append(arguments[0]))
    try:
        network(**batch)
    finally:
        hook.remove()
    return caught[0]


@contextmanager
def _starting_at(network: Any, first: int, states: Tensor, tuples: bool) -> Iterator[None]:
    """Within, layer `first` reads `states`, and the layers before it do nothing."""

    def hand_on(hidden: Tensor, *rest: Any, **named: Any) -> Any:
        return (hidden, None) if tuples else hidden

    layers = _layers(network, "")
    with _STARTING:
        hook = layers[first].register_forward_pre_hook(lambda layer, arguments: (states, *arguments[1:]))
        for layer in layers[:first]:
            layer.forward = hand_on
        try:
            yield
        finally:
            hook.remove()
            for layer in layers[:first]:
                del layer.forward


def _save(network: Any, trained: bool) -> bytes:
    """The weights that are trained, or those that are not."""
    weights = network.state_dict(keep_vars=True)
    chosen = {name: weight for name, weight in weights.items() if weight.requires_grad == trained}
    return encoders.save_weights(SimpleNamespace(state_dict=lambda: chosen))


def _joined(*contents: bytes) -> bytes:
    weights: dict[str, Tensor] = {}
    for content in contents:
        weights |= safetensors.torch.load(content)
    return bytes(safetensors.torch.save(weights))


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
