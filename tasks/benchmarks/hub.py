"""Fetches a benchmark's files from the Hugging Face hub, once; afterwards they come from its cache on this machine.

    fetch(Dataset("openai/gsm8k", "e53f048…", ("main/test-00000-of-00001.parquet",)))  →  ["/home/…/test-00000-of-00001.parquet"]

The revision is pinned, so that a benchmark is the same in every run.
"""

from dataclasses import dataclass

from tasks.errors import UserError


@dataclass(frozen=True)
class Dataset:
    """A dataset on the hub: its name, the commit, and the files that make up the benchmark."""

    name: str
    revision: str
    files: tuple[str, ...]


def fetch(dataset: Dataset) -> list[str]:
    """Local paths of the files. Raises UserError where they are neither in the cache nor to be had."""
    from huggingface_hub import hf_hub_download  # here: it takes a while to import, and most runs need no hub

    try:
        return [hf_hub_download(dataset.name, file, repo_type="dataset", revision=dataset.revision) for file in dataset.files]
    except Exception as error:  # the hub's client raises errors of several libraries
        raise UserError(
            f"dataset {dataset.name} could not be fetched from the Hugging Face hub ({type(error).__name__}); "
            f"with local copies, give the benchmark files = [...]"
        ) from error
