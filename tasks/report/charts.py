"""The page's charts: Vega-Lite specifications made with Vega-Altair, drawn in the reader's browser.

A chart is data and a description; names of models, routers and policies are values of the data, never part of an
expression, a field's name or a title, so that nothing in them can act. Colours of text and lines are `currentColor`: the
page's own, in light, in dark and on paper.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.report.figures import BASELINES, Figures, percent
from tasks.report.words import Verdict, system_name

if TYPE_CHECKING:
    import altair as alt

KIND_COLOURS = {"router": "#e4572e", "best single model": "#2a78c2", "other models": "#7fa8cf", "baseline": "#8a8f98"}
ROUTER_COLOURS = ["#e4572e", "#2a78c2", "#1f9e77", "#b07aa1", "#c9a227", "#17a2b8", "#8c564b", "#7f7f7f"]


@dataclass(frozen=True)
class Chart:
    """`specification` is JSON that can stand in an HTML script element; `text` says in words what is to be seen."""

    name: str
    title: str
    text: str
    specification: str


def charts(figures: Figures, verdicts: Sequence[Verdict]) -> dict[str, Chart]:
    """Every chart for which there are figures, by name: accuracy, latency, cost, reliability.

    Of each router the policy is named that its verdict is about.
    """
    systems = _systems(figures, {(verdict.router, verdict.policy) for verdict in verdicts})
    made = [
        _accuracy(systems),
        _trade_off(figures, systems, "latency", "latency_s", 1, "Accuracy against latency", "seconds per question"),
        _trade_off(figures, systems, "cost", "cost_usd", 1000, "Accuracy against cost", "US dollars per thousand questions"),
        _reliability(figures),
    ]
    return {chart.name: chart for chart in made if chart is not None}


def _accuracy(systems: list[dict[str, Any]]) -> Chart | None:
    """Accuracy of every named system with its interval, best on top, each under its name so that it fits on a phone."""
    import altair as alt

    data = [_without(point, "row") for point in systems if point["label"]]
    if not data:
        return None
    y = alt.Y("system:N", sort=[point["system"] for point in data], axis=None)
    base = alt.Chart(alt.Data(values=data)).encode(y=y, tooltip=_TOOLTIP)
    scale, title, axis = alt.Scale(zero=False), "accuracy, % of test questions", alt.Axis(tickCount=8)
    best_single = [point for point in data if point["kind"] == "best single model"]
    chart = alt.layer(
        alt.Chart(alt.Data(values=best_single))
        .mark_rule(strokeDash=[4, 4], color=KIND_COLOURS["best single model"])
        .encode(x=alt.X("accuracy:Q", scale=scale, title=title, axis=axis)),
        base.mark_rule(strokeWidth=3, opacity=0.45, yOffset=7).encode(
            x=alt.X("low:Q", scale=scale, title=title, axis=axis), x2="high:Q", color=_kind_colour()
        ),
        base.mark_point(filled=True, size=75, opacity=1, yOffset=7).encode(
            x=alt.X("accuracy:Q", scale=scale, title=title, axis=axis), color=_kind_colour()
        ),
        base.mark_text(align="center", dy=-7, fontSize=12, limit=220).encode(
            x=alt.X("accuracy:Q", title=title, axis=axis), text="system:N"
        ),
    )
    text = "; ".join(f"{point['system']} {point['accuracy']:.1f} %" for point in data)
    text = f"{text}. The dashed line is the best single model. Each interval is that system’s own; the gains in the table below are paired."
    return _chart("accuracy", "Accuracy on test questions, with 95 % intervals", text, chart, height=36 * len(data) + 10)


def _trade_off(
    figures: Figures, systems: list[dict[str, Any]], name: str, metric: str, scale: float, title: str, unit: str
) -> Chart | None:
    """Accuracy against what a question takes; up and to the left is better."""
    import altair as alt

    data = []
    shown = figures.default[0] if figures.default else None
    for point in systems:
        row = point["row"]
        taken = figures.one(metric, model=row.model, router=row.router, policy=row.policy)
        if taken is not None:
            # Names of routers would cover each other; one is enough beside the models, and the table has them all.
            label = point["label"] if point["kind"] != "router" or row.router == shown else ""
            data.append(_without(point, "row") | {"taken": round(scale * taken.value, 9), "label": label})
    most = max((point["taken"] for point in data), default=0)
    if not most:
        return None
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X("taken:Q", title=unit, scale=alt.Scale(domain=[0, 1.2 * most], nice=True)),
        y=alt.Y("accuracy:Q", title="accuracy, %", scale=alt.Scale(zero=False)),
        tooltip=[*_TOOLTIP, alt.Tooltip("taken:Q", title=unit, format=".4~g")],
    )
    chart = alt.layer(
        base.mark_point(filled=True, size=110, opacity=0.9).encode(color=_kind_colour(), shape=_kind_shape()),
        base.mark_text(align="left", dx=9, dy=-7, fontSize=11, limit=150).encode(text="label:N"),
    )
    cheapest = min(data, key=lambda point: point["taken"])
    best = max(data, key=lambda point: point["accuracy"])
    text = (
        f"{cheapest['system']} takes least ({cheapest['taken']:.3g} {unit}) at {cheapest['accuracy']:.1f} %; "
        f"{best['system']} is most accurate ({best['accuracy']:.1f} %) at {best['taken']:.3g}. Up and to the left is better."
    )
    return _chart(name, title, text, chart, height=340)


def _reliability(figures: Figures) -> Chart | None:
    """Observed share of right answers against the router's confidence; on the diagonal they agree."""
    import altair as alt

    routers = [router for router, _ in figures.routers]
    data = []
    for router in routers:
        for number in range(10):
            expected = figures.one(f"reliability_confidence_{number}", router=router)
            observed = figures.one(f"reliability_reward_{number}", router=router)
            if expected and observed:
                data.append({"router": router, "confidence": _round(expected.value), "right": _round(observed.value), "pairs": expected.n})
    if not data:
        return None
    shown = sorted({str(point["router"]) for point in data})
    colour = alt.Color("router:N", scale=alt.Scale(domain=shown, range=[*_cycle(len(shown))]), legend=_legend())
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X("confidence:Q", title="confidence, %", scale=alt.Scale(domain=[0, 100])),
        y=alt.Y("right:Q", title="were right, %", scale=alt.Scale(domain=[0, 100])),
        color=colour,
        tooltip=[alt.Tooltip("router:N"), alt.Tooltip("confidence:Q"), alt.Tooltip("right:Q"), alt.Tooltip("pairs:Q", title="answers")],
    )
    diagonal = (
        alt.Chart(alt.Data(values=[{"confidence": 0, "right": 0}, {"confidence": 100, "right": 100}]))
        .mark_line(strokeDash=[4, 4], color="currentColor", opacity=0.4, strokeWidth=1)
        .encode(x="confidence:Q", y="right:Q")
    )
    chart = alt.layer(diagonal, base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=50, opacity=1))
    errors = sorted((row.value, row.router or "") for row in figures.pooled("calibration_error") if row.router in shown)
    text = "Points above the dashed line: more often right than the router thought; below: less often. "
    text += "Mean distance from the line: " + ", ".join(f"{router} {percent(value)}" for value, router in errors) + "."
    return _chart("reliability", "Can the confidences be believed?", text, chart, height=340)


def for_script(value: Any) -> str:
    """JSON that may stand inside an HTML script element: nothing in it can end the element or start a comment."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _systems(figures: Figures, judged: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """Every system as a datum in per cent, best first; with a label if it is a model, a baseline or `judged`."""
    rows = sorted(
        (row for row in figures.pooled("accuracy") if row.router != "best-single"),
        key=lambda row: (-row.value, row.model or "", row.router or "", row.policy or ""),
    )
    systems = []
    for row in rows:
        name = system_name(row.model, row.router, row.policy)
        if row.model is not None:
            kind = "best single model" if row.model == figures.best_single else "other models"
        else:
            kind = "baseline" if row.router in BASELINES else "router"
        systems.append(
            {
                "row": row,
                "system": name,
                "label": name if kind != "router" or (row.router, row.policy) in judged else "",
                "kind": kind,
                "accuracy": _round(row.value),
                "low": _round(row.value if row.ci_low is None else row.ci_low),
                "high": _round(row.value if row.ci_high is None else row.ci_high),
            }
        )
    return systems


def _without(point: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in point.items() if name != key}


def _round(share: float) -> float:
    return round(100 * share, 2)


def _cycle(count: int) -> Iterable[str]:
    return (ROUTER_COLOURS[number % len(ROUTER_COLOURS)] for number in range(count))


_TOOLTIP = ["system:N", "kind:N", "accuracy:Q", "low:Q", "high:Q"]


def _kind_colour() -> "alt.Color":
    import altair as alt

    return alt.Color("kind:N", scale=alt.Scale(domain=list(KIND_COLOURS), range=list(KIND_COLOURS.values())), legend=_legend())


def _kind_shape() -> "alt.Shape":
    import altair as alt

    shapes = ["circle", "diamond", "circle", "square"]
    return alt.Shape("kind:N", scale=alt.Scale(domain=list(KIND_COLOURS), range=shapes), legend=_legend())


def _legend() -> "alt.Legend":
    import altair as alt

    return alt.Legend(title=None, orient="top", columns=2, labelLimit=260)


def _chart(name: str, title: str, text: str, chart: "alt.LayerChart", *, height: int) -> Chart:
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
    "legend": {**_TEXT, "symbolStrokeWidth": 0, "symbolOpacity": 1},
    "text": {"color": "currentColor"},
    "view": {"stroke": None},
}
