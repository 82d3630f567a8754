"""What goes to an OpenAI-compatible server and what comes back: one streamed request; one answer, or what went wrong.

    POST /v1/completions  {"model": "gemma-7b", "prompt": "What is 2 + 2?", "seed": 81, "stream": true, …}
      data: {"choices": [{"text": "4", "finish_reason": null}]}
      data: {"choices": [{"text": ".", "finish_reason": "stop"}]}
      data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}
      data: [DONE]
                          →  Answer("4.", "stop", 9, 3, latency_s=0.4, first_token_s=0.1)

It knows nothing of retries. aiohttp, which s3fs brings anyway, reads such a stream with less than a third of the processor time of
the `openai` package (51 against 183 µs a token; httpx: 241), whose retries would not do either: none after the first byte, nor
for a `Retry-After` of more than two minutes.
"""

import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

_LARGEST_ERROR = 65_536  # bytes of an error that are read


@dataclass(frozen=True)
class Answer:
    """What the server said. Tokens are None where it did not count them, the first token's time where it does not stream."""

    text: str
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_s: float  # from sending the request to the last token
    first_token_s: float | None


class Trouble(Exception):
    """No answer. Its text is the server's own, cut short: it may hold anything, also what was sent."""

    def __init__(
        self, message: str, status: int | None = None, code: str = "", retry_after: float | None = None, connected: bool = True
    ) -> None:
        """`status`: of HTTP, or None if the connection failed; `code`: the error's type and code; `retry_after`: seconds."""
        super().__init__(message)
        self.status, self.code, self.retry_after, self.connected = status, code, retry_after, connected

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be answered later."""
        return self.status is None or self.status in (408, 409, 425, 429) or self.status >= 500


async def ask(session: aiohttp.ClientSession, url: str, body: Mapping[str, Any]) -> Answer:
    """Send one request and read its stream to the end. Raises Trouble, whatever the server does."""
    began = time.perf_counter()
    try:
        # A redirect is not followed: the key is for this server alone.
        async with session.post(url, json=body, allow_redirects=False) as response:
            if response.status != 200:
                raise _refusal(response, await response.content.read(_LARGEST_ERROR))
            return await _read(_events(response), began)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise Trouble(f"no connection: {error}", connected=False) from None
    except TimeoutError:
        raise Trouble("it went silent") from None
    except (aiohttp.ClientError, OSError) as error:
        raise Trouble(f"the connection was lost: {error or type(error).__name__}") from None
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise Trouble(f"it does not answer in the format of OpenAI: {error}") from None


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The events of a stream, or the one answer of a server that does not stream."""
    if "json" in response.content_type:
        yield json.loads(await response.read())
        return
    async for line in response.content:
        if line.startswith(b"data:"):
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            yield json.loads(data)


async def _read(events: AsyncIterator[dict[str, Any]], began: float) -> Answer:
    pieces: list[str] = []
    finish_reason = ""
    usage: dict[str, Any] = {}
    first = last = None
    async for event in events:
        if event.get("error"):
            message, code = _said(event)
            raise Trouble(message, _status_of(event["error"]), code)
        usage = event.get("usage") or usage
        for choice in (event.get("choices") or [])[:1]:
            said = choice.get("delta") or choice.get("message") or {}
            piece = choice.get("text") or said.get("content") or ""
            # A chat begins with an event that only names the role; every other event carries a token, even if its text is held back.
            if piece or "text" in choice or "role" not in said:
                last = time.perf_counter() - began
                first = last if first is None and "message" not in choice else first
            pieces.append(piece)
            finish_reason = choice.get("finish_reason") or finish_reason
    if not finish_reason or finish_reason in ("abort", "error"):
        raise Trouble("its stream was cut off")
    latency = last if last is not None else time.perf_counter() - began
    prompt_tokens, completion_tokens = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    return Answer(_whole("".join(pieces)), finish_reason, prompt_tokens, completion_tokens, latency, first)


def _whole(text: str) -> str:
    """Joins characters that came as two halves (surrogates), and replaces a half that is alone: a table takes no such text."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value < 2**31 else None


def _refusal(response: aiohttp.ClientResponse, content: bytes) -> Trouble:
    text = content.decode("utf-8", "replace")
    try:
        message, code = _said(json.loads(text))
    except (ValueError, AttributeError):
        message, code = text, ""
    message = f"{response.status} {response.reason or ''}: {_one_line(message)}".rstrip(": ")
    return Trouble(message, response.status, code, retry_after(response.headers.get("Retry-After")))


def _said(content: Any) -> tuple[str, str]:
    """Message and code of an error, in any of the forms that servers give it."""
    error = content.get("error") or content
    if isinstance(error, str):
        return error, ""
    message = error.get("message") or content.get("detail") or json.dumps(content)
    code = " ".join(str(error[name]) for name in ("type", "code", "param") if error.get(name))
    return _one_line(str(message)), code


def _one_line(text: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def _status_of(error: Any) -> int:
    """An error inside a stream may hold the status that came too late for the header."""
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 500


def retry_after(header: str | None) -> float | None:
    """Seconds to wait, from a `Retry-After` of seconds ("120") or of a date ("Wed, 21 Oct 2026 07:28:00 GMT"); else None."""
    if header is None:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", header.strip()):
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
