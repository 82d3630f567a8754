"""What each study can be told in the run file, checked before anything heavy is imported.

[studies]
policies = true

[studies.training-size]
draws = 10
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from tasks.config import Settings
from tasks.errors import UserError, nearest

Share = Annotated[float, Field(gt=0, le=1)]
Measure = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class NoSettings(Settings):
    """Nothing to set."""


class Trained(Settings):
    """Studies that train routers on something else."""

    routers: list[str] = []  # by their names in the run file; default: the first that trains in seconds, else `linear` on words


class TrainingSize(Trained):
    """Accuracy against the number of training queries."""

    shares: list[Share] = Field([0.1, 0.25, 0.5, 0.75, 1.0], min_length=2)  # of the training queries
    draws: int = Field(5, ge=1)  # of each share


class Clusters(Settings):
    """KMeans over words, and over each encoder that routers of the run use as it is."""

    clusters: list[Annotated[int, Field(ge=2)]] = Field([10, 20, 50], min_length=1)
    seeds: int = Field(5, ge=2)


class Labels(Trained):
    """Votes, and routers trained on other labels."""

    at_least: int = Field(8, ge=1)  # samples that must be right, for the strict label


class Switching(Settings):
    """Loading models while a stream of queries comes."""

    windows: list[Annotated[int, Field(ge=1)]] = Field([1, 16, 64], min_length=1)  # queries that are batched by model
    seconds: dict[str, Measure] = {}  # model → to load it, where it was not measured
    gigabytes: dict[str, Measure] = {}  # model → memory that it takes, where it was not measured
    memory_gb: Measure | None = None  # budget for which the best pool is sought; default: half of what all models take


class Reproduction(Settings):
    """The paper's figures beside the run's own."""

    of: Literal["gsm8k", "mmlu"]  # which of the paper's two settings the run is


KINDS: dict[str, type[Settings]] = {
    "training-size": TrainingSize,
    "pool": Trained,
    "switching": Switching,
    "policies": NoSettings,
    "clusters": Clusters,
    "labels": Labels,
    "transfer": Trained,
    "calibration": NoSettings,
    "reproduction": Reproduction,
    "contamination": Trained,
    "health": NoSettings,  # reads what the others found, so it is the last
}


def check_models(settings: Switching, models: Collection[str]) -> None:
    """Raises UserError for a model in the settings that is not among `models`, naming the nearest."""
    for key in ("seconds", "gigabytes"):
        for model in getattr(settings, key):
            if model not in models:
                raise UserError(f"studies.switching: {key}: unknown model {model!r}{nearest(model, models)}")


def check_study(name: str, settings: Mapping[str, Any]) -> Settings:
    """The study's settings with their defaults. Raises UserError, naming the key and the nearest right one, for what is not known."""
    if name not in KINDS:
        raise UserError(f"studies: unknown study {name!r}{nearest(name, KINDS)}")
    if not isinstance(settings, Mapping):
        raise UserError(f"studies.{name}: expected true, false or a section with settings (it is {settings!r})")
    kind = KINDS[name]
    for key in settings:
        if key not in kind.model_fields:
            raise UserError(f"studies.{name}: unknown key {key!r}{nearest(key, kind.model_fields)}")
    try:
        return kind.model_validate(dict(settings))
    except ValidationError as error:
        mistake = error.errors()[0]
        key = ".".join(str(part) for part in mistake["loc"])
        raise UserError(
            f"studies.{name}: key {key!r}: {mistake['msg'][0].lower()}{mistake['msg'][1:]} (it is {mistake['input']!r})"
        ) from error
