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
    """One kind of alarm. `state`: raised, fine or not looked at. `found`: the figures behind it. `sentence`: what it means, if raised."""

    title: str
    state: str
    found: str
    sentence: str


@dataclass(frozen=True)
class _Kind:
    """`metric` is the alarm's. `show`: one figure behind it, with whom it is about. `say`: the sentence on those that are raised."""

    metric: str
    title: str
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
        return Check(kind.title, "not looked at", kind.missing, "")
    up = [alarm for alarm in alarms if alarm.value == 1]
    shown = sorted(up or alarms, key=lambda alarm: (-kind.worse * (health.behind(alarm, kind.figure) or alarm).value, words.who(alarm)))
    told = [kind.show(alarm, health) for alarm in shown[: TOLD if up else 1]]
    more = f" and {len(up) - TOLD} more" if len(up) > TOLD else ""
    others = f" (of {len(alarms)}, the nearest to an alarm)" if not up and len(alarms) > 1 else ""
    return Check(kind.title, "raised" if up else "fine", f"{'; '.join(told)}{more}{others}", kind.say(shown, health) if up else "")


_STUDY = "the study {} was not made"
_SAMPLES = "there are no samples"
_ROUTES = "no router has a route on a test question"
# The gravest first.
KINDS = (
    _Kind(
        "contaminated", "Models trained on these questions", "excess", words.show_excess, words.contaminated, _STUDY.format("contamination")
    ),
    _Kind("leaked", "Test questions that were learned from", "same_share", words.show_leaked, words.leaked, "there are no test questions"),
    _Kind("misled", "Best single model badly chosen", "below_hindsight", words.show_misled, words.misled, "there is none", -1),
    _Kind("constant", "Routers that are constants", "largest_share", words.share("largest_share"), words.constants, _ROUTES),
    _Kind(
        "only_benchmark",
        "Routers that know only the benchmark",
        "gain_over_benchmark",
        words.show_over_benchmark,
        words.only_benchmark,
        "there is one benchmark, or no router",
        -1,
    ),
    _Kind("cannot_tell", "Differences that cannot be seen", "detectable_gain", words.show_detectable, words.cannot_tell, _ROUTES),
    _Kind("few_queries", "Few questions", "queries", words.show_few, words.few, "there are none", -1),
    _Kind("unknown_answers", "Answers that are not known", "unknown_share", words.share("unknown_share"), words.unknown, _ROUTES),
    _Kind(
        "seldom_asked", "Models that were asked little", "asked_share", words.share("asked_share"), words.seldom, "there are no votes", -1
    ),
    _Kind("incomplete", "Samples that are missing", "incomplete_share", words.share("incomplete_share"), words.incomplete, _SAMPLES),
    _Kind("cut_off", "Samples that were cut off", "cut_off_share", words.share("cut_off_share"), words.cut_off, _SAMPLES),
    _Kind("unreadable", "Samples that cannot be read", "unreadable_share", words.share("unreadable_share"), words.unreadable, _SAMPLES),
    _Kind("miscalibrated", "Confidences that are wrong", "calibration_error", words.show_calibration, words.miscalibrated, _ROUTES),
    _Kind("unstable_clusters", "Clusters that are luck", "p_value", words.show_clusters, words.unstable, _STUDY.format("clusters")),
)
