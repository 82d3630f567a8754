"""Worked examples for a prompt template, put into the template itself.

    {% set shots_of = {"law": [{"question": "Who …?", "choices": ["a judge", "a jury"], "gold": "B"}, …], …} %}

stands in front of a template that says `{% for shot in shots %}`, which are those of the query's subject. So the template's
text is all that a model is asked with, and whatever changes an example changes the recipe.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

import fsspec
from jinja2 import Environment, TemplateSyntaxError, meta

from tasks.benchmarks import mmlu
from tasks.config import Benchmark

_CHOSEN = """\
{% if (subject or "") not in shots_of %}
{{ raise_exception("there are no worked examples of the subject " ~ (subject or "none")) }}
{% endif %}
{% set shots = shots_of[subject or ""] %}
"""


@lru_cache(maxsize=64)
def shows_shots(template: str) -> bool:
    """Whether the template uses `shots`. One that cannot be parsed does not; what is wrong with it is said when it is filled."""
    try:
        return "shots" in meta.find_undeclared_variables(Environment(autoescape=True).parse(template))
    except TemplateSyntaxError:
        return False


def header(config: Benchmark) -> str | None:
    """Jinja text that sets `shots`; None for a benchmark without worked examples. Raises UserError for bad files."""
    if config.name != "mmlu":
        return None
    return _header(tuple(config.files), tuple(sorted(config.columns.items())), tuple(_state(file) for file in config.files))


@lru_cache(maxsize=8)
def _header(files: Sequence[str], columns: Sequence[tuple[str, str]], _states: Sequence[str | None]) -> str | None:
    """Read once for each state of the files: every shard of a run asks for its template."""
    return with_shots(mmlu.shots(files, dict(columns)))


def with_shots(shots: Mapping[str, Sequence[mmlu.Shot]]) -> str | None:
    """The header for these. What JSON says of texts and lists, a Jinja literal says too, braces and quotes included."""
    return f"{{% set shots_of = {json.dumps(shots, ensure_ascii=False)} %}}\n{_CHOSEN}" if shots else None


def _state(file: str) -> str | None:
    """What changes when the file does; None where that is not known, which reading it will explain."""
    try:
        system, path = fsspec.core.url_to_fs(file)
        return str(system.ukey(path))
    except Exception:  # each file system's library raises its own
        return None
