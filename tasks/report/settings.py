"""What stands at the bottom of the report, so that a figure can be traced: settings, recipes, files, software, the code's revision.

Nothing in it comes from the environment, and of an address only what no secret can be in.
"""

import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tasks.config import Import, Model, RunFile
from tasks.lake.files import Lake
from tasks.lake.fingerprints import fingerprint
from tasks.lake.tables import GENERATIONS

_LABELS = {
    "majority": "an answer counts if the majority of its samples is right (an imported outcome: its score)",
    "at-least": "an answer counts if at least {at_least} of its samples are right",
    "success-rate": "an answer counts for the share of its samples that are right",
}
PACKAGES = ("manyminds", "polars", "scikit-learn", "torch", "transformers", "vllm", "prefect")
NAMED = 5  # imported files that are named; of more only the number
_CODE = Path(__file__).parents[2]


def settings_of(run: RunFile) -> dict[str, str]:
    """Name → value, of the run file and of the software."""
    settings = {"lake": without_secrets(run.lake), "seed": str(run.seed)}
    if run.models:
        sampling = run.sampling
        stop = "stopped once the vote is decided" if sampling.stop == "decided" else "all drawn"
        settings["samples"] = f"k = {sampling.k}, {stop}; engine {sampling.engine}, {sampling.buckets} buckets"
        settings["drawn with"] = ", ".join(
            [
                f"temperature {sampling.temperature:g}",
                f"top-p {sampling.top_p:g}",
                f"top-k {sampling.top_k or 'off'}",
                f"repetition penalty {sampling.repetition_penalty:g}",
                f"at most {sampling.max_new_tokens:,} new tokens",
                f"stop strings {', '.join(map(repr, sampling.stop_strings)) or 'none'}",
            ]
        )
    for name, imports in (("outcomes", run.outcomes), ("generations", run.generations)):
        if imports:
            settings[f"imported {name}"] = _imported(imports)
    settings["labels"] = _LABELS[run.labels.rule].format(at_least=run.labels.at_least)
    described = [(router.name, ", ".join(f"{key} = {value}" for key, value in router.settings.items())) for router in run.routers]
    settings["routers"] = "; ".join(f"{name} ({how or 'defaults'})" for name, how in described)
    settings["policies"] = ", ".join(run.evaluation.policies)
    settings["intervals"] = f"95 %, of {run.evaluation.bootstrap:,} resamples of the test questions"
    settings["software"] = ", ".join(_versions())
    if (revision := code_revision()) is not None:
        settings["code"] = revision
    return settings


def recipe_rows(recipes: Iterable[tuple[Model, str, Mapping[str, Any], Sequence[str]]]) -> list[dict[str, str]]:
    """A row of text for each model, recipe's id, recipe (its fields), and the benchmarks that it serves.

    How samples are drawn, which all recipes share, is in `settings_of`.
    """
    return [
        {
            "model": model.name,
            "recipe": recipe_id,
            "path": without_secrets(model.path),
            "at": without_secrets(model.url) if model.url else "",
            "benchmarks": ", ".join(benchmarks),
            "weights": recipe["model"],
            "prompt": fingerprint(recipe["template"])[:8],
            "template": recipe["template"],
            "chat": "yes" if recipe["chat"] else "no",
        }
        for model, recipe_id, recipe, benchmarks in recipes
    ]


def places_of(lake: Lake, tables: Mapping[str, Iterable[str]]) -> dict[str, dict[str, str]]:
    """Table → where it lies, of how many files, and a fingerprint of their names, which say what is in them; of samples only where."""
    # The files of samples are not listed: there may be very many, and the votes' fingerprint stands for those that voted.
    places = {GENERATIONS.name: {"where": without_secrets(lake.location(GENERATIONS.name)), "files": "–", "fingerprint": "–"}}
    for table, paths in tables.items():
        names = sorted(paths)
        places[table] = {"where": without_secrets(lake.location(table)), "files": f"{len(names):,}", "fingerprint": fingerprint(names)}
    return places


def without_secrets(address: str) -> str:
    """An address without a user's name, password and query, in which keys may stand; a path as it is."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def code_revision() -> str | None:
    """The commit of the code that made the page, if it runs from a checkout of its own: "3f2a… with changes"; else None."""

    def git(*arguments: str) -> str:
        command = ["git", "--no-optional-locks", "-C", str(_CODE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        # An installed package may lie inside the checkout of something else, whose commit says nothing about it.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != _CODE.resolve():
            return None
        commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--", "flows", "tasks", "infra", "pyproject.toml")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}{' with changes' if changes else ''}"


def _imported(imports: Sequence[Import]) -> str:
    files = [without_secrets(file) for entry in imports for file in entry.files]
    return ", ".join(files[:NAMED]) + (f" and {len(files) - NAMED:,} more" if len(files) > NAMED else "")


def _versions() -> list[str]:
    found = [f"python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # vllm is not everywhere
            continue
    return found
