"""What a reader has to know before believing the figures: the alarms of the study `health` in plain words, each said once.

    raised(health, evaluation)  →  ["Too few test questions to tell whether domains with argmax is better or worse than …", …]
    checks(health, evaluation)  →  [Check("Test questions that were learned from", "raised", "sums: 3 of 240 the same, 0 nearly", …), …]

Of routers only the policy is told that they are judged by; the metrics have all. The names in it are untrusted: escape them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tasks.report import alarm_words as words
from tasks.report.alarm_words import TOLD, Health
from tasks.report.figures import Figure, Figures
from tasks.report.systems import judged


@dataclass(frozen=True)
class Check:
    """One kind of alarm.

    `state`: raised, fine or not looked at. `limit`: what raises it. `found`: the figures behind it; of what is fine, the one nearest to an
    alarm. `sentence`: what it means and what to do, if it is raised.
    """

    title: str
    state: str
    limit: str
    found: str
    sentence: str


@dataclass(frozen=True)
class _Kind:
    """`metric` is the alarm's. `show`: one figure behind it, with whom it is about. `say`: the sentence on those that are raised."""

    metric: str
    title: str
    limit: str
    figure: str
    show: Callable[[Figure, Health], str]
    say: Callable[[list[Figure], Health], str]
    missing: str  # why it was not looked at, if it was not
    worse: int = 1  # the larger the figure, the nearer to being raised; -1: the smaller


def raised(figures: Figures, evaluation: Figures) -> list[str]:
    """A sentence or two for each kind of alarm that is raised, what it means and what to do; the gravest first."""
    return [check.sentence for check in checks(figures, evaluation) if check.sentence]


def checks(figures: Figures, evaluation: Figures) -> list[Check]:
    """Every kind of alarm: those raised first, then the silent ones, then what could not be looked at."""
    health = Health(figures, evaluation, judged(evaluation))
    found = [_check(kind, health) for kind in KINDS] if figures.rows else []
    order = ["raised", "fine", "not looked at"]
    return sorted(found, key=lambda check: order.index(check.state))


def _check(kind: _Kind, health: Health) -> Check:
    alarms = health.alarms(kind.metric)
    if not alarms:
        return Check(kind.title, "not looked at", kind.limit, kind.missing, "")
    up = [alarm for alarm in alarms if alarm.value == 1]
    shown = sorted(up or alarms, key=lambda alarm: (-kind.worse * (health.behind(alarm, kind.figure) or alarm).value, words.who(alarm)))
    told = dict.fromkeys(kind.show(alarm, health) for alarm in shown[: TOLD if up else 1])
    more = f" and {len(up) - TOLD} more" if len(up) > TOLD else ""
    return Check(kind.title, "raised" if up else "fine", kind.limit, f"{'; '.join(told)}{more}", kind.say(shown, health) if up else "")


_STUDY = "the study {} was not made, or had too little to look at"
_SAMPLES = "there are no samples"
_ROUTES = "no router has a route on a test question"
_CONTAMINATION, _CLUSTERS = _STUDY.format("contamination"), _STUDY.format("clusters")
_5_POINTS, _OFTEN = "a tie, and the interval is wider than ±5 points", "surely more than 5 %"
# The gravest first.
KINDS = (
    _Kind(
        "contaminated",
        "Models trained on the questions",
        "surely above what is explained, by 5 points",
        "excess",
        *words.EXCESS,
        _CONTAMINATION,
    ),
    _Kind("leaked", "Test questions that were learned from", "any, or 1 % nearly", "same_share", *words.LEAKED, "no test questions"),
    _Kind(
        "misled",
        "Best single model badly chosen",
        "surely not the best on test questions",
        "below_hindsight",
        *words.MISLED,
        "there is none",
        -1,
    ),
    _Kind("constant", "Routers that are constants", "98 % of the questions to one model", "largest_share", *words.CONSTANT, _ROUTES),
    _Kind(
        "only_benchmark",
        "Routers that know only the benchmark",
        "a gain, but not shown over the benchmark’s best",
        "gain_over_benchmark",
        *words.ONLY_BENCHMARK,
        "there is one benchmark, or no router",
        -1,
    ),
    _Kind("cannot_tell", "Differences that cannot be seen", _5_POINTS, "detectable_gain", *words.CANNOT_TELL, _ROUTES),
    _Kind("few_queries", "Few questions", "below 200 of training or test, none of validation", "queries", *words.FEW, "there are none", -1),
    _Kind("unknown_answers", "Answers that are not known", "any", "unknown_share", *words.UNKNOWN, _ROUTES),
    _Kind(
        "seldom_asked",
        "Models that were asked little",
        "fewer than half of the questions",
        "asked_share",
        *words.SELDOM,
        "there are no votes",
        -1,
    ),
    _Kind("incomplete", "Samples that are missing", "any that could change a vote", "incomplete_share", *words.INCOMPLETE, _SAMPLES),
    _Kind("cut_off", "Samples that were cut off", _OFTEN, "cut_off_share", *words.CUT_OFF, _SAMPLES),
    _Kind("unreadable", "Samples that cannot be read", _OFTEN, "unreadable_share", *words.UNREADABLE, _SAMPLES),
    _Kind(
        "miscalibrated", "Confidences that are wrong", "5 points further off than luck", "calibration_error", *words.CALIBRATION, _ROUTES
    ),
    _Kind("unstable_clusters", "Clusters that are luck", "not shown to be more", "p_value", *words.CLUSTERS, _CLUSTERS),
)
