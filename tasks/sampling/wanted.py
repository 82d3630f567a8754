"""What a run wants of samples, and what failed: kept in the lake for people who look at it without the run file.

    wanted.json              {"run": "demo", "k": 10, "stop": "all", "buckets": 2, "models": {"ledger": {"recipes": {"r41d0…": ["gsm8k"]}, …
    failures/ledger/0.json   {"unusable": null, "shards": {"ledger · bucket 2 of 2": "the server does not answer"}}

Neither says what is done: the samples do. A failure is of the newest try, and one whose samples are there by now counts for nothing.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from tasks.errors import ModelUnusable, UserError
from tasks.lake.buckets import buckets
from tasks.lake.files import Lake, folder_name
from tasks.sampling.shards import Shard

logger = logging.getLogger("manyminds")

_WANTED = "wanted.json"
_FAILURES = "failures"


@dataclass(frozen=True)
class Asked:
    """What a model is asked. `recipes`: each with the benchmarks that it serves; `only`: ids of the queries; None: all."""

    recipes: dict[str, list[str]]
    only: list[str] | None


@dataclass(frozen=True)
class Wanted:
    """Samples 0 … k-1 of what each model is asked; with `stop` "decided", only until the vote is. `run`: name of the run file."""

    run: str
    k: int
    stop: str
    buckets: int
    models: dict[str, Asked]

    def shards(self, model: str) -> list[Shard]:
        """All shards of a model."""
        recipes = self.models[model].recipes.items()
        return [Shard(model, recipe, bucket, tuple(served)) for recipe, served in recipes for bucket in buckets(self.buckets)]


@dataclass(frozen=True)
class Failure:
    """Why a model's samples are missing. `unusable`: why it could not be loaded; `shards`: as people see them → what happened."""

    unusable: str | None
    shards: dict[str, str]


def keep_wanted(lake: Lake, wanted: Wanted) -> None:
    """Write it down, if it is not what is there already."""
    content = json.dumps(asdict(wanted), indent=1).encode()
    try:
        if lake.read(_WANTED) == content:
            return
    except FileNotFoundError:
        pass
    lake.write(_WANTED, content)


def read_wanted(lake: Lake) -> Wanted | None:
    """What the newest run wants; None if no run has said. Raises UserError for a file that is something else."""
    try:
        content = json.loads(lake.read(_WANTED))
        models = {str(name): Asked(**asked) for name, asked in content.pop("models").items()}
        wanted = Wanted(**content, models=models)
        for name in models:
            wanted.shards(name)
        return wanted
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        said = "expected what `manyminds run` writes there; delete it, and the next run makes it anew"
        raise UserError(f"{lake.location(_WANTED)}: cannot be read ({type(error).__name__}); {said}") from None


def keep_failure(lake: Lake, model: str, replica: int, failure: Failure | None) -> None:
    """Write down what a try to sample a model met, or forget what the one before it met. That it cannot be written is said, and no more."""
    path = f"{_FAILURES}/{folder_name(model)}/{replica}.json"
    try:
        if failure is None:
            lake.remove(path)
        else:
            lake.write(path, json.dumps(asdict(failure), indent=1).encode())
    except (OSError, UserError) as error:
        logger.warning("sample %s: what failed is not kept: %s", model, error)


def read_failures(lake: Lake, model: str) -> Failure:
    """What the newest tries of all replicas met. A file that is something else is left out."""
    unusable, shards = None, dict[str, str]()
    for path in lake.files(f"{_FAILURES}/{folder_name(model)}", ".json"):
        try:
            content = Failure(**json.loads(lake.read(path)))
            shards |= content.shards
            unusable = unusable or content.unusable
        except (FileNotFoundError, ValueError, TypeError):
            logger.warning("%s cannot be read", lake.location(path))
    return Failure(unusable, shards)


def failure_of(errors: Mapping[str, object]) -> Failure | None:
    """The failure of a try whose `errors` (shard → error) are these; None without any."""
    if not errors:
        return None
    unusable = next((str(error) for error in errors.values() if isinstance(error, ModelUnusable)), None)
    return Failure(unusable, {shard: str(error) for shard, error in errors.items()})
