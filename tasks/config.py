"""The run file, typed.

    name = "gsm8k-pool"
    lake = "lake"
    [[benchmarks]]
    name = "gsm8k"
    [[models]]
    name = "gemma-7b"
    path = "google/gemma-7b"

`load_run("run.toml")` gives a `RunFile` with every default filled in, every path resolved against the run file's folder
and every `${NAME}` taken from the environment, or raises `UserError` naming the key and what was expected.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tasks.errors import UserError, beside, nearest
from tasks.mistakes import explain

RESERVED = (
    "best-single",
    "benchmark",
    "subject",
    "random",
    "oracle",
    "hindsight-benchmark",
    "oracle-without-luck",
    "single-models",
)  # what every router is compared with
LOOKING = ("cascade",)  # policies that look at samples before they choose: not for a new question, of which there are none
AnswerKind = Literal["number", "choice", "math", "text"]
COST_COLUMNS = {"usd": "cost_usd", "seconds": "latency_s", "tokens": "completion_tokens"}  # unit of [cost] → column of the table votes


class Settings(BaseModel):
    """Base of every section: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Benchmark(Settings):
    """One of ours by name (embedded, gsm8k, mmlu, math, arc-challenge), or a user's own table (`files`)."""

    name: str
    files: list[str] = []  # local JSONL, Parquet or CSV files instead of the hub
    columns: dict[str, str] = {}  # our column → the file's column
    answer_kind: AnswerKind | None = None
    prompt: str | None = None  # a Jinja template file, or the name of one of ours; default: the benchmark's own
    chat_prompt: str | None = None  # the same for models with chat = true; default: the benchmark's own for these, or `prompt` if given
    holes: Literal["refuse", "skip"] = "refuse"  # rows without a text, a right answer or two options: an error, or left out and counted
    limit: dict[Literal["train", "validation", "test"], Annotated[int, Field(ge=1)]] = {}  # at most so many queries of each split


class Price(Settings):
    """US dollars per million tokens."""

    prompt: float = Field(0.0, ge=0)
    completion: float = Field(0.0, ge=0)


class Model(Settings):
    """A member of the pool. Which hardware it is spread over is no part of its recipe; `quantization` and `lora` are."""

    name: str
    path: str  # a hub name or a folder; for a server, the name under which it serves the model
    revision: str | None = None  # a commit, tag or branch of the hub; a folder has none, and it is not looked at
    chat: bool = False  # put the prompt through the model's chat template
    trust_remote_code: bool = False
    price: Price | None = None
    url: str | None = None  # of an OpenAI-compatible server, up to and with "/v1": the model is sampled there
    key: str | None = None  # the environment variable that holds the server's key; default: OPENAI_API_KEY where there is no url, else none
    tensor_parallel: int = Field(1, ge=1)  # GPUs that share each layer
    pipeline_parallel: int = Field(1, ge=1)  # groups of GPUs that share the layers
    gpu_memory: float = Field(0.9, gt=0, le=1)  # share of the GPU's memory that vLLM takes
    quantization: str | None = None  # as vLLM names it ("fp8", "awq"); default: what the checkpoint says
    lora: str | None = None  # a LoRA adapter on top: a hub name or a folder
    tokens_per_second: float | None = Field(None, gt=0)  # what one replica generates, for `manyminds plan`; default: as seen in the lake
    replicas: int = Field(1, ge=1)  # flow runs that share the model's shards, where there are workers
    only: str | None = Field(None, min_length=1)  # a table of queries, as `manyminds onboard` writes it: the model is asked no others


class Sampling(Settings):
    """How models are sampled. `k` to `concurrency` do not change what a sample says; the rest is the recipe."""

    k: int = Field(10, ge=1, le=1000)
    stop: Literal["all", "decided"] = "all"  # draw all k, or none that can no longer change the vote
    engine: Literal["auto", "vllm", "transformers", "openai"] = "auto"  # auto: vllm where there is a GPU for it, else transformers
    buckets: int = Field(16, ge=1, le=99)
    chunk: int = Field(2000, ge=1)  # samples per file: what a killed worker loses at most
    concurrency: int = Field(64, ge=1)  # requests under way to a server at once
    temperature: float = Field(0.7, ge=0, allow_inf_nan=False)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0)  # 0: off
    repetition_penalty: float = Field(1.0, gt=0, allow_inf_nan=False)
    max_new_tokens: int = Field(750, ge=1)
    stop_strings: list[str] = []


class Router(BaseModel):
    """A router: its name in the tables, its kind (default: the name), and settings that the kind itself checks."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    kind: str = ""

    @property
    def of_kind(self) -> str:
        """The kind of router that this is."""
        return self.kind or self.name

    @property
    def settings(self) -> dict[str, Any]:
        """Everything beside name and kind."""
        return dict(self.model_extra or {})


class Evaluation(Settings):
    """Policies to evaluate, and how figures get their intervals."""

    policies: list[str] = Field(["argmax", "random", "prediction", "sorted-prediction"], min_length=1)
    bootstrap: int = Field(2000, ge=100)  # resamples behind each interval


class Cost(Settings):
    """What the policies that weigh cost go by, all of them in one unit: `unit = "seconds"`, `budget = 0.5` is half a second a query.

    Costs are those of one sample. What one costs on a query is learned from training queries, and needs the column of the votes that
    belongs to the unit: prices of the models or imported costs (usd), latencies (seconds), or tokens generated (tokens).
    """

    unit: Literal["usd", "seconds", "tokens"] = "usd"
    weight: float | None = Field(None, ge=0, allow_inf_nan=False)  # cost-aware: confidence that a unit must bring; default: by `within`
    budget: float | None = Field(None, gt=0, allow_inf_nan=False)  # budget: units for a query; default: half of what the best single costs
    per: Literal["average", "query"] = "average"  # budget: kept on average, or by each query
    within: float = Field(0.01, ge=0, lt=1)  # accuracy to give up at most: cheapest-within: best single's; cost-aware, cascade: argmax's
    looks: int = Field(3, ge=2, le=100)  # cascade: samples of a model whose agreement is looked at

    @property
    def column(self) -> str:
        """The column of `votes` that holds costs in this unit."""
        return COST_COLUMNS[self.unit]


class Splits(Settings):
    """Shares cut by hash where a benchmark does not bring the split itself."""

    validation: float = Field(0.15, gt=0, lt=0.5)  # of what is not test
    test: float = Field(0.3, gt=0, lt=0.9)  # of everything


class Import(Settings):
    """What was made elsewhere: a table (JSONL, Parquet or CSV), or what another program wrote."""

    files: list[str] = Field(min_length=1)  # a name may be a pattern: "results/*/samples_mmlu_*.jsonl"
    format: Literal["table", "lm-eval", "inspect", "routerbench", "routerdc"] = "table"
    columns: dict[str, str] = {}  # of a table: our column → the file's column
    model: str | None = None  # of lm-eval: the model's name, where the file's folder is not named for it
    metric: str | None = None  # of lm-eval and inspect: what is the score, where there are several: "exact_match,strict-match"
    answer_kind: AnswerKind | None = None  # of generations that do not say it themselves; default: what golds and choices tell

    @field_validator("files")
    @classmethod
    def _matching(cls, files: list[str]) -> list[str]:
        """Each pattern by the local files that it matches."""
        names: list[str] = []
        for file in files:
            root = Path(file).anchor
            is_pattern = "*" in file and "://" not in file
            found = sorted(str(match) for match in Path(root).glob(file.removeprefix(root))) if is_pattern else [file]
            if not found:
                raise ValueError(f"no file matches {file}")
            names += found
        return names


class Labels(Settings):
    """What an answer counts for, in training and in evaluation."""

    rule: Literal["majority", "at-least", "success-rate"] = "majority"  # the most frequent answer is right; m samples are; their share
    at_least: int | None = Field(None, ge=1)  # m, with rule = "at-least"


class Studies(Settings):
    """Which studies to make: true, false, or a section of settings, which the study itself checks."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"), populate_by_name=True)

    training_size: bool | dict[str, Any] = False
    pool: bool | dict[str, Any] = False
    switching: bool | dict[str, Any] = False
    policies: bool | dict[str, Any] = False
    clusters: bool | dict[str, Any] = False
    labels: bool | dict[str, Any] = False
    transfer: bool | dict[str, Any] = False
    calibration: bool | dict[str, Any] = False
    reproduction: bool | dict[str, Any] = False
    contamination: bool | dict[str, Any] = True
    health: bool | dict[str, Any] = True  # reads what the others found

    @field_validator("*", mode="before")
    @classmethod
    def _a_switch_or_a_section(cls, value: Any) -> Any:
        if not isinstance(value, bool | dict):
            raise ValueError("expected true, false or a section with settings")
        return value

    @property
    def wanted(self) -> dict[str, dict[str, Any]]:
        """Settings of each study that is to be made, in the order in which they are made; `training-size` as it is written."""
        given = {name.replace("_", "-"): getattr(self, name) for name in type(self).model_fields}
        return {name: settings if isinstance(settings, dict) else {} for name, settings in given.items() if settings is not False}


class RunFile(Settings):
    """A run file with its defaults filled in."""

    name: str = Field("manyminds", min_length=1)
    lake: str = Field("lake", min_length=1)
    seed: int = Field(0, ge=0)
    secrets: str | None = None  # a Prefect Secret block, {"NAME": "value"}: what is not in the environment is taken from there
    benchmarks: list[Benchmark] = []
    models: list[Model] = []
    sampling: Sampling = Sampling()
    outcomes: list[Import] = []
    generations: list[Import] = []
    labels: Labels = Labels()
    splits: Splits = Splits()
    # Without an encoder: what nobody asked for must not need a download once all samples are paid for.
    routers: list[Router] = [Router.model_validate({"name": "auto", "features": ["words", "characters"]}), Router(name="kmeans-tfidf")]
    evaluation: Evaluation = Evaluation()
    cost: Cost = Cost()
    studies: Studies = Studies()


def load_run(
    file: str | Path | None,
    *,
    settings: Sequence[str] = (),
    outcomes: Sequence[str] = (),
    lake: str | None = None,
) -> RunFile:
    """Read a run file, then lay `settings`, imported outcomes and the lake from the command line over it.

    A setting ("sampling.k=20") counts as if it stood in the run file; the other paths are relative to where one stands.

    Without a file, `outcomes` alone make a run with the default routers. Raises UserError.
    """
    content: dict[str, Any] = {}
    if file is not None:
        content = _parse(Path(file))
    for setting in settings:
        _lay_over(content, setting)
    written = content  # before anything is taken from the environment: what is repeated of it is no secret
    content = _from_environment(content, str(file or "--set"))
    content = _absolute(content, Path(file).resolve().parent if file is not None else Path.cwd())
    if outcomes:
        content["outcomes"] = [{"files": [_located(path, Path.cwd()) for path in outcomes]}]
    if lake is not None:
        content["lake"] = _located(lake, Path.cwd())
    try:
        run = RunFile.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{file or 'run'}: {explain(error, RunFile, written)}") from None  # pydantic's text repeats what may be a secret
    _check(run, str(file or "run"))
    return run


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise UserError(f"{file}: no such run file{beside(file, '.toml')}") from error
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror or error}; expected a run file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not a TOML file: it is not in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{file}: not a TOML file: {error}") from error


def _from_environment(value: Any, file: str) -> Any:
    """Replace `${NAME}` in every text."""
    if isinstance(value, dict):
        return {key: _from_environment(item, file) for key, item in value.items()}
    if isinstance(value, list):
        return [_from_environment(item, file) for item in value]
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise UserError(f"{file}: environment variable {match[1]} is not set, but ${{{match[1]}}} is used; set it")
        return os.environ[match[1]]

    return re.sub(r"\$\{(\w+)\}", look_up, value)


def _located(path: str, folder: Path) -> str:
    return path if "://" in path or not path else str((folder / Path(path).expanduser()).resolve())


def _is_path(value: str) -> bool:
    return value.startswith((".", "/", "~"))


def _may_be_on_the_hub(value: str) -> bool:
    return not _is_path(value) and value.count("/") <= 1


def _absolute(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Resolve paths against the run file's folder. A model or prompt that is no path there stays a name."""
    if isinstance(content.get("lake"), str):
        content["lake"] = _located(content["lake"], folder)
    else:
        content.setdefault("lake", str(folder / "lake"))
    for section in ("benchmarks", "outcomes", "generations"):
        for entry in _entries(content, section):
            if isinstance(entry.get("files"), list):
                entry["files"] = [_located(file, folder) if isinstance(file, str) else file for file in entry["files"]]
    for entry in _entries(content, "models"):
        if isinstance(entry.get("only"), str):
            entry["only"] = _located(entry["only"], folder)
    for section, key in (
        ("benchmarks", "prompt"),
        ("benchmarks", "chat_prompt"),
        ("models", "path"),
        ("models", "lora"),
        ("routers", "encoder"),
    ):
        for entry in _entries(content, section):
            value = entry.get(key)
            if key == "path" and entry.get("url") is not None:
                continue  # the name under which a server serves it
            if isinstance(value, str) and (_is_path(value) or (folder / value).exists()):
                entry[key] = _located(value, folder)
    for entry in _entries(content, "routers"):
        if isinstance(entry.get("features"), list):
            entry["features"] = [_located(name, folder) if isinstance(name, str) and _is_path(name) else name for name in entry["features"]]
    return content


def _entries(content: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    entries = content.get(section, [])
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _lay_over(content: dict[str, Any], setting: str) -> None:
    """Apply one `key.key=value`; the value is TOML, or text if it is not. List entries go by number or by name."""
    path, separator, text = setting.partition("=")
    if not separator or not path:
        raise UserError(f"--set {setting}: expected key=value, for instance sampling.k=20")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *folders, last = path.strip().split(".")
    place: Any = content
    for folder in folders:
        place = _step(place, folder, setting)
    if isinstance(place, list):
        place[_index(place, last, setting)] = value
    else:
        place[last] = value


def _step(place: Any, folder: str, setting: str) -> Any:
    if isinstance(place, list):
        return place[_index(place, folder, setting)]
    inner = place.setdefault(folder, {})
    if not isinstance(inner, dict | list):
        raise UserError(f"--set {setting}: {folder!r} is a value, not a section")
    return inner


def _index(entries: list[Any], key: str, setting: str) -> int:
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    if key in names:
        return names.index(key)
    if key.isdigit() and int(key) < len(entries):
        return int(key)
    known = [name for name in names if isinstance(name, str)] or [str(number) for number in range(len(entries))]
    raise UserError(f"--set {setting}: no entry {key!r}{nearest(key, known)}")


def _check(run: RunFile, file: str) -> None:
    """What no single key can tell."""
    for section, entries in (("benchmarks", run.benchmarks), ("models", run.models), ("routers", run.routers)):
        names = [entry.name for entry in entries]
        for name in names:
            if names.count(name) > 1:
                raise UserError(f"{file}: two entries of {section} are named {name!r}; give each a name of its own")
            if not name.strip():
                raise UserError(f"{file}: an entry of {section} has an empty name")
    for policy in run.evaluation.policies:
        if run.evaluation.policies.count(policy) > 1:
            raise UserError(f"{file}: evaluation.policies: {policy!r} stands there twice; expected each once")
        if policy in LOOKING and run.outcomes and not run.models and not run.generations:
            raise UserError(f"{file}: evaluation.policies: {policy!r} looks at samples, which [[outcomes]] do not have; remove it")
    for router in run.routers:
        if router.name in RESERVED:
            raise UserError(f"{file}: a router cannot be named {router.name!r}: that is a baseline, which is always there")
    if run.lake.startswith("s3://") and not re.match(r"s3://[A-Za-z0-9][A-Za-z0-9._-]+(/|$)", run.lake):
        # What stands there may be a key; so it is not repeated.
        raise UserError(
            f"{file}: lake: no bucket's name; expected s3://bucket/prefix, with credentials in the environment and not in the name"
        )
    _check_labels(run, file)
    imported = bool(run.outcomes or run.generations)
    if run.models and not run.benchmarks:
        raise UserError(f"{file}: there are models but no [[benchmarks]] to ask them")
    if run.benchmarks and not run.models:
        raise UserError(f"{file}: there are benchmarks but no [[models]] to sample")
    if not run.models and not imported:
        raise UserError(f"{file}: nothing to do; expected [[benchmarks]] and [[models]], or [[outcomes]], or [[generations]]")
    for model in run.models:
        if model.url is not None:
            _check_url(model, file)
            for key in ("revision", "quantization", "lora"):
                if getattr(model, key) is not None:
                    raise UserError(
                        f"{file}: model {model.name!r}: {key} and url: what a server serves is the server's to say; remove {key}"
                    )
        elif run.sampling.engine != "openai" and not _may_be_on_the_hub(model.path) and not Path(model.path).is_dir():
            raise UserError(
                f"{file}: model {model.name!r}: there is no folder {model.path}{beside(Path(model.path))}; "
                "expected the folder of a Hugging Face checkpoint, or a model's name on the hub such as google/gemma-7b"
            )


def _check_labels(run: RunFile, file: str) -> None:
    rule, least = run.labels.rule, run.labels.at_least
    if (rule == "at-least") != (least is not None):
        raise UserError(f'{file}: labels: rule = "at-least" and at_least = (a number of samples) go together')
    if rule == "majority":
        return
    if run.models and run.sampling.stop == "decided":
        raise UserError(f'{file}: labels: rule = "{rule}" needs all samples, so sampling.stop = "all"')
    if least is not None and run.outcomes:
        raise UserError(f'{file}: labels: rule = "at-least" counts samples, which [[outcomes]] do not tell')
    if least is not None and run.models and least > run.sampling.k:
        raise UserError(f"{file}: labels: at_least = {least}, but sampling.k = {run.sampling.k}")


def _check_url(model: Model, file: str) -> None:
    """The text does not repeat the url: what is wrong with it may be a password."""
    try:
        url = urlsplit(model.url or "")
        is_one = url.scheme in ("http", "https") and url.hostname is not None and url.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise UserError(f'{file}: model {model.name!r}: url is not one of a server; expected for instance "http://localhost:8000/v1"')
    if url.username is not None or url.query or url.fragment:
        raise UserError(
            f"{file}: model {model.name!r}: url has a user, a password or a query; expected a plain url, and in models.key the name "
            "of the environment variable that holds the key"
        )
