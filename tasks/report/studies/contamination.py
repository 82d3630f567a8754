"""Was a model trained on the very questions that routers learn from?"""

from typing import Any

from tasks.report.chart_style import Chart, finished, legend
from tasks.report.figures import Figure, Figures, between, percent, points, signed
from tasks.report.studies import Section, Table
from tasks.report.studies.wording import listed, paragraphs

TITLE = "Was a model trained on the questions that routers learn from?"
ENOUGH = 50  # training and test questions, as the study wants them
LEAST = 5  # points, as the study wants them
DRAWN = 15  # models and benchmarks in the chart, the accused first
COLOURS = {"contaminated": "#e4572e", "not shown to be": "#7fa8cf"}


def section(figures: Figures, evaluation: Figures) -> Section | None:
    """Which models are contaminated, what the labels of one cost routers, and the excess of every model on every benchmark."""
    found = sorted(figures.all("excess_corrected"), key=lambda one: (-one.value, one.benchmark or "", one.model or ""))
    few = _too_few(figures, {one.benchmark for one in found})
    if not found:
        return Section("contamination", TITLE, few) if few else None
    guilty = [one for one in found if _is_guilty(figures, one)]
    text = paragraphs([_accused(figures, found, guilty)], [_tried(figures, guilty), few])
    return Section("contamination", TITLE, text, _chart(figures, found, guilty), _table(figures, found, guilty))


def _is_guilty(figures: Figures, one: Figure) -> bool:
    flag = figures.one("contaminated", benchmark=one.benchmark, model=one.model)
    return flag is not None and flag.value == 1


def _accused(figures: Figures, found: list[Figure], guilty: list[Figure]) -> str:
    """Whether any model is contaminated, and how that is told."""
    how = (
        "A model that saw the training questions while it was trained itself looks better there than it is on new ones, and routers "
        "believe it. So each model’s accuracy on training questions is compared with that on test questions, less what the other models "
        "gain there (then the questions are easier) and what their subjects explain."
    )
    allowed = f"the interval allows for all {len(found)} comparisons" if len(found) > 1 else "95 % interval"
    if not guilty:
        most = found[0]
        sure = [one for one in found if one.ci_low is not None and one.ci_low > 0]
        little = f" {listed([_name(one) for one in sure])}: surely more than nothing, but less than {LEAST} points." if sure else ""
        return (
            f"No model is shown to have been. {how} The largest excess is that of {_name(most)}, {signed(most.value)} points "
            f"({between(most)}; {allowed}).{little} What remains below {LEAST} points, or is inside the noise, could not be told."
        )
    said = []
    for one in guilty:
        train, test = (figures.one(f"{side}_accuracy", split=side, benchmark=one.benchmark, model=one.model) for side in ("train", "test"))
        if train is not None and test is not None:
            said.append(
                f"{one.model} on {one.benchmark}: right on {percent(train.value)} of the training questions and on {percent(test.value)} "
                f"of the test questions, which is {points(one.value)} more than can be explained ({between(one)}; {allowed})"
            )
    others = "Of no other model is that shown." if len(guilty) < len(found) else ""
    limits = "Where other models only guess, a training split that is easier cannot be told from one that was seen."
    return " ".join(part for part in (f"Yes, as it seems: {'; '.join(said)}.", how, others, limits) if part)


def _tried(figures: Figures, guilty: list[Figure]) -> str:
    """What routers earn that do not believe its labels."""
    sentences = []
    for benchmark in sorted({one.benchmark or "" for one in guilty}):
        gains = [one for one in figures.all("gain_over_believed") if one.benchmark == benchmark]
        said = [
            f"{gain.router} {'' if _is_without(gain) else 'with labels '}{gain.setting} {_change(gain)}"
            for gain in sorted(gains, key=lambda one: (one.router or "", not _is_without(one), one.setting or ""))
        ]
        if said:
            sentences.append(f"What routers make of it, on the test questions of {benchmark}: {'; '.join(said)}.")
    if not sentences:
        return ""
    hindsight = (
        "(In hindsight: its right training labels were thinned out until they promise what the test questions show. "
        "Nobody could do that in advance, but it tells what the labels cost.)"
    )
    return " ".join([*sentences, hindsight])


def _is_without(gain: Figure) -> bool:
    return (gain.setting or "").startswith("without")


def _change(gain: Figure) -> str:
    """ "gains 2.1 points (0.3 to 4.0), so believing it cost accuracy"."""
    what = f"{'gains' if gain.value > 0 else 'loses'} {points(gain.value)} ({between(gain)})"
    if gain.ci_low is None or gain.ci_high is None or gain.ci_low <= 0 <= gain.ci_high:
        return f"{what}, which is inside the noise"
    if _is_without(gain):
        return f"{what}, so {'believing it cost accuracy' if gain.value > 0 else 'it is better kept, whatever its labels'}"
    return f"{what}, so {'its labels misled the router' if gain.value > 0 else 'its labels did no harm'}"


def _too_few(figures: Figures, judged: set[str | None]) -> str:
    """Which benchmarks nothing is said of."""
    names = sorted({one.benchmark or "" for split in ("train", "test") for one in figures.all("judged", split=split)} - judged)
    if not names:
        return ""
    return f"{listed(names)}: too few questions to tell; it takes {ENOUGH} of training and {ENOUGH} of test."


def _chart(figures: Figures, found: list[Figure], guilty: list[Figure]) -> Chart:
    import altair as alt

    drawn = sorted(found, key=lambda one: one not in guilty)[:DRAWN]
    one_benchmark = len({one.benchmark for one in found}) == 1
    data: list[dict[str, Any]] = []
    for one in drawn:
        name = one.model if one_benchmark else _name(one)
        points_of = {"excess": one.value, "low": one.ci_low, "high": one.ci_high}
        data.append(
            {"model": name, "kind": list(COLOURS)[one not in guilty]}
            | {key: round(100 * (one.value if value is None else value), 2) for key, value in points_of.items()}
        )
    colour = alt.Color("kind:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())), legend=legend())
    axis = "points more on training questions than explained"
    base = alt.Chart(alt.Data(values=data)).encode(
        y=alt.Y("model:N", sort=[point["model"] for point in data], axis=None),
        tooltip=["model:N", "kind:N", "excess:Q", "low:Q", "high:Q"],
    )
    chart = alt.layer(
        alt.Chart(alt.Data(values=[{"excess": 0}])).mark_rule(color="currentColor", opacity=0.4).encode(x=alt.X("excess:Q", title=axis)),
        base.mark_rule(strokeWidth=3, opacity=0.45, yOffset=7).encode(x=alt.X("low:Q", title=axis), x2="high:Q", color=colour),
        base.mark_point(filled=True, size=75, opacity=1, yOffset=7).encode(x=alt.X("excess:Q", title=axis), color=colour),
        base.mark_text(align="center", dy=-7, fontSize=12, limit=400).encode(x=alt.X("excess:Q", title=axis), text="model:N"),
    )
    told = "; ".join(f"{point['model']} {signed(one.value)}" for point, one in zip(data[:6], drawn, strict=False))
    text = f"Excess in points: {told}. Intervals hold for all at once; one that holds zero accuses nobody."
    if len(found) > DRAWN:
        text += f" Drawn are the {DRAWN} largest of {len(found)}, the accused first; the table has all."
    return finished("contamination", "How much more right on training questions than explained", text, chart, height=36 * len(data) + 10)


def _table(figures: Figures, found: list[Figure], guilty: list[Figure]) -> Table:
    rows: list[list[str | tuple[str, str]]] = []
    for one in found:
        name = {"benchmark": one.benchmark, "model": one.model}
        train, test = (figures.one(f"{side}_accuracy", split=side, **name) for side in ("train", "test"))
        own = figures.one("excess", **name)
        rows.append(
            [
                one.model or "",
                one.benchmark or "",
                (percent(train.value), f"{between(train)} (n = {train.n:,})") if train else "–",
                (percent(test.value), f"{between(test)} (n = {test.n:,})") if test else "–",
                (signed(one.value), between(own)),
                (signed(one.value), between(one)),
                "yes" if one in guilty else "no",
            ]
        )
    for accuracy in figures.all("accuracy"):
        gain = figures.one("gain_over_believed", benchmark=accuracy.benchmark, router=accuracy.router, setting=accuracy.setting)
        rows.append(
            [
                f"{accuracy.router}, {accuracy.setting}",
                accuracy.benchmark or "",
                "–",
                (percent(accuracy.value), f"{between(accuracy)} (n = {accuracy.n:,})"),
                "–",
                (f"{signed(gain.value)} over as it is", between(gain)) if gain else "–",
                "–",
            ]
        )
    columns = ["model or router", "benchmark", "training", "test", "excess, its own interval", "excess, interval for all", "contaminated"]
    return Table("Accuracy in per cent, differences in points, with 95 % intervals", columns, rows)


def _name(one: Figure) -> str:
    return f"{one.model} on {one.benchmark}"
