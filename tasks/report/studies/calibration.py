"""Can the confidences be believed, and would scaling them help?"""

from collections.abc import Sequence

from tasks.report.chart_style import DRAWN, Chart, finished, legend
from tasks.report.figures import Figure, Figures, between, percent, signed
from tasks.report.studies import Section, Table
from tasks.report.studies.wording import listed, sign
from tasks.report.systems import foremost

TITLE = "Can confidences be believed, and would scaling them help?"
SCALINGS = ("isotonic", "temperature")
COLOURS = {"as they are": "#e4572e", "isotonic": "#2a78c2", "temperature": "#1f9e77"}
NAMED = 3
LEAST = 0.0005  # change of the Brier score that can be seen in three digits


def section(figures: Figures, evaluation: Figures) -> Section | None:
    """Which routers' confidences are off, and what scaling does to them."""
    routers = sorted({one.router or "" for one in figures.all("miscalibrated")})
    if not routers:
        return None
    shown = [router for router in foremost(evaluation, DRAWN) if router in routers] if evaluation.routers else []
    first = (shown or routers)[0]
    text = " ".join(part for part in (_answer(figures, routers), _scaled(figures, routers), _choices(figures, routers)) if part)
    return Section("calibration", TITLE, text, _chart(figures, first), _table(figures, routers))


def _answer(figures: Figures, routers: Sequence[str]) -> str:
    what = (
        "A confidence of 70 % can be believed if 70 of 100 such answers are right. The calibration error is how far off that is on "
        "average; a little of it is always luck."
    )
    off = [router for router in routers if (one := figures.one("miscalibrated", router=router)) and one.value == 1]
    if not off and not any(_is_judged(figures, router) for router in routers):
        return f"That cannot be told: there are too few test questions. {what}"
    if not off:
        worst = max(routers, key=lambda router: (_error(figures, router), router))
        return f"Yes, as far as can be told. {what} The largest is that of {worst}: {_told(figures, worst)}."
    some = f"Those of {listed(off)} cannot." if len(off) <= NAMED else f"Those of {len(off)} of {len(routers)} routers cannot."
    return f"{some} {what} " + " ".join(f"{router} is off by {_told(figures, router)}." for router in off[:NAMED])


def _is_judged(figures: Figures, router: str) -> bool:
    """Whether there are enough questions for an interval."""
    error = figures.one("calibration_error", router=router)
    return error is not None and error.ci_low is not None


def _told(figures: Figures, router: str) -> str:
    error, luck = (figures.one(metric, router=router) for metric in ("calibration_error", "calibration_error_by_luck"))
    by_luck = f", of which luck explains {percent(luck.value)}" if luck else ""
    return f"{percent(error.value)} (95 % interval {between(error)}){by_luck}" if error else "–"


def _error(figures: Figures, router: str) -> float:
    error, luck = (figures.one(metric, router=router) for metric in ("calibration_error", "calibration_error_by_luck"))
    return (error.value if error else 0.0) - (luck.value if luck else 0.0)


def _scaled(figures: Figures, routers: Sequence[str]) -> str:
    """What scaling does to the Brier score."""
    differences = [one for one in figures.all("brier_difference") if one.router in routers]
    if not differences:
        return "They could not be scaled: there are no validation questions that tell how."
    parts = []
    for scaling in SCALINGS:
        of = sorted((one for one in differences if one.setting == scaling), key=lambda one: (one.value, one.router or ""))
        seen = [one for one in of if abs(one.value) >= LEAST]
        better, worse = ([one for one in seen if sign(one) == side] for side in (-1, 1))
        said = []
        if better:
            named = listed([f"{one.router} ({one.value:.3f}, {_interval(one)})" for one in better[:NAMED]])
            said.append(f"makes those of {len(better)} better, {'first of all' if len(better) > NAMED else 'namely'} {named}")
        if worse:
            named = listed([f"{one.router} (+{one.value:.3f}, {_interval(one)})" for one in worse[-NAMED:]])
            said.append(f"makes those of {len(worse)} worse: {named}")
        if of:
            parts.append(f"{scaling} scaling {' and '.join(said) or 'makes no difference that can be seen'}")
    text = "; ".join(parts)
    note = " (change of the Brier score, below 0 is better; intervals hold for all at once)" if "(" in text else ""
    return f"Fitted on validation questions, {text}{note}.".replace("-0.", "−0.")


def _choices(figures: Figures, routers: Sequence[str]) -> str:
    """Whether scaling changes what is chosen; nothing where nothing could be scaled."""
    if not any(figures.all("accuracy_difference")):
        return ""
    changed = [one for one in figures.all("accuracy_difference") if one.setting == "isotonic" and sign(one)]
    if not changed:
        return (
            "No choice by the highest confidence is shown to become better or worse by it; scaling is for those who weigh confidences "
            "against costs."
        )
    told = listed([f"{one.router} {signed(one.value)} points ({between(one)})" for one in changed[:NAMED]])
    return f"Isotonic scaling makes ties, which changes choices: {told}."


def _interval(one: Figure) -> str:
    return "–" if one.ci_low is None or one.ci_high is None else f"{one.ci_low:.3f} to {one.ci_high:.3f}"


def _chart(figures: Figures, router: str) -> Chart:
    """Reliability of one router, before and after."""
    import altair as alt

    data = []
    for kind, setting in zip(COLOURS, (None, *SCALINGS), strict=True):
        for number in range(10):
            expected = figures.one(f"reliability_confidence_{number}", router=router, setting=setting)
            observed = figures.one(f"reliability_reward_{number}", router=router, setting=setting)
            if expected and observed:
                values = {"confidence": round(100 * expected.value, 2), "right": round(100 * observed.value, 2)}
                data.append({"confidences": kind, "answers": expected.n} | values)
    kinds = [kind for kind in COLOURS if any(point["confidences"] == kind for point in data)]
    colour = alt.Color("confidences:N", scale=alt.Scale(domain=kinds, range=[COLOURS[kind] for kind in kinds]), legend=legend())
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X("confidence:Q", title="confidence, %", scale=alt.Scale(domain=[0, 100])),
        y=alt.Y("right:Q", title="were right, %", scale=alt.Scale(domain=[0, 100])),
        color=colour,
        tooltip=["confidences:N", "confidence:Q", "right:Q", "answers:Q"],
    )
    ends = alt.Chart(alt.Data(values=[{"confidence": 0, "right": 0}, {"confidence": 100, "right": 100}]))
    diagonal = ends.mark_line(strokeDash=[4, 4], color="currentColor", opacity=0.4, strokeWidth=1).encode(x="confidence:Q", y="right:Q")
    chart = alt.layer(diagonal, base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=50, opacity=1))
    errors = [
        f"{kind} {percent(one.value)}"
        for kind, setting in zip(COLOURS, (None, *SCALINGS), strict=True)
        if (one := figures.one("calibration_error", router=router, setting=setting))
    ]
    text = f"{router}, before and after scaling; on the dashed line confidences are right. Calibration error: {', '.join(errors)}."
    return finished("calibration", "Confidences before and after scaling", text, chart, height=320)


def _table(figures: Figures, routers: Sequence[str]) -> Table:
    rows: list[list[str | tuple[str, str]]] = []
    for router in routers:
        luck, flag = (figures.one(metric, router=router) for metric in ("calibration_error_by_luck", "miscalibrated"))
        for kind, setting in zip(COLOURS, (None, *SCALINGS), strict=True):
            name = {"router": router, "setting": setting}
            error, brier, loss = (figures.one(metric, **name) for metric in ("calibration_error", "brier", "log_loss"))
            if error is None or brier is None or loss is None:
                continue
            change, choices = (figures.one(f"{metric}_difference", **name) for metric in ("brier", "accuracy"))
            rows.append(
                [
                    f"{router}, {kind}",
                    (percent(error.value), between(error)),
                    percent(luck.value) if luck and setting is None else "–",
                    (f"{brier.value:.3f}", _interval(brier)),
                    (f"{change.value:+.3f}".replace("-", "−"), _interval(change).replace("-", "−")) if change else "–",
                    (f"{loss.value:.3f}", _interval(loss)),
                    (signed(choices.value), between(choices)) if choices else "–",
                    ("yes" if flag and flag.value else "no") if setting is None else "–",
                ]
            )
    columns = ["confidences", "calibration error", "by luck", "Brier score", "change", "log loss", "accuracy", "miscalibrated"]
    caption = "With 95 % intervals; changes against the confidences as they are, of the Brier score for all at once, of accuracy in points"
    return Table(caption, columns, rows)
