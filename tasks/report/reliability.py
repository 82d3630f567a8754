"""Whether a router's confidences can be believed: how often it is right where it says 70 %, and how often it says so.

The figures come in tenths: of all confidences between 60 % and 70 % (`reliability_confidence_6`, their mean) so many were right
(`reliability_reward_6`).
"""

from typing import TYPE_CHECKING, Any

from tasks.report.chart_style import DRAWN, ROUTER_COLOURS, SHAPES, Chart, finished, legend
from tasks.report.figures import Figures, percent
from tasks.report.systems import foremost, left_out

if TYPE_CHECKING:
    import altair as alt

TENTHS = 10


def reliability_charts(figures: Figures) -> list[Chart]:
    """Observed share of right answers against confidence, and below it how the confidences are spread; none without confidences."""
    data = _tenths(figures)
    return [_reliability(figures, data), _spread(data)] if data else []


def _tenths(figures: Figures) -> list[dict[str, Any]]:
    """A datum for each of the foremost routers and each tenth in which it has confidences, in per cent."""
    data = []
    for router in foremost(figures, DRAWN):
        found = []
        for number in range(TENTHS):
            expected = figures.one(f"reliability_confidence_{number}", router=router)
            observed = figures.one(f"reliability_reward_{number}", router=router)
            if expected and observed:
                found.append((number, expected, observed))
        answers = sum(expected.n or 0 for _, expected, _ in found)
        for number, expected, observed in found:
            data.append(
                {
                    "router": router,
                    "confidence": round(100 * expected.value, 2),
                    "right": round(100 * observed.value, 2),
                    "answers": expected.n,
                    "tenth": f"{100 * number // TENTHS} to {100 * (number + 1) // TENTHS} %",
                    "middle": 100 * (number + 0.5) / TENTHS,
                    "share": round(100 * (expected.n or 0) / answers, 2) if answers else 0.0,
                }
            )
    return data


def _reliability(figures: Figures, data: list[dict[str, Any]]) -> Chart:
    """On the diagonal confidence and truth agree."""
    import altair as alt

    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X("confidence:Q", title="confidence, %", scale=alt.Scale(domain=[0, 100])),
        y=alt.Y("right:Q", title="were right, %", scale=alt.Scale(domain=[0, 100])),
        color=_colour(data),
        tooltip=_TOOLTIP,
    )
    diagonal = (
        alt.Chart(alt.Data(values=[{"confidence": 0, "right": 0}, {"confidence": 100, "right": 100}]))
        .mark_line(strokeDash=[4, 4], color="currentColor", opacity=0.4, strokeWidth=1)
        .encode(x="confidence:Q", y="right:Q")
    )
    chart = alt.layer(diagonal, base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=60, opacity=1).encode(shape=_shape(data)))
    drawn = _routers(data)
    errors = sorted(
        (row.value, row.router or "") for row in figures.pooled("calibration_error") if row.model is None and row.router in drawn
    )
    text = "Points above the dashed line: more often right than the router thought; below: less often. "
    text += "Mean distance from the line: " + ", ".join(f"{router} {percent(value)}" for value, router in errors) + "."
    if len(drawn) > 1 and (worst := _worst(data)):
        text += f" Farthest off is {worst}."
    return finished("reliability", "Can the confidences be believed?", text + left_out(figures, DRAWN), chart, height=340)


def _worst(data: list[dict[str, Any]]) -> str | None:
    """The point farthest from the diagonal, among those with a twentieth of the router's answers at least: others are luck."""
    firm = [point for point in data if point["share"] >= 5]
    if not firm:
        return None
    point = max(firm, key=lambda point: (abs(point["right"] - point["confidence"]), str(point["router"]), point["middle"]))
    where = point["tenth"].replace(" to ", " and ")
    return f"{point['router']} between {where}: it says {point['confidence']:.0f} %, and {point['right']:.0f} % are right"


def _spread(data: list[dict[str, Any]]) -> Chart:
    """How many of a router's confidences lie in each tenth. One that always says about the same cannot tell models apart."""
    import altair as alt

    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X("middle:Q", title="confidence, %", scale=alt.Scale(domain=[0, 100])),
        y=alt.Y("share:Q", title="of its answers, %"),
        color=_colour(data),
        tooltip=_TOOLTIP,
    )
    chart = alt.layer(base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=45, opacity=1).encode(shape=_shape(data)))
    sure, most = {}, {}
    for router in _routers(data):
        of_router = [point for point in data if point["router"] == router]
        sure[router] = sum(point["share"] for point in of_router if abs(point["middle"] - 50) > 30)
        most[router] = max(of_router, key=lambda point: (point["share"], point["middle"]))
    order = sorted(sure, key=lambda router: (-sure[router], router))
    often = {router: f"most often it says {most[router]['tenth']}" for router in order}
    text = f"Surest is {order[0]}: {sure[order[0]]:.0f} % of its confidences are below 20 % or above 80 %; {often[order[0]]}. "
    if len(order) > 1:
        text += f"Least sure is {order[-1]}: {sure[order[-1]]:.0f} %; {often[order[-1]]}. "
    text += "A router whose confidences all lie together cannot tell models apart."
    return finished("confidences", "How sure are the routers?", text, chart, height=180)


def _routers(data: list[dict[str, Any]]) -> list[str]:
    return sorted({str(point["router"]) for point in data})


def _colour(data: list[dict[str, Any]]) -> "alt.Color":
    import altair as alt

    shown = _routers(data)
    return alt.Color("router:N", scale=alt.Scale(domain=shown, range=ROUTER_COLOURS[: len(shown)]), legend=legend())


def _shape(data: list[dict[str, Any]]) -> "alt.Shape":
    import altair as alt

    shown = _routers(data)
    return alt.Shape("router:N", scale=alt.Scale(domain=shown, range=SHAPES[: len(shown)]), legend=legend())


_TOOLTIP = ["router:N", "tenth:N", "confidence:Q", "right:Q", "answers:Q", "share:Q"]
