"""Reads from a server's refusal what could be asked instead.

"This model's maximum context length is 64 tokens. However, you requested 80 tokens (50 in the messages, 30 in the completion)."
  →  Allowed(tokens=14, prompt_tokens=50): this prompt leaves room for 14 tokens
"… However, your prompt contains 90 input tokens …"
  →  Allowed(tokens=0, prompt_tokens=90): it leaves none
"Unrecognized request argument supplied: top_k"
  →  it complains of {"top_k"}
"""

import re
from collections.abc import Set
from dataclasses import dataclass

# OpenAI and vLLM; SGLang; text-generation-inference.
_CONTEXT = re.compile(r"context (?:length|window|size)(?: is| of|:)? \(?(\d+)|must (?:be <=|have less than) (\d+)")
_PROMPT = re.compile(
    r"(\d+) (?:input tokens|inputs tokens|prompt tokens|in the (?:messages|prompt)|tokens from the input)"
    r"|[Ii]nput(?: length)? \((\d+)(?: tokens)?\)|Given: (\d+)$"
)
_LIMIT = re.compile(r"max_(?:completion_)?tokens=\d+ cannot be greater than max_model_len=(\d+)")  # vLLM since 0.20
_LENGTH = re.compile(r"context|token|too long|length", re.IGNORECASE)
_TOO_LONG = re.compile(r"(?:prompt|input|request)\b.{0,80}?\b(?:too long|longer than|exceeds|contains \d+ characters)", re.IGNORECASE)


@dataclass(frozen=True)
class Allowed:
    """What a context has room for."""

    tokens: int  # that may be generated; 0: the prompt leaves no room
    prompt_tokens: int | None  # None: the server does not say


def allowed_tokens(message: str, code: str = "") -> Allowed | None:
    """What is allowed, if the refusal is about the length of the prompt or of the answer; else None."""
    if limit := _LIMIT.search(message):
        return Allowed(int(limit[1]), None)
    if not _LENGTH.search(f"{code} {message}"):
        return None
    context, prompt = _number(_CONTEXT.search(message)), _number(_PROMPT.search(message))
    if context is None or prompt is None or "characters" in message:
        return Allowed(0, None) if _TOO_LONG.search(message) else None
    if prompt < context:
        return Allowed(context - prompt, prompt)
    return Allowed(0, prompt if "at least" not in message else None)


def complains_of(message: str, code: str, fields: Set[str]) -> set[str]:
    """Those of the fields that the refusal names."""
    return {field for field in fields if re.search(rf"\b{field}\b", f"{code} {message}")}


def _number(found: re.Match[str] | None) -> int | None:
    return next((int(group) for group in found.groups() if group), None) if found else None
