"""How every chart looks, and how it gets into the page.

A chart is data and a description; names of models, routers and policies are values of the data, never part of an
expression, a field's name or a title, so that nothing in them can act. Colours of text and lines are `currentColor`: the
page's own, in light, in dark and on paper.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

KIND_COLOURS = {"router": "#e4572e", "best single model": "#2a78c2", "other models": "#7fa8cf", "baseline": "#8a8f98"}
# Of Okabe and Ito (2008), told apart by colour-blind people too; lines have shapes besides.
ROUTER_COLOURS = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b", "#7f7f7f"]
MODEL_COLOURS = [
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#cfc32c",
    "#9a8cd8",
]  # of bars: the same, and black is read on them
OTHER_COLOUR = "#a0a4aa"
SHAPES = [
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
]  # of lines, as the colours
DRAWN = 6  # routers in one chart; more lines than that nobody can follow


@dataclass(frozen=True)
class Chart:
    """`specification` is JSON that can stand in an HTML script element; `text` says in words what is to be seen."""

    name: str
    title: str
    text: str
    specification: str


def for_script(value: Any) -> str:
    """JSON that may stand inside an HTML script element: nothing in it can end the element or start a comment."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def legend() -> "alt.Legend":
    import altair as alt

    return alt.Legend(title=None, orient="top", columns=2, labelLimit=260)


def finished(name: str, title: str, text: str, chart: "alt.LayerChart", *, height: int) -> Chart:
    """Fit the chart to the page: its width, its text colours."""
    specification = chart.properties(width="container", height=height, autosize={"type": "fit-x", "contains": "padding"}).to_dict()
    specification["config"] = _CONFIG
    return Chart(name, title, text, for_script(specification))


_TEXT: dict[str, Any] = {
    "labelColor": "currentColor",
    "titleColor": "currentColor",
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
}
_CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "axis": {
        **_TEXT,
        "gridColor": "currentColor",
        "gridOpacity": 0.12,
        "domainColor": "currentColor",
        "domainOpacity": 0.4,
        "tickColor": "currentColor",
        "tickOpacity": 0.4,
    },
    "axisQuantitative": {"tickCount": 6},  # more crowd a phone
    "legend": {**_TEXT, "symbolStrokeWidth": 0, "symbolOpacity": 1},
    "text": {"color": "currentColor"},
    "view": {"stroke": None},
}
