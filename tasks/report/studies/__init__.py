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


@dataclass(frozen=True)
class Table:
    """Text as it is shown; a cell is a text, or a text and its interval below it."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | tuple[str, str]]]


@dataclass(frozen=True)
class Section:
    """What the page says of a study. `text` is plain text in words that a newcomer understands; figures in it carry intervals."""

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
