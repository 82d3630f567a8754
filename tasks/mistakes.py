"""What pydantic found wrong with a run file, said in the run file's own terms.

    {"models": [{"name": "gemma", "pth": "…"}]}                          →  "unknown key 'models.gemma.pth'; did you mean 'path'?"
    {"sampling": {"k": "${TOKEN}"}}, and TOKEN is "ten"                  →  "key 'sampling.k': expected a whole number, not '${TOKEN}'"

A value is repeated as it stands in the file, and not as the environment filled it in: that may be a secret.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from tasks.errors import nearest

_QUOTED = re.compile(r"'([^']+)'")
_WORDS = {  # pydantic's kinds of mistake
    "literal_error": "{expected}",
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "less than {lt:g}",
    "too_short": "at least {min_length} of them",
    "string_too_short": "a text that is not empty",
    "finite_number": "a finite number",
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "a section",
    "model_type": "a section",
    "model_attributes_type": "a section",
}


def explain(error: ValidationError, kind: type[BaseModel], written: Mapping[str, Any]) -> str:
    """The first mistake, in one line: where, what, and what was expected.

    `kind`: what was made of the content; `written`: the content as the user wrote it.
    """
    # A key that is not known may be why another one is missing.
    first = min(error.errors(), key=lambda mistake: mistake["type"] != "extra_forbidden")
    *folders, last = first["loc"]
    if last == "[key]":  # pydantic's word for a key of which there is a list
        *folders, last = folders
        known = _QUOTED.findall(str(first["ctx"]["expected"]))
        return f"unknown key {_place([*folders, last], written)!r}{nearest(str(last), known)}"
    place = _place(first["loc"], written)
    if first["type"] == "extra_forbidden":
        section: Any = kind
        for part in folders:
            section = _section_of(section, part)
        known = [field.alias or name for name, field in section.model_fields.items()]
        return f"unknown key {place!r}{nearest(str(last), known)}"
    if first["type"] == "missing":
        return f"key {place!r} is missing"
    if first["type"] == "value_error":  # in words of ours
        return f"key {place!r}: {first['ctx']['error']}"
    return f"key {place!r}: {_expected(first)}{_as_written(first['loc'], written)}{_nearest_value(first)}"


def _expected(mistake: Any) -> str:
    """What should have stood there."""
    kind, limits = mistake["type"], mistake.get("ctx", {})
    if kind == "list_type" and isinstance(mistake["input"], dict):
        return f"expected a list of sections, each below [[{mistake['loc'][-1]}]] in double brackets"
    said = str(mistake["msg"])
    return f"expected {_WORDS[kind].format(**limits)}" if kind in _WORDS else f"{said[0].lower()}{said[1:]}"


def _nearest_value(mistake: Any) -> str:
    """Which of a few known values was probably meant."""
    if mistake["type"] != "literal_error" or not isinstance(mistake["input"], str):
        return ""
    close = nearest(mistake["input"], _QUOTED.findall(str(mistake["ctx"]["expected"])))
    return close if close.startswith("; did") else ""  # all of them are named already


def _place(parts: Sequence[str | int], written: Mapping[str, Any]) -> str:
    """`models.ledger.path`, as --set takes it; an entry without a name by its number."""
    names: list[str] = []
    value: Any = written
    for part in parts:
        value = _inside(value, part)
        name = value.get("name") if isinstance(part, int) and isinstance(value, Mapping) else None
        names.append(name if isinstance(name, str) and re.fullmatch(r"[\w./-]+", name) else str(part))
    return ".".join(names) or "the run file"


def _as_written(parts: Sequence[str | int], written: Mapping[str, Any]) -> str:
    """The value that the user wrote, cut short; nothing of a section, which may hold more than the mistake."""
    value: Any = written
    for part in parts:
        value = _inside(value, part)
    if value is None or isinstance(value, Mapping | list):
        return ""
    text = repr(value)
    return f", not {text if len(text) <= 60 else text[:57] + '...'}"


def _inside(value: Any, part: str | int) -> Any:
    """What stands there; None: nothing."""
    try:
        return value[part]
    except (LookupError, TypeError):
        return None


def _section_of(section: Any, part: str | int) -> Any:
    if isinstance(part, int):
        return section
    annotation = section.model_fields[part].annotation
    inner = [kind for kind in getattr(annotation, "__args__", ()) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return inner[0] if inner else annotation
