"""The verdict as Markdown, for the Prefect UI: the sentences, a few of the report's charts, the table of systems.

Pictures are in it as data, SVG that Prefect's UI shows and in which nothing can act; their lines and texts are of a grey that can be
read on white and on black. Names are untrusted and escaped.
"""

import base64
import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import polars as pl

from tasks.report.chart_style import Chart
from tasks.report.figures import Figures
from tasks.report.systems import summary_table
from tasks.report.words import verdict_sentences

PICTURES = ("accuracy", "frontier", "latency", "heat")
WIDTH = 560  # pixels, as wide as Prefect's UI shows text beside its details
GREY = "#747a84"  # contrast 4.3 with white, 4.1 with the UI's dark ground
_PADDING = {"left": 5, "right": 40, "top": 5, "bottom": 5}  # a name may be wider than its mark is from the edge
_NOT_OF_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LARGEST_PICTURE = 200_000  # characters; the server keeps every version of an artifact

HEADINGS = {
    "system": "system",
    "accuracy": "accuracy",
    "interval": "95 % interval",
    "gain": "gain (points)",
    "verdict": "verdict",
    "latency": "latency",
    "cost": "cost per 1,000",
}


def markdown(run_name: str, metrics: pl.DataFrame, notes: Sequence[str], charts: Sequence[Chart] = ()) -> str:
    """Headline, alarms, pictures of `charts`, a sentence for each router, systems (routers with their leading policies), looks, notes."""
    verdicts = verdict_sentences(metrics)
    lines = [f"# {escape_markdown(run_name)}: is routing worth it?", "", f"**{verdicts.answer}.** {escape_markdown(verdicts.headline)}", ""]
    lines += ["## Before believing it", "", *(f"- ⚠ {escape_markdown(alarm)}" for alarm in verdicts.alarms), ""] if verdicts.alarms else []
    lines += [picture(chart) for chart in charts]
    lines += ["## Each router", "", *(f"- {escape_markdown(verdict.sentence)}" for verdict in verdicts.routers)]
    lines += ["", escape_markdown(verdicts.censored)] if verdicts.censored else []
    lines += ["", verdicts.looks] if verdicts.looks else []
    lines += ["", "## Systems on test questions", "", "| " + " | ".join(HEADINGS.values()) + " |", "|" + "---|" * len(HEADINGS)]
    lines += [
        "| " + " | ".join(escape_markdown(row[key]) for key in HEADINGS) + " |" for row in summary_table(metrics) if row["rank"] == "main"
    ]
    if notes:
        lines += ["", "## Notes", "", *(f"- {escape_markdown(note)}" for note in notes)]
    return "\n".join(lines) + "\n"


def pictured(metrics: pl.DataFrame, unit: str) -> list[Chart]:
    """The report's charts that the verdict shows too. `unit`: of costs."""
    from tasks.report.charts import charts

    drawn = charts(Figures(metrics), unit)
    return [drawn[name] for name in PICTURES if name in drawn]


def picture(chart: Chart) -> str:
    """A chart as a Markdown image with its title above and its text below; without the image where that would be too large."""
    image = base64.b64encode(svg(chart).encode()).decode()
    shown = f"![{escape_markdown(chart.title)}](data:image/svg+xml;base64,{image})\n" if len(image) <= _LARGEST_PICTURE else ""
    return f"## {escape_markdown(chart.title)}\n\n{shown}\n{escape_markdown(chart.text)}\n"


def svg(chart: Chart) -> str:
    """The chart drawn, without a browser and without the network."""
    import vl_convert

    specification = _drawable(json.loads(chart.specification.replace("currentColor", GREY)))
    return str(vl_convert.vegalite_to_svg(specification | {"width": WIDTH, "padding": _PADDING}, allowed_base_urls=[]))


def _drawable(value: Any) -> Any:
    """The same without characters that no XML can hold, on which vl-convert ends the process."""
    if isinstance(value, dict):
        return {_drawable(key): _drawable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_drawable(one) for one in value]
    return _NOT_OF_XML.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is: on one line, with nothing of it taken for markup or HTML."""
    return re.sub(r"([\\`*_{}\[\]#!|~$])", r"\\\1", escape(" ".join(text.split()), quote=False))
