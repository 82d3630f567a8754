"""The embedded benchmark: generated word problems and multiple-choice questions, at hand on every machine.

    question "Which colour is the flag of the country whose capital is Kel?", choices ["black", "green", "red", "blue"],
    gold "B", answer_kind "choice", subject "geography", split "test"

The gold is what the generator worked out: a letter, or a number as text. The questions are the same in every run, whatever
its seed; `tasks/world/questions.py` makes them.
"""

import polars as pl

from tasks.world.questions import embedded_questions


def load() -> pl.DataFrame:
    """Rows as `queries.finish` wants them."""
    return embedded_questions()
