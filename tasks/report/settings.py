"""What stands at the bottom of the report, so that a figure can be traced."""

from collections.abc import Sequence
from importlib.metadata import version

from tasks.config import RunFile

_LABELS = {
    "majority": "an answer counts if the majority of its samples is right (an imported outcome: its score)",
    "at-least": "an answer counts if at least {at_least} of its samples are right",
    "success-rate": "an answer counts for the share of its samples that are right",
}
PACKAGES = ("manyminds", "polars", "scikit-learn", "torch", "transformers")


def settings_of(run: RunFile, recipes: Sequence[str]) -> dict[str, str]:
    """Name → value, of the run file and of the software. `recipes`: "ledger r41d0…"."""
    settings = {"lake": run.lake, "seed": str(run.seed)}
    if run.models:
        sampling = run.sampling
        settings["sampling"] = f"k = {sampling.k}, temperature {sampling.temperature:g}, at most {sampling.max_new_tokens} new tokens"
        settings["recipes"] = ", ".join(recipes)
    settings["labels"] = _LABELS[run.labels.rule].format(at_least=run.labels.at_least)
    described = [(router.name, ", ".join(f"{key} = {value}" for key, value in router.settings.items())) for router in run.routers]
    settings["routers"] = ", ".join(f"{name} ({how or 'defaults'})" for name, how in described)
    settings["versions"] = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return settings
