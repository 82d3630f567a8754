"""What to tell a user whose model cannot be loaded: what is wrong with the place, and what to do about it.

"model 'llama': meta-llama/Llama-2-7b-hf cannot be loaded: it is gated: accept its licence on https://huggingface.co/… and log in"
"""

import re
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tasks.config import Model

_OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)
_POINTER = b"version https://git-lfs"  # how a file begins that Git LFS has not fetched
_LOGIN = "log in with `hf auth login`, or set HF_TOKEN to a token that may read it"


def why_not_loaded(model: Model, error: BaseException) -> str:
    """One sentence on the error that loading the model raised, and what to do."""
    causes = list(_chain(error))
    said = _first_line(error)
    if any(is_out_of_memory(cause) for cause in causes):
        return (
            f"memory ran out ({said}); it needs a machine or GPU with more, end what else takes memory, "
            'or let engine = "vllm" spread it over several GPUs (tensor_parallel)'
        )
    if any("trust_remote_code" in str(cause) for cause in causes) and not model.trust_remote_code:
        return "it brings program code of its own, which is run only with trust_remote_code = true; read that code first"
    if "does not recognize this architecture" in str(error):
        return f"the installed transformers does not know its kind ({said}); install a newer one"
    if Path(model.path).is_dir():
        lacking = _lacking(Path(model.path))
        return f"the folder is no complete checkpoint of a causal language model: {lacking or said}"
    return _of_hub(model, causes) or said


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, the machine's or a GPU's."""
    return isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)) is not None


def _of_hub(model: Model, causes: list[BaseException]) -> str | None:
    """What the hub said; None: nothing that is known here."""
    if any(isinstance(cause, GatedRepoError) for cause in causes):
        return f"it is gated: accept its licence on https://huggingface.co/{model.path}, then {_LOGIN}"
    if any(isinstance(cause, RevisionNotFoundError) for cause in causes):
        return f"it has no revision {model.revision!r} on the Hugging Face hub; expected a branch, a tag or a commit"
    status = next((cause.response.status_code for cause in causes if isinstance(cause, HfHubHTTPError)), None)
    if any(isinstance(cause, RepositoryNotFoundError | HFValidationError) for cause in causes) or status in (401, 403):
        return f"it is no folder here and no model on the Hugging Face hub; if it is private, {_LOGIN}"
    if status is not None and (status == 429 or status >= 500):
        return f"the Hugging Face hub is in trouble ({status}); run again later, or download the model beforehand"
    if any(isinstance(cause, EntryNotFoundError) and not isinstance(cause, LocalEntryNotFoundError) for cause in causes):
        return f"it lacks a file that a causal language model needs: {_first_line(causes[0])}"
    offline = constants.HF_HUB_OFFLINE or any(isinstance(cause, LocalEntryNotFoundError | OfflineModeIsEnabled) for cause in causes)
    if offline or any("connect" in str(cause).lower() for cause in causes):
        return "it is no folder here, and the Hugging Face hub cannot be reached: check the path, or download the model beforehand"
    if "tokenizer" in str(causes[0]):
        return "it has no tokenizer on the Hugging Face hub; expected a causal language model in the format of transformers"
    return None


def _lacking(folder: Path) -> str:
    """What a folder lacks of a checkpoint; empty: nothing that a look at its files tells."""
    names = sorted(file.name for file in folder.iterdir() if file.is_file())
    weights = [name for name in names if name.endswith((".safetensors", ".bin"))]
    if "config.json" not in names:
        return "it has no config.json"
    if not weights:
        return "it has no weights (*.safetensors or *.bin)"
    for name in weights:
        with (folder / name).open("rb") as content:
            if content.read(len(_POINTER)) == _POINTER:
                return f"{name} is only a pointer to a file of Git LFS; fetch it with `git lfs pull`"
    if not any(name.startswith(("tokenizer.", "vocab.", "spiece.")) or name.endswith((".model", ".tiktoken")) for name in names):
        return "it has no tokenizer (tokenizer.json or tokenizer.model)"
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
