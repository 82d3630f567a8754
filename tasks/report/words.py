"""The verdict in plain words: is routing worth it for this pool?

    Yes. Routing is worth it for this pool: kmeans-tfidf with argmax beats the best single model, general, by 6.2 points
    (95 % interval 2.1 to 10.3) on 240 test questions. The interval is corrected for the 12 pairs of router and policy that are compared.

One sentence per router, about the policy that did best on *validation* questions (argmax where there are none), so that no
sentence was picked by looking at the test questions. Then the alarms: what a reader has to know before believing it.
"""

from dataclasses import dataclass

import polars as pl

from tasks.report.alarm_words import NOT_YET, constant_model
from tasks.report.alarms import raised
from tasks.report.figures import Figure, Figures, between, dollars, percent, points, seconds, signed
from tasks.report.systems import judged

AT_A_LOSS = 0.1  # an oracle's accuracy below which what is right may as well be luck


@dataclass(frozen=True)
class Verdict:
    """What is said about one router. `value`: 1 beats, 0 ties, -1 loses to the best single model; None: cannot be told."""

    router: str
    policy: str
    value: int | None
    sentence: str


@dataclass(frozen=True)
class Verdicts:
    """`answer` is one word or two ("Yes", "No", "Not yet"), `headline` the sentence after it.

    `compared`: routers and policies for which all intervals of gains hold at once. `looks` says which look at the test questions this
    is, if that was counted; `censored` which figures are, if the sampling of any test question stopped early.
    """

    answer: str
    headline: str
    routers: list[Verdict]
    alarms: list[str]
    compared: int
    looks: str | None
    censored: str | None


def verdict_sentences(metrics: pl.DataFrame) -> Verdicts:
    """Put rows of METRICS (studies "evaluation" and "health") in words."""
    figures = Figures(metrics)
    routers = [_router(figures, router, policy) for router, policy in judged(figures)]
    answer, headline = _headline(figures, routers)
    return Verdicts(
        answer, headline, routers, raised(Figures(metrics, "health"), figures), compared(figures), looks(figures), _censored(figures)
    )


def compared(figures: Figures) -> int:
    """Pairs of router and policy that the intervals of their gains are corrected for: 1 or 0 where there is nothing to correct."""
    return sum(row.ci_low is not None for row in figures.pooled("gain_corrected"))


def looks(figures: Figures) -> str | None:
    """Which look at the test questions this is, if that was counted; from the second on, why that matters."""
    found = figures.one("looks")
    if found is None:
        return None
    number = int(found.value)
    if number < 2:
        return "This is the first look at the test questions."
    return (
        f"This is the {ordinal(number)} look at the test questions. Whoever looks, changes something and looks again keeps what these "
        "questions happened to like, so what is best here is better than it will be on new questions; no interval allows for that."
    )


def ordinal(number: int) -> str:
    """2 → "2nd", 11 → "11th"."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{suffix}"


def _router(figures: Figures, router: str, policy: str) -> Verdict:
    """One sentence about one router."""
    gain = figures.one("gain_corrected", router=router, policy=policy)  # its interval allows for how many routers are compared
    verdict = figures.one("verdict", router=router, policy=policy)
    who = f"{router} with {policy}"
    if gain is None or verdict is None:
        return Verdict(router, policy, None, f"{who} cannot be compared with the best single model: no test question is known to both.")
    best = f"the best single model, {figures.best_single}"
    where = f"on {gain.n:,} test questions"
    interval = f"(95 % interval {between(gain)})" if gain.ci_low is not None else "(too few questions for an interval)"
    value = int(verdict.value)
    if value:
        verb = "beats" if value > 0 else "loses to"
        sentence = f"{who} {verb} {best}, by {points(gain.value)} {interval} {where}"
    elif gain.value == gain.ci_low == gain.ci_high == 0:
        sentence = f"{who} is exactly as good as {best}, {where}"
    else:
        direction = "above" if gain.value > 0 else "below" if gain.value < 0 else "apart"
        sentence = f"{who} ties with {best}: {points(gain.value)} {direction} is inside the noise {interval} {where}"
    if value > 0 and _only_knows_the_benchmark(figures, router, policy):
        sentence += ", but not a router that knows only the benchmark"
    return Verdict(router, policy, value, sentence + ".")


def _only_knows_the_benchmark(figures: Figures, router: str, policy: str) -> bool:
    """Whether knowing the benchmark explains the gain: there are several, and the router is not above one that knows just that."""
    gain = figures.one("gain_over_benchmark_corrected", router=router, policy=policy)
    return len(figures.benchmarks) > 1 and gain is not None and not (gain.ci_low is not None and gain.ci_low > 0)


def _hindsight_best(figures: Figures) -> str | None:
    """The single model that is best on the test questions themselves."""
    return next((row.model for row in figures.pooled("hindsight_best")), None)


def _headline(figures: Figures, routers: list[Verdict]) -> tuple[str, str]:
    """The answer for the router that validation questions chose."""
    if not routers:
        return "Cannot be told", "No trained router has a route on a test question."
    named = {verdict.router: verdict for verdict in routers}
    chosen = named.get(figures.default[0]) if figures.default else None
    chosen = chosen or next((verdict for verdict in routers if verdict.value == 1), routers[0])
    said = chosen.sentence
    if (count := compared(figures)) > 1 and "% interval" in said:
        said += f" The interval is corrected for the {count} pairs of router and policy that are compared."
    headroom = figures.one("gain", router="oracle")
    room = f" An oracle that always knew the right model would gain {points(headroom.value)}." if headroom else ""
    room = "" if headroom and headroom.value <= 0 else room
    if (chosen.value or 0) <= 0 and (nobody := _nobody_knows(figures)):
        return "No", nobody
    if chosen.value is None:
        return "Cannot be told", chosen.sentence
    if chosen.value > 0:
        if _only_knows_the_benchmark(figures, chosen.router, chosen.policy):
            return "Not yet", f"{said} {NOT_YET}{room}"
        if model := constant_model(figures, chosen.router, chosen.policy):
            alone = f"But it is a constant: it asks {model} whatever the question, which needs no router."
            return "No", f"{said} {alone}{room}"
        hindsight = figures.one("gain_over_hindsight", router=chosen.router, policy=chosen.policy)
        if hindsight is not None and not (hindsight.ci_low is not None and hindsight.ci_low > 0):
            other = f"{_hindsight_best(figures)}, the best single model on the test questions themselves"
            return "Not yet", f"{said} But it is not shown to beat {other} ({signed(hindsight.value)} points).{room}"
        if hindsight is not None and _hindsight_best(figures) != figures.best_single:
            other = f"{_hindsight_best(figures)}, the best single model in hindsight"
            room = f" Even over {other}, it gains {points(hindsight.value)} (95 % interval {between(hindsight)}).{room}"
        return "Yes", f"Routing is worth it for this pool: {said}{_price(figures, chosen)}{room}"
    if headroom is not None and headroom.value <= 0:
        never = "No model is ever right where the best single model is wrong, so there is nothing to route for."
        return "No", never + _unknown(figures, headroom)
    if chosen.value < 0:
        return "No", f"Routing makes this pool worse: {said}{_price(figures, chosen)}{room}"
    return "Not shown", f"Routing has not been shown to be more accurate for this pool: {said}{_price(figures, chosen)}{room}"


def _unknown(figures: Figures, headroom: Figure) -> str:
    """On how many test questions the best single model is known, where that is not all."""
    oracle = figures.one("accuracy", router="oracle")
    if oracle is None or not headroom.n or not oracle.n or headroom.n >= oracle.n:
        return ""
    return f" This counts only the {headroom.n:,} of {oracle.n:,} test questions to which {figures.best_single} has a known answer."


def _nobody_knows(figures: Figures) -> str | None:
    """The sentence for a pool that is at a loss: even an oracle, lucky guesses included, would hardly ever find a right answer."""
    oracle, best = figures.one("accuracy", router="oracle"), figures.one("accuracy", model=figures.best_single)
    if oracle is None or best is None or oracle.value >= AT_A_LOSS:
        return None
    none = oracle.value == 0
    found = "no model is ever right" if none else f"the best, {figures.best_single}, is right on {percent(best.value)} of them"
    oracle_too = "" if none else f", and even an oracle that always knew the right model would be on {percent(oracle.value)}"
    return (
        f"The models of this pool cannot answer these questions: {found}{oracle_too} ({oracle.n:,} test questions). There is nothing to "
        "route for. If that surprises you, “manyminds show” has the prompts, the answers and how they were read."
    )


def _price(figures: Figures, verdict: Verdict) -> str:
    """What the router takes against the best single model, where that is known."""
    parts = []
    for metric, show, thing in (("latency_s", seconds, "per question"), ("cost_usd", dollars, "per thousand questions")):
        router, best = figures.one(metric, router=verdict.router, policy=verdict.policy), figures.one(metric, model=figures.best_single)
        if router and best:
            parts.append(f"{show(router.value)} {thing} against {show(best.value)}")
    return f" It takes {' and '.join(parts)}." if parts else ""


def _censored(figures: Figures) -> str | None:
    """What the figures leave out where sampling stopped as soon as a vote was decided."""
    early, saved = ([(row.value, row.n or 0) for row in figures.pooled(metric)] for metric in ("decided_early", "samples_saved"))
    if not any(value for value, _ in early):
        return None
    stopped, spared = (sum(value * n for value, n in rows) / sum(n for _, n in rows) for rows in (early, saved))
    return (
        f"Success rates and agreement are censored: sampling stopped where no other answer could win any more ({percent(stopped)} of the "
        f"votes on test questions, which saved {percent(spared)} of their samples), and these figures count what was drawn. Majorities, "
        "accuracies and gains, and what routers learn from, are what all samples would have given."
    )
