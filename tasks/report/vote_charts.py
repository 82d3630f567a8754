"""How the samples of each model voted: how far they agree, how often nobody wins outright, how often nothing can be read."""

from typing import Any

from tasks.report.chart_style import ROUTER_COLOURS, Chart, finished, legend
from tasks.report.figures import Figures, percent

MODELS = 20  # of more, those that were right most often
_WHAT = {
    "agreement": "agreement of the samples",
    "ambiguous": "questions without a clear majority",
    "unreadable": "samples without an answer to read",
}
_SHAPES = ["circle", "triangle-up", "cross"]


def votes_chart(figures: Figures) -> Chart | None:
    """A row for each model with three points, in per cent; None where outcomes were imported and nobody voted."""
    import altair as alt

    models = [row.model or "" for row in figures.pooled("ambiguous")]
    if not models:
        return None
    right = {row.model: row.value for row in figures.pooled("accuracy") if row.model is not None}
    drawn = sorted(models, key=lambda model: (-right.get(model, 0.0), model))[:MODELS]
    data: list[dict[str, Any]] = [
        {"model": model, "what": what, "share": round(100 * found.value, 2), "questions": found.n}
        for model in drawn
        for metric, what in _WHAT.items()
        if (found := figures.one(metric, model=model))
    ]
    shown = list(_WHAT.values())
    x = alt.X("share:Q", title="%", scale=alt.Scale(domain=[0, 100]))
    y = alt.Y("model:N", sort=drawn, title=None, axis=alt.Axis(labelLimit=118, grid=True, ticks=False, domain=False))
    chart = alt.layer(
        alt.Chart(alt.Data(values=data))
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color("what:N", scale=alt.Scale(domain=shown, range=ROUTER_COLOURS[: len(shown)]), legend=legend()),
            shape=alt.Shape("what:N", scale=alt.Scale(domain=shown, range=_SHAPES), legend=legend()),
            tooltip=["model:N", "what:N", "share:Q", "questions:Q"],
        )
    )
    text = " ".join(sentence for metric in _WHAT if (sentence := _told(figures, metric)))
    if len(models) > MODELS:
        text += f" Of {len(models)} models the {MODELS} that were right most often are drawn; the table has all."
    return finished("votes", "Do a model’s samples agree?", text, chart, height=30 * len(drawn) + 20)


def _told(figures: Figures, metric: str) -> str:
    """Who has most and who has least of it."""
    rows = sorted((row for row in figures.pooled(metric) if row.model), key=lambda row: (row.value, row.model or ""))
    if not rows:
        return ""
    least, most = (f"{row.model} ({percent(row.value)})" for row in (rows[0], rows[-1]))
    if metric == "agreement":
        first = f"The samples of {most} agree most"
        return f"{first}, those of {least} least." if len(rows) > 1 else f"{first}."
    what = (
        "No clear majority is most frequent with" if metric == "ambiguous" else "Samples without an answer to read are most frequent with"
    )
    if not rows[-1].value:
        return "Every question has a clear majority." if metric == "ambiguous" else "Every sample has an answer to read."
    return f"{what} {most}, least with {least}." if len(rows) > 1 else f"{what} {most}."
