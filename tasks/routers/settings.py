"""What each kind of router can be told in the run file, checked before anything heavy is imported.

    [[routers]]
    name = "roberta-multi-label"
    encoder = "roberta-base"
    epochs = 10

A misspelt `epoch` is an error that names `epochs`. A new kind of router is one class here, a line in `KINDS`, and its file.
"""

from typing import Any, Literal

from pydantic import Field, ValidationError

from tasks.config import Router as Section
from tasks.config import Settings
from tasks.errors import UserError, nearest


class RouterSettings(Settings):
    """What every kind can be told."""

    calibration: Literal["platt", "temperature", "isotonic", "none"] = "platt"  # of the confidences, on validation queries


class NoSettings(RouterSettings):
    """A baseline, which has nothing to set: what it says is a mean already."""

    calibration: Literal["none"] = "none"


class ClassifierSettings(RouterSettings):
    """Fine-tuning. Epochs, learning rate and length are the paper's for GSM8K and roberta-base; its batches are of 128."""

    encoder: str  # a folder, or a name on the hub, which "roberta-base@<commit>" pins
    layers: int | None = Field(None, ge=0)  # the last ones, which are trained; 0: the head alone; default: everything
    epochs: int = Field(10, ge=0)
    learning_rate: float | None = Field(None, gt=0)  # default: 2e-5, and 1e-2 where the head alone is trained
    batch_size: int = Field(32, ge=1)
    max_length: int = Field(128, ge=4)  # tokens of the query that are read
    patience: int = Field(3, ge=1)  # epochs without a better validation loss, after which training stops
    target: Literal["reward", "preference"] = "reward"  # preference: which of two models is better is learned too
    weights: Literal["queries", "benchmarks"] = "queries"  # what weighs the same
    seeds: int = Field(1, ge=1)  # runs from different seeds, whose confidences are averaged
    seed: int | None = Field(None, ge=0)  # default: the run's


class SeparateClassifierSettings(ClassifierSettings):
    """Fine-tuning of an encoder per model: each sees one model's rewards, so it cannot compare models."""

    target: Literal["reward"] = "reward"


class WordClusterSettings(RouterSettings):
    """KMeans over TF-IDF. Fewer clusters are made if there are fewer than ten training queries for each.

    The paper has 50 clusters. On RouterDC's training queries, cross-validated, 20 earn 0.604 and 50 earn 0.595.
    """

    clusters: int = Field(20, ge=1)
    min_df: int | float = Field(3, ge=0)  # a term must be in so many training queries (or in this share of them, if below 1)
    max_df: float = Field(0.95, gt=0, le=1)  # … and in at most this share
    seed: int | None = Field(None, ge=0)  # default: the run's


class EncoderClusterSettings(RouterSettings):
    """KMeans over an encoder's embeddings."""

    encoder: str  # a folder, or a name on the hub, which "roberta-base@<commit>" pins
    clusters: int = Field(20, ge=1)
    max_length: int = Field(128, ge=4)  # tokens of the query that are read
    seed: int | None = Field(None, ge=0)  # default: the run's


class VectorSettings(RouterSettings):
    """What routers share that see a query as a vector."""

    features: list[str] = Field(["words", "characters"], min_length=1)  # … and encoders: names on the hub, or folders
    max_length: int = Field(256, ge=4)  # tokens of the query that an encoder reads
    seed: int | None = Field(None, ge=0)  # default: the run's


class LinearSettings(VectorSettings):
    """Logistic or ridge regression; penalties are chosen by cross-validation."""

    loss: Literal["ridge", "logistic"] = "ridge"
    weights: Literal["queries", "benchmarks"] = "queries"  # what weighs the same
    around: Literal["overall", "benchmark"] = "benchmark"  # the mean that the regression says how far from


class NeighbourSettings(VectorSettings):
    """Nearest neighbours; their number is chosen by leaving one out."""

    around: Literal["overall", "benchmark"] = "benchmark"  # the mean that neighbours say how far from


class DomainSettings(VectorSettings):
    """Domains recognised in the text; nothing to set but what all see."""

    features: list[str] = Field(["words", "all-MiniLM-L6-v2"], min_length=1)


class LookingSettings(DomainSettings):
    """A model some of whose samples are looked at, beside the text."""

    model: str  # as it stands in the tables
    looks: int = Field(1, ge=1)  # samples, from the first


class StackingSettings(DomainSettings):
    """A weighted mean of routers, each by its kind, with what they see of a query."""

    routers: list[str] = Field(["domains", "linear", "knn"], min_length=1)


class AutoSettings(StackingSettings):
    """The routers to choose among, beside the best single model: the simplest first."""

    routers: list[str] = Field(["domains", "linear", "knn"], min_length=1)


class RankedClusterSettings(VectorSettings):
    """Avengers-Pro; its defaults."""

    clusters: int = Field(60, ge=1)
    nearest: int = Field(4, ge=1)  # clusters that a query is a mixture of
    sharpness: float = Field(9.0, ge=0)  # how much more a nearer cluster counts


class LatentSettings(VectorSettings):
    """Difficulty of queries and abilities of models."""

    rank: int = Field(4, ge=1)  # abilities of a model
    seeds: int = Field(3, ge=1)  # random starts, whose confidences are averaged


class ContrastiveSettings(VectorSettings):
    """RouterDC; its numbers of models."""

    top: int = Field(3, ge=1)  # models that a query is drawn to
    bottom: int = Field(3, ge=1)  # … and pushed away from
    width: int = Field(64, ge=2)  # of the space in which queries and models meet
    seeds: int = Field(3, ge=1)  # random starts, whose confidences are averaged


KINDS: dict[str, type[RouterSettings]] = {
    "best-single": NoSettings,
    "benchmark": NoSettings,
    "subject": NoSettings,
    "roberta-multi-label": ClassifierSettings,
    "roberta-separate": SeparateClassifierSettings,
    "kmeans-tfidf": WordClusterSettings,
    "kmeans-encoder": EncoderClusterSettings,
    "domains": DomainSettings,
    "linear": LinearSettings,
    "stacking": StackingSettings,
    "auto": AutoSettings,
    "knn": NeighbourSettings,
    "cluster-and-rank": RankedClusterSettings,
    "latent": LatentSettings,
    "pairwise": VectorSettings,
    "looking": LookingSettings,
    "dual-contrastive": ContrastiveSettings,
}


def check_settings(config: Section) -> RouterSettings:
    """The section's settings with their defaults, as the class of its kind.

    Raises UserError, naming the router, the key and the nearest right one, for a kind or key that is not known, a value
    that cannot be, or a key that is missing. Imports nothing heavy, so a run file can be checked at once.
    """
    if config.of_kind not in KINDS:
        raise UserError(f"router {config.name!r}: unknown kind {config.of_kind!r}{nearest(config.of_kind, KINDS)}")
    kind = KINDS[config.of_kind]
    for key in config.settings:
        if key not in kind.model_fields:
            known = {"name", "kind", *kind.model_fields}
            raise UserError(f"router {config.name!r}: unknown key {key!r}{nearest(key, known)}")
    try:
        return kind.model_validate(config.settings)
    except ValidationError as error:
        raise UserError(f"router {config.name!r}: {_explain(error.errors()[0])}") from error


def _explain(mistake: Any) -> str:
    key = ".".join(str(part) for part in mistake["loc"][:1])
    if mistake["type"] == "missing":
        return f"key {key!r} is missing"
    return f"key {key!r}: {mistake['msg'][0].lower()}{mistake['msg'][1:]} (it is {mistake['input']!r})"
