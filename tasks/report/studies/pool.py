"""The section on the pool: routers on sub-pools, what makes routing pay there, and what each model brings."""

from collections.abc import Sequence
from typing import Any

from tasks.report.chart_style import KIND_COLOURS, Chart, finished, legend
from tasks.report.figures import Figure, Figures, between, percent, points, signed
from tasks.report.studies import Section, Table
from tasks.report.studies.wording import between_brackets, listed, paragraphs, sign

TITLE = "Which pools does routing suit, and which of these models does it need?"
ALL, TWO_BEST, SIMILAR, DIFFERENT = "all", "two best", "similar strength", "different strength"
NAMED = 5  # models of a group; of more it is only said how many
LOSS = 0.01  # a model that brings less than this for sure can be left out
KINDS = {"all models": KIND_COLOURS["router"], "a group": KIND_COLOURS["best single model"], "one left out": KIND_COLOURS["baseline"]}


def section(figures: Figures, evaluation: Figures) -> Section | None:
    """None where there are no sub-pools, or nothing was tried on them."""
    pools = _pools(figures)
    routers = sorted({row.router for row in figures.all("gain") if row.router})
    if not pools or not routers:
        return None
    text = [
        part
        for router in routers
        for part in (_sizes(figures, router, pools), _similar(figures, router), _room(figures, router), _members(figures, router))
    ]
    return Section("pool", TITLE, paragraphs(*text), _chart(figures, routers[0], pools), _table(figures, routers, pools))


def _pools(figures: Figures) -> list[str]:
    """Names of the sub-pools: all, the groups, then those without one model."""
    found = {row.setting for row in figures.all("models") if row.setting}
    groups = [name for name in (ALL, TWO_BEST, SIMILAR, DIFFERENT) if name in found]
    return groups + sorted(found - set(groups))


def _sizes(figures: Figures, router: str, pools: Sequence[str]) -> list[str]:
    """What the router earns with all models and with the two best."""
    whole, pair = (figures.one("accuracy", router=router, setting=setting) for setting in (ALL, TWO_BEST))
    gain = figures.one("gain", router=router, setting=ALL)
    if whole is None or gain is None:
        return []
    count = _count(figures, ALL)
    text = [
        f"{router} was trained anew on {len(pools) - 1} smaller pools. With all {count} models it is right on {percent(whole.value)} "
        f"of the test questions {between_brackets(whole)}, {_more(gain)} than the best single model {between_brackets(gain)}."
    ]
    if pair is not None and (of_pair := figures.one("gain", router=router, setting=TWO_BEST)):
        text.append(
            f"With only the two best on training questions ({_models(figures, TWO_BEST)}) it is right on {percent(pair.value)} and gains "
            f"{signed(of_pair.value)} points over the better of them {between_brackets(of_pair)}."
        )
    return text


def _similar(figures: Figures, router: str) -> list[str]:
    """Whether routing suits models of similar strength, which the paper leaves open."""
    similar, different = (figures.one("gain", router=router, setting=setting) for setting in (SIMILAR, DIFFERENT))
    difference = figures.one("gain_over_different", router=router, setting=SIMILAR)
    if similar is None or different is None or difference is None:
        return []
    if sign(difference) > 0:
        answer = "So in this pool routing does suit models of similar strength better"
    elif sign(difference) < 0:
        answer = "So in this pool routing suits models of different strength better"
    else:
        answer = "So whether routing suits models of similar strength better cannot be told here"
    if sign(similar) < 1 and sign(different) < 1:
        answer += " (and it is shown to pay in neither)"
    return [
        "Does routing suit models of similar strength?",
        f"Among those nearest to each other ({_models(figures, SIMILAR)}) it gains {signed(similar.value)} points over the best of them "
        f"{between_brackets(similar)}, among as many that are far apart ({_models(figures, DIFFERENT)}) {signed(different.value)} "
        f"{between_brackets(different)}.",
        f"{answer}: the difference on the same questions is {signed(difference.value)} points {between_brackets(difference)}.",
        f"A larger gain is not a better router: these pools are right on {_accuracy(figures, router, SIMILAR)} and "
        f"{_accuracy(figures, router, DIFFERENT)}.",
    ]


def _room(figures: Figures, router: str) -> list[str]:
    """Whether pools gain more in which there is more to gain."""
    room, spread, phi = (
        figures.one("rank_correlation", router=router, setting=setting) for setting in ("oracle_gain", "spread", "error_correlation")
    )
    if room is None:
        return []
    if sign(room) > 0:
        what = "the more an oracle, which always asks the right model, would gain in a pool, the more the router gains"
    elif sign(room) < 0:
        what = "the more an oracle, which always asks the right model, would gain in a pool, the less the router gains"
    else:
        what = "it cannot be told whether the router gains more in pools where an oracle, which always asks the right model, gains more"
    others = [
        f"{words} {_number(found)}"
        for words, found in (("with the distance of strongest and weakest", spread), ("with how often models fail together", phi))
        if found is not None
    ]
    also = f"; {' and '.join(others)}" if others else ""
    return [
        f"Over the {room.n} pools {what} (rank correlation {_number(room)}{also}; 95 % intervals). These pools share models, are few, and "
        "both gains are counted from the same single model, so that says something of this pool and little of others."
    ]


def _members(figures: Figures, router: str) -> list[str]:
    """Which models the pool needs, and which it could do without."""
    found = sorted(
        (row for row in figures.all("contribution") if row.router == router and row.model), key=lambda row: (-row.value, row.model or "")
    )
    if not found:
        return []
    needed = [row for row in found if _verdict(figures, row) > 0]
    harmful = [row for row in found if _verdict(figures, row) < 0]
    spare = [row for row in found if not _verdict(figures, row) and row.ci_high is not None and row.ci_high <= LOSS]
    open_ = [row for row in found if row not in needed and row not in harmful and row not in spare]
    text = []
    if len(found) < _count(figures, ALL):
        text.append(f"Of {_count(figures, ALL)} models, the {len(found)} that an oracle asks most were left out one by one.")
    if needed:
        text.append(
            f"The pool needs {listed([f'{row.model} ({points(row.value)}, {between(row)})' for row in needed])}: without it, that is lost."
        )
    if harmful:
        text.append(f"It is better without {listed([f'{row.model} ({points(row.value)}, {between(row)})' for row in harmful])}.")
    if spare:
        lost = f"at most {points(max([0.0, *(row.ci_high or 0 for row in spare)]))} are lost"
        of_them = ", one of them" if len(spare) > 1 else ""
        text.append(f"It could do without {listed([row.model or '' for row in spare], 'or')}{of_them}: {lost}.")
    if open_:
        most = max((row.ci_high for row in open_ if row.ci_high is not None), default=None)
        worth = "" if most is None else f"; at most it is worth {points(most)}"
        named = listed([row.model or "" for row in open_], "or")
        text.append(f"Whether it needs {named} cannot be told from these questions{worth}.")
    if len(found) > 1 and any(row.ci_low is not None for row in found):
        text.append(f"These intervals hold for all {len(found)} models at once.")
    return text


def _chart(figures: Figures, router: str, pools: Sequence[str]) -> Chart | None:
    """Gain of the router against what an oracle gains, a point for each pool."""
    import altair as alt

    data: list[dict[str, Any]] = []
    for pool in pools:
        gain, room = figures.one("gain", router=router, setting=pool), figures.one("oracle_gain", setting=pool)
        if gain is not None and room is not None:
            kind = "all models" if pool == ALL else "a group" if pool in (TWO_BEST, SIMILAR, DIFFERENT) else "one left out"
            ends = {"low": gain.ci_low, "high": gain.ci_high}
            data.append(
                {"pool": pool, "kind": kind, "label": pool if kind == "a group" else ""}  # the others lie beside each other
                | {"gain": round(100 * gain.value, 2), "room": round(100 * room.value, 2)}
                | {name: None if end is None else round(100 * end, 2) for name, end in ends.items()}
            )
    if not data:
        return None
    x = alt.X("room:Q", title="an oracle’s gain, points", scale=alt.Scale(zero=False, padding=30))
    y = alt.Y("gain:Q", title="the router’s gain, points")
    shown = [kind for kind in KINDS if any(point["kind"] == kind for point in data)]
    colour = alt.Color("kind:N", scale=alt.Scale(domain=shown, range=[KINDS[kind] for kind in shown]), legend=legend())
    base = alt.Chart(alt.Data(values=data)).encode(
        x=x, color=colour, tooltip=[alt.Tooltip("pool:N"), alt.Tooltip("gain:Q"), alt.Tooltip("room:Q", title="oracle’s gain")]
    )
    middle = (min(point["room"] for point in data) + max(point["room"] for point in data)) / 2
    left, right = ([point for point in data if (point["room"] > middle) == is_right] for is_right in (False, True))
    nothing = alt.Chart(alt.Data(values=[{"gain": 0}])).mark_rule(strokeDash=[4, 4], color="currentColor", opacity=0.4).encode(y=y)
    chart = alt.layer(
        nothing,
        base.mark_rule(strokeWidth=2, opacity=0.3).encode(y=alt.Y("low:Q", title="the router’s gain, points"), y2="high:Q"),
        base.mark_point(filled=True, size=90, opacity=1).encode(y=y),
        alt.Chart(alt.Data(values=left)).mark_text(align="left", dx=8, dy=-6, fontSize=11).encode(x=x, y=y, text="label:N"),
        alt.Chart(alt.Data(values=right)).mark_text(align="right", dx=-8, dy=-6, fontSize=11).encode(x=x, y=y, text="label:N"),
    )
    most, least = (choose(data, key=lambda point: (point["gain"], point["pool"])) for choose in (max, min))
    text = f"Most is gained with “{most['pool']}”: {signed(most['gain'] / 100)} of an oracle’s {signed(most['room'] / 100)} points"
    if len(data) > 1:
        text += f"; least with “{least['pool']}”: {signed(least['gain'] / 100)} of {signed(least['room'] / 100)}"
    text += (
        ". Each point is a pool on which the router was trained; the table names them all. Gains are over the best single model of the "
        "same pool, so below the dashed line routing does not pay; bars are 95 % intervals."
    )
    return finished("pool", "What a router gains by what there is to gain", text, chart, height=340)


def _table(figures: Figures, routers: Sequence[str], pools: Sequence[str]) -> Table:
    rows: list[list[str | tuple[str, str]]] = []
    for router in routers:
        for pool in pools:
            of_pool = [figures.one(metric, setting=pool) for metric in ("oracle_gain", "oracle_gain_without_luck", "spread")]
            phi = figures.one("error_correlation", setting=pool)
            of_router = [figures.one(metric, router=router, setting=pool) for metric in ("accuracy", "gain")]
            brings = next((row for row in figures.all("contribution") if (row.router, row.setting) == (router, pool)), None)
            cells = [_cell(of_router[0], percent), _cell(of_router[1], signed), *(_cell(row, signed) for row in of_pool)]
            cells.append("–" if phi is None else (f"{phi.value:.2f}".replace("-", "−"), "–" if phi.ci_low is None else _ends(phi)))
            name = f"{pool} ({router})" if len(routers) > 1 else pool
            rows.append([name, str(_count(figures, pool)), *cells, _cell(brings, signed)])
    columns = ["pool", "models", "accuracy", "gain", "oracle’s gain", "oracle’s, without luck", "strongest less weakest"]
    caption = "Sub-pools, on test questions. Gains, distances and what a model brings are in points; 95 % intervals"
    return Table(caption, [*columns, "correlation of errors", "the model left out brings"], rows)


def _cell(row: Figure | None, written: Any) -> str | tuple[str, str]:
    return "–" if row is None else (written(row.value), between(row))


def _count(figures: Figures, pool: str) -> int:
    found = figures.one("models", setting=pool)
    return int(found.value) if found else 0


def _models(figures: Figures, pool: str) -> str:
    """Those of a group, the strongest first: "atlas 41 %, ledger 40 %"; of many only how many."""
    found = sorted(
        (row for row in figures.all("strength", split="train") if row.setting == pool), key=lambda row: (-row.value, row.model or "")
    )
    if len(found) > NAMED:
        return f"{len(found)} models of {percent(found[-1].value, 0)} to {percent(found[0].value, 0)} on training questions"
    return ", ".join(f"{row.model} {percent(row.value, 0)}" for row in found)


def _accuracy(figures: Figures, router: str, pool: str) -> str:
    found = figures.one("accuracy", router=router, setting=pool)
    return percent(found.value if found else None)


def _verdict(figures: Figures, row: Figure) -> int:
    found = figures.one("verdict", router=row.router, model=row.model, setting=row.setting)
    return int(found.value) if found else 0


def _more(gain: Figure) -> str:
    return f"{points(gain.value)} {'less' if gain.value < 0 else 'more'}"


def _number(row: Figure) -> str:
    """A correlation with its interval."""
    return f"{row.value:.2f}".replace("-", "−") + ("" if row.ci_low is None else f", {_ends(row)}")


def _ends(row: Figure) -> str:
    return f"{row.ci_low:.2f} to {row.ci_high:.2f}".replace("-", "−")
