"""What is routed where: the share of each subject's questions that each model gets, and the share of all questions.

On the heat map a cell's outline says that this model is the most accurate one on that subject's test questions, so a router that
knows what it does is dark where there are outlines.
"""

from typing import Any

from tasks.report.chart_style import DRAWN, KIND_COLOURS, MODEL_COLOURS, OTHER_COLOUR, Chart, finished, legend
from tasks.report.figures import Figure, Figures, by_place, percent
from tasks.report.studies.wording import listed
from tasks.report.systems import foremost, leading, left_out, system_name

PLACES = 24  # rows of the heat map; of more subjects those with most questions
OTHERS = "other models"
SLANTED = 6  # models whose names stand slanted above their columns
WHOLE = 90  # per cent of a subject's questions that are nearly all
_WIDE = 0.08  # share of a bar from which its figure fits inside on a phone


def heat_map(figures: Figures, router: str, policy: str) -> Chart | None:
    """Model by subject (by benchmark, where there are no subjects): the share of its test questions that the router sends there."""
    import altair as alt

    cells = _cells(figures, router, policy)
    if not cells:
        return None
    models = sorted({str(cell["model"]) for cell in cells})
    places = sorted({(-cell["questions"], str(cell["place"])) for cell in cells})
    rows = sorted(place for _, place in places[:PLACES])
    drawn = [cell for cell in cells if cell["place"] in rows]
    columns = [_short(model, models) for model in models]
    drawn = [cell | {"column": _short(str(cell["model"]), models)} for cell in drawn]
    angle = -40 if len(models) <= SLANTED else -90  # many slanted names run out of a phone's page
    x = alt.X(
        "column:N", sort=columns, title=None, axis=alt.Axis(orient="top", labelAngle=angle, labelLimit=140, ticks=False, domain=False)
    )
    y = alt.Y("place:N", sort=rows, title=None, axis=alt.Axis(labelLimit=118, ticks=False, domain=False))
    tooltip = [
        alt.Tooltip("place:N", title="subject"),
        alt.Tooltip("model:N"),
        alt.Tooltip("share:Q", title="sent to it, %", format=".1f"),
        alt.Tooltip("accuracy:Q", title="it is right, %", format=".1f"),
        alt.Tooltip("router:Q", title="the router is right, %", format=".1f"),
        alt.Tooltip("questions:Q"),
    ]
    base = alt.Chart(alt.Data(values=drawn)).encode(x=x, y=y, tooltip=tooltip)
    best = alt.Chart(alt.Data(values=[cell for cell in drawn if cell["is_best"]])).encode(x=x, y=y, tooltip=tooltip)
    chart = alt.layer(
        # Opaque as the share is great: it suits light and dark paper alike.
        base.mark_rect(color=KIND_COLOURS["best single model"]).encode(
            opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 100], range=[0.04, 0.62]), legend=None)
        ),
        best.mark_rect(filled=False, fill="transparent", stroke="currentColor", strokeWidth=1.5),
        # The figure as large as a column lets it be, on a phone as well.
        base.transform_filter("datum.share > 0")
        .mark_text(fontSize={"expr": f"min(12, width / {len(models)} / 2.2)"})
        .encode(text=alt.Text("share:Q", format=".0f")),
    )
    title = "What is sent where, in % of each subject’s test questions"
    return finished("heat", title, _heat_text(figures, cells, router, policy, len(places)), chart, height=24 * len(rows) + 10)


def shares_chart(figures: Figures) -> Chart | None:
    """A bar for each router with its leading policy: the share of all test questions that each model gets."""
    import altair as alt

    routers = foremost(figures, DRAWN)
    systems = [("benchmark", "argmax"), *sorted(pair for pair in leading(figures) if pair[0] in routers)]
    shares = {(row.router, row.policy, row.model or ""): row for row in figures.pooled("share")}
    bars = [(router, policy) for router, policy in systems if any((router, policy) == key[:2] for key in shares)]
    if not bars:
        return None
    total: dict[str, float] = {}
    for (router, policy, model), row in shares.items():
        if (router, policy) in bars:
            total[model] = total.get(model, 0.0) + row.value
    order = sorted(total, key=lambda model: (-total[model], model))
    named = order if len(order) <= len(MODEL_COLOURS) else order[: len(MODEL_COLOURS) - 1]
    data: list[dict[str, Any]] = []
    for router, policy in bars:
        parts = [(model, shares[router, policy, model].value) for model in order if (router, policy, model) in shares]
        gathered = {model: value for model, value in parts if model in named}
        if rest := sum(value for model, value in parts if model not in named):
            gathered[OTHERS] = rest
        place = 0.0
        for model, value in gathered.items():
            if value:
                data.append(
                    {
                        "system": system_name(None, router, policy),
                        "model": model,
                        "share": round(100 * value, 1),
                        "from": round(100 * place, 2),
                        "to": round(100 * (place + value), 2),
                        "middle": round(100 * (place + value / 2), 2),
                        "told": f"{100 * value:.0f}" if value >= _WIDE else "",
                    }
                )
            place += value
    shown = [name for name in [*named, OTHERS] if any(bar["model"] == name for bar in data)]
    colours = [OTHER_COLOUR if name == OTHERS else MODEL_COLOURS[named.index(name)] for name in shown]
    names = [system_name(None, *bar) for bar in bars]
    y = alt.Y("system:N", sort=names, axis=None, scale=alt.Scale(paddingInner=0.55, paddingOuter=0.5))
    scale, title = alt.Scale(domain=[0, 100], nice=False), "% of all test questions"
    base = alt.Chart(alt.Data(values=data)).encode(
        y=y, tooltip=[alt.Tooltip("system:N", title="router"), alt.Tooltip("model:N"), alt.Tooltip("share:Q", title="share, %")]
    )
    chart = alt.layer(
        base.mark_bar(stroke="white", strokeWidth=1).encode(
            x=alt.X("from:Q", scale=scale, title=title),
            x2="to:Q",
            color=alt.Color("model:N", scale=alt.Scale(domain=shown, range=colours), legend=legend()),
        ),
        base.mark_text(color="#111", fontSize=11).encode(x=alt.X("middle:Q", scale=scale, title=title), text="told:N"),
        alt.Chart(alt.Data(values=[{"system": name, "zero": 0} for name in names]))
        .mark_text(align="left", baseline="bottom", dy=-12, fontSize=12, limit=330)
        .encode(y=y, x=alt.X("zero:Q", scale=scale, title=title), text="system:N"),
    )
    return finished("shares", "How many questions each model gets", _shares_text(figures, data, names), chart, height=48 * len(bars) + 10)


def _cells(figures: Figures, router: str, policy: str) -> list[dict[str, Any]]:
    """A datum for each place and model, in per cent; `is_best` where no model is more accurate there."""
    of_router = [row for row in figures.all("share") if (row.router, row.policy) == (router, policy) and row.benchmark is not None]
    of_router = by_place(of_router)
    shares = {(row.benchmark, row.subject, row.model): row.value for row in of_router}
    models = sorted({row.model for row in figures.pooled("accuracy") if row.model is not None})
    several = len({row.benchmark for row in of_router}) > 1
    cells = []
    for benchmark, subject in sorted({(row.benchmark or "", row.subject or "") for row in of_router}):
        where = {"benchmark": benchmark, "subject": subject or None}
        whole = figures.one("accuracy", router=router, policy=policy, **where)
        known: dict[str, Figure] = {model: found for model in models if (found := figures.one("accuracy", model=model, **where))}
        highest = max((row.value for row in known.values()), default=None)
        for model in models:
            accuracy = known[model].value if model in known else None
            cells.append(
                {
                    "place": f"{subject} · {benchmark}" if subject and several else subject or benchmark,
                    "model": model,
                    "share": _per_cent(shares.get((benchmark, subject or None, model), 0.0)),
                    "accuracy": _per_cent(accuracy),
                    "router": _per_cent(whole.value if whole else None),
                    "questions": (whole.n if whole else None) or 0,
                    "is_best": accuracy is not None and accuracy == highest,
                }
            )
    return cells


def _heat_text(figures: Figures, cells: list[dict[str, Any]], router: str, policy: str, places: int) -> str:
    """How much goes to which models, and how often the most accurate one of a subject gets it."""
    name = system_name(None, router, policy)
    by_place: dict[str, list[dict[str, Any]]] = {}
    for cell in cells:
        by_place.setdefault(str(cell["place"]), []).append(cell)
    asked = sum(of_place[0]["questions"] for of_place in by_place.values())
    to_best = sum(cell["questions"] * cell["share"] / 100 for cell in cells if cell["is_best"])
    text = (
        f"{name} sends {percent(to_best / asked, 0)} of the questions to the model that is the most accurate on their subject (outlined). "
        if asked
        else ""
    )
    whole: list[tuple[str, str]] = []
    missed = []
    for place, of_place in by_place.items():
        most = max(of_place, key=lambda cell: (cell["share"], str(cell["model"])))
        best = next((cell for cell in of_place if cell["is_best"]), None)
        if most["share"] >= WHOLE:
            whole.append((place, str(most["model"])))
        if best and not most["is_best"] and most["accuracy"] is not None:
            missed.append((best["accuracy"] - most["accuracy"], place, most, best))
    if len(whole) == len(by_place) > 1 and len({model for _, model in whole}) == 1:
        text += f"Nearly all of every subject goes to {whole[0][1]}. "
    elif whole:
        told = [f"{place} to {model}" for place, model in whole[:3]] + [f"{len(whole) - 3} more"] * (len(whole) > 3)
        text += f"Nearly whole subjects go to one model: {listed(told)}. "
    if missed:
        _, place, most, best = max(missed, key=lambda found: found[:2])
        text += (
            f"Farthest from it is {place}: most of it goes to {most['model']}, which is right on {most['accuracy']:.0f} %, and "
            f"{best['model']} would be on {best['accuracy']:.0f} %. "
        )
    if places > PLACES:
        text += f"Of {places} subjects the {PLACES} with most questions are drawn; the table has all."
    return text.strip()


def _shares_text(figures: Figures, data: list[dict[str, Any]], names: list[str]) -> str:
    told: dict[str, list[str]] = {}  # what is said → of whom
    for name in names:
        named = (bar for bar in data if bar["system"] == name and bar["model"] != OTHERS)
        of_system = sorted(named, key=lambda bar: (-bar["share"], str(bar["model"])))
        parts = [f"{bar['model']} {bar['share']:.0f} %" for bar in of_system[:3]]
        if parts:
            told.setdefault(listed(parts), []).append(name)
    text = "; ".join(f"{listed(alike)}: {parts}" for parts, alike in told.items())
    return f"{text}.{left_out(figures, DRAWN)}"


def _short(model: str, models: list[str]) -> str:
    """A model's name without its owner, "Meta-Llama-3-8B" of "meta-llama/Meta-Llama-3-8B", where no other is called so."""
    name = model.rpartition("/")[2]
    return name if name and sum(other.rpartition("/")[2] == name or other == name for other in models) == 1 else model


def _per_cent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)
