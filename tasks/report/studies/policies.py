"""Does it matter which policy makes choices out of confidences, and is the confidence worth anything?"""

from collections.abc import Sequence
from typing import Any

from tasks.report.chart_style import DRAWN, Chart, finished, legend
from tasks.report.figures import Figure, Figures, between, percent, points, signed
from tasks.report.studies import Section, Table
from tasks.report.studies.wording import between_brackets, listed, sign
from tasks.report.systems import foremost

TITLE = "Does the policy matter, and is the confidence worth anything?"
WITHIN = "gain_over_shuffled_within_benchmark"
KINDS = {
    "gain_over_random_choice": ("random choice", "#8a8f98"),
    "gain_over_shuffled": ("its own confidences, shuffled", "#2a78c2"),
    WITHIN: ("shuffled inside each benchmark", "#e4572e"),
}
NAMED = 3  # policies that are named of each side


def section(figures: Figures, evaluation: Figures) -> Section | None:
    """What confidence earns, which policies do better or worse than argmax, and every figure."""
    routers = sorted({one.router or "" for one in figures.all("gain_over_shuffled")})
    others = sorted(figures.all("gain_over_argmax"), key=lambda one: (-one.value, one.router or "", one.policy or ""))
    if not routers and not others:
        return None
    shown = foremost(evaluation, DRAWN) if evaluation.routers else routers[:DRAWN]
    shown = [router for router in shown if router in routers]
    text = " ".join(part for part in (_worth(figures, shown, routers), _policies(figures, others)) if part)
    return Section("policies", TITLE, text, _chart(figures, shown) if shown else None, _table(figures))


def _worth(figures: Figures, shown: Sequence[str], routers: Sequence[str]) -> str:
    if not shown:
        return ""
    first = shown[0]
    shuffled, within = (figures.one(metric, router=first, policy="argmax") for metric in ("gain_over_shuffled", WITHIN))
    constant = figures.one("constant", router=first, policy="argmax")
    if shuffled is None:
        return ""
    answer = {
        1: f"Yes: the confidences of {first} are worth {points(shuffled.value)} {between_brackets(shuffled)}.",
        0: f"Whether the confidences of {first} are worth anything cannot be told: {_difference(shuffled)}.",
        -1: f"No: the confidences of {first} do harm, {_difference(shuffled)}.",
    }[sign(shuffled)]
    sure = [one for router in routers if (one := figures.one("gain_over_shuffled", router=router, policy="argmax")) and sign(one) > 0]
    earn = f"{len(sure) or 'none'} {'earns' if len(sure) == 1 else 'earn'} more by the confidences"
    count = f"Of all {len(routers)} routers, {earn} than with these shuffled." if len(routers) > 1 else ""
    if constant is not None and constant.value == 1:
        alone = f"{first} sends nearly every question to the same model, so it makes hardly any use of its confidences."
        return " ".join([alone, count and f"{count} Shuffled: each question gets the confidences of another one."]).strip()
    how = (
        "That is what is lost when each question gets the confidences of another one, so that every model is still asked as often, "
        "but not because of what the question says."
    )
    inside = ""
    if within is not None:
        inside = {
            1: f"It knows more than the benchmark: shuffled only among questions of the same benchmark, {points(within.value)} are lost "
            f"({between(within)}).",
            0: f"Shuffled only among questions of the same benchmark no difference can be seen ({signed(within.value)} points, "
            f"{between(within)}): what it knows of a question is which benchmark it is from.",
            -1: f"Inside a benchmark its confidences do harm ({signed(within.value)} points, {between(within)}).",
        }[sign(within)]
    return " ".join(part for part in (answer, how, inside, count) if part)


def _policies(figures: Figures, others: Sequence[Figure]) -> str:
    """Which policies are better or worse than argmax on the same confidences."""
    if not others:
        return ""
    better, worse = ([one for one in others if _verdict(figures, one) == side] for side in (1, -1))
    rest = len(others) - len(better) - len(worse)
    said = []
    for side, found in (("better", better), ("worse", list(reversed(worse)))):
        if found:
            named = listed([f"{one.policy} of {one.router} ({signed(one.value)} points, {between(one)})" for one in found[:NAMED]])
            more = f", {'for instance' if len(found) > NAMED else 'namely'} {named}"
            said.append(f"{len(found)} {'is' if len(found) == 1 else 'are'} {side}{more}")
    if not said:
        lowest, highest = signed(others[-1].value), signed(others[0].value)
        what = f"none of the {len(others)} others" if len(others) > 1 else f"{others[0].policy}, the only other one,"
        by = f"they differ from it by {lowest} to {highest}" if lowest != highest else f"a difference of {lowest}"
        told = "can be told" if len(others) > 1 else "cannot be told"
        return f"As to policies: {what} {told} from argmax, which asks the model with the highest confidence ({by} points)."
    noise = f"; of the other {rest} it cannot be told" if rest else ""
    return (
        f"As to policies, compared with argmax, which asks the model with the highest confidence, on the same confidences: of "
        f"{len(others)}, {'; '.join(said)}{noise}. These intervals hold for all of them at once."
    )


def _verdict(figures: Figures, one: Figure) -> int:
    """Whether it is better (1) or worse (-1) than argmax; 0 also where they differ on too few questions to tell."""
    found = figures.one("verdict", router=one.router, policy=one.policy)
    return int(found.value) if found else 0


def _difference(one: Figure) -> str:
    return f"{signed(one.value)} points {between_brackets(one)}"


def _chart(figures: Figures, shown: Sequence[str]) -> Chart:
    import altair as alt

    data: list[dict[str, Any]] = []
    for router in shown:
        for metric, (kind, _) in KINDS.items():
            if one := figures.one(metric, router=router, policy="argmax"):
                low, high = (one.value if end is None else end for end in (one.ci_low, one.ci_high))
                numbers = {"gain": one.value, "low": low, "high": high}
                data.append({"router": router, "over": kind} | {key: round(100 * value, 2) for key, value in numbers.items()})
    known = {kind: colour for kind, colour in KINDS.values() if any(point["over"] == kind for point in data)}
    colour = alt.Color("over:N", scale=alt.Scale(domain=list(known), range=list(known.values())), legend=legend())
    title = "points more than …"
    order = list(shown)
    base = alt.Chart(alt.Data(values=data)).encode(
        y=alt.Y("router:N", sort=order, axis=None), tooltip=["router:N", "over:N", "gain:Q", "low:Q", "high:Q"]
    )
    names = alt.Chart(alt.Data(values=[{"router": router} for router in order])).encode(y=alt.Y("router:N", sort=order, axis=None))
    chart = alt.layer(
        alt.Chart(alt.Data(values=[{"gain": 0}])).mark_rule(color="currentColor", opacity=0.4).encode(x=alt.X("gain:Q", title=title)),
        base.mark_rule(strokeWidth=4, opacity=0.4, yOffset=7).encode(x=alt.X("low:Q", title=title), x2="high:Q", color=colour),
        base.mark_point(filled=True, size=75, opacity=0.9, yOffset=7).encode(x=alt.X("gain:Q", title=title), color=colour),
        names.mark_text(align="left", dy=-7, dx=4, fontSize=12, limit=320).encode(x=alt.value(0), text="router:N"),
    )
    over_shuffled = [point for point in data if point["over"] == KINDS["gain_over_shuffled"][0]]
    told = "; ".join(f"{point['router']} {signed(point['gain'] / 100)}" for point in over_shuffled)
    text = f"What each router with argmax earns more than {', than '.join(known)}. Over its shuffled confidences: {told} points."
    return finished("policies", "What choosing by confidence earns", text, chart, height=36 * len(order) + 10)


def _table(figures: Figures) -> Table:
    several = any(True for _ in figures.all(WITHIN))
    columns = ["router · policy", "accuracy", "over argmax", "over random choice", "over shuffled"]
    columns += ["over shuffled in benchmarks"] if several else []
    rows: list[list[str | tuple[str, str]]] = []
    for one in sorted(figures.all("accuracy"), key=lambda row: (row.router or "", row.policy != "argmax", -row.value, row.policy or "")):
        name = {"router": one.router, "policy": one.policy}
        cells: list[str | tuple[str, str]] = [f"{one.router} · {one.policy}", (percent(one.value), between(one))]
        for metric in ("gain_over_argmax", *list(KINDS)[: 3 if several else 2]):
            found = figures.one(metric, **name)
            cells.append((signed(found.value), between(found)) if found else "–")
        rows.append(cells)
    return Table("Accuracy in per cent, differences in points, with 95 % intervals (over argmax: for all at once)", columns, rows)
