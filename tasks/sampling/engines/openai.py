"""The engine for any server that speaks OpenAI's protocol: `vllm serve`, or an API.

    [[models]]
    name = "gemma"
    path = "google/gemma-7b"           # the name under which the server serves it
    url = "http://gpu-3:8000/v1"
    key = "GPU_3_KEY"                  # the environment variable that holds the key, where one is needed

One request per sample, with the sample's seed. What may pass (429, 5xx, a lost connection, silence) is tried again after a wait that
doubles; a `Retry-After` holds back all requests. What a content filter stops is a sample without an answer. What else the server
refuses for one prompt fails that sample; what it would refuse for every prompt makes the model unusable. An asyncio loop of its own
runs inside `step`, in the sampler's thread.
"""

import asyncio
import logging
import os
import random
import re
import time
from asyncio import Task
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from tasks.config import Model, Sampling
from tasks.errors import ModelUnusable, UserError
from tasks.sampling.engines import Completion, Failure, FinishReason, Request
from tasks.sampling.engines.refusals import allowed_tokens, complains_of
from tasks.sampling.engines.wire import Answer, Trouble, ask

logger = logging.getLogger("manyminds")

_OPENAI = "https://api.openai.com/v1"
_PATIENCE = 0.05  # seconds to wait for an answer before new requests are looked for
_LONGEST_MESSAGE = 400  # characters of what a server says
_FILTERED = re.compile(r"content[ _-]?(?:filter|policy|management)", re.IGNORECASE)
_REFUSALS = 20  # in a row, without one answer: the server refuses every request

# What is off has to be said: `vllm serve` fills what is not said from the model's generation_config.json. A server that does not
# know one of these says so, and is not sent it again.
_OFF = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for: one that is being restarted, a quarter of an hour."""

    silence_s: float = 600  # without a byte
    first_wait_s: float = 0.5  # before the second attempt; then twice as long each time
    longest_wait_s: float = 60
    longest_wait_to_reach_s: float = 5  # while it cannot be connected to, which costs it nothing
    attempts: int = 15  # that it failed
    attempts_to_reach: int = 5  # while it never could be connected to
    seconds: float = 900  # of attempts and waits; what the server asked to wait does not count
    longest_asked_s: float = 3600  # a server that asks to wait longer is left alone until another run


class OpenAIEngine:
    """An `Engine`; see the protocol."""

    load = None  # the server has loaded the model, or many

    def __init__(self, model: Model, sampling: Sampling, patience: Patience = Patience()) -> None:
        """Connects to nothing yet. Raises ModelUnusable for a key that cannot be one."""
        self._model, self._sampling, self._patience = model, sampling, patience
        self._server = (model.url or _OPENAI).rstrip("/")
        self._key_name = model.key or (None if model.url else "OPENAI_API_KEY")
        self._key = os.environ.get(self._key_name, "").strip() if self._key_name else ""
        if not (self._key.isascii() and (self._key.isprintable() or not self._key)):
            raise ModelUnusable(f"model {model.name!r}: the environment variable {self._key_name} holds characters that no key has")
        self._under_way: set[Task[Completion | Failure]] = set()
        self._finished: list[Completion | Failure] = []
        self._error: BaseException | None = None
        self._not_before = 0.0  # what the server asked to wait for, on the clock of `time.monotonic`
        self._connected = False
        self._answers = self._refusals = 0
        self._limit = sampling.max_new_tokens  # or less, where the server serves no such length
        self._unknown: set[str] = set()  # fields of a request that the server does not know
        self._loop = asyncio.new_event_loop()
        self._arrived = asyncio.Event()
        self._session = self._loop.run_until_complete(self._open())

    def room(self) -> int:
        """Up to the concurrency that the run file allows."""
        return max(0, self._sampling.concurrency - len(self._under_way))

    def add(self, requests: Sequence[Request]) -> None:
        """They are sent at the next step."""
        for request in requests:
            task = self._loop.create_task(self._draw(request))
            self._under_way.add(task)
            task.add_done_callback(self._done)

    def step(self) -> list[Completion | Failure]:
        """Send and read until something has finished. Raises ModelUnusable for a server that would refuse everything."""
        self._loop.run_until_complete(self._wait())
        if self._error is not None and not self._finished:
            raise self._error
        finished, self._finished = self._finished, []
        return finished

    def close(self) -> None:
        """Cut the connections, which tells the server to stop what is under way."""
        self._loop.run_until_complete(self._close())
        self._loop.close()

    async def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            headers={"Authorization": f"Bearer {self._key}"} if self._key else None,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(30, self._patience.silence_s), sock_read=self._patience.silence_s),
            read_bufsize=2**20,  # the longest line is twice that
            proxy=_proxy(self._server),
        )

    async def _close(self) -> None:
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._session.close()

    async def _wait(self) -> None:
        self._arrived.clear()
        if self._finished or self._error is not None:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._arrived.wait()
        except TimeoutError:
            pass

    def _done(self, task: Task[Completion | Failure]) -> None:
        self._under_way.discard(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            self._error = self._error or error
        else:
            self._finished.append(task.result())
        self._arrived.set()

    async def _draw(self, request: Request) -> Completion | Failure:
        """One sample, however many attempts it takes. Raises ModelUnusable."""
        limit = self._limit
        attempts, spent, answers = 0, 0.0, self._answers
        while True:
            await self._until_allowed()
            began = time.monotonic()
            body = self._body(request, limit)
            try:
                answer = await ask(self._session, self._url(), body)
            except Trouble as trouble:
                self._connected |= trouble.connected
                self._check_usable(trouble)
                if not trouble.may_pass:
                    allowed = allowed_tokens(str(trouble), trouble.code)
                    if allowed and not allowed.tokens:
                        return Completion(request.query_id, request.sample, "", "prompt-too-long", allowed.prompt_tokens, 0, 0.0)
                    if allowed and allowed.tokens < limit:
                        limit = allowed.tokens
                        if allowed.prompt_tokens is None:  # whatever the prompt
                            self._limit = min(self._limit, limit)
                    elif _FILTERED.search(f"{trouble.code} {trouble}"):  # asked again, it would be refused again
                        return Completion(request.query_id, request.sample, "", "content-filter", None, 0, 0.0)
                    elif unknown := complains_of(str(trouble), trouble.code, self._may_be_left_out(body)):
                        self._unknown |= unknown
                    else:
                        return self._refused(request, trouble)
                    continue
                if trouble.status == 429 and self._answers > answers:  # no fault of this request as long as others are answered
                    attempts, spent = 0, 0.0
                attempts, spent, answers = attempts + 1, spent + time.monotonic() - began, self._answers
                if (trouble.connected and attempts >= self._patience.attempts) or spent > self._patience.seconds:
                    return self._failure(request, RuntimeError, f"{self._say(trouble)} (after {attempts} attempts)")
                if not self._connected and attempts >= self._patience.attempts_to_reach:
                    raise self._unusable(trouble) from None
                spent += await self._back_off(trouble, attempts)
            else:
                self._connected = True
                self._answers += 1
                return self._finish(request, answer)

    def _url(self) -> str:
        return f"{self._server}/chat/completions" if self._model.chat else f"{self._server}/completions"

    def _body(self, request: Request, limit: int) -> dict[str, Any]:
        settings = self._sampling
        stops = [stop for stop in settings.stop_strings if stop]
        prompt = {"messages": [{"role": "user", "content": request.prompt}]} if self._model.chat else {"prompt": request.prompt}
        limit_name = "max_completion_tokens" if "max_tokens" in self._unknown else "max_tokens"
        extras = _OFF | ({"top_k": settings.top_k} if settings.top_k else {}) | {"repetition_penalty": settings.repetition_penalty}
        body = {
            "model": self._model.path,
            **prompt,
            "seed": request.seed,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            limit_name: limit,
            **({"stop": stops} if stops else {}),
            "stream": True,
            "stream_options": {"include_usage": True},
            **extras,
        }
        return {name: value for name, value in body.items() if name not in self._unknown}

    def _may_be_left_out(self, body: dict[str, Any]) -> set[str]:
        """Fields without which the server would do the same, or nearly."""
        off = {name for name, value in _OFF.items() if body.get(name) == value}
        return off | ({"stream_options", "max_tokens"} & body.keys())

    def _finish(self, request: Request, answer: Answer) -> Completion | Failure:
        reason: FinishReason = "length" if answer.finish_reason in ("length", "max_tokens") else "stop"
        if answer.finish_reason == "content_filter":
            reason = "content-filter"
        tokens = answer.prompt_tokens, answer.completion_tokens
        return Completion(request.query_id, request.sample, answer.text, reason, *tokens, answer.latency_s, answer.first_token_s)

    def _refused(self, request: Request, trouble: Trouble) -> Failure:
        self._refusals += 1
        if not self._answers and self._refusals >= _REFUSALS:
            raise self._unusable(trouble)
        return self._failure(request, UserError, self._say(trouble))

    def _failure(self, request: Request, kind: type[Exception], message: str) -> Failure:
        where = f"model {self._model.name!r} at {self._server}: sample {request.sample} of query {request.query_id}"
        return Failure(request.query_id, request.sample, kind(f"{where}: {message}"))

    def _check_usable(self, trouble: Trouble) -> None:
        """Raise ModelUnusable for what every other request would meet too."""
        no_credit = trouble.status == 429 and "insufficient_quota" in trouble.code
        # 403 is also how some servers refuse one prompt; but not before they have answered any.
        forbidden = trouble.status == 403 and not self._answers
        if no_credit or forbidden or trouble.status in (401, 402, 404, 405) or 300 <= (trouble.status or 0) < 400:
            raise self._unusable(trouble) from None
        if (trouble.retry_after or 0) > self._patience.longest_asked_s:
            raise ModelUnusable(
                f"model {self._model.name!r}: {self._server} asks to wait {(trouble.retry_after or 0) / 3600:.1f} hours; "
                f"run again then, and only what is missing is sampled: {self._say(trouble)}"
            ) from None

    def _unusable(self, trouble: Trouble) -> ModelUnusable:
        if not self._key_name:
            key = "no key was sent; models.key names the environment variable that holds it"
        elif not self._key:
            key = f"no key was sent, for the environment variable {self._key_name} is not set"
        else:
            key = f"the key is that of the environment variable {self._key_name}"
        hint = f" ({key})" if trouble.status in (401, 402, 403, 429) else ""
        return ModelUnusable(f"model {self._model.name!r}: {self._url()} does not serve {self._model.path!r}: {self._say(trouble)}{hint}")

    def _say(self, trouble: Trouble) -> str:
        """What the server said, without the key, which it may have repeated."""
        said = str(trouble)
        for form in {self._key, quote(self._key), quote(self._key, safe="")} - {""}:
            said = said.replace(form, "[key]")
        return said if len(said) <= _LONGEST_MESSAGE else said[:_LONGEST_MESSAGE] + "…"

    async def _until_allowed(self) -> None:
        """Wait as long as the server asked for, and up to a tenth longer, so that not all requests come back at once."""
        while (wait := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(wait * random.uniform(1, 1.1))

    async def _back_off(self, trouble: Trouble, attempts: int) -> float:
        """Wait before another attempt. Returns the seconds that the server did not ask for."""
        if trouble.retry_after:
            until = time.monotonic() + trouble.retry_after
            if until > self._not_before + 1 and trouble.retry_after > 30:
                logger.warning("%s: %s asks to wait %.0f s", self._model.name, self._server, trouble.retry_after)
            self._not_before = max(self._not_before, until)
            return 0.0
        longest = self._patience.longest_wait_s if trouble.connected else self._patience.longest_wait_to_reach_s
        wait = min(longest, self._patience.first_wait_s * 2.0 ** min(attempts - 1, 20)) * random.uniform(0.5, 1)
        await asyncio.sleep(wait)
        return wait


def _proxy(server: str) -> str | None:
    """What the environment says (HTTPS_PROXY, NO_PROXY). aiohttp would read ~/.netrc with it, for every request."""
    url = urlsplit(server)
    return None if proxy_bypass(url.hostname or "") else getproxies().get(url.scheme)
