"""Prompts to tokens and tokens to text, the same way for every engine that runs a model itself.

    encode(tokenizer, ["What is 2 + 2?"], chat=False, name="ledger")  →  [[1, 57, 12, …]]
    decode(tokenizer, [[34, 2]])                                      →  ["4."]

So a prompt has the same tokens in each of them, and the same tokens give the same text.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from tasks.errors import ModelUnusable


def encode(tokenizer: Any, prompts: Sequence[str], *, chat: bool, name: str) -> list[list[int]]:
    """Token ids of each prompt, made once, so that no token that begins a text is doubled; never empty.

    `chat`: through the model's chat template, as a user's first message. `name`: the model's, for the error.
    Raises ModelUnusable if there is no chat template or it cannot be used.
    """
    distinct = list(dict.fromkeys(prompts))
    if not distinct:
        return []
    if not chat:
        encoded = tokenizer(distinct)["input_ids"]
    else:
        if not tokenizer.chat_template:
            hint = "set chat = false, or take the model that was tuned for chat"
            raise ModelUnusable(f"model {name!r}: chat = true, but its tokenizer has no chat template; {hint}")
        messages = [[{"role": "user", "content": prompt}] for prompt in distinct]
        try:
            encoded = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
        except ValueError as error:
            raise ModelUnusable(f"model {name!r}: chat = true, but its chat template cannot be used: {error}") from error
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else 0
    ids = {prompt: list(one) or [start] for prompt, one in zip(distinct, encoded, strict=True)}
    return [ids[prompt] for prompt in prompts]


def decode(tokenizer: Any, tokens: Sequence[Sequence[int]]) -> list[str]:
    """Text of each completion, without special tokens."""
    texts: list[str] = tokenizer.batch_decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return texts


def end_ids(tokenizer: Any, declared: Iterable[int | Sequence[int] | None], stops: Sequence[str]) -> set[int]:
    """Tokens that end a text: those that the model declares, the tokenizer's, and stop strings that are special tokens."""
    ends: set[int] = set()
    for one in (*declared, tokenizer.eos_token_id):
        ends.update([one] if isinstance(one, int) else one or [])
    special = set(tokenizer.all_special_tokens)
    return ends | {tokenizer.convert_tokens_to_ids(stop) for stop in stops if stop in special}


def cut(text: str, stops: Sequence[str]) -> str:
    """The text up to the first stop string."""
    return text[: min((text.find(stop) for stop in stops if stop in text), default=len(text))]
