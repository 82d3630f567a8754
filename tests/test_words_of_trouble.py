"""What a user is told when models, servers, buckets, disks or memory are in the way; in a run, beside what Prefect's UI shows.

Each trouble is a real one, made on this machine; where its hardware is not here, the library's own error is raised at its edge.
"""

import errno
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import botocore.session
import pytest
import torch
from mistakes import SECRET, WORLD, Place, answering, told
from prefect.client.orchestration import get_client
from s3_servers import BUCKET

from flows import command_line, failures
from tasks.config import Model, Sampling
from tasks.errors import ModelUnusable, ShardsFailed
from tasks.lake.files import Lake
from tasks.sampling.engines import Request, decoding, start
from tasks.sampling.engines.decoding import Decoder
from tasks.sampling.engines.openai import OpenAIEngine, Patience

Capture = pytest.CaptureFixture[str]
SHORT = Patience(first_wait_s=0.01, longest_wait_s=0.02, attempts=3, attempts_to_reach=2, longest_wait_to_reach_s=0.02)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "MANYMINDS_TEST_KEY"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path)


@pytest.fixture
def in_place(server: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs go to the tests' own server; Prefect logs nothing to the terminal, as `manyminds run` has it."""
    monkeypatch.setattr(command_line, "_quiet_prefect", lambda: None)
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


# ── models ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def unusable(model: Model) -> str:
    """Why a model cannot be loaded, or not be sampled."""
    with pytest.raises(ModelUnusable) as raised:
        list(Decoder(model, Sampling(), "cpu").sample([Request("q", 0, "What is 2 + 2?", 1)]))
    assert "\n" not in str(raised.value)
    assert SECRET not in str(raised.value)
    return str(raised.value)


CUSTOM = {
    "model_type": "mine",
    "auto_map": {"AutoConfig": "configuration_mine.Mine", "AutoModelForCausalLM": "modeling_mine.Mine"},
}
FOLDERS: dict[str, tuple[Callable[[Place], str], tuple[str, ...]]] = {
    "without weights": (lambda at: at.model("model.safetensors"), (r"has no weights \(\*\.safetensors or \*\.bin\)",)),
    "without a tokenizer": (
        lambda at: at.model("tokenizer.json", "tokenizer_config.json"),
        (r"has no tokenizer \(tokenizer\.json or tokenizer\.model\)",),
    ),
    "without a config": (lambda at: at.model("config.json"), (r"has no config\.json",)),
    "with a pointer for weights": (
        lambda at: at.model(model__safetensors="version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        (r"model\.safetensors is only a pointer", "git lfs pull"),
    ),
    "with weights that are cut off": (lambda at: at.model(model__safetensors=b"\x40" + bytes(63)), ("no complete checkpoint",)),
    "with code of its own": (
        lambda at: at.model(config__json=json.dumps(CUSTOM), configuration_mine__py="", modeling_mine__py=""),
        ("program code of its own", "trust_remote_code = true", "read that code first"),
    ),
    "of a kind that is too new": (
        lambda at: at.model(config__json='{"model_type": "brand-new"}'),
        ("does not know its kind .*brand-new", "install a newer one"),
    ),
    "with an encoder": (lambda _: str(WORLD / "encoder"), ("recurrent, or an encoder", "expected another model")),
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_model_in_a_folder(folder: str, place: Place) -> None:
    provoke, said = FOLDERS[folder]
    path = provoke(place)
    message = unusable(Model(name="mine", path=path))
    assert message.startswith("model 'mine': ")
    assert all(re.search(part, message) for part in said), message


def test_chat_without_a_chat_template() -> None:
    message = unusable(Model(name="ledger", path=str(WORLD / "models/ledger"), chat=True))
    assert message == (
        "model 'ledger': chat = true, but its tokenizer has no chat template; set chat = false, or take the model that was tuned for chat"
    )


HUB: dict[str, tuple[int, dict[str, str], tuple[str, ...]]] = {
    "there is no such model": (404, {"X-Error-Code": "RepoNotFound"}, ("no model on the Hugging Face hub", "if it is private, .*HF_TOKEN")),
    "a private one, and no token": (401, {"X-Error-Message": "Invalid username or password."}, ("if it is private, .*HF_TOKEN",)),
    "a gated one, and no token": (
        401,
        {"X-Error-Code": "GatedRepo"},
        (r"gated: accept its licence on https://huggingface\.co/some/model", "HF_TOKEN"),
    ),
    "a gated one, and a token without the right": (
        403,
        {"X-Error-Code": "GatedRepo"},
        (r"gated: accept its licence on https://huggingface\.co/some/model", "HF_TOKEN"),
    ),
    "there is no such revision": (404, {"X-Error-Code": "RevisionNotFound"}, ("no revision 'v9'", "a branch, a tag or a commit")),
}


@pytest.mark.parametrize("trouble", HUB)
def test_a_model_on_the_hub(trouble: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    status, headers, said = HUB[trouble]
    with answering(status, **{name.replace("-", "_"): value for name, value in headers.items()}) as address:
        hub(monkeypatch, address, place)
        message = unusable(Model(name="theirs", path="some/model", revision="v9"))
    assert message.startswith("model 'theirs': some/model cannot be loaded: ")
    assert all(re.search(part, message) for part in said), message


def test_a_hub_that_cannot_be_reached(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    hub(monkeypatch, "http://127.0.0.1:1", place)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # without waiting for five attempts
    message = unusable(Model(name="theirs", path="some/model"))
    assert "the Hugging Face hub cannot be reached: check the path, or download the model beforehand" in message


def hub(monkeypatch: pytest.MonkeyPatch, address: str, place: Place) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(place.folder / "cache"))


# ── hardware that is not here ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        MemoryError(),
    ],
)
def test_memory_that_does_not_hold_the_weights(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(decoding.AutoModelForCausalLM, "from_pretrained", fail)
    message = unusable(Model(name="ledger", path=str(WORLD / "models/ledger")))
    assert re.search(r"memory ran out \(.+\); it needs a machine or GPU with more.*tensor_parallel", message), message
    assert "no complete checkpoint" not in message


VLLM = {
    "No available memory for the cache blocks. Try increasing `gpu_memory_utilization`.": "; raise gpu_memory or tensor_parallel",
    "Free memory on device (9/80 GiB) on startup is less than desired GPU memory utilization (0.9, 72 GiB).": "; lower gpu_memory, or end",
    "World size (4) is larger than the number of available GPUs (1) in this node.": "; lower tensor_parallel",
    "Failed to infer device type, please set VLLM_LOGGING_LEVEL=DEBUG": "; there is no GPU here",
    "CUDA out of memory. Tried to allocate 2.00 GiB.": "; lower gpu_memory or sampling.max_new_tokens",
}


@pytest.mark.parametrize("error", VLLM)
def test_what_vllm_says_is_repeated_with_the_key_to_change(error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ValueError(error)

    class Platform:
        def is_cpu(self) -> bool:
            return False

        is_cuda = is_cpu

    parts = ("vllm", "vllm.platforms", "vllm.usage", "vllm.usage.usage_lib", "vllm.v1", "vllm.v1.engine", "vllm.v1.engine.llm_engine")
    vllm = {name: ModuleType(name) for name in parts}
    vllm["vllm"].__dict__.update(EngineArgs=fail, envs=None)
    vllm["vllm.platforms"].__dict__.update(current_platform=Platform())
    vllm["vllm.usage.usage_lib"].__dict__.update(UsageContext=None)
    vllm["vllm.v1.engine.llm_engine"].__dict__.update(LLMEngine=None)
    for name, module in vllm.items():
        monkeypatch.setitem(sys.modules, name, module)
    from tasks.sampling.engines.vllm import VllmEngine

    with pytest.raises(ModelUnusable) as raised:
        VllmEngine(Model(name="ledger", path=str(WORLD / "models/ledger")), Sampling())
    assert str(raised.value).startswith(f"model 'ledger': {WORLD}/models/ledger cannot be loaded by vLLM: {error}{VLLM[error]}")


def test_what_only_vllm_can_do_where_there_is_no_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelUnusable, match=r"model 'm': engine = \"vllm\", but vLLM is not installed here; .*manyminds\[vllm\]"):
        start(Model(name="m", path="some/model"), Sampling(engine="vllm"))
    with pytest.raises(ModelUnusable, match=r"over 4 GPUs, which only vLLM does, but vLLM is not installed here; run it where there are 4"):
        start(Model(name="m", path="some/model", tensor_parallel=4), Sampling())


def test_memory_that_runs_out_in_a_step_can_be_run_again() -> None:
    for error in (MemoryError("Unable to allocate 9.0 GiB"), torch.OutOfMemoryError("CUDA out of memory.")):
        message, code = failures.told(error) or ("", 0)
        assert code == 1
        assert str(error) in message
        assert "raise sampling.buckets" in message


# ── servers of models ────────────────────────────────────────────────────────────────────────────────────────────────

SERVERS: dict[str, tuple[int, dict[str, object], tuple[str, ...]]] = {
    "a key that is wrong": (401, {"message": f"Incorrect API key: {SECRET}"}, (r"401 .*\[key\]", "MANYMINDS_TEST_KEY")),
    "a model that it does not serve": (404, {"message": "The model `m` does not exist."}, ("does not serve 'm': 404", "does not exist")),
}


@pytest.mark.usefixtures("in_place")
@pytest.mark.parametrize("trouble", SERVERS)
def test_a_server_that_refuses_a_run(trouble: str, place: Place, capsys: Capture) -> None:
    status, error, said = SERVERS[trouble]
    with answering(status, {"error": error}) as address:
        served = f'[[models]]\nname = "served"\npath = "m"\nurl = "{address}/v1"\nkey = "MANYMINDS_TEST_KEY"\n'
        file = place.run_file(models=served + served.replace('"served"', '"other"'))
        message = told(["run", file, "--lake", place.lake], capsys)
    assert all(re.search(f"model '{name}': {address}/v1/completions does not serve", message) for name in ("served", "other")), message
    assert all(re.search(part, message) for part in said), message
    with get_client(sync_client=True) as client:
        states = [run.state.message or "" for run in client.read_flow_runs() if run.state is not None]
    shown = next(state for state in states if f"{address}/v1" in state and "'served'" in state)
    assert all(re.search(part, shown) for part in said), shown
    assert SECRET not in shown


def test_a_server_of_models_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(name="served", path="m", url="http://127.0.0.1:1/v1", key="MANYMINDS_TEST_UNSET")
    engine = OpenAIEngine(model, Sampling(), SHORT)
    engine.add([Request("q", 0, "What is 2 + 2?", 1)])
    with pytest.raises(ModelUnusable, match=r"model 'served': http://127\.0\.0\.1:1/v1/completions .*no connection"):
        while not engine.step():
            pass
    engine.close()


def test_a_key_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(401, {"error": {"message": "Who are you?"}}) as address:
        engine = OpenAIEngine(Model(name="served", path="m", url=address, key="MANYMINDS_TEST_UNSET"), Sampling(), SHORT)
        engine.add([Request("q", 0, "What is 2 + 2?", 1)])
        with pytest.raises(ModelUnusable, match=r"the environment variable MANYMINDS_TEST_UNSET is not set"):
            while not engine.step():
                pass
        engine.close()


# ── a run in place ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("in_place")
def test_a_folder_that_is_no_model_ends_a_run_in_one_line_for_each_model(place: Place, capsys: Capture) -> None:
    broken = place.model("tokenizer.json", "tokenizer_config.json")
    both = "".join(f'[[models]]\nname = "{name}"\npath = "{broken}"\n' for name in ("one", "two"))
    message = told(["run", place.run_file(models=both), "--lake", place.lake], capsys)
    assert [line.partition(": ")[2].partition(":")[0] for line in message.splitlines()] == ["model 'one'", "model 'two'"]
    assert message.count("it has no tokenizer") == 2


@pytest.mark.usefixtures("in_place")
def test_a_secret_block_that_there_is_not(place: Place, capsys: Capture) -> None:
    message = told(["run", place.run_file(top='secrets = "nowhere"'), "--lake", place.lake], capsys)
    assert re.search(r"secrets = 'nowhere': Prefect has no Secret block of that name; .*prefect block", message), message
    assert not Path(place.lake).exists()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes a disk with these options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = []

    def mount(options: str) -> Path:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False).returncode:
            pytest.skip("a disk can be mounted by root only")
        mounted.append(folder)
        return folder

    yield mount
    for one in mounted:
        subprocess.run(["umount", str(one)], check=True)


@pytest.mark.usefixtures("in_place")
def test_a_lake_that_cannot_be_written_to(disk: Callable[[str], Path], place: Place, capsys: Capture) -> None:
    lake = disk("ro") / "lake"
    message = told(place.run_outcomes(str(lake)), capsys)
    assert message == (f"lake {lake}: cannot be written to: Read-only file system ({lake}); make it writable, or give --lake another place")


def test_a_disk_that_is_full(disk: Callable[[str], Path]) -> None:
    lake = Lake(str(disk("size=64k") / "lake"))
    with pytest.raises(OSError, match="No space left on device") as raised:
        lake.create("votes/large.parquet", os.urandom(100_000))
    assert raised.value.errno == errno.ENOSPC
    message, code = failures.told(raised.value) or ("", 0)
    assert code == 1
    assert message == (
        f"{lake.url}/votes/large.parquet: No space left on device: 100,000 bytes could not be written; "
        "make room, or give --lake a place that has more; run again to go on from here"
    )
    assert lake.files("votes", "") == []


def test_of_many_shards_that_failed_the_first_are_named() -> None:
    message, code = failures.told(ShardsFailed("\n".join(f"sample m · bucket {number} of 16: full" for number in range(1, 17)))) or ("", 0)
    assert code == 1
    assert "bucket 10 of 16" in message
    assert "bucket 11" not in message
    assert message.splitlines()[-1].startswith("… and 6 more")


# ── buckets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def bucket(seaweedfs: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in seaweedfs.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}"


BUCKETS: dict[str, tuple[dict[str, str], str, tuple[str, ...]]] = {
    "that there is not": ({}, "s3://no-such-bucket/lake", ("lake s3://no-such-bucket/lake: there is no such bucket", "create it")),
    "with a key that is wrong": (
        {"AWS_SECRET_ACCESS_KEY": SECRET},
        f"s3://{BUCKET}/lake",
        ("these credentials are not accepted", "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"),
    ),
    "with a key that nobody has": ({"AWS_ACCESS_KEY_ID": "nobody"}, f"s3://{BUCKET}/lake", ("not accepted", "check AWS_ACCESS_KEY_ID")),
    "without credentials": (
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"},
        f"s3://{BUCKET}/lake",
        ("no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",),
    ),
    "of a profile that there is not": ({"AWS_PROFILE": "nobody"}, f"s3://{BUCKET}/lake", ("AWS_PROFILE: .*nobody",)),
    "at an address that is none": ({"AWS_ENDPOINT_URL": "localhost"}, f"s3://{BUCKET}/lake", ("AWS_ENDPOINT_URL is not usable", "http://")),
    "at a server that does not answer": (
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"},
        f"s3://{BUCKET}/lake",
        (r"no answer from 127\.0\.0\.1:1", "is AWS_ENDPOINT_URL right"),
    ),
}


@pytest.mark.parametrize("trouble", BUCKETS)
@pytest.mark.parametrize("command", ["status", "run"])
def test_a_bucket(command: str, trouble: str, bucket: str, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    environment, lake, said = BUCKETS[trouble]
    monkeypatch.setenv("AWS_CONFIG_FILE", str(place.folder / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(place.folder / "none"))
    for name, value in environment.items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name)
    message = told(["status", "--lake", lake] if command == "status" else place.run_outcomes(lake), capsys)
    assert all(re.search(part, message) for part in said), message


@pytest.mark.usefixtures("in_place")
@pytest.mark.parametrize(("right", "command"), [("PutObject", "run"), ("ListBucket", "status")])
def test_a_bucket_without_rights(right: str, command: str, bucket: str, place: Place, capsys: Capture) -> None:
    client = botocore.session.Session().create_client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name="us-east-1")
    statement = {"Effect": "Deny", "Principal": "*", "Action": f"s3:{right}"}
    places = [f"arn:aws:s3:::{BUCKET}/refused/*", *([f"arn:aws:s3:::{BUCKET}"] if right == "ListBucket" else [])]
    client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Resource": places}]}))
    try:
        lake = f"{bucket}/refused/lake"
        message = told(place.run_outcomes(lake) if command == "run" else ["status", "--lake", lake], capsys)
        assert re.search(r"s3://lakes/refused/lake.*: not allowed \(AccessDenied\); .* rights to list, read, write and delete", message), (
            message
        )
    finally:
        client.delete_bucket_policy(Bucket=BUCKET)


# ── Prefect's server ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_prefect_server_that_does_not_answer_or_does_not_let_us_in(place: Place) -> None:
    done = run_with(place, "http://user:hunter2@127.0.0.1:1/api")
    assert done.returncode == 1
    assert "manyminds: the Prefect server at 127.0.0.1:1 does not answer; is PREFECT_API_URL right, and does the server run?" in done.stderr
    with answering(401, {"detail": "Unauthorized"}) as address:
        done = run_with(place, f"{address}/api")
    assert done.returncode == 2
    assert (
        f"manyminds: the Prefect server at {address.removeprefix('http://')} does not let us in (401); set PREFECT_API_KEY" in done.stderr
    )


def run_with(place: Place, server: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("manyminds")), *place.run_outcomes()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PREFECT_API_URL": server}, timeout=120)
    assert done.stdout == ""
    assert len(re.findall("^manyminds: ", done.stderr, re.MULTILINE)) == 1
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
    assert not Path(place.lake).exists()
    return done
