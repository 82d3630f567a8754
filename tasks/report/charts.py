"""The page's charts: Vega-Lite specifications made with Vega-Altair, drawn in the reader's browser.

Here: accuracy of each system, and what it takes in time and money. What accuracy costs is in `frontier.py`, what is routed where in
`routing_charts.py`, whether confidences can be believed in `reliability.py`, how samples vote in `vote_charts.py`.
"""

from typing import TYPE_CHECKING, Any

from tasks.report.chart_style import DRAWN, KIND_COLOURS, Chart, finished, legend
from tasks.report.figures import BASELINES, Figures
from tasks.report.frontier import UNITS, Unit, frontier_chart
from tasks.report.reliability import reliability_charts
from tasks.report.routing_charts import heat_map, shares_chart
from tasks.report.systems import foremost, leading, left_out, shown_first, system_name
from tasks.report.vote_charts import votes_chart

if TYPE_CHECKING:
    import altair as alt


TOLD = 12  # systems that a chart's text lists; of more only the best


def charts(figures: Figures, unit: str) -> dict[str, Chart]:
    """Every chart for which there are figures, by name: accuracy, frontier, latency, cost, heat, shares, reliability, confidences, votes.

    Of the foremost routers the leading policy is named. `unit`: of the costs of frontiers (usd, seconds, tokens).
    """
    drawn = foremost(figures, DRAWN)
    systems = _systems(figures, {(router, policy) for router, policy in leading(figures) if router in drawn})
    frontier = frontier_chart(figures, unit)
    told = UNITS[unit].metric if frontier else None  # the frontier's chart has the same points
    made = [_accuracy(figures, systems), frontier]
    if told != "latency_s":
        made.append(_trade_off(figures, systems, "latency", UNITS["seconds"], "Accuracy against latency"))
    if told != "cost_usd":
        made.append(_trade_off(figures, systems, "cost", UNITS["usd"], "Accuracy against cost"))
    shown = shown_first(figures)
    made += [heat_map(figures, *shown) if shown else None, shares_chart(figures), *reliability_charts(figures), votes_chart(figures)]
    return {chart.name: chart for chart in made if chart is not None}


def _accuracy(figures: Figures, systems: list[dict[str, Any]]) -> Chart | None:
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
    told = data if len(data) <= TOLD else [*data[:3], *(point for point in data[3:] if point["kind"] == "best single model")]
    text = "; ".join(f"{point['system']} {point['accuracy']:.1f} %" for point in told)
    text = f"{text}. The dashed line is the best single model. Each interval is that system’s own; the gains in the table below are paired."
    text += left_out(figures, DRAWN)
    return finished("accuracy", "Accuracy on test questions, with 95 % intervals", text, chart, height=36 * len(data) + 10)


NAME_WIDTH, NAME_HEIGHT = 0.15, 1.5  # of a name beside its point: share of the longest time or cost, points of accuracy


def _trade_off(figures: Figures, systems: list[dict[str, Any]], name: str, unit: Unit, title: str) -> Chart | None:
    """Accuracy against what a question takes; up and to the left is better."""
    import altair as alt

    data = []
    shown = figures.default[0] if figures.default else None
    for point in systems:
        row = point["row"]
        taken = figures.one(unit.metric, model=row.model, router=row.router, policy=row.policy)
        if taken is not None:
            # Names of routers would cover each other; one is enough beside the models, and the table has them all.
            label = point["label"] if point["kind"] != "router" or row.router == shown else ""
            data.append(_without(point, "row") | {"taken": round(unit.scale * taken.value, 9), "label": label})
    most = max((point["taken"] for point in data), default=0)
    if not most:
        return None
    named: list[tuple[float, float]] = []
    for point in sorted(data, key=lambda point: point["kind"] == "baseline"):  # of names that would lie on each other, a model's
        x, y = point["taken"] / most, point["accuracy"]
        if point["label"] and any(abs(x - other) < NAME_WIDTH and abs(y - height) < NAME_HEIGHT for other, height in named):
            point["label"] = ""
        elif point["label"]:
            named.append((x, y))
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X("taken:Q", title=unit.name, scale=alt.Scale(domain=[0, 1.2 * most], nice=True)),
        y=alt.Y("accuracy:Q", title="accuracy, %", scale=alt.Scale(zero=False)),
        tooltip=[*_TOOLTIP, alt.Tooltip("taken:Q", title=unit.name, format=".4~g")],
    )
    chart = alt.layer(
        base.mark_point(filled=True, size=110, opacity=0.9).encode(color=_kind_colour(), shape=_kind_shape()),
        base.mark_text(align="left", dx=9, dy=-7, fontSize=11, limit=150).encode(text="label:N"),
    )
    cheapest = min(data, key=lambda point: point["taken"])
    best = max(data, key=lambda point: point["accuracy"])
    text = (
        f"{cheapest['system']} takes least ({cheapest['taken']:.3g} {unit.name}) at {cheapest['accuracy']:.1f} %; "
        f"{best['system']} is most accurate ({best['accuracy']:.1f} %) at {best['taken']:.3g}. Up and to the left is better."
    )
    return finished(name, title, text, chart, height=340)


def _systems(figures: Figures, named: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """Every system as a datum in per cent, best first; with a label if it is a model, a baseline or `named`."""
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
                "label": name if kind != "router" or (row.router, row.policy) in named else "",
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


_TOOLTIP = ["system:N", "kind:N", "accuracy:Q", "low:Q", "high:Q"]


def _kind_colour() -> "alt.Color":
    import altair as alt

    return alt.Color("kind:N", scale=alt.Scale(domain=list(KIND_COLOURS), range=list(KIND_COLOURS.values())), legend=legend())


def _kind_shape() -> "alt.Shape":
    import altair as alt

    shapes = ["circle", "diamond", "circle", "square"]
    return alt.Shape("kind:N", scale=alt.Scale(domain=list(KIND_COLOURS), range=shapes), legend=legend())
