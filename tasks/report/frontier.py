"""What accuracy costs: a chart of the frontiers and a table of their areas.

    router            area                   gain            the best model's accuracy less a point
    domains           82.3 (81.2 to 83.4)    +4.7            for 27 % of its cost
    single models     77.6 (76.4 to 78.9)      –             for 44 % of its cost

What a frontier and its area are is told in `tasks/evaluation/frontier.py`. Where costs are not known there is nothing here.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tasks.report.chart_style import DRAWN, KIND_COLOURS, ROUTER_COLOURS, Chart, finished, legend
from tasks.report.figures import BASELINES, Figure, Figures, between, percent, points, signed
from tasks.report.systems import router_name, system_name

if TYPE_CHECKING:
    import altair as alt

SINGLE_MODELS = "single-models"
LINES = ("oracle", SINGLE_MODELS, "benchmark")  # baselines that are drawn; the first dashed


@dataclass(frozen=True)
class Unit:
    """A unit of cost as people read it: `scale` of it make what `name` says; `metric` is that of single models and policies."""

    metric: str
    scale: float
    name: str


UNITS = {
    "usd": Unit("cost_usd", 1000, "US dollars per thousand questions"),
    "seconds": Unit("latency_s", 1, "seconds per question"),
    "tokens": Unit("completion_tokens", 1, "tokens per question"),
}


def frontier_chart(figures: Figures, unit: str) -> Chart | None:
    """Each router a line, single models as points, the oracle dashed; None where costs are not known."""
    import altair as alt

    of_unit = UNITS[unit]
    lines = _lines(figures)
    if not lines:
        return None
    models = _points(figures, of_unit)
    end = max([cost for corners in lines.values() for cost, _ in corners] + [point["cost"] / of_unit.scale for point in models])
    order = [router for router in lines if router not in BASELINES and router != SINGLE_MODELS]
    colours = dict(zip(order, ROUTER_COLOURS, strict=False))
    colours |= {SINGLE_MODELS: KIND_COLOURS["other models"], "benchmark": KIND_COLOURS["baseline"], "oracle": KIND_COLOURS["baseline"]}
    drawn = [router for router in colours if router in lines]
    data = [
        {"router": router, "name": router_name(router), "cost": cost * of_unit.scale, "accuracy": 100 * accuracy, "corner": number}
        for router in drawn
        for number, (cost, accuracy) in enumerate([*lines[router], (end, lines[router][-1][1])])  # who is done keeps its accuracy
    ]
    scale = alt.Scale(domain=[router_name(router) for router in drawn], range=[colours[router] for router in drawn])
    x = alt.X("cost:Q", title=of_unit.name, scale=alt.Scale(domain=[0, 1.02 * end * of_unit.scale], nice=False))
    y = alt.Y("accuracy:Q", title="accuracy, % of test questions", scale=alt.Scale(zero=False))
    tooltip = [alt.Tooltip("name:N"), alt.Tooltip("cost:Q", title=of_unit.name, format=".4~g"), alt.Tooltip("accuracy:Q", format=".1f")]

    def line(rows: list[dict[str, Any]], dash: list[int]) -> "alt.Chart":
        base = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=2, strokeDash=dash, point=alt.OverlayMarkDef(size=18, filled=True))
        colour = alt.Color("name:N", scale=scale, legend=legend())
        return base.encode(x=x, y=y, color=colour, detail="router:N", order="corner:Q", tooltip=tooltip)

    def label(points: list[dict[str, Any]], align: Literal["left", "right"]) -> "alt.Chart":
        side = 1 if align == "left" else -1
        return (
            alt.Chart(alt.Data(values=points))
            .mark_text(align=align, dx=8 * side, dy=8, fontSize=11, limit=150)
            .encode(x=x, y=y, text="name:N")
        )

    labelled = _apart(models, end * of_unit.scale)
    layers = [
        line([row for row in data if row["router"] != "oracle"], []),
        line([row for row in data if row["router"] == "oracle"], [5, 4]),
        alt.Chart(alt.Data(values=_policies(figures, of_unit, order)))
        .mark_point(filled=False, size=45, strokeWidth=1.5)
        .encode(x=x, y=y, color=alt.Color("line:N", scale=scale, legend=legend()), tooltip=tooltip),
        alt.Chart(alt.Data(values=models))
        .mark_point(filled=True, size=80, opacity=0.9, color=KIND_COLOURS["best single model"])
        .encode(x=x, y=y, tooltip=tooltip),
        label([point for point in labelled if point["cost"] < 0.7 * end * of_unit.scale], "left"),
        label([point for point in labelled if point["cost"] >= 0.7 * end * of_unit.scale], "right"),
    ]
    text = "Each line: the best accuracy that a router’s confidences reach for a mean cost; up and to the left is better. "
    text += "Points are single models, circles a router’s policies."
    if "oracle" in lines:
        text += " Dashed is the oracle."
    if len(figures.routers) > len(order) > 0:
        text += f" Of {len(figures.routers)} routers the default one and those with the largest areas are drawn; the table has all."
    return finished("frontier", "Accuracy for what it costs", text, alt.layer(*layers), height=380)


def frontier_table(figures: Figures) -> dict[str, Any] | None:
    """Areas, gains and the price of the best single model's accuracy, the largest area first; None where costs are not known."""
    areas = sorted(
        (row for row in figures.pooled("frontier_area") if row.router != "best-single"), key=lambda row: (-row.value, row.router or "")
    )
    if not areas:
        return None
    luck = max((row.value for row in figures.pooled("frontier_luck") if row.router not in (SINGLE_MODELS, "oracle")), default=0.0)
    several = len(figures.benchmarks) > 1
    rows = []
    for area in areas:
        macro, gain, over = (
            figures.one(metric, router=area.router) for metric in ("macro_frontier_area", "frontier_gain", "frontier_gain_over_benchmark")
        )
        share = figures.one("frontier_share", router=area.router)
        cells = [_cell(area, percent), *([_cell(macro, percent)] if several else []), _cell(gain, signed), _cell(over, signed)]
        cells.append((percent(share.value), _open_interval(share)) if share else ("not reached", ""))
        is_router = area.router not in BASELINES and area.router != SINGLE_MODELS
        rows.append({"name": router_name(area.router or ""), "is_router": is_router, "cells": cells})
    return {"several": several, "rows": rows, "luck": points(luck) if luck > 0 else None, "headline": _headline(figures)}


def _headline(figures: Figures) -> str | None:
    """For what share of the best single model's cost the default router (without one, the largest area) has its accuracy less one point."""
    routers = [row.router or "" for row in sorted(figures.pooled("frontier_area"), key=lambda row: -row.value)]
    routers = [router for router in routers if router not in BASELINES and router != SINGLE_MODELS]
    if figures.default and figures.default[0] in routers:
        routers = [figures.default[0]]
    share = figures.one("frontier_share", router=routers[0]) if routers else None
    if not routers or figures.best_single is None:
        return None
    if share is None:
        return f"{routers[0]} does not reach the accuracy of {figures.best_single} less one point, whatever it may spend."
    interval = _open_interval(share)
    text = f"{routers[0]} has the accuracy of {figures.best_single}, less one point, for {percent(share.value, 0)} of its cost"
    text += f" (95 % interval {interval})" if interval != "–" else ""
    mixed = figures.one("frontier_share", router=SINGLE_MODELS)
    return text + (f"; the best mixture of single models needs {percent(mixed.value, 0)}." if mixed else ".")


def _lines(figures: Figures) -> dict[str, list[tuple[float, float]]]:
    """Router → corners (cost, accuracy) of its frontier, of those that are drawn, the largest area first."""
    found = [row.router or "" for row in sorted(figures.pooled("frontier_area"), key=lambda row: (-row.value, row.router or ""))]
    routers = [router for router in found if router not in BASELINES and router != SINGLE_MODELS]
    routers = sorted(routers, key=lambda router: figures.default is None or router != figures.default[0])[:DRAWN]  # the default is drawn
    lines = {}
    for router in [*routers, *(router for router in LINES if router in found)]:
        corners: list[tuple[float, float]] = []
        while (cost := figures.one(f"frontier_cost_{len(corners)}", router=router)) is not None:
            accuracy = figures.one(f"frontier_accuracy_{len(corners)}", router=router)
            corners.append((cost.value, accuracy.value if accuracy else 0.0))
        lines[router] = corners
    return {router: corners for router, corners in lines.items() if corners}


def _points(figures: Figures, unit: Unit) -> list[dict[str, Any]]:
    """What each single model costs and earns."""
    found = []
    for row in figures.pooled("accuracy"):
        cost = figures.one(unit.metric, model=row.model) if row.model else None
        if cost is not None:
            found.append({"name": row.model, "cost": cost.value * unit.scale, "accuracy": 100 * row.value})
    return sorted(found, key=lambda point: str(point["name"]))


def _apart(models: list[dict[str, Any]], width: float) -> list[dict[str, Any]]:
    """Those whose labels fit beside each other, the most accurate first; a pointer over a point tells the others' names."""
    found: list[dict[str, Any]] = []
    for point in sorted(models, key=lambda point: -point["accuracy"]):
        near = (other for other in found if abs(other["cost"] - point["cost"]) < 0.3 * width)
        if all(other["accuracy"] - point["accuracy"] > 2.5 for other in near):
            found.append(point)
    return found


def _policies(figures: Figures, unit: Unit, routers: list[str]) -> list[dict[str, Any]]:
    """Where each policy of these routers lies; what it takes includes the router's own time and samples that it looked at."""
    found = []
    for router, policies in figures.routers:
        for policy in policies if router in routers else []:
            name = {"router": router, "policy": policy}
            cost, accuracy = figures.one(unit.metric, **name), figures.one("accuracy", **name)
            if cost is not None and accuracy is not None:
                point = {"cost": cost.value * unit.scale, "accuracy": 100 * accuracy.value}
                found.append(point | {"name": system_name(None, router, policy), "line": router})
    return found


def _cell(figure: Figure | None, write: Any) -> tuple[str, str]:
    return (write(figure.value), between(figure)) if figure else ("–", "")


def _open_interval(figure: Figure) -> str:
    """Like `between`; "21.0 or more" where too many resamples never get there."""
    if figure.ci_low is not None and figure.ci_high is None:
        return f"{100 * figure.ci_low:.1f} or more"
    return between(figure)
