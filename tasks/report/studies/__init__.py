"""The report's sections on the studies: each a question, one paragraph that says what was found and what it means, a chart, a table.

    sections(metrics)  →  [Section("training-size", "Would more training questions help?", "With a quarter of …", chart, table), …]

A study's file here has a function `section(figures, evaluation) -> Section | None`, where `figures` are the study's and `evaluation` are
those of the evaluation; None where the study found nothing to tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

import polars as pl

from tasks.report.chart_style import Chart
from tasks.report.figures import Figures

# In the order of the page. `health` comes first of all: it stands on top, with the alarms.
STUDIES = (
    "health",
    "reproduction",
    "training-size",
    "pool",
    "policies",
    "calibration",
    "labels",
    "clusters",
    "transfer",
    "contamination",
    "switching",
)

LONG = 40  # characters that a figure with its interval does not have


@dataclass(frozen=True)
class Table:
    """Text as it is shown; a cell is a text, or a text and its interval below it."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | tuple[str, str]]]

    @property
    def in_words(self) -> set[int]:
        """Numbers of the columns, but the first, that are to be read as text: with long cells, or without a digit anywhere."""
        found = set()
        for number in range(1, len(self.columns)):
            cells = [row[number] if isinstance(row[number], str) else "".join(row[number]) for row in self.rows]
            plain = [cell for cell in cells if cell not in ("", "–")]
            if plain and (max(map(len, plain)) > LONG or not any(character.isdigit() for cell in plain for character in cell)):
                found.add(number)
        return found


@dataclass(frozen=True)
class Section:
    """What the page says of a study. `text` is plain text in words that a newcomer understands, the answer first; figures in it carry
    intervals. Long ones are cut into paragraphs by line breaks."""

    study: str
    title: str
    text: str
    chart: Chart | None = None
    table: Table | None = None


def sections(metrics: pl.DataFrame) -> list[Section]:
    """The section of each study that is in METRICS, in the order of the page."""
    evaluation = Figures(metrics)
    made = set(metrics["study"].unique())
    found = [
        import_module(f"tasks.report.studies.{name.replace('-', '_')}").section(Figures(metrics, name), evaluation)
        for name in STUDIES
        if name in made
    ]
    return [section for section in found if section is not None]
