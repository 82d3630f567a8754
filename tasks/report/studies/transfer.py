"""Does a router work on questions of a kind that it has not seen?"""

from collections.abc import Sequence
from typing import Any

from tasks.report.chart_style import Chart, finished
from tasks.report.figures import Figure, Figures, between, percent, points, signed
from tasks.report.studies import Section, Table
from tasks.report.studies.wording import between_brackets, sign

TITLE = "Does a router work on questions of a kind that it has not seen?"
ALONE, LEFT_OUT, SUBJECT = "trained on one", "trained without each", "trained without each subject"
NOTHING = 0.01  # a gain so near to none is as good as none
KINDS = {  # in words, and what each of them is tried on
    LEFT_OUT: "benchmark that it was not trained on, but on all others",
    ALONE: "benchmark, trained on a single other one",
    SUBJECT: "subject that it was not trained on, but on everything else",
}


def section(figures: Figures, evaluation: Figures) -> Section | None:
    """What is lost on unseen benchmarks and subjects, and whether routing still pays there."""
    told = [one for one in figures.all("lost") if one.benchmark is not None]
    if not told:
        return None
    routers = sorted({one.router or "" for one in told})
    text = " ".join(_of_router(figures, router) for router in routers)
    text += (
        " Without a router one would ask the model that is best on the same training questions: only what is gained over that model is "
        "routing. Lost is against the same router with all training questions, these kinds among them."
    )
    return Section("transfer", TITLE, text, _chart(figures, routers[0]), _table(figures))


def _of_router(figures: Figures, router: str) -> str:
    parts = []
    told = set()
    for kind, place in KINDS.items():
        gain, lost = _over_all(figures, router, kind, "gain_over_best_known"), _over_all(figures, router, kind, "lost")
        if gain is None or lost is None or (kind == ALONE and (gain.value, lost.value) in told):  # of two benchmarks both are the same
            continue
        told.add((gain.value, lost.value))
        pays = {
            1: f"gains {points(gain.value)} over the best model that it could know of {between_brackets(gain)}",
            0: f"is not told from the best model that it could know of ({signed(gain.value)} points, {between(gain)})",
            -1: f"is {points(gain.value)} below the best model that it could know of {between_brackets(gain)}",
        }[sign(gain)]
        if gain.ci_low is not None and gain.ci_high is not None and -NOTHING < gain.ci_low <= gain.ci_high < NOTHING:
            pays = (
                f"routes nothing: it earns what the best model that it could know of earns ({signed(gain.value)} points, {between(gain)})"
            )
        costs = {
            -1: f"loses {points(lost.value)} ({between(lost)}) against having seen it",
            0: f"loses nothing that could be told ({signed(lost.value)} points, {between(lost)})",
            1: f"is even {points(lost.value)} better than having seen it ({between(lost)})",
        }[sign(lost)]
        parts.append((sign(gain), f"On a {place}, {router} {pays}, and {costs}."))
    if not parts:
        one = next(one for one in figures.all("lost") if one.router == router)
        return f"{router}, {one.setting}: {signed(one.value)} points ({between(one)}) on what it has not seen."
    answer = {1: "Yes.", 0: "No sign of it.", -1: "No."}[parts[0][0]]
    return f"{answer} {' '.join(said for _, said in parts)}"


def _over_all(figures: Figures, router: str, kind: str, metric: str) -> Figure | None:
    return figures.one(metric, router=router, setting=kind)


def _cells(figures: Figures, router: str) -> list[Figure]:
    """Of each place that the router was tried on, what it lost; in the order of the table."""
    found = [one for one in figures.all("lost") if one.router == router and one.benchmark is not None]
    return sorted(found, key=lambda one: (one.subject is not None, one.setting or "", one.benchmark or "", one.subject or ""))


def _chart(figures: Figures, router: str) -> Chart:
    """Where which router loses how much."""
    import altair as alt

    cells = _cells(figures, router)
    of_benchmarks = [one for one in cells if one.subject is None]
    if not of_benchmarks:
        return _subjects(figures, router, cells)
    most = max(0.01, *(-one.value for one in of_benchmarks))
    data: list[dict[str, Any]] = []
    for one in of_benchmarks:
        accuracy = figures.one("accuracy", router=router, setting=one.setting, benchmark=one.benchmark)
        data.append(
            {
                "training": one.setting,
                "tested on": one.benchmark,
                "lost": round(100 * one.value, 2),
                "share": round(max(0.0, -one.value) / most, 3),
                "accuracy": f"{100 * accuracy.value:.0f} %" if accuracy else "",
                "told": signed(one.value),
            }
        )
    rows = list(dict.fromkeys(str(point["training"]) for point in data))
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X("tested on:N", title="tested on", axis=alt.Axis(orient="top", labelAngle=-35, labelLimit=140, domain=False, ticks=False)),
        y=alt.Y("training:N", sort=rows, title=None, axis=alt.Axis(labelLimit=190, domain=False, ticks=False)),
        tooltip=["training:N", "tested on:N", "accuracy:N", "lost:Q"],
    )
    chart = alt.layer(
        base.mark_rect(color="#e4572e").encode(
            opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 0.7]), legend=None)
        ),
        base.mark_text(fontSize=12).encode(text="told:N"),
    )
    worst = min(of_benchmarks, key=lambda one: (one.value, one.setting or ""))
    text = (
        f"{router}: points lost on each benchmark against having been trained on everything; the darker, the more. Most are lost "
        f"{worst.setting}, tested on {worst.benchmark}: {signed(worst.value)} ({between(worst)})."
    )
    return finished("transfer", "What is lost on benchmarks that were not seen", text, chart, height=30 * len(rows) + 60)


def _subjects(figures: Figures, router: str, cells: Sequence[Figure]) -> Chart:
    """Of one benchmark: what is lost on each subject that was not seen."""
    import altair as alt

    data = []
    for one in sorted(cells, key=lambda one: (one.value, one.subject or "")):
        low, high = (one.value if end is None else end for end in (one.ci_low, one.ci_high))
        numbers = {"lost": one.value, "low": low, "high": high}
        data.append({"subject": one.subject or ""} | {key: round(100 * value, 2) for key, value in numbers.items()})
    title = "points against having seen it"
    base = alt.Chart(alt.Data(values=data)).encode(
        y=alt.Y("subject:N", sort=[str(point["subject"]) for point in data], axis=None),
        tooltip=["subject:N", "lost:Q", "low:Q", "high:Q"],
    )
    chart = alt.layer(
        alt.Chart(alt.Data(values=[{"lost": 0}])).mark_rule(color="currentColor", opacity=0.4).encode(x=alt.X("lost:Q", title=title)),
        base.mark_rule(strokeWidth=3, opacity=0.45, yOffset=7, color="#e4572e").encode(x=alt.X("low:Q", title=title), x2="high:Q"),
        base.mark_point(filled=True, size=75, opacity=1, yOffset=7, color="#e4572e").encode(x=alt.X("lost:Q", title=title)),
        base.mark_text(align="left", dy=-7, dx=4, fontSize=12, limit=320).encode(x=alt.value(0), text="subject:N"),
    )
    told = "; ".join(f"{point['subject']} {signed(float(point['lost']) / 100)}" for point in data[:6])
    text = f"{router}: points lost on each subject by not having been trained on it, the most first: {told}. Bars are 95 % intervals."
    return finished("transfer", "What is lost on subjects that were not seen", text, chart, height=36 * len(data) + 10)


def _table(figures: Figures) -> Table:
    rows: list[list[str | tuple[str, str]]] = []
    for router in sorted({one.router or "" for one in figures.all("lost")}):
        pooled = [one for kind in KINDS if (one := _over_all(figures, router, kind, "lost"))]
        for lost in [*pooled, *_cells(figures, router)]:
            name = {"router": router, "setting": lost.setting, "benchmark": lost.benchmark, "subject": lost.subject}
            accuracy, gain = (figures.one(metric, **name) for metric in ("accuracy", "gain_over_best_known"))
            rows.append(
                [
                    f"{router}, {lost.setting}",
                    lost.subject or lost.benchmark or "all of these",
                    f"{lost.n:,}" if lost.n else "–",
                    (percent(accuracy.value), between(accuracy)) if accuracy else "–",
                    (signed(gain.value), between(gain)) if gain else "–",
                    (signed(lost.value), between(lost)),
                ]
            )
    columns = ["router", "tested on", "questions", "accuracy", "over the best known", "against all training"]
    return Table("Accuracy in per cent, differences in points, with 95 % intervals", columns, rows)
