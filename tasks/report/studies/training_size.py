"""Would more training questions help, and from how many on does routing pay?"""

from collections.abc import Sequence
from typing import Any

from tasks.report.chart_style import ROUTER_COLOURS, Chart, finished, legend
from tasks.report.figures import Figure, Figures, between, percent, points, signed
from tasks.report.studies import Section, Table
from tasks.report.studies.wording import between_brackets, sign

TITLE = "Would more training questions help?"
ENDS, NEVER = 0.975, 0.025  # share of resampled curves that pass the best single model


def section(figures: Figures, evaluation: Figures) -> Section | None:
    """What accuracy grows by, where its curve ends, and where it passes the best single model."""
    routers = sorted({one.router or "" for one in figures.all("gain_of_size")})
    if not routers:
        return None
    text = " ".join(_of_router(figures, router, evaluation.best_single) for router in routers)
    text += (
        " Curves are power laws through a few points: what they say of more questions than there are is a guess, and of other questions "
        "than these nothing."
    )
    return Section("training-size", TITLE, text, _chart(figures, routers), _table(figures, routers))


def _of_router(figures: Figures, router: str, best_single: str | None) -> str:
    shares = _shares(figures, router)
    size, last = (figures.one(metric, router=router) for metric in ("gain_of_size", "gain_of_last_share"))
    if size is None or last is None:
        return ""
    least, before, most = shares[0], shares[-2], shares[-1]
    first, whole = (figures.one("accuracy", router=router, setting=share) for share in (least, most))
    counts = [_size(figures, router, share) for share in (least, before, most)]
    if first is None or whole is None:
        return ""
    grown = (
        f"With {counts[0]:,} training questions {router} is right on {percent(first.value)} of the test questions, with all {counts[2]:,} "
        f"on {percent(whole.value)}: {signed(size.value)} points {between_brackets(size)}."
    )
    answer = {
        (
            1,
            1,
        ): f"Yes, as it seems: from {counts[1]:,} to {counts[2]:,} questions {router} still gains {points(last.value)} ({between(last)}).",
        (1, 0): f"Hardly: more questions have helped {router}, but from {counts[1]:,} to {counts[2]:,} nothing can be seen "
        f"({signed(last.value)} points, {between(last)}).",
        (0, 0): f"No sign of it: {router} does not become better that could be told from luck.",
    }.get(
        (max(sign(size), 0), max(sign(last), 0)), f"It cannot be told for {router}: the last questions seem to help, all together do not."
    )
    if sign(size) < 0:
        answer = f"No: {router} becomes worse with more of them."
    return " ".join(
        part
        for part in (answer, grown, _crossing(figures, router, best_single or "the best single model"), _benchmark(figures, router))
        if part
    )


def _crossing(figures: Figures, router: str, single: str) -> str:
    """Where the curve passes the best single model."""
    surpasses, limit, crossing = (figures.one(metric, router=router) for metric in ("surpasses", "curve_limit", "break_even_queries"))
    if surpasses is None or limit is None:
        return ""
    end = f"its curve ends at {percent(limit.value)} ({between(limit)})"
    shares = _shares(figures, router)
    fewest, most = _size(figures, router, shares[0]), _size(figures, router, shares[-1])
    gain = figures.one("gain", router=router, setting=shares[-1])
    # A curve is surer of itself than the questions are.
    unsure = (
        f", though with all {most:,} that is not shown ({signed(gain.value)} points, {between(gain)})" if gain and sign(gain) < 1 else ""
    )
    if surpasses.value >= ENDS and crossing is not None and crossing.value < 1:
        return f"Its curve is above {single} from the start{unsure}; {end}."
    if surpasses.value >= ENDS and crossing is not None:
        low = f"{crossing.ci_low:,.0f}" if crossing.ci_low is not None else "–"
        high = f"{crossing.ci_high:,.0f}" if crossing.ci_high is not None else "more than ten times what there are"
        few = ", which is fewer than were tried and so a guess" if crossing.value < fewest else ""
        untried = ", which is more than there are and so a guess" if crossing.value > most else few
        passes = "By its curve it passes" if crossing.value > most or unsure else "It passes"
        size = f"about {crossing.value:,.0f} training questions (95 % interval {low} to {high})"
        return f"{passes} {single} with {size}{untried}{unsure}; {end}."
    if surpasses.value <= NEVER:
        ever = figures.one("surpasses_in_the_end", router=router)
        never = ", nor ever, if the curve is right" if ever is not None and ever.value <= NEVER else ""
        return f"It would never pass {single} with up to ten times as many{never}: {end}."
    far = f", if at all after about {crossing.value:,.0f} questions" if crossing is not None and crossing.value > 0 else ""
    above = f"with ten times as many it would be above {single} in {percent(surpasses.value, 0)} of resamples"
    return f"Whether it would ever pass {single} cannot be told{far}: {end}, and {above}."


def _benchmark(figures: Figures, router: str) -> str:
    """With all training questions, against knowing the benchmark."""
    over = figures.one("gain_over_benchmark", router=router, setting=_shares(figures, router)[-1])
    if over is None:
        return ""
    noise = {1: "which is more than luck", 0: "inside the noise", -1: "which is less than luck would have it"}[sign(over)]
    return f"Against a router that knows only the benchmark it has {signed(over.value)} points then ({between(over)}), {noise}."


def _shares(figures: Figures, router: str) -> list[str]:
    """Settings, the smallest first."""
    found = [one for one in figures.all("training_queries", split="train") if one.router == router]
    return [one.setting or "" for one in sorted(found, key=lambda one: one.value)]


def _size(figures: Figures, router: str, share: str) -> int:
    found = figures.one("training_queries", split="train", router=router, setting=share)
    return int(found.value) if found else 0


def _ends(one: Figure) -> dict[str, float]:
    low, high = (one.value if end is None else end for end in (one.ci_low, one.ci_high))
    return {"accuracy": round(100 * one.value, 2), "low": round(100 * low, 2), "high": round(100 * high, 2)}


def _chart(figures: Figures, routers: Sequence[str]) -> Chart:
    import altair as alt

    data: list[dict[str, Any]] = []
    curve: list[dict[str, Any]] = []
    for router in routers:
        for share in _shares(figures, router):
            queries = _size(figures, router, share)
            if found := figures.one("accuracy", router=router, setting=share):
                data.append({"router": router, "questions": queries} | _ends(found))
        most = max(point["questions"] for point in data if point["router"] == router)
        for found in figures.all("curve_accuracy"):
            if found.router == router and found.setting is not None:
                times = float(found.setting.removesuffix(" %")) / 100
                if times <= 2:
                    curve.append({"router": router, "questions": round(times * most)} | _ends(found))
    curve.sort(key=lambda point: (point["router"], point["questions"]))
    colour = alt.Color("router:N", scale=alt.Scale(domain=list(routers), range=ROUTER_COLOURS[: len(routers)]), legend=legend())
    x, y = alt.X("questions:Q", title="training questions"), alt.Y("accuracy:Q", title="accuracy, %", scale=alt.Scale(zero=False))
    base = alt.Chart(alt.Data(values=data)).encode(x=x, color=colour, tooltip=["router:N", "questions:Q", "accuracy:Q", "low:Q", "high:Q"])
    layers: list[Any] = [
        base.mark_rule(strokeWidth=2, opacity=0.4).encode(y=alt.Y("low:Q", title="accuracy, %"), y2="high:Q"),
        base.mark_point(filled=True, size=70, opacity=1).encode(y=y),
    ]
    if curve:
        layers.append(alt.Chart(alt.Data(values=curve)).mark_line(strokeDash=[5, 4], strokeWidth=2).encode(x=x, y=y, color=colour))
    single = _single(figures, routers[0])
    if single is not None:
        line = alt.Chart(alt.Data(values=[{"accuracy": round(100 * single, 2), "name": "best single model"}]))
        layers.append(line.mark_rule(color="currentColor", opacity=0.5).encode(y=y))
        layers.append(line.mark_text(align="left", dx=4, dy=-6, fontSize=11).encode(x=alt.value(0), y=y, text="name:N"))
    told = "; ".join(f"{point['router']} with {point['questions']:,} {point['accuracy']:.1f} %" for point in data[:6])
    text = f"{told}. Dashed: the fitted curve, up to twice as many questions as there are. Bars are 95 % intervals."
    return finished("training-size", "Accuracy against the number of training questions", text, alt.layer(*layers), height=320)


def _single(figures: Figures, router: str) -> float | None:
    """Accuracy of the best single model: that of the router less what it gains."""
    share = _shares(figures, router)[-1]
    accuracy, gain = (figures.one(metric, router=router, setting=share) for metric in ("accuracy", "gain"))
    return accuracy.value - gain.value if accuracy and gain else None


def _table(figures: Figures, routers: Sequence[str]) -> Table:
    several = any(True for _ in figures.all("gain_over_benchmark"))
    columns = ["router", "share", "training questions", "accuracy", "gain", *(["over the benchmark"] if several else []), "curve"]
    rows: list[list[str | tuple[str, str]]] = []
    for router in routers:
        known = _shares(figures, router)
        beyond = [one.setting or "" for one in figures.all("curve_accuracy") if one.router == router and one.setting not in known]
        for share in [*known, *sorted(beyond, key=lambda setting: float(setting.removesuffix(" %")))]:
            of = {
                metric: figures.one(metric, router=router, setting=share)
                for metric in ("accuracy", "gain", "gain_over_benchmark", "curve_accuracy")
            }
            size = _size(figures, router, share) or round(float(share.removesuffix(" %")) / 100 * _size(figures, router, known[-1]))
            cells: list[str | tuple[str, str]] = [router, share, f"{size:,}"]
            for metric, write in (("accuracy", percent), ("gain", signed), ("gain_over_benchmark", signed), ("curve_accuracy", percent)):
                if metric != "gain_over_benchmark" or several:
                    found = of[metric]
                    cells.append((write(found.value), between(found)) if found else "–")
            rows.append(cells)
    caption = "Accuracy in per cent, gains over the best single model in points, means over draws, with 95 % intervals; above 100 % a guess"
    return Table(caption, columns, rows)
