"""The section on labels: how many votes are ambiguous, what more samples bring, and whether other labels make better routers."""

from typing import Any

from tasks.report.chart_style import DRAWN, KIND_COLOURS, ROUTER_COLOURS, SHAPES, Chart, finished, legend
from tasks.report.figures import Figure, Figures, between, percent, points, signed
from tasks.report.studies import Section, Table
from tasks.report.studies.wording import between_brackets, paragraphs, sign

TITLE = "How firm are the labels that routers learn from?"
AS_THEY_ARE = "as they are"
MEAN = "mean of the models"
LABELS = {  # setting → what was done, and what to set in the run file if it is better
    "without ambiguous": ("without the ambiguous votes", "leave the ambiguous votes out"),
    "soft": ("on the share of samples that are right", 'set rule = "success-rate" in [labels]'),
}


def section(figures: Figures, evaluation: Figures) -> Section | None:
    """None where the study found nothing at all."""
    curves = _curves(figures)
    votes, samples, tried = _ambiguous(figures), [*_grown(figures, curves), *_flips(figures, evaluation)], _tried(figures)
    if not votes and not samples and not tried:
        return None
    if not any(figures.all("difference")):
        tried.append("Other labels (soft ones, stricter ones, none of ambiguous votes) would be the same as these, so none were tried.")
    table = _table_of_models(figures, curves) if curves else _table_of_routers(figures)
    return Section("labels", TITLE, paragraphs(votes, samples, tried), _chart(curves), table)


def _curves(figures: Figures) -> dict[str | None, dict[int, Figure]]:
    """Model (None: their mean) → number of samples → accuracy."""
    curves: dict[str | None, dict[int, Figure]] = {}
    for row in figures.pooled("accuracy"):
        if row.router is None and row.setting:
            curves.setdefault(row.model, {})[int(row.setting.split()[0])] = row
    order = sorted(curves, key=lambda model: (model is not None, model or ""))
    return {model: dict(sorted(curves[model].items())) for model in order}


def _ambiguous(figures: Figures) -> list[str]:
    whole = figures.one("ambiguous")
    if whole is None:
        return []
    share = f"{percent(whole.value)} of the votes on test questions {between_brackets(whole)}"
    text = [
        "Labels come from votes: is the majority of a model’s samples right?",
        f"{share} are ambiguous: tied, or no answer has half of the votes.",
    ]
    torn, clear = figures.one("right_if_ambiguous"), figures.one("right_if_clear")
    if torn is not None and clear is not None:
        text.append(
            f"Of the ambiguous ones {percent(torn.value)} are right {between_brackets(torn)}, of the others {percent(clear.value)} "
            f"{between_brackets(clear)}."
        )
    models = sorted((row for row in figures.pooled("ambiguous") if row.model), key=lambda row: (-row.value, row.model or ""))
    if whole.value and len(models) > 1:
        (most, most_share), (least, least_share) = ((row.model, f"{percent(row.value)}, {between(row)}") for row in (models[0], models[-1]))
        text.append(f"They are most frequent among the votes of {most} ({most_share}), least among those of {least} ({least_share}).")
    subjects = sorted((row for row in figures.all("ambiguous") if row.subject), key=lambda row: (-row.value, row.subject or ""))
    if whole.value and len(subjects) > 1:
        text.append(
            f"Of larger subjects they are most frequent in {subjects[0].subject} ({percent(subjects[0].value)}, {between(subjects[0])})."
        )
    return text


def _grown(figures: Figures, curves: dict[str | None, dict[int, Figure]]) -> list[str]:
    """What more samples bring on the mean of the models."""
    if None not in curves or len(curves[None]) < 2:
        return []
    first, most = min(curves[None]), max(curves[None])
    gain = figures.one("gain_of_samples", setting=f"from {first} to {most} samples")
    if gain is None:
        return []
    text = [
        f"With one sample for each question the models are right on {percent(curves[None][first].value)} on average, with a vote of {most} "
        f"on {percent(curves[None][most].value)}: {signed(gain.value)} points {between_brackets(gain)}."
    ]
    half = (most + 1) // 2
    late = figures.one("gain_of_samples", setting=f"from {half} to {most} samples")
    if late is not None and half > first:
        clear = "so they pay" if sign(late) > 0 else "so they do harm" if sign(late) < 0 else "which cannot be told from nothing"
        text.append(f"The samples after number {half} bring {signed(late.value)} points of this {between_brackets(late)}, {clear}.")
    return text


def _flips(figures: Figures, evaluation: Figures) -> list[str]:
    flip = figures.one("flip")
    if flip is None:
        return []
    early = any(row.value for row in evaluation.pooled("decided_early"))
    as_many = "as many samples as were drawn (fewer where the vote was decided early)" if early else "as many samples"
    return [
        f"Were {as_many} drawn again, {percent(flip.value)} of the labels would turn {between_brackets(flip)}, judging by how far the "
        "samples agree: noise that no router can learn."
    ]


def _tried(figures: Figures) -> list[str]:
    """What came of training on other labels, and what follows."""
    text = []
    for router in sorted({row.router for row in figures.all("difference") if row.router}):
        base = figures.one("accuracy", router=router, setting=AS_THEY_ARE)
        tried = sorted((row for row in figures.all("difference") if row.router == router), key=lambda row: row.setting or "", reverse=True)
        told = [_told(figures, row) for row in tried]
        many = f" These intervals hold for all {len(tried)} at once." if len(tried) > 1 else ""
        right = (
            f"Trained on the labels as they are, {router} is right on {percent(base.value)} {between_brackets(base)}" if base else router
        )
        text.append(f"{right}; trained {'; '.join(told)}.{many}")
        verdicts = {row.setting: _verdict(figures, row) for row in tried}
        better, worse = ([setting for setting, value in verdicts.items() if value == sign] for sign in (1, -1))
        if better:
            advice = [LABELS.get(setting or "", ("", 'set rule = "at-least" in [labels]'))[1] for setting in better]
            text.append(f"So other labels make a better router here: {', or '.join(advice)}.")
        elif worse:
            text.append("So the labels had better stay as they are: none of the others is better, and not all of them are as good.")
            torn, clear = figures.one("right_if_ambiguous"), figures.one("right_if_clear")
            if "without ambiguous" in worse and torn is not None and clear is not None and torn.value < clear.value:
                text.append("Ambiguous votes are more often wrong: left out, a model looks better than it is just where it is unsure.")
        else:
            text.append("Which labels it learns from makes no difference that could be told here.")
    return text


def _told(figures: Figures, row: Figure) -> str:
    what = LABELS.get(row.setting or "", (f"on whether {row.setting} samples are right", ""))[0]
    if row.setting == "without ambiguous" and figures.one("ambiguous") is None:
        what += ", here scores above 0 and up to one half"  # of imported outcomes; nobody voted
    changed = figures.one("changed", split="train", setting=row.setting)
    share = f" ({percent(changed.value)} of the training labels)" if changed else ""
    if row.value == row.ci_low == row.ci_high == 0:
        return f"{what}{share}, exactly as often"
    direction = "more" if row.value > 0 else "less" if row.value < 0 else "apart"
    noise = "" if _verdict(figures, row) else "inside the noise, "
    return f"{what}{share}, {points(row.value)} {direction} ({noise}{between(row)})"


def _verdict(figures: Figures, row: Figure) -> int:
    found = figures.one("verdict", router=row.router, setting=row.setting)
    return int(found.value) if found else 0


def _chart(curves: dict[str | None, dict[int, Figure]]) -> Chart | None:
    """A line for each model, the best ones if there are many, and their mean."""
    import altair as alt

    if not curves or max(len(curve) for curve in curves.values()) < 2:
        return None
    best = sorted((model for model in curves if model is not None), key=lambda model: (-list(curves[model].values())[-1].value, model))
    drawn: list[str | None] = [None, *sorted(best[:DRAWN])]
    data: list[dict[str, Any]] = [
        {
            "line": model or MEAN,
            "samples": samples,
            "accuracy": round(100 * row.value, 2),
            "low": None if row.ci_low is None else round(100 * row.ci_low, 2),
            "high": None if row.ci_high is None else round(100 * row.ci_high, 2),
        }
        for model in drawn
        for samples, row in curves.get(model, {}).items()
    ]
    lines = [model or MEAN for model in drawn]
    scale = alt.Scale(domain=lines, range=[KIND_COLOURS["baseline"], *ROUTER_COLOURS[: len(drawn) - 1]])
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X("samples:Q", title="samples that vote", axis=alt.Axis(tickMinStep=1, format="d")),
        y=alt.Y("accuracy:Q", title="accuracy, % of test questions", scale=alt.Scale(zero=False)),
        color=alt.Color("line:N", scale=scale, legend=legend()),
        tooltip=[alt.Tooltip(f"{name}:{kind}") for name, kind in (("line", "N"), ("samples", "Q"), ("accuracy", "Q"))],
    )
    mean = [point for point in data if point["line"] == MEAN and point["low"] is not None]
    band = (
        alt.Chart(alt.Data(values=mean))
        .mark_area(opacity=0.15, color=KIND_COLOURS["baseline"])
        .encode(x="samples:Q", y=alt.Y("low:Q", title="accuracy, % of test questions", scale=alt.Scale(zero=False)), y2="high:Q")
    )
    shape = alt.Shape("line:N", scale=alt.Scale(domain=lines, range=SHAPES[: len(drawn)]), legend=legend())
    layers: list[alt.Chart] = [band, base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=50, opacity=1).encode(shape=shape)]
    ends = [(name, [point for point in data if point["line"] == name]) for name in lines]
    told = [f"{name} {line[0]['accuracy']:.1f} to {line[-1]['accuracy']:.1f} %" for name, line in ends if line]
    text = (
        f"From one sample to all: {'; '.join(told)}. Points: votes of the first one, two, … samples. The band is the mean’s 95 % interval."
    )
    if len(best) > DRAWN:
        text += f" Of {len(best)} models the {DRAWN} best are drawn; the table has all."
    return finished("labels", "Accuracy by the number of samples that vote", text, alt.layer(*layers), height=320)


def _table_of_models(figures: Figures, curves: dict[str | None, dict[int, Figure]]) -> Table:
    counts = sorted({samples for curve in curves.values() for samples in curve})
    columns = [
        "model",
        "ambiguous votes",
        "labels that would turn",
        *("1 sample" if count == 1 else f"{count} samples" for count in counts),
    ]
    gains = [f"from {first} to {counts[-1]} samples" for first in sorted({counts[0], (counts[-1] + 1) // 2} - {counts[-1]})]
    rows: list[list[str | tuple[str, str]]] = [
        [
            model or MEAN,
            _cell(figures.one("ambiguous", model=model)),
            _cell(figures.one("flip", model=model)),
            *(_cell(curve.get(count)) for count in counts),
            *(_cell(figures.one("gain_of_samples", model=model, setting=setting), is_difference=True) for setting in gains),
        ]
        for model, curve in curves.items()
    ]
    caption = "Test questions; accuracies of a vote of so many samples, and gains in points, with 95 % intervals"
    return Table(caption, [*columns, *gains], rows)


def _table_of_routers(figures: Figures) -> Table | None:
    rows: list[list[str | tuple[str, str]]] = [
        [
            row.router or "",
            row.setting or "",
            _cell(row),
            _cell(figures.one("difference", router=row.router, setting=row.setting), is_difference=True),
        ]
        for row in sorted(figures.pooled("accuracy"), key=lambda row: (row.router or "", row.setting != AS_THEY_ARE, row.setting or ""))
        if row.router
    ]
    caption = "Routers trained on other labels, on test questions; differences in points, intervals hold for all at once"
    return Table(caption, ["router", "labels", "accuracy", "difference"], rows) if rows else None


def _cell(row: Figure | None, *, is_difference: bool = False) -> str | tuple[str, str]:
    if row is None:
        return "–"
    return (signed(row.value) if is_difference else percent(row.value), between(row))
