"""The prompt of a query: a Jinja template filled with its question, its choices and its subject.

    render("Q: {{ question }}\\nA:", "What is 2 + 2?", None, None)  →  "Q: What is 2 + 2?\\nA:"

A template is sandboxed and sees three names. One that it misspells, or that the query does not have, is an error rather
than an empty place that nobody notices. It may refuse a query itself: `{{ raise_exception("no subject") }}`, as chat templates do.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NoReturn

from jinja2 import StrictUndefined, Template, TemplateRuntimeError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from tasks.errors import UserError

_environment = SandboxedEnvironment(keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateRuntimeError(message)


_environment.globals["raise_exception"] = _raise_exception


def render(template: str, question: str, choices: Sequence[str] | None, subject: str | None) -> str:
    """The template's text with `question`, `choices` (a list, or none) and `subject` (or none) filled in.

    Raises UserError for a template that cannot be compiled, or not be filled from this query.
    """
    try:
        return _compiled(template).render(question=question, choices=list(choices) if choices is not None else None, subject=subject)
    except TemplateSyntaxError as error:
        raise UserError(f"prompt template: line {error.lineno}: {error.message}") from error
    except Exception as error:  # a template can compute, so any error at all is one of the template
        raise UserError(f"prompt template: cannot be filled for the question {question[:60]!r}: {error}") from error


@lru_cache(maxsize=64)
def _compiled(template: str) -> Template:
    return _environment.from_string(template)
