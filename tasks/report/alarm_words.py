"""What alarms say: the figures behind one, for a table, and a sentence or two on those of a kind that are raised.

    show_excess(alarm, health)      →  "elm on sums +11.0 points (1.2 to 20.1)"
    contaminated([alarm], health)   →  "More accurate on training questions than can be believed: elm on sums +11.0 points …"

A sentence says what was found, what it means and what to do. The names in it are untrusted: escape them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.report.figures import Figure, Figures, between, percent, points, signed

NOT_YET = "Beating the best single model by recognising the benchmark is not yet routing."
TOLD = 4  # names that a sentence lists
EXAMPLE = 0.02  # a gain that is worth having, as an example
SMALL = 200  # questions, as the study wants them


@dataclass(frozen=True)
class Health:
    """The study's figures, the evaluation's, and the policy by which each router is judged."""

    figures: Figures
    evaluation: Figures
    judged: Sequence[tuple[str, str]]

    def alarms(self, metric: str) -> list[Figure]:
        """Those of the metric, raised or not, but for policies that no router is judged by."""
        return [
            row for row in self.figures.rows if row.metric == metric and (row.policy is None or (row.router, row.policy) in self.judged)
        ]

    def behind(self, alarm: Figure, metric: str) -> Figure | None:
        """A figure of whom the alarm is about."""
        return self.figures.one(
            metric,
            split=alarm.split,
            benchmark=alarm.benchmark,
            model=alarm.model,
            router=alarm.router,
            policy=alarm.policy,
            setting=alarm.setting,
        )


def who(alarm: Figure) -> str:
    """Whom it is about: "owl on sums", "domains with argmax", "sums"."""
    if alarm.model is not None:
        return alarm.model if alarm.benchmark is None else f"{alarm.model} on {alarm.benchmark}"
    if alarm.router is not None:
        return alarm.router if alarm.policy is None else f"{alarm.router} with {alarm.policy}"
    return alarm.setting or alarm.benchmark or alarm.split or "all"


def _listed(texts: Sequence[str]) -> str:
    """A few texts, and how many more there are."""
    more = len(texts) - TOLD
    return ", ".join(texts[:TOLD]) + (f" and {more} more" if more > 0 else "")


def share(metric: str) -> Callable[[Figure, Health], str]:
    """Shows a share with its interval."""

    def show(alarm: Figure, health: Health) -> str:
        figure = health.behind(alarm, metric)
        if figure is None:
            return who(alarm)
        interval = f" ({between(figure)})" if figure.ci_low is not None else ""
        return f"{who(alarm)} {percent(figure.value)}{interval}"

    return show


def _named(alarms: Sequence[Figure], health: Health, metric: str) -> str:
    return _listed([share(metric)(alarm, health) for alarm in alarms])


# ── routers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def constant_model(figures: Figures, router: str, policy: str) -> str | None:
    """The model that a constant in disguise always asks, by figures of the evaluation; None for a router that does choose."""
    found = figures.one("constant", router=router, policy=policy)
    if found is None or found.value != 1:
        return None
    shares = {row.model: row.value for row in figures.pooled("share") if (row.router, row.policy) == (router, policy) and row.model}
    return max(sorted(shares), key=lambda name: shares[name])


def constants(alarms: list[Figure], health: Health) -> str:
    by_model: dict[str, list[str]] = {}
    for alarm in alarms:
        model = constant_model(health.evaluation, alarm.router or "", alarm.policy or "")
        by_model.setdefault(model or "one model", []).append(who(alarm))
    said = []
    for model, names in by_model.items():
        same = ", the best single model" if model == health.evaluation.best_single else ""
        what = "is a constant: it sends" if len(names) == 1 else "are constants: they send"
        said.append(f"{_listed(names)} {what} at least 98 % of the questions to {model}{same}.")
    return " ".join(said) + " That needs no router."


def only_benchmark(alarms: list[Figure], health: Health) -> str:
    verb = "is" if len(alarms) == 1 else "are"
    names = _listed([alarm.router or "" for alarm in alarms])
    return f"{names} {verb} not shown to be better than a router that knows only the benchmark. {NOT_YET}"


def show_over_benchmark(alarm: Figure, health: Health) -> str:
    figure = health.behind(alarm, "gain_over_benchmark")
    return who(alarm) + (f" {signed(figure.value)} points over it ({between(figure)})" if figure else "")


def show_detectable(alarm: Figure, health: Health) -> str:
    figure = health.behind(alarm, "detectable_gain")
    return (
        f"{who(alarm)}: gains from {points(figure.value)} on can be seen" if figure else f"{who(alarm)}: too few questions for an interval"
    )


def cannot_tell(alarms: list[Figure], health: Health) -> str:
    """Says of few test questions too what they hide, so that these need no alarm of their own."""
    gains = [figure for alarm in alarms if (figure := health.behind(alarm, "detectable_gain")) is not None]
    names = _listed([who(alarm) for alarm in alarms])
    n = max(alarm.n or 0 for alarm in alarms)
    start = (
        f"Too few test questions to tell whether {names} {'is' if len(alarms) == 1 else 'are'} better or worse than the best single model"
    )
    if not gains:
        return f"{start}: there are only {n:,}."
    largest = max(figure.value for figure in gains)
    wanted = _round_up(n * (largest / EXAMPLE) ** 2)
    few = "only " if n < SMALL else ""
    return (
        f"{start}: there are {few}{n:,} test questions, and a true gain below {points(largest)} would often go unseen. To see "
        f"{100 * EXAMPLE:.0f} points takes about {wanted:,}."
    )


def _round_up(count: float) -> int:
    """To two digits: 4,321 → 4,400."""
    unit = 10 ** max(len(str(int(count))) - 2, 0)
    return int(-(-count // unit) * unit)


def unknown(alarms: list[Figure], health: Health) -> str:
    return (
        f"Sent to models whose answer is not known: {_named(alarms, health, 'unknown_share')} of the test questions. They are left out, "
        "which may flatter these routers. Ask these models too, or leave out questions that not all models have answered."
    )


def show_calibration(alarm: Figure, health: Health) -> str:
    figure, luck = health.behind(alarm, "calibration_error"), health.behind(alarm, "calibration_error_by_luck")
    by_luck = f" ({percent(luck.value)} by luck)" if luck else ""
    return f"{who(alarm)} off by {percent(figure.value)}{by_luck}" if figure else who(alarm)


def miscalibrated(alarms: list[Figure], health: Health) -> str:
    shown = _listed([show_calibration(alarm, health) for alarm in alarms])
    return f"Confidences that are no chances of being right: {shown}. They still rank models; do not set thresholds by them."


# ── data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def show_few(alarm: Figure, health: Health) -> str:
    """All splits, whichever is too small."""
    rows = [row for row in health.figures.rows if row.metric == "queries"]
    return ", ".join(f"{row.value:,.0f} {row.split}" for row in rows) + " questions"


def few(alarms: list[Figure], health: Health) -> str:
    splits = {alarm.split: alarm.n or 0 for alarm in alarms}
    said = []
    told = any(alarm.value == 1 for alarm in health.alarms("cannot_tell"))
    if "test" in splits and not told:
        said.append(f"There are only {splits['test']:,} test questions: differences of a few points cannot be seen.")
    if "train" in splits:
        few = f"only {splits['train']:,}" if splits["train"] else "no"
        said.append(f"There are {few} training questions: routers can hardly learn from so few.")
    if "validation" in splits and health.evaluation.routers:
        said.append("There are no validation questions to choose a router or policy by.")
    return " ".join(said)


def misled(alarms: list[Figure], health: Health) -> str:
    below = health.behind(alarms[0], "below_hindsight")
    best = next((row.model for row in health.evaluation.pooled("hindsight_best")), None)
    by = points(below.value) if below else "some points"
    return (
        f"{alarms[0].model}, the best single model on training questions, is {by} below {best} on the test questions. Look at its training "
        "labels: was it trained on these questions? Routers that learned from them are misled too, and a gain over it is easily had."
    )


def show_misled(alarm: Figure, health: Health) -> str:
    below = health.behind(alarm, "below_hindsight")
    return f"{alarm.model} {signed(below.value)} points against the best on test questions ({between(below)})" if below else who(alarm)


def show_excess(alarm: Figure, health: Health) -> str:
    figure = health.behind(alarm, "excess")
    return f"{who(alarm)} {signed(figure.value)} points ({between(figure)})" if figure else who(alarm)


def contaminated(alarms: list[Figure], health: Health) -> str:
    shown = _listed([show_excess(alarm, health) for alarm in alarms])
    return (
        f"More accurate on training questions than can be believed: {shown}. It may have been trained on them, and mislead routers that "
        "learn from its labels. Leave it out of the pool, or train routers on questions that it has not seen."
    )


def show_leaked(alarm: Figure, health: Health) -> str:
    same, nearly = health.behind(alarm, "same_share"), health.behind(alarm, "nearly_same_share")
    n = alarm.n or 0
    more = f" and {nearly.value * n:.0f} nearly" if nearly and nearly.value else ""
    return f"{alarm.benchmark} {same.value * n if same else 0:.0f} of {n:,}{more}"


def leaked(alarms: list[Figure], health: Health) -> str:
    rows = [row for row in health.figures.rows if row.metric in ("same_share", "nearly_same_share")]
    share = sum(row.value * (row.n or 0) for row in rows) / max(sum(alarm.n or 0 for alarm in health.alarms("leaked")), 1)
    shown = _listed([show_leaked(alarm, health) for alarm in alarms])
    return (
        f"Test questions that are training or validation questions too: {shown}. Routers may have them by heart, which is worth at most "
        f"{points(share)} of accuracy. Take them out of the test questions."
    )


def seldom(alarms: list[Figure], health: Health) -> str:
    return (
        f"Models with an answer to fewer than half of the questions: {_named(alarms, health, 'asked_share')}. Their figures are of other "
        "questions than those of the other models. Ask them the rest, or leave them out."
    )


def show_clusters(alarm: Figure, health: Health) -> str:
    agree, luck = health.behind(alarm, "winners_agree"), health.behind(alarm, "winners_agree_by_chance")
    return f"{who(alarm)} {percent(agree.value if agree else None, 0)} (by luck {percent(luck.value if luck else None, 0)})"


def unstable(alarms: list[Figure], health: Health) -> str:
    shown = _listed([show_clusters(alarm, health) for alarm in alarms])
    several = len(health.evaluation.benchmarks) > 1
    where, knows = (" of questions of the same benchmark", "the benchmark") if several else ("", "which model is best on the whole")
    return (
        f"Clusters of which it is not shown that their best model stays the best on test questions more often than in a lottery{where}, or "
        f"that are other ones with another seed: {shown}. Routers that go by such clusters are not shown to know more than {knows}. Use "
        "fewer clusters, or another router."
    )


# ── samples ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def incomplete(alarms: list[Figure], health: Health) -> str:
    counts = [
        f"{alarm.model} {figure.value * (figure.n or 0):,.0f}" for alarm in alarms if (figure := health.behind(alarm, "incomplete_share"))
    ]
    return f"Questions with fewer samples than wanted, and another answer that could still win: {_listed(counts)}. Run again."


def unreadable(alarms: list[Figure], health: Health) -> str:
    return (
        f"Samples without an answer that can be read: {_named(alarms, health, 'unreadable_share')}. They count as wrong. Look at some with "
        "“manyminds show”, and mend the prompt or how answers are read."
    )


def cut_off(alarms: list[Figure], health: Health) -> str:
    return (
        f"Samples that were cut off at the length limit: {_named(alarms, health, 'cut_off_share')}. A model that was not let finish looks "
        "worse than it is. Raise max_new_tokens."
    )


# How each is shown, and what is said of those that are raised.
EXCESS = (show_excess, contaminated)
LEAKED = (show_leaked, leaked)
MISLED = (show_misled, misled)
CONSTANT = (share("largest_share"), constants)
ONLY_BENCHMARK = (show_over_benchmark, only_benchmark)
CANNOT_TELL = (show_detectable, cannot_tell)
FEW = (show_few, few)
UNKNOWN = (share("unknown_share"), unknown)
SELDOM = (share("asked_share"), seldom)
INCOMPLETE = (share("incomplete_share"), incomplete)
CUT_OFF = (share("cut_off_share"), cut_off)
UNREADABLE = (share("unreadable_share"), unreadable)
CALIBRATION = (show_calibration, miscalibrated)
CLUSTERS = (show_clusters, unstable)
