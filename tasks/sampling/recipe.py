"""A recipe is all that changes what a model would say: the model itself, its prompt, and how it is sampled.

    recipe_of(Model(name="gemma-7b", path="google/gemma-7b"), "{{ question }}", Sampling())
      →  Recipe(model="google/gemma-7b@main", template="{{ question }}", chat=False, temperature=0.7, …), id "r41d0…"

Two benchmarks with the same template share a recipe. The engine, the number of samples and the cutting of the work are no
part of it: they do not change the distribution of the text.
"""

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tasks.config import Model, Sampling
from tasks.errors import UserError
from tasks.lake.fingerprints import fingerprint

# What a checkpoint is made of. A README, a training log or a hidden file says nothing about what the model would say.
_FILES = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "*.safetensors",
    "*.bin",
    "*.index.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "*.tiktoken",
    "chat_template.*",
    "*.py",
)
_OF_TRAINING = ("training_args.bin", "optimizer.bin")
_MIB = 2**20
_READ_WHOLE = 64 * _MIB


@dataclass(frozen=True)
class Recipe:
    """All that changes what a model would say."""

    model: str  # "name@revision" of a hub model, "folder:" and a fingerprint of a local one; then " quantized fp8", " with an adapter"
    template: str
    chat: bool
    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    max_new_tokens: int
    stop_strings: tuple[str, ...]

    @property
    def id(self) -> str:
        """What stands in the column `recipe`: "r" and 16 hexadecimal digits."""
        return f"r{fingerprint(self)}"


def recipe_of(model: Model, template: str, sampling: Sampling) -> Recipe:
    """The recipe of a model on the benchmarks whose prompt is `template`. Raises UserError for a folder without a model."""
    return Recipe(
        model=_identity(model),
        template=template,
        chat=model.chat,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        repetition_penalty=sampling.repetition_penalty,
        max_new_tokens=sampling.max_new_tokens,
        stop_strings=tuple(sampling.stop_strings),
    )


def _identity(model: Model) -> str:
    """What the weights are: of the model and, only where there are any, their quantization and the adapter on top."""
    if model.url is not None and not Path(model.path).is_absolute():  # a name that a server gave it
        return f"{model.path}@main"
    identity = _weights(model.name, model.path, model.revision, "config.json")
    if model.quantization is not None:
        identity += f" quantized {model.quantization}"
    if model.lora is not None:
        identity += f" with {_weights(model.name, model.lora, None, 'adapter_config.json')}"
    return identity


def _weights(name: str, path: str, revision: str | None, config: str) -> str:
    """A hub model by name and revision; a folder by its content, so that it may move, and changed weights are another model."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        return f"{path}@{revision or 'main'}"
    files = sorted(file for file in folder.iterdir() if file.is_file() and _matters(file.name))
    if not any(file.name == config for file in files):
        kind = "checkpoint" if config == "config.json" else "LoRA adapter"
        raise UserError(f"model {name!r}: {folder} has no {config}; expected the folder of a Hugging Face {kind}")
    return "folder:" + fingerprint([(file.name, _content(file)) for file in files])


def _matters(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in _FILES) and name not in _OF_TRAINING


def _content(file: Path) -> str:
    """Hash of the file; of a large one, of its size and its first and last MiB, since reading all weights takes minutes."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        if size <= _READ_WHOLE:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        digest = hashlib.sha256(str(size).encode())
        digest.update(stream.read(_MIB))
        stream.seek(-_MIB, 2)
        digest.update(stream.read(_MIB))
        return digest.hexdigest()
