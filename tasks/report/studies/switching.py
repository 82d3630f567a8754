"""The section on switching: what loading costs when memory has no room for all models, and which ones to hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.report.chart_style import ROUTER_COLOURS, Chart, finished, legend
from tasks.report.figures import Figure, Figures, percent, points, seconds, signed
from tasks.report.studies import Section, Table
from tasks.report.studies.wording import between_brackets, listed, paragraphs, sign

TITLE = "What does routing cost when not all models fit in memory, and which should be held?"
RECENT, RANKED, HINDSIGHT = "least recently used leaves", "most asked stay", "best in hindsight"
DASHES = [[1, 0], [7, 4], [2, 3]]  # of the rules
TENTH = 1.1  # of the time with all models in memory: what a reader may not mind


@dataclass(frozen=True)
class _Way:
    """A rule and a window, at a number of places of so many models."""

    rule: str
    places: int
    models: int
    window: int

    @property
    def setting(self) -> str:
        return f"{self.rule} · {self.places} of {self.models} · window {self.window}"

    @property
    def name(self) -> str:
        """Without the places."""
        return self.rule if self.rule == HINDSIGHT else f"{self.rule}, {_questions(self.window)}"


def section(figures: Figures, evaluation: Figures) -> Section | None:
    """None where nothing was routed."""
    found = sorted(figures.all("loads_per_1000"), key=lambda row: row.setting or "")
    ways = [_way(row.setting or "") for row in found]
    if not ways:
        return None
    who = {"router": found[0].router, "policy": found[0].policy}
    text = paragraphs(_loads(figures, who, ways), [*_sleep(figures, who, ways), *_missing(figures)], _held(figures, who))
    has_loads = any(row.value for row in found) and sum(row.value > 0 for row in figures.all("asked")) > 1
    chart = _chart(figures, who, ways) if has_loads else None
    return Section("switching", TITLE, text, chart, _table(figures, who, ways) if has_loads else None)


def _way(setting: str) -> _Way:
    rule, places, window = setting.split(" · ")
    held, models = places.split(" of ")
    return _Way(rule, int(held), int(models), int(window.removeprefix("window ")))


def _questions(window: int) -> str:
    return "one question at a time" if window == 1 else f"{window} at a time"


def _loads(figures: Figures, who: dict[str, Any], ways: Sequence[_Way]) -> list[str]:
    """How often models are loaded, and what that costs."""

    def of(metric: str, way: _Way) -> Figure | None:
        return figures.one(metric, setting=way.setting, **who)

    models, windows = ways[0].models, sorted({way.window for way in ways if way.rule == RANKED})
    asked = [row.model or "" for row in figures.all("asked") if row.value]
    first = _Way(RANKED, 1, models, windows[0])
    loads = of("loads_per_1000", first)
    text = [
        f"{who['router']} with {who['policy']} sent {loads.n if loads else 0:,} test questions, one after the other, to {len(asked)} of "
        f"{models} models. How often would models have to be loaded if memory had room for fewer?"
    ]
    if len(asked) == 1:
        text.append(f"Never: it always asks {asked[0]}, so room for that one is enough, and there is nothing to switch.")
        return text
    if loads is None:
        return text
    total, loading = of("total_s", first), of("loading_s", first)
    text.append(
        f"With room for one, {_questions(windows[0])}, {loads.value:,.0f} times in 1,000 questions (95 % of orders: {_counts(loads)})."
    )
    if total is not None:
        text.append(f"With answering that makes {_seconds(total)} a question.")
    elif loading is not None:
        text.append(f"That is {_seconds(loading)} of loading a question; how long models take to answer is not known and not counted.")
    answering, single = figures.one("answering_s", **who), next(figures.all("single_s"), None)
    if answering is not None and single is not None:
        text.append(
            f"With all models in memory a question takes {seconds(answering.value)}, with {single.model} alone, the best single model, "
            f"{seconds(single.value)}."
        )
    widest = of("loads_per_1000", _Way(RANKED, 1, models, windows[-1]))
    if widest is not None and len(windows) > 1:
        text.append(
            f"Collecting {windows[-1]} questions and answering them model by model leaves {widest.value:,.0f} loads in 1,000 "
            f"({_counts(widest)}), for which the first of them has to wait for {windows[-1] - 1} others to come."
        )
    text.append("These orders are random: questions that come in bursts of one kind need fewer loads.")
    text += _rules(figures, who, models, windows[0])
    text += _enough(figures, who, ways, answering)
    return text


def _rules(figures: Figures, who: dict[str, Any], models: int, window: int) -> list[str]:
    """Which rule loads less, with two places, in the same orders; and the bound."""
    recent, ranked, bound = (
        figures.one("loads_per_1000", setting=_Way(rule, 2, models, of).setting, **who)
        for rule, of in ((RECENT, window), (RANKED, window), (HINDSIGHT, 1))
    )
    saved = figures.one("loads_saved_per_1000", setting=_Way(RANKED, 2, models, window).setting, **who)
    if models < 3 or recent is None or ranked is None or saved is None or recent.value == ranked.value == 0:
        return []
    if saved.value == saved.ci_low == saved.ci_high == 0:
        said = "it makes no difference whether the model that is asked most is kept or the one not used for longest is sent away"
    elif sign(saved) > 0:
        said = "keeping the model that is asked most loads less often than sending away the one that was not used for longest"
    elif sign(saved) < 0:
        said = "keeping the model that is asked most loads more often than sending away the one that was not used for longest"
    else:
        said = (
            "it depends on the order whether keeping the model that is asked most or sending away the one not used for longest loads less"
        )
    counts = f"{ranked.value:,.0f} against {recent.value:,.0f} loads in 1,000 questions ({_counts(saved)} fewer)"
    least = f"; no rule could do with fewer than {bound.value:,.0f}" if bound is not None and window == 1 else ""
    return [f"With room for two, {said}: {counts}{least}."]


def _enough(figures: Figures, who: dict[str, Any], ways: Sequence[_Way], answering: Figure | None) -> list[str]:
    """The fewest places with which loading adds less than a tenth."""
    if answering is None or not answering.value or not any(figures.all("total_s")):
        return []
    needed: dict[int, int] = {}  # window → places
    for way in sorted((way for way in ways if way.rule == RANKED), key=lambda way: way.places):
        total = figures.one("total_s", setting=way.setting, **who)
        if total is not None and (total.ci_high or total.value) <= TENTH * answering.value:
            needed.setdefault(way.window, way.places)
    if not needed:
        return []
    said = [f"{needed[window]} ({_questions(window)})" for window in sorted(needed)]
    places = listed(said, "or") if len(set(needed.values())) > 1 else f"{max(needed.values())}"
    return [f"For loading to add less than a tenth to the time, there must be room for {places} of {ways[0].models} models."]


def _sleep(figures: Figures, who: dict[str, Any], ways: Sequence[_Way]) -> list[str]:
    """Waking in place of loading."""
    way = _Way(RANKED, 1, ways[0].models, min(way.window for way in ways if way.rule == RANKED))
    woken, loaded = (figures.one(metric, setting=way.setting, **who) for metric in ("waking_s", "loading_s"))
    if woken is None or loaded is None or not loaded.value:
        return []
    return [
        f"Models that sleep in the machine’s own memory and are woken cost {_seconds(woken)} a question with room for one; those that are "
        f"loaded {_seconds(loaded)}."
    ]


def _missing(figures: Figures) -> list[str]:
    """What is not known, and where to state it."""
    text = []
    for metric, key, what, then in (
        ("load_unknown", "seconds", "How long it takes to load", "so loads are counted and not timed"),
        ("gigabytes_unknown", "gigabytes", "How much memory is taken by", "so the best models for a given memory cannot be told"),
    ):
        models = sorted(row.model or "" for row in figures.all(metric))
        if models:
            named = listed(models[:3] + ([f"{len(models) - 3} more"] if len(models) > 3 else []))
            text.append(
                f"{what} {named} was neither measured nor stated, {then}: `{key}` of [studies.switching] in the run file states it."
            )
    return text


def _held(figures: Figures, who: dict[str, Any]) -> list[str]:
    """Which models to hold, and what that is worth."""
    budget = figures.one("memory_gb", **who)
    if budget is None:
        return []
    held = sorted(figures.all("held"), key=lambda row: row.model or "")
    if not held:
        return [f"No model fits in {_gigabytes(budget.value)}."]
    single = next(figures.all("single_held"), None)
    accuracy = figures.one("held_accuracy", **who)
    if single is None or accuracy is None:
        return []
    names = listed([row.model or "" for row in held])
    names = f"{names}, among which the router chooses" if len(held) > 1 else f"{names} alone"
    text = [
        f"In {_gigabytes(budget.value)}, by the validation questions, it is best to hold {names}: {percent(accuracy.value)} of the test "
        f"questions right {between_brackets(accuracy)}."
    ]
    for metric, other in (
        ("gain_over_single_held", f"{single.model}, the best single model that fits"),
        ("gain_over_all", "all models held"),
    ):
        gain = figures.one(metric, setting=metric, **who)
        if gain is None:
            continue
        verdict = next((row.value for row in figures.all("verdict") if row.setting == metric), 0)
        if not gain.value and not sign(gain):
            text.append(f"That is exactly as much as with {other}.")
        elif verdict:
            text.append(f"That is {points(gain.value)} {'more' if gain.value > 0 else 'less'} than with {other} {between_brackets(gain)}.")
        else:
            text.append(f"It cannot be told apart from {other}: {signed(gain.value)} points {between_brackets(gain)}.")
    return text


def _chart(figures: Figures, who: dict[str, Any], ways: Sequence[_Way]) -> Chart:
    """Seconds of a question by the number of places; loads, where no time is known."""
    import altair as alt

    metric = next(metric for metric in ("total_s", "loading_s", "loads_per_1000") if any(figures.all(metric)))
    title = {"total_s": "seconds a question, with answering", "loading_s": "seconds of loading a question"}.get(
        metric, "loads in 1,000 questions"
    )
    data: list[dict[str, Any]] = []
    for way in ways:
        row = figures.one(metric, setting=way.setting, **who)
        if row is not None:
            point = {"places": way.places, "rule": way.rule, "window": _questions(way.window), "value": row.value}
            data.append(point | {"low": row.ci_low, "high": row.ci_high})
    windows = [_questions(window) for window in sorted({way.window for way in ways})]
    rules = list(dict.fromkeys(way.rule for way in _ordered(ways)))
    scale = "log" if metric == "total_s" and all(point["value"] > 0 for point in data) else "linear"
    x = alt.X(
        "places:Q",
        title="models that memory has room for",
        axis=alt.Axis(format="d", values=sorted({way.places for way in ways}), labelOverlap=False),
    )
    y = alt.Y("value:Q", title=title, scale=alt.Scale(type=scale, nice=scale == "linear"))
    colour = alt.Color("window:N", scale=alt.Scale(domain=windows, range=ROUTER_COLOURS), legend=legend())
    dash = alt.StrokeDash("rule:N", scale=alt.Scale(domain=rules, range=DASHES[: len(rules)]), legend=_lines())
    tooltips = [alt.Tooltip("rule:N"), alt.Tooltip("window:N"), alt.Tooltip("places:Q"), alt.Tooltip("value:Q", format=".3g")]
    base = alt.Chart(alt.Data(values=data)).encode(x=x, color=colour, tooltip=tooltips)
    layers = [
        base.mark_line(strokeWidth=2, opacity=0.8).encode(y=y, strokeDash=dash),
        base.mark_point(filled=True, size=50, opacity=1).encode(y=y),
    ]
    layers.append(base.mark_rule(strokeWidth=2, opacity=0.3).encode(y=alt.Y("low:Q", title=title), y2="high:Q"))
    single = next(figures.all("single_s"), None)
    alone = ""
    if metric == "total_s" and single is not None and single.value > 0:
        rule = alt.Chart(alt.Data(values=[{"value": single.value}])).mark_rule(color="currentColor", opacity=0.5)
        layers.append(rule.encode(y=y))
        alone = " The level line is the best single model alone, which is loaded once."
    most, least = (choose(data, key=lambda point: (point["value"], point["places"])) for choose in (max, min))
    told = [f"{point['value']:.3g} with room for {point['places']} ({point['rule']}, {point['window']})" for point in (most, least)]
    text = (
        f"From {told[0]} to {told[1]}. Each line is a rule of which model leaves; its colour says how many questions are collected. "
        f"Bars are the middle 95 % of orders.{alone}"
    )
    return finished("switching", f"{title[0].upper()}{title[1:]}, by the room in memory", text, alt.layer(*layers), height=340)


def _lines() -> Any:
    """A legend of lines."""
    import altair as alt

    return alt.Legend(title=None, orient="top", symbolType="stroke", symbolStrokeWidth=2, symbolStrokeColor="currentColor", labelLimit=260)


def _table(figures: Figures, who: dict[str, Any], ways: Sequence[_Way]) -> Table:
    """A row for each rule and window, a column for each number of places."""
    places = sorted({way.places for way in ways})
    metric = next((metric for metric in ("total_s", "loading_s") if any(figures.all(metric))), None)
    rows: list[list[str | tuple[str, str]]] = []
    for name in dict.fromkeys(way.name for way in _ordered(ways)):
        cells: list[str | tuple[str, str]] = []
        for held in places:
            setting = next(way.setting for way in ways if (way.name, way.places) == (name, held))
            loads = figures.one("loads_per_1000", setting=setting, **who)
            timed = figures.one(metric, setting=setting, **who) if metric else None
            count = "–" if loads is None else f"{loads.value:,.0f} loads"
            ends = _ends(timed) if timed else _counts(loads) if loads else "–"
            cells.append((f"{seconds(timed.value)}, {count}" if timed else count, ends))
        rows.append([name, *cells])
    single = next(figures.all("single_s"), None)
    if metric == "total_s" and single is not None:
        rows.append([f"{single.model} alone", *[(f"{seconds(single.value)}, 0 loads", "–")] * len(places)])
    what = "Seconds a question and loads in 1,000" if metric else "Loads in 1,000"
    named = {"total_s": " (answering included)", "loading_s": " (of loading alone)"}.get(metric or "", "")
    caption = f"{what}{named}, by the number of models that memory has room for; middle 95 % of orders"
    return Table(caption, ["rule", *(f"{held} of {ways[0].models}" for held in places)], rows)


def _ordered(ways: Sequence[_Way]) -> list[_Way]:
    rules = (RECENT, RANKED, HINDSIGHT)
    return sorted(ways, key=lambda way: (rules.index(way.rule), way.window, way.places))


def _seconds(row: Figure | None) -> str:
    return "–" if row is None else f"{seconds(row.value)} ({_ends(row)})"


def _ends(row: Figure) -> str:
    """The middle 95 % of orders, of seconds."""
    return _written(row, lambda end: f"{end:,.0f}" if abs(end) >= 100 or end == 0 else f"{end:.3g}")


def _counts(row: Figure) -> str:
    """The same of loads, whole numbers."""
    return _written(row, lambda end: f"{end:,.0f}")


def _written(row: Figure, number: Callable[[float], str]) -> str:
    return "–" if row.ci_low is None or row.ci_high is None else f"{number(row.ci_low)} to {number(row.ci_high)}".replace("-", "−")


def _gigabytes(value: float) -> str:
    return f"{value:,.3g} GB" if value >= 1 else f"{1000 * value:,.3g} MB"
