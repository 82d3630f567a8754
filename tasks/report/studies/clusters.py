"""Does the model that is best in a cluster of questions stay the best?"""

from collections.abc import Callable, Sequence
from typing import Any

from tasks.report.chart_style import Chart, finished, legend
from tasks.report.figures import Figure, Figures, between, percent, points, signed
from tasks.report.studies import Section, Table
from tasks.report.studies.wording import paragraphs

TITLE = "Does the best model of a cluster stay the best?"
SURE = 0.05  # how often chance may agree as much
CONSTANT = 0.98  # share of clusters that choose the same model
STABLE, UNSTABLE = 0.8, 0.5  # adjusted Rand index
COLOURS = {"observed": "#e4572e", "by chance": "#8a8f98", "by chance within benchmarks": "#2a78c2"}
WITHIN = "winners_agree_by_chance_within_benchmarks"
WITHOUT = " · without "


def section(figures: Figures, evaluation: Figures) -> Section | None:
    """Whether clusters say more than chance, what they earn, and how stable they are."""
    settings = [one.setting or "" for one in figures.all("winners_agree")]
    whole = [setting for setting in settings if WITHOUT not in setting]
    if not whole:
        return None
    words = [setting for setting in whole if setting.startswith("words ")]
    first = max(words or whole, key=_count)
    answer = [
        _answer(figures, whole),
        "A clustering router puts questions together that are alike, and sends each to the model that was best on its cluster’s training "
        "questions, which is worth something only if that model stays the best on new ones.",
    ]
    figures_of_first = [_agreement(figures, first, whole), _constant(figures, first), _earned(figures, first)]
    text = paragraphs(answer, figures_of_first, [_stability(figures, whole), _without(figures, first)])
    return Section("clusters", TITLE, text, _chart(figures, settings), _table(figures, settings))


def _answer(figures: Figures, whole: Sequence[str]) -> str:
    if not _is_sure(figures, "p_value", whole):
        return "Not more often than by chance: these clusters are noise, as far as can be told."
    if figures.one("p_value_within_benchmarks", setting=whole[0]) is None:
        return "More often than by chance: the clusters tell something about the models."
    if not _is_sure(figures, "p_value_within_benchmarks", whole):
        return "Only as far as clusters recognise the benchmark: inside a benchmark, not more often than by chance."
    return "More often than by chance, inside the benchmarks too: the clusters tell something about the models."


def _is_sure(figures: Figures, metric: str, settings: Sequence[str]) -> bool:
    """Whether of any clustering; the study allowed for how many there are."""
    return any(found.value <= SURE for setting in settings if (found := figures.one(metric, setting=setting)))


def _agreement(figures: Figures, first: str, whole: Sequence[str]) -> str:
    agree, chance, within = (figures.one(metric, setting=first) for metric in ("winners_agree", "winners_agree_by_chance", WITHIN))
    if agree is None or chance is None:
        return ""
    inside = f", inside their benchmarks {percent(within.value)} ({between(within)})" if within else ""
    everywhere = [found.value for setting in whole if (found := figures.one("winners_agree", setting=setting))]
    span = f" Over all {len(whole)} clusterings it is {percent(min(everywhere))} to {percent(max(everywhere))}." if len(whole) > 1 else ""
    return (
        f"Of {agree.n} clusters made of {first.rsplit(' · ', 1)[0]}, {percent(agree.value)} keep their best model from training to test "
        f"questions. Were the test questions dealt out to the clusters by lot, {percent(chance.value)} would ({between(chance)} in 95 of "
        f"100 lots){inside}.{span}"
    )


def _constant(figures: Figures, first: str) -> str:
    same = _same_winner(figures, first)
    if same is None or same.value < CONSTANT:
        return ""
    return f"{percent(same.value, 0)} of the clusters choose {same.model}, so this router is a constant in disguise."


def _earned(figures: Figures, first: str) -> str:
    accuracy, gain, over = (figures.one(metric, setting=first) for metric in ("accuracy", "gain_corrected", "gain_over_benchmark"))
    hindsight, luck = (figures.one(metric, setting=first) for metric in ("hindsight_accuracy", "hindsight_accuracy_by_chance"))
    if accuracy is None or gain is None:
        return ""
    said = f"Asking each cluster’s winner is {_difference(gain)} the best single model"
    said += f", and {_difference(over)} who knows only the benchmark." if over else "."
    if hindsight is not None and luck is not None and hindsight.n == accuracy.n:  # else they are of other questions
        said += (
            f" Had the winners been chosen on the test questions themselves, it would seem to be right on {percent(hindsight.value)} of "
            f"them instead of {percent(accuracy.value)}; but clusters dealt out by lot would seem to reach {percent(luck.value)} that way."
        )
    return said


def _difference(gain: Figure) -> str:
    """ "2.1 points above (0.4 to 3.9)", or that it is inside the noise."""
    if gain.value == gain.ci_low == gain.ci_high == 0:
        return "exactly level with"
    side = "above" if gain.value > 0 else "below"
    if gain.ci_low is None or gain.ci_high is None:
        return f"{points(gain.value)} {side} (too few questions for an interval)"
    noise = ", inside the noise," if gain.ci_low <= 0 <= gain.ci_high else ""
    return f"{points(gain.value)} {side} ({between(gain)}){noise}"


def _stability(figures: Figures, whole: Sequence[str]) -> str:
    alike = [found.value for setting in whole if (found := figures.one("adjusted_rand", setting=setting))]
    if not alike:
        return ""
    least, most = min(alike), max(alike)
    how = (
        "hardly changes the clusters" if least >= STABLE else "makes largely other clusters" if most < UNSTABLE else "changes the clusters"
    )
    return f"Another seed {how}: of 1 for the same and 0 for chance, two are alike by {least:.2f} to {most:.2f} (adjusted Rand index)."


def _without(figures: Figures, first: str) -> str:
    """What is left when contaminated models are out."""
    for found in figures.all("winners_agree"):
        setting = found.setting or ""
        if setting.startswith(first + WITHOUT):
            chance, gain = (figures.one(metric, setting=setting) for metric in ("winners_agree_by_chance", "gain_corrected"))
            name = setting.removeprefix(first + WITHOUT)
            earned = f", and it is {_difference(gain)} the best single model" if gain else ""
            by_lot = f" (by lot {percent(chance.value)}, {between(chance)})" if chance else ""
            return f"Without {name}, whose training labels cannot be believed, winners agree in {percent(found.value)}{by_lot}{earned}."
    return ""


def _same_winner(figures: Figures, setting: str) -> Figure | None:
    return next((found for found in figures.all("same_winner") if found.setting == setting), None)


def _count(setting: str) -> int:
    """Of "words · 50 clusters" the 50."""
    return int(setting.rsplit(" · ", 1)[1].split(maxsplit=1)[0])


def _chart(figures: Figures, settings: Sequence[str]) -> Chart:
    import altair as alt

    data: list[dict[str, Any]] = []
    for setting in settings:
        for kind, metric in zip(COLOURS, ("winners_agree", "winners_agree_by_chance", WITHIN), strict=True):
            found = figures.one(metric, setting=setting)
            if found is not None:
                low, high = (found.value if end is None else end for end in (found.ci_low, found.ci_high))
                numbers = {"agree": found.value, "low": low, "high": high}
                data.append({"setting": setting, "kind": kind} | {key: round(100 * value, 2) for key, value in numbers.items()})
    kinds = [kind for kind in COLOURS if any(point["kind"] == kind for point in data)]
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[COLOURS[kind] for kind in kinds]), legend=legend())
    title = "clusters whose best model stays the best, %"
    base = alt.Chart(alt.Data(values=data)).encode(
        y=alt.Y("setting:N", sort=list(settings), axis=None), tooltip=["setting:N", "kind:N", "agree:Q", "low:Q", "high:Q"]
    )
    names = alt.Chart(alt.Data(values=[{"setting": setting} for setting in settings])).encode(
        y=alt.Y("setting:N", sort=list(settings), axis=None)
    )
    chart = alt.layer(
        base.mark_rule(strokeWidth=4, opacity=0.4, yOffset=7).encode(x=alt.X("low:Q", title=title), x2="high:Q", color=colour),
        base.mark_point(filled=True, size=75, opacity=0.9, yOffset=7).encode(x=alt.X("agree:Q", title=title), color=colour),
        names.mark_text(align="left", dy=-7, dx=4, fontSize=12, limit=320).encode(x=alt.value(0), text="setting:N"),
    )
    told = "; ".join(f"{point['setting']} {point['agree']:.0f} %" for point in data if point["kind"] == "observed")
    text = f"Observed: {told}. A bar is where 95 of 100 lots lie that deal the test questions out to the clusters at random."
    return finished("clusters", "How often a cluster’s best model stays the best", text, chart, height=36 * len(settings) + 10)


def _table(figures: Figures, settings: Sequence[str]) -> Table:
    several = any(figures.one(WITHIN, setting=setting) for setting in settings)
    columns = ["clusters", "agree", "by lot", *(["by lot in benchmarks"] if several else [])]
    columns += ["accuracy", "gain", *(["over benchmark"] if several else []), "in hindsight", "same winner", "Rand index"]
    rows: list[list[str | tuple[str, str]]] = []
    for setting in settings:
        of = {
            metric: figures.one(metric, setting=setting)
            for metric in ("winners_agree", "accuracy", "gain_corrected", "gain_over_benchmark", "hindsight_accuracy")
        }
        same, alike = _same_winner(figures, setting), figures.one("adjusted_rand", setting=setting.split(WITHOUT)[0])
        agree, luck = of["winners_agree"], figures.one("hindsight_accuracy_by_chance", setting=setting)
        row: list[str | tuple[str, str]] = [
            setting,
            (percent(agree.value), f"of {agree.n}") if agree else "–",
            _by_lot(figures, setting, ""),
        ]
        row += [_by_lot(figures, setting, "_within_benchmarks")] if several else []
        row += [_with_interval(of["accuracy"], percent), _with_interval(of["gain_corrected"], signed)]
        row += [_with_interval(of["gain_over_benchmark"], signed)] if several else []
        row.append((percent(of["hindsight_accuracy"].value), f"by lot {percent(luck.value)}") if of["hindsight_accuracy"] and luck else "–")
        row += [(percent(same.value), same.model or "") if same else "–", f"{alike.value:.2f}" if alike else "–"]
        rows.append(row)
    caption = (
        "In per cent, gains in points, with 95 % intervals (of the gain over the best single model for all clusterings at once); by lot: "
        "where 95 of 100 lie, and how often they agree as much (p, for all clusterings at once)"
    )
    return Table(caption, columns, rows)


def _by_lot(figures: Figures, setting: str, kind: str) -> str | tuple[str, str]:
    """How many clusters agree by lot, where 95 of 100 lots lie, and how often they agree as much as was observed."""
    chance, p_value = (figures.one(f"{metric}{kind}", setting=setting) for metric in ("winners_agree_by_chance", "p_value"))
    return (percent(chance.value), f"{between(chance)}, p {p_value.value:.3f}") if chance and p_value else "–"


def _with_interval(found: Figure | None, write: Callable[[float], str]) -> str | tuple[str, str]:
    return (write(found.value), between(found)) if found else "–"
