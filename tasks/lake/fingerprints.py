"""A short hash of what something was made from.

`fingerprint("number", 3, (0.7, None))` is the same 16 hexadecimal digits in every process and on every machine, or it
raises: a value whose text would be a memory address, or depend on a hash seed, is refused instead of silently making a
new fingerprint in each run (which would redo everything) or the same one for different things (which would redo nothing).
"""

import dataclasses
import hashlib
import json
import math
from pathlib import Path

from pydantic import BaseModel

_SOURCES = (".py", ".csv", ".jinja", ".css", ".js")


def fingerprint(*values: object) -> str:
    """16 hexadecimal digits that stand for `values`.

    Raises TypeError for a value that is not made of None, bool, int, float, str, bytes, lists, tuples, dicts with text
    keys, dataclasses and pydantic models.
    """
    return hashlib.sha256(json.dumps(_plain(values), ensure_ascii=True).encode()).hexdigest()[:16]


def source_fingerprint(*packages: str) -> str:
    """Fingerprint of the Python files of these packages ("tasks.voting"), and of the tables and templates beside them.

    Steps are redone when they change.
    """
    texts: list[tuple[str, str]] = []
    for package in packages:
        folder = Path(__file__).parents[2].joinpath(*package.split("."))
        inside = sorted(file for file in folder.rglob("*") if file.suffix in _SOURCES)
        files = inside if folder.is_dir() else [folder.with_suffix(".py")]
        texts += [(file.relative_to(folder.parent).as_posix(), file.read_text(encoding="utf-8")) for file in files]
    return fingerprint(texts)


def _plain(value: object) -> object:
    """Tag each value with its type, so that 1, 1.0, True and "1" differ."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        return ["float", "nan" if math.isnan(value) else value.hex()]
    if isinstance(value, bytes):
        return ["bytes", hashlib.sha256(value).hexdigest()]
    if isinstance(value, list | tuple):
        return ["list", *(_plain(item) for item in value)]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("cannot fingerprint a dict whose keys are not all text")
        return ["dict", *([key, _plain(value[key])] for key in sorted(value))]
    if isinstance(value, BaseModel):
        return [type(value).__name__, _plain(value.model_dump())]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return [type(value).__name__, _plain(fields)]
    raise TypeError(f"cannot fingerprint a {type(value).__name__}: its text may differ between runs")
