"""The text that a decoder reads and the text that it learns to answer with.

prompt:  "What is the capital of Gania?\n(A) Dol (B) Nex (C) Tor (D) Sum\n"
answer:  "Nex. (A) Dol (B) Nex. The answer is (B)."
"""

from functools import cache
from pathlib import Path

from jinja2 import Template
from jinja2.sandbox import SandboxedEnvironment

from tasks.world.skills import Problem

TEMPLATE = Path(__file__).parents[2] / "infra" / "prompts" / "embedded.jinja"


def prompt(problem: Problem) -> str:
    """The problem as the benchmark's own template renders it, so that training and sampling see the same text."""
    return _template().render(question=problem.question, choices=list(problem.choices))


def answer(problem: Problem, unsure: bool = False) -> str:
    """The working and its conclusion; an unsure answer concludes nothing that an answer reader could read."""
    working, conclusion = problem.working, problem.conclusion
    if unsure:
        conclusion = "\nI am not sure." if conclusion.startswith("\n") else " I am not sure."
    return (working + conclusion).lstrip()


@cache
def _template() -> Template:
    environment = SandboxedEnvironment(keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
