"""The engine for servers, against a server that misbehaves in every way that a server can."""

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.config import Model, Price, Sampling, load_run
from tasks.errors import ModelUnusable, UserError
from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import GENERATIONS
from tasks.sampling.engines import Completion, Request
from tasks.sampling.engines.openai import OpenAIEngine, Patience
from tasks.sampling.engines.refusals import Allowed, allowed_tokens
from tasks.sampling.engines.sampler import Sampler
from tasks.sampling.engines.wire import retry_after
from tasks.sampling.recipe import recipe_of
from tasks.sampling.sample import sample_shard
from tasks.voting.vote import vote

ROOT = Path(__file__).parents[2]
KEY = "sk-very/secret+0123456789"
SHORT = Patience(silence_s=60, first_wait_s=0.01, longest_wait_s=0.05, attempts=6)
DEFAULTS = Sampling()
Behaviour = Callable[["Handler", dict[str, Any], int], None]


class Handler(BaseHTTPRequestHandler):
    """Notes each request, and answers as the test says."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append((time.monotonic(), self.path, self.headers.get("Authorization"), body))
            number = len(self.server.asked)
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)
        try:
            self.server.behaviour(self, body, number)
        finally:
            with self.server.lock:
                self.server.now -= 1

    def refuse(self, status: int, content: object, **headers: str) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def stream(self, *events: object) -> None:
        """These events, and the connection's end."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.end_headers()
        for event in events:
            self.wfile.write(b"data: " + (event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n\n")
            self.wfile.flush()

    def answer(self, text: str = "4 .", finish_reason: str = "stop") -> None:
        """As vLLM does."""
        usage = {"prompt_tokens": 9, "completion_tokens": 3}
        self.stream(*pieces(text, finish_reason), {"choices": [], "usage": usage}, b"[DONE]")

    def log_message(self, format: str, *args: Any) -> None: ...


def pieces(text: str, finish_reason: str | None) -> list[dict[str, Any]]:
    half = len(text) // 2
    first, second = {"text": text[:half], "finish_reason": None}, {"text": text[half:], "finish_reason": finish_reason}
    return [{"choices": [first]}, {"choices": [second]}]


class Server(ThreadingHTTPServer):
    """A server with one behaviour."""

    daemon_threads = True

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour, self.lock = behaviour, threading.Lock()
        self.asked: list[tuple[float, str, str | None, dict[str, Any]]] = []
        self.now = self.most = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None: ...


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[Server]:
    with Server(behaviour) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def sampler_of(server: Server | str, patience: Patience = SHORT, sampling: Sampling = DEFAULTS, **model: Any) -> Sampler:
    url = server if isinstance(server, str) else server.url
    return Sampler(lambda: OpenAIEngine(Model(name="m", path="served", url=url, **model), sampling, patience))


def requests(count: int) -> list[Request]:
    return [Request("q", sample, f"question {sample}", seed=2**63 - 1 - sample) for sample in range(count)]


def draw(server: Server | str, count: int = 1, **settings: Any) -> list[Completion]:
    with sampler_of(server, **settings) as sampler:
        return sorted(sampler.sample(requests(count)), key=lambda one: one.sample)


def answer(handler: Handler, body: dict[str, Any], number: int) -> None:
    handler.answer(f"to {body['prompt']}")


def test_an_answer_has_its_text_tokens_and_times_and_the_request_says_all_of_the_recipe() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, top_k=7, repetition_penalty=1.1, max_new_tokens=30, stop_strings=["STOP", ""])
    with serving(answer) as server:
        (one,) = draw(server, sampling=sampling)
    assert (one.text, one.finish_reason, one.prompt_tokens, one.completion_tokens) == ("to question 0", "stop", 9, 3)
    assert one.first_token_s is not None and 0 < one.first_token_s <= one.latency_s
    ((_, path, key, body),) = server.asked
    assert (path, key) == ("/v1/completions", None)
    expected = {
        "model": "served",
        "prompt": "question 0",
        "seed": 2**63 - 1,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 7,
        "repetition_penalty": 1.1,
        "max_tokens": 30,
        "stop": ["STOP"],
    }
    assert expected.items() <= body.items()


def test_a_chat_is_one_message_and_its_first_token_is_not_the_role() -> None:
    def chat(handler: Handler, body: dict[str, Any], number: int) -> None:
        handler.stream({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        time.sleep(0.1)
        for event in ({"delta": {"content": "4"}}, {"delta": {}, "finish_reason": "length"}):
            handler.wfile.write(f"data: {json.dumps({'choices': [event]})}\n\n".encode())

    with serving(chat) as server:
        (one,) = draw(server, chat=True)
    assert (one.text, one.finish_reason) == ("4", "length")
    assert one.first_token_s is not None and one.first_token_s >= 0.1
    assert server.asked[0][1] == "/v1/chat/completions"
    assert server.asked[0][3]["messages"] == [{"role": "user", "content": "question 0"}]


def _cut(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def _hang(handler: Handler) -> None:
    time.sleep(0.8)
    _cut(handler)


FAULTS: dict[str, Callable[[Handler], None]] = {
    "500": lambda handler: handler.refuse(500, {"error": "broken"}),
    "503": lambda handler: handler.refuse(503, {"error": {"message": "starting"}}, Retry_After="0"),
    "429": lambda handler: handler.refuse(429, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}),
    "cut before the answer": _cut,
    "cut in the middle": lambda handler: handler.stream(*pieces("half", None)),
    "cut inside an event": lambda handler: handler.stream(pieces("half", None)[0], b'{"choices": [{"te'),
    "silence": _hang,
    "an error in the stream": lambda handler: handler.stream(pieces("half", None)[0], {"error": {"message": "died", "code": 500}}),
    "aborted": lambda handler: handler.stream(*pieces("half", "abort"), b"[DONE]"),
    "no such format": lambda handler: handler.stream({"choices": ["text"]}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_may_pass_is_tried_again(fault: str) -> None:
    def behave(handler: Handler, body: dict[str, Any], number: int) -> None:
        FAULTS[fault](handler) if number <= 2 else answer(handler, body, number)

    with serving(behave) as server:
        found = draw(server, 3, patience=replace(SHORT, silence_s=0.5) if fault == "silence" else SHORT)
    assert [one.text for one in found] == [f"to question {number}" for number in range(3)]
    assert len(server.asked) == 5 or (fault == "silence" and len(server.asked) > 5)  # a slow machine is silent too


def test_retry_after_holds_back_every_request() -> None:
    def behave(handler: Handler, body: dict[str, Any], number: int) -> None:
        handler.refuse(429, {}, Retry_After="1") if number == 1 else answer(handler, body, number)

    with serving(behave) as server:
        assert len(draw(server, 4, sampling=Sampling(concurrency=1))) == 4
    first, *others = [asked[0] for asked in server.asked]
    assert min(others) - first >= 1


def test_retry_after_is_a_number_of_seconds_or_a_date() -> None:
    assert retry_after("120") == 120
    assert retry_after("soon") is None
    assert retry_after(formatdate(time.time() + 90, usegmt=True)) == pytest.approx(90, abs=20)
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_a_server_that_asks_to_wait_for_hours_is_left_until_another_run() -> None:
    expected = r"asks to wait 5\.0 hours; run again then.*quota"
    with (
        serving(lambda handler, body, number: handler.refuse(429, {"message": "quota"}, Retry_After="18000")) as server,
        pytest.raises(ModelUnusable, match=expected),
    ):
        draw(server)


def test_too_many_requests_are_no_fault_of_a_request_while_others_are_answered() -> None:
    def behave(handler: Handler, body: dict[str, Any], number: int) -> None:
        answer(handler, body, number) if number % 4 == 0 else handler.refuse(429, {"error": {"message": "slow down"}})

    with serving(behave) as server:
        assert len(draw(server, 20, sampling=Sampling(concurrency=8))) == 20


def test_an_error_that_stays_fails_that_sample_alone() -> None:
    def behave(handler: Handler, body: dict[str, Any], number: int) -> None:
        handler.refuse(500, {"detail": "out of luck"}) if body["prompt"] == "question 1" else answer(handler, body, number)

    with serving(behave) as server, sampler_of(server) as sampler, sampler.stream() as stream:
        stream.add(requests(3))
        found: list[Completion] = []
        with pytest.raises(RuntimeError, match=r"sample 1 of query q: 500 .*out of luck \(after 6 attempts\)"):
            for completions in stream:
                found += completions
    assert sorted(one.sample for one in found) == [0, 2]


def test_a_prompt_that_is_refused_fails_alone_and_is_not_asked_again() -> None:
    def behave(handler: Handler, body: dict[str, Any], number: int) -> None:
        handler.refuse(400, {"error": {"message": "odd"}}) if body["prompt"] == "question 1" else answer(handler, body, number)

    with serving(behave) as server, pytest.raises(UserError, match=r"sample 1 of query q: .*odd") as raised:
        draw(server, 3)
    assert not isinstance(raised.value, ModelUnusable)
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        (lambda handler: handler.refuse(400, {"error": {"message": "no", "code": "content_filter"}}), ""),
        (lambda handler: handler.answer("I", "content_filter"), "I"),
    ],
)
def test_what_a_content_filter_stops_is_a_sample_and_holds_up_nobody(stop: Callable[[Handler], None], text: str) -> None:
    def behave(handler: Handler, body: dict[str, Any], number: int) -> None:
        stop(handler) if body["prompt"] == "question 1" else answer(handler, body, number)

    with serving(behave) as server:
        found = {one.sample: one for one in draw(server, 3)}
    assert (found[1].text, found[1].finish_reason) == (text, "content-filter")
    assert {found[0].finish_reason, found[2].finish_reason} == {"stop"}
    assert len(server.asked) == 3


def test_what_was_answered_before_the_credit_ran_out_is_given_out() -> None:
    def behave(handler: Handler, body: dict[str, Any], number: int) -> None:
        spent = {"error": {"message": "pay first", "code": "insufficient_quota"}}
        handler.refuse(429, spent) if body["prompt"] == "question 2" else answer(handler, body, number)

    with serving(behave) as server, sampler_of(server, sampling=Sampling(concurrency=1)) as sampler, sampler.stream() as stream:
        stream.add(requests(4))
        found: list[Completion] = []
        with pytest.raises(ModelUnusable, match="pay first"):
            for completions in stream:
                found += completions
    assert [one.sample for one in found] == [0, 1]


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (401, {"error": {"message": "bad key"}}, r"401 .*bad key \(the key is that of the environment variable POOL_KEY\)"),
        (404, {"error": {"message": "no model served"}}, r"/v1/completions does not serve 'served': 404 .*no model"),
        (403, {"error": {"message": "not yours"}}, "403"),
        (307, {}, "307"),
        (429, {"error": {"message": "pay first", "code": "insufficient_quota"}}, "pay first"),
    ],
)
def test_what_every_request_would_meet_makes_the_model_unusable(
    status: int, content: object, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POOL_KEY", KEY)
    with (
        serving(lambda handler, body, number: handler.refuse(status, content, Location="/v2")) as server,
        pytest.raises(ModelUnusable, match=expected),
    ):
        draw(server, 2, key="POOL_KEY")
    assert all(key == f"Bearer {KEY}" for _, _, key, _ in server.asked)


def test_a_server_that_refuses_everything_is_not_asked_for_everything() -> None:
    with (
        serving(lambda handler, body, number: handler.refuse(400, {"error": {"message": "no chat template"}})) as server,
        pytest.raises(ModelUnusable, match="no chat template"),
    ):
        draw(server, 200, sampling=Sampling(concurrency=4))
    assert len(server.asked) < 40


def test_a_server_that_is_not_there_makes_the_model_unusable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(ModelUnusable, match="no connection"):
            draw(f"http://127.0.0.1:{free.getsockname()[1]}/v1", 2)


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_key_that_the_server_repeats_is_in_no_error_and_no_log(
    status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def repeat(handler: Handler, body: dict[str, Any], number: int) -> None:
        handler.refuse(status, {"error": {"message": f"wrong: {handler.headers['Authorization']} {'x' * 385} {KEY}", "code": KEY}})

    monkeypatch.setenv("POOL_KEY", f"{KEY}\n")
    caplog.set_level(logging.DEBUG)
    with serving(repeat) as server, pytest.raises((RuntimeError, UserError)) as raised:
        draw(server, key="POOL_KEY")
    assert server.asked[0][2] == f"Bearer {KEY}"
    shown = (
        "".join(str(part) for part in raised.getrepr(style="long", showlocals=False, chain=True).chain) + caplog.text + repr(raised.value)
    )
    assert "wrong: Bearer [key]" in shown
    assert KEY[:10] not in shown


def test_openais_key_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(answer) as server:
        draw(server)
    assert server.asked[0][2] is None


def test_what_a_server_does_not_know_is_left_out_if_it_is_off_anyway() -> None:
    def strict(handler: Handler, body: dict[str, Any], number: int) -> None:
        for name in ("stream_options", "top_k", "min_p"):
            if name in body:
                return handler.refuse(400, {"error": {"message": f"Unrecognized request argument supplied: {name}"}})
        if "max_tokens" in body:
            return handler.refuse(400, {"error": {"message": "'max_tokens' is not supported. Use 'max_completion_tokens' instead."}})
        return handler.answer("yes")

    one_by_one = Sampling(concurrency=1)
    with serving(strict) as server:
        assert len(draw(server, 3, sampling=one_by_one)) == 3
        assert server.asked[-1][3]["max_completion_tokens"] == one_by_one.max_new_tokens
        assert len(server.asked) == 3 + 4  # it complained four times, once of each
        with pytest.raises(UserError, match="top_k"):
            draw(server, sampling=Sampling(top_k=5))


def test_a_context_with_room_for_less_gives_less_and_one_without_room_says_so() -> None:
    def narrow(handler: Handler, body: dict[str, Any], number: int) -> None:
        prompt = 90 if body["prompt"] == "question 1" else 50
        if prompt + body["max_tokens"] <= 64:
            return handler.answer("short", "length")
        said = f"({prompt} in the messages, {body['max_tokens']} in the completion)"
        message = f"This model's maximum context length is 64 tokens. However, you requested {prompt + body['max_tokens']} tokens {said}."
        return handler.refuse(400, {"error": {"message": message, "code": "context_length_exceeded"}})

    with serving(narrow) as server:
        found = draw(server, 2, sampling=Sampling(max_new_tokens=30))
    assert [(one.text, one.finish_reason) for one in found] == [("short", "length"), ("", "prompt-too-long")]
    assert (found[1].prompt_tokens, found[1].completion_tokens) == (90, 0)
    assert sorted(body["max_tokens"] for *_, body in server.asked) == [14, 30, 30]


@pytest.mark.parametrize(
    ("message", "allowed"),
    [
        (
            "This model's maximum context length is 64 tokens. However, your prompt contains at least 64 input tokens",
            Allowed(0, None),
        ),
        (
            "This model's maximum context length is 64 tokens. However, your prompt contains 5000 characters (more than 630 characters, "
            "which is the upper bound for 63 input tokens).",
            Allowed(0, None),
        ),
        ("max_tokens=750 cannot be greater than max_model_len=64. Please request fewer output tokens.", Allowed(64, None)),
        ("The input (70 tokens) is longer than the model's context length (64 tokens).", Allowed(0, 70)),
        ("`inputs tokens` must be <= 64. Given: 50 inputs tokens and 30 `max_new_tokens`", Allowed(14, 50)),
        ("max_tokens is too large: 9000. This model supports at most 4096 completion tokens.", None),
        ("Your prompt was flagged by the moderation", None),
    ],
)
def test_refusals_for_length_are_recognised(message: str, allowed: Allowed | None) -> None:
    assert allowed_tokens(message) == allowed


def test_a_server_that_does_not_stream_has_no_first_token_and_one_that_does_not_count_no_tokens() -> None:
    def behave(handler: Handler, body: dict[str, Any], number: int) -> None:
        if body["prompt"] == "question 0":
            return handler.refuse(
                200, {"choices": [{"text": "whole", "finish_reason": "stop"}], "usage": {"prompt_tokens": 2, "completion_tokens": 1}}
            )
        return handler.stream(*pieces("half \ud83d\ude00 \ud83d", "stop"), b"[DONE]")

    with serving(behave) as server:
        whole, streamed = draw(server, 2)
    assert (whole.text, whole.prompt_tokens, whole.completion_tokens) == ("whole", 2, 1)
    assert (streamed.text, streamed.prompt_tokens, streamed.completion_tokens) == ("half 😀 \ufffd", None, None)
    assert streamed.first_token_s is not None


def test_no_more_requests_are_under_way_than_allowed() -> None:
    def slow(handler: Handler, body: dict[str, Any], number: int) -> None:
        time.sleep(0.02)
        answer(handler, body, number)

    with serving(slow) as server:
        assert len(draw(server, 30, sampling=Sampling(concurrency=5))) == 30
    assert server.most == 5


def test_closing_cuts_what_is_under_way() -> None:
    def hang(handler: Handler, body: dict[str, Any], number: int) -> None:
        handler.connection.recv(1)  # returns when the other side is gone

    with serving(hang) as server:
        engine = OpenAIEngine(Model(name="m", path="served", url=server.url), Sampling())
        engine.add(requests(2))
        while server.now < 2:
            assert engine.step() == []
        engine.close()
        while server.now:
            time.sleep(0.01)


@pytest.mark.parametrize("counts", [True, False])
def test_samples_of_a_server_cost_what_the_price_says(counts: bool, lake: Lake, make_queries: Callable[[int], pl.DataFrame]) -> None:
    def behave(handler: Handler, body: dict[str, Any], number: int) -> None:
        handler.answer("cat") if counts else handler.stream(*pieces("cat", "stop"))

    queries, recipe = make_queries(3), recipe_of(Model(name="m", path="served"), "{{ question }}", Sampling())
    with serving(behave) as server, sampler_of(server) as sampler:
        files = sample_shard(lake, sampler, "m", recipe, Bucket(0, 1), queries, 2, 0, 100)
    votes = vote(read_table(lake, GENERATIONS, files), queries, prices={"m": Price(prompt=2.0, completion=10.0)})
    assert votes["cost_usd"].to_list() == [pytest.approx((9 * 2 + 3 * 10) / 1e6) if counts else None] * 3


def test_a_served_folder_has_the_recipe_of_the_folder_and_a_name_that_of_the_name() -> None:
    folder = str(ROOT / "tasks/world/models/ledger")
    here = recipe_of(Model(name="ledger", path=folder), "{{ question }}", Sampling())
    served = Model(name="another", path=folder, url="http://localhost:8000/v1", key="SOME_KEY")
    assert recipe_of(served, "{{ question }}", Sampling(engine="openai", concurrency=3)) == here
    assert recipe_of(Model(name="gpt", path="gpt-4o"), "{{ question }}", Sampling()).model == "gpt-4o@main"


@pytest.mark.parametrize(
    "url", ["http://me:hunter2@host/v1", "https://host/v1?key=hunter2", "ftp://hunter2/v1", "hunter2", "http://[hunter2"]
)
def test_a_url_that_may_hold_a_secret_is_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    run = tmp_path / "run.toml"
    run.write_text(f'[[benchmarks]]\nname = "embedded"\n[[models]]\nname = "m"\npath = "/on/the/server"\nurl = "{url}"\n')
    with pytest.raises(UserError, match="model 'm': url") as raised:
        load_run(run)
    assert "hunter2" not in re.sub("ftp://|http://", "", str(raised.value))
    run.write_text(run.read_text().replace(url, "http://host:8000/v1"))
    assert load_run(run).models[0].path == "/on/the/server"
