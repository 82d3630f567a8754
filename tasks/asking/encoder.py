"""An encoder of the BERT family for a single text, in NumPy: torch takes longer to import than a small encoder to read a question.

    network = read_network(config_json, safetensors)      # None if it is of another family
    states(network, [0, 57, 12, 2])                       # float32 (4, hidden), the last layer's
    embed(network, tokenizer, "Who runs faster?")         # float32 (hidden,), length 1

The numbers are those of torch but for rounding (a test compares them); for many texts torch is quicker. The architecture is that of BERT
(Devlin et al., arXiv 1810.04805), which RoBERTa shares but for where positions begin to count.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from tokenizers import Tokenizer

Floats = npt.NDArray[np.float32]

_FAMILIES = ("bert", "roberta", "camembert", "xlm-roberta")


@dataclass(frozen=True)
class Network:
    """An encoder's configuration, and its weights by name, without the family's own prefix."""

    config: Mapping[str, Any]
    weights: Mapping[str, Floats]

    @property
    def padding(self) -> int:
        """The token that stands where there is none."""
        return int(self.config.get("pad_token_id") or 0)


def is_known(config: Mapping[str, Any]) -> bool:
    """Whether an encoder of this configuration can be read here."""
    plain = {"hidden_act": "gelu", "position_embedding_type": "absolute", "is_decoder": False}
    return config.get("model_type") in _FAMILIES and all(config.get(key, value) == value for key, value in plain.items())


def read_network(configuration: bytes, *weights: bytes) -> Network | None:
    """The network of a `config.json` and of safetensors that together hold its weights; None if it is of another family."""
    config = json.loads(configuration)
    if not is_known(config):
        return None
    arrays = {name: array for content in weights for name, array in safetensors.numpy.load(content).items()}
    family = "bert" if config["model_type"] == "bert" else "roberta"
    return Network(config, {name.removeprefix(f"{family}."): array for name, array in arrays.items()})


def states(network: Network, tokens: Sequence[int]) -> Floats:
    """The last hidden state of each token, float32 (tokens, hidden)."""
    config = network.config
    table = {kind: network.weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")}
    hidden = table["word"][list(tokens)] + table["token_type"][0] + table["position"][_positions(network, tokens)]
    hidden = _normalised(network, "embeddings.LayerNorm", hidden)
    for layer in range(config["num_hidden_layers"]):
        hidden = _layer(network, f"encoder.layer.{layer}", hidden, config["num_attention_heads"])
    return hidden


def embed(network: Network, tokenizer: Tokenizer, text: str, pooling: str = "mean") -> Floats:
    """The vector of a text, float32 (hidden,), of length 1: the mean of its states, or ("cls") the first."""
    last = states(network, tokenizer.encode(text).ids or [network.padding])
    vector = last[0] if pooling == "cls" else last.mean(axis=0)
    unit: Floats = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return unit


def outputs(network: Network, tokens: Sequence[int]) -> Floats:
    """What the head of a classifier says of a text, float32 (outputs,): logits."""
    bert = network.config["model_type"] == "bert"
    dense, last = ("pooler.dense", "classifier") if bert else ("classifier.dense", "classifier.out_proj")
    return _linear(network, last, np.tanh(_linear(network, dense, states(network, tokens)[0])))


def _positions(network: Network, tokens: Sequence[int]) -> npt.NDArray[np.int64]:
    """RoBERTa counts from the number after its padding token, and does not count such tokens."""
    if network.config["model_type"] == "bert":
        return np.arange(len(tokens))
    counted = np.array(tokens) != network.padding
    positions: npt.NDArray[np.int64] = counted.cumsum() * counted + network.padding
    return positions


def _layer(network: Network, name: str, hidden: Floats, heads: int) -> Floats:
    query, key, value = (_split(_linear(network, f"{name}.attention.self.{part}", hidden), heads) for part in ("query", "key", "value"))
    seen = _softmax(query @ key.swapaxes(1, 2) / np.float32(math.sqrt(query.shape[2]))) @ value
    joined = seen.swapaxes(0, 1).reshape(hidden.shape)
    hidden = _normalised(network, f"{name}.attention.output.LayerNorm", hidden + _linear(network, f"{name}.attention.output.dense", joined))
    wide = _gelu(_linear(network, f"{name}.intermediate.dense", hidden))
    return _normalised(network, f"{name}.output.LayerNorm", hidden + _linear(network, f"{name}.output.dense", wide))


def _linear(network: Network, name: str, inputs: Floats) -> Floats:
    outputs: Floats = inputs @ network.weights[f"{name}.weight"].T + network.weights[f"{name}.bias"]
    return outputs


def _split(states: Floats, heads: int) -> Floats:
    """(tokens, hidden) as (heads, tokens, hidden / heads)."""
    return states.reshape(len(states), heads, -1).swapaxes(0, 1)


def _normalised(network: Network, name: str, inputs: Floats) -> Floats:
    centred = inputs - inputs.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(network.config["layer_norm_eps"]))
    normalised: Floats = centred / spread * network.weights[f"{name}.weight"] + network.weights[f"{name}.bias"]
    return normalised


def _softmax(values: Floats) -> Floats:
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return shares


def _gelu(values: Floats) -> Floats:
    """By Python's error function: NumPy has none, and SciPy's takes a third of a second to import."""
    scaled = (values / np.float32(math.sqrt(2))).ravel().tolist()
    erf = np.fromiter(map(math.erf, scaled), np.float32, len(scaled)).reshape(values.shape)
    return values * (1 + erf) / np.float32(2)
