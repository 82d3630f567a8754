"""The verdict of a lake: printed at the end of a run and by `manyminds status`, and as a document for programs."""

from typing import Any

import polars as pl

from flows.terminal import console, print_grid, print_text
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import METRICS


def print_verdict(url: str) -> None:
    """Is routing worth it: the sentences, and each router, with its best policy, beside the single models and the baselines."""
    from tasks.report.words import verdict_sentences

    metrics = read_table(Lake(url), METRICS)
    verdicts = verdict_sentences(metrics)
    console.print()
    print_systems(metrics)
    notes = [*filter(None, [verdicts.looks]), *verdicts.alarms, *filter(None, [verdicts.censored])]
    for sentence in [f"{verdicts.answer}. {verdicts.headline}", *(verdict.sentence for verdict in verdicts.routers), *notes]:
        print_text(f"• {sentence}")


def print_systems(metrics: pl.DataFrame, in_short: bool = False) -> None:
    """Each router with the policy that it is judged by, the baselines and the single models.

    `in_short`: only the router to use, the baselines and the best single model.
    """
    from tasks.report.figures import Figures
    from tasks.report.systems import summary_table, system_name
    from tasks.report.words import verdict_sentences

    default = Figures(metrics).default
    chosen = {system_name(None, verdict.router, verdict.policy) for verdict in verdict_sentences(metrics).routers}
    chosen = {system_name(None, *default)} if in_short and default else chosen
    rows = [row for row in summary_table(metrics) if row["kind"] != "router" or row["system"] in chosen]
    shown = [row for row in rows if not in_short or row["kind"] != "model" or row["system"].endswith("(best single)")]
    names = {
        "system": "system",
        "accuracy": "accuracy",
        "interval": "95 % interval",
        "gain": "gain",
        "verdict": "verdict",
        "latency": "latency",
    }
    known = [name for name in names if any(row[name] != "–" for row in shown) or name != "latency"]
    print_grid("On test questions", [names[name] for name in known], [[row[name] for name in known] for row in shown])


def verdict_document(metrics: pl.DataFrame) -> dict[str, Any]:
    """The verdict as numbers. Accuracies and gains are shares, 0 … 1; what is not known is null.

    `answer`, `headline`: a word or two, and the sentence after it
    `router`, `policy`: those to use unless others are named, chosen on validation questions
    `best_single`: the best single model, chosen on training questions
    `alarms`: `title` and `sentence` of each that is raised, the gravest first
    `systems`: every single model, router with a policy, and baseline on all test questions: `model`, `router`, `policy`, and of the
        metrics `accuracy`, `gain`, `verdict`, `latency_s`, `cost_usd` the `value`, `ci_low`, `ci_high` and `n`, as in the table; of gains
        the interval that holds for all routers at once is `gain_corrected`
    """
    from tasks.report.alarms import checks
    from tasks.report.figures import Figures
    from tasks.report.words import verdict_sentences

    figures = Figures(metrics)
    verdicts = verdict_sentences(metrics)
    router, policy = figures.default or (None, None)
    raised = [check for check in checks(Figures(metrics, "health"), figures) if check.sentence]
    return {
        "answer": verdicts.answer,
        "headline": verdicts.headline,
        "router": router,
        "policy": policy,
        "best_single": figures.best_single,
        "alarms": [{"title": check.title, "sentence": check.sentence} for check in raised],
        "systems": [_system(figures, row.model, row.router, row.policy) for row in sorted(figures.pooled("accuracy"), key=_order)],
    }


_MEASURED = ("accuracy", "gain", "gain_corrected", "verdict", "latency_s", "cost_usd")


def _order(row: Any) -> tuple[float, str, str, str]:
    return -row.value, row.model or "", row.router or "", row.policy or ""


def _system(figures: Any, model: str | None, router: str | None, policy: str | None) -> dict[str, Any]:
    found = {metric: figures.one(metric, model=model, router=router, policy=policy) for metric in _MEASURED}
    values = {
        metric: None if one is None else {"value": one.value, "ci_low": one.ci_low, "ci_high": one.ci_high, "n": one.n}
        for metric, one in found.items()
    }
    return {"model": model, "router": router, "policy": policy} | values
