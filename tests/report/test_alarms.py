"""Alarms say whom they are about, what was found and what to do; each once."""

import polars as pl
import pytest

from tasks.lake.tables import METRICS
from tasks.report.alarms import KINDS, checks, raised
from tasks.report.figures import Figures
from tasks.report.markdown import markdown
from tasks.report.studies import sections
from tasks.report.words import verdict_sentences

EVIL = "<b>|owl`*"


def row(
    metric: str, value: float, *, study: str = "health", split: str | None = "test", n: int = 240, **about: object
) -> dict[str, object]:
    return {**dict.fromkeys(METRICS.columns), "study": study, "split": split, "metric": metric, "value": value, "n": n, **about}


ROUTER = {"router": "domains", "policy": "argmax"}
EVALUATED = [
    row("accuracy", 0.6, study="evaluation", **ROUTER),
    row("accuracy", 0.4, study="evaluation", router="domains", policy="random"),
    row("constant", 1.0, study="evaluation", **ROUTER),
    row("share", 0.99, study="evaluation", model=EVIL, **ROUTER),
    row("best_single", 1.0, study="evaluation", model=EVIL),
    row("hindsight_best", 1.0, study="evaluation", model="fox"),
]
OWL: dict[str, object] = {"model": EVIL, "benchmark": "sums"}
CLUSTERS: dict[str, object] = {"setting": "words · 50 clusters"}
PLANTED: dict[str, tuple[list[dict[str, object]], str]] = {  # alarm → the figures behind it, and what has to be said
    "contaminated": ([row("excess", 0.11, ci_low=0.02, ci_high=0.2, **OWL)], f"{EVIL} on sums +11.0 points (2.0 to 20.0)"),
    "leaked": (
        [row("same_share", 3 / 240, benchmark="sums"), row("nearly_same_share", 1 / 240, benchmark="sums")],
        "questions too: sums 3 of 240 and 1 nearly. Routers may have them by heart, which is worth at most 1.7 points",
    ),
    "misled": (
        [row("below_hindsight", -0.05, model=EVIL)],
        f"{EVIL}, the best single model on training questions, is 5.0 points below fox",
    ),
    "constant": (
        [row("largest_share", 0.99, **ROUTER)],
        f"domains with argmax is a constant: it sends at least 98 % of the questions to {EVIL}",
    ),
    "only_benchmark": (
        [row("gain_over_benchmark", 0.01, ci_low=-0.02, ci_high=0.04, **ROUTER)],
        "domains is not shown to be better than a router",
    ),
    "cannot_tell": (
        [row("detectable_gain", 0.10, **ROUTER)],
        "there are 240 test questions, and a true gain below 10.0 points would often go unseen. To see 2 points takes about 6,000.",
    ),
    "few_queries": ([row("queries", 90, split="train", n=90)], "only 90 training questions"),
    "unknown_answers": ([row("unknown_share", 0.2, **ROUTER)], "domains with argmax 20.0 % of the test questions"),
    "seldom_asked": ([row("asked_share", 0.3, split=None, model=EVIL)], f"{EVIL} 30.0 %"),
    "incomplete": ([row("incomplete_share", 0.5, split=None, model=EVIL)], f"could still win: {EVIL} 120. Run again."),
    "unreadable": ([row("unreadable_share", 0.08, split=None, ci_low=0.06, ci_high=0.1, **OWL)], f"{EVIL} on sums 8.0 % (6.0 to 10.0)"),
    "cut_off": ([row("cut_off_share", 0.08, split=None, ci_low=0.06, ci_high=0.1, **OWL)], "Raise max_new_tokens."),
    "miscalibrated": (
        [row("calibration_error", 0.18, router="domains"), row("calibration_error_by_luck", 0.03, router="domains")],
        "domains off by 18.0 % (3.0 % by luck)",
    ),
    "unstable_clusters": (
        [row("p_value", 0.7, **CLUSTERS), row("winners_agree", 0.22, **CLUSTERS), row("winners_agree_by_chance", 0.24, **CLUSTERS)],
        "words · 50 clusters 22 % (by luck 24 %)",
    ),
}


def metrics(name: str, value: float) -> pl.DataFrame:
    figures = PLANTED[name][0]
    about = {key: figures[0][key] for key in ("split", "n", "benchmark", "model", "router", "policy", "setting")}
    return pl.DataFrame([*EVALUATED, *figures, row(name, value) | about], schema=METRICS.schema)


@pytest.mark.parametrize("name", list(PLANTED))
def test_each_alarm_is_said_once_and_silent_where_it_is_not_raised(name: str) -> None:
    up, down = metrics(name, 1.0), metrics(name, 0.0)
    [sentence] = raised(Figures(up, "health"), Figures(up))
    assert PLANTED[name][1] in sentence
    assert verdict_sentences(up).alarms == [sentence]
    assert not raised(Figures(down, "health"), Figures(down))
    states = [[check.state for check in checks(Figures(one, "health"), Figures(one))] for one in (up, down)]
    assert states == [["raised", *["not looked at"] * (len(KINDS) - 1)], ["fine", *["not looked at"] * (len(KINDS) - 1)]]
    assert "<b>" not in markdown("demo", up, [])


def test_there_is_a_test_of_each_alarm() -> None:
    assert set(PLANTED) == {kind.metric for kind in KINDS}


def test_all_alarms_are_in_the_section_and_without_the_study_there_is_none() -> None:
    everything = pl.concat([metrics(name, 1.0) for name in PLANTED]).unique(METRICS.key, keep="first", maintain_order=True)
    [section] = sections(everything)
    assert section.text.startswith(
        f"{len(KINDS)} things that can spoil a comparison of routers were looked at, and {len(KINDS)} were found"
    )
    assert section.table is not None and len(section.table.rows) == len(KINDS)
    assert len(verdict_sentences(everything).alarms) == len(KINDS)
    assert not sections(pl.DataFrame(EVALUATED, schema=METRICS.schema))
    assert verdict_sentences(pl.DataFrame(EVALUATED, schema=METRICS.schema)).alarms == []


def test_of_a_router_only_the_policy_is_told_that_it_is_judged_by_and_of_many_names_a_few() -> None:
    other = [row("constant", 1.0, router="domains", policy="random"), row("largest_share", 1.0, router="domains", policy="random")]
    assert not raised(
        Figures(pl.DataFrame([*EVALUATED, *other], schema=METRICS.schema), "health"),
        Figures(pl.DataFrame(EVALUATED, schema=METRICS.schema)),
    )
    many = [
        one
        for number in range(9)
        for one in (row("unreadable", 1.0, model=f"m{number}"), row("unreadable_share", 0.1 + number / 100, model=f"m{number}"))
    ]
    [sentence] = raised(
        Figures(pl.DataFrame(many, schema=METRICS.schema), "health"), Figures(pl.DataFrame(EVALUATED, schema=METRICS.schema))
    )
    assert "m8 18.0 %, m7 17.0 %, m6 16.0 %, m5 15.0 % and 5 more" in sentence


def test_few_test_questions_are_not_told_twice() -> None:
    both = pl.concat(
        [metrics("cannot_tell", 1.0), pl.DataFrame([row("few_queries", 1.0, n=60), row("queries", 60, n=60)], schema=METRICS.schema)]
    )
    assert len(raised(Figures(both, "health"), Figures(both))) == 1
