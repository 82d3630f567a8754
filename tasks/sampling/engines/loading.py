"""What to tell a user whose model cannot be loaded: what is wrong with the place, and what to do about it.

"model 'llama': meta-llama/Llama-2-7b-hf cannot be loaded: it is gated: accept its licence on https://huggingface.co/… and log in"
"""

from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tasks.config import Model


def why_not_loaded(model: Model, error: BaseException) -> str:
    """One sentence on the error that loading the model raised."""
    causes = list(_chain(error))
    if Path(model.path).is_dir():
        return f"the folder is no complete checkpoint of a causal language model: {_first_line(error)}"
    if any(isinstance(cause, GatedRepoError) for cause in causes):
        return f"it is gated: accept its licence on https://huggingface.co/{model.path} and log in with `hf auth login` or HF_TOKEN"
    if any(isinstance(cause, RevisionNotFoundError) for cause in causes):
        return f"it has no revision {model.revision!r} on the Hugging Face hub"
    offline = constants.HF_HUB_OFFLINE or any(isinstance(cause, LocalEntryNotFoundError | OfflineModeIsEnabled) for cause in causes)
    if offline or any("connect" in str(cause).lower() for cause in causes):
        return "it is no folder here, and the Hugging Face hub cannot be reached: check the path, or download the model beforehand"
    if any(isinstance(cause, RepositoryNotFoundError | HFValidationError) for cause in causes):
        return "it is no folder here and no model on the Hugging Face hub; if it is private, log in with `hf auth login` or HF_TOKEN"
    if any(isinstance(cause, EntryNotFoundError) for cause in causes):
        return f"it lacks a file that a causal language model needs: {_first_line(error)}"
    return _first_line(error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
