"""The report: one HTML file that needs nothing else, no network, no server.

    render("demo", queries, votes, scores, routes, metrics, notes=["…"], settings={"k": "10"})  →  "<!doctype html>…"

The verdict comes first, then what it rests on. Everything that a question, a model or a name says is untrusted: Jinja2
escapes it, chart data cannot leave its script element, and the page's own policy lets no other script run and nothing be
fetched. Tables carry every figure that a chart shows.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import polars as pl

from tasks.report.charts import charts
from tasks.report.examples import examples
from tasks.report.figures import BASELINES, Figures, between, percent, seconds
from tasks.report.words import BASELINE_NAMES, summary_table, system_name, verdict_sentences

SPLITS = ("train", "validation", "test")
_SAVED = ("decided_early", "samples_saved", "tokens_saved", "seconds_saved")


def render(
    run_name: str,
    queries: pl.DataFrame,
    votes: pl.DataFrame,
    scores: pl.DataFrame,
    routes: pl.DataFrame,
    metrics: pl.DataFrame,
    notes: Sequence[str],
    settings: Mapping[str, str],
) -> str:
    """The page, from whole tables. `notes`: what a reader should know about the data; `settings`: name → value."""
    import jinja2
    from markupsafe import Markup

    figures = Figures(metrics)
    verdicts = verdict_sentences(metrics)
    bundle, drawing = _bundle(), _DRAWING
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tasks.report", package_path=""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = figures.default or next(((router, policies[0]) for router, policies in figures.routers), None)
    return environment.get_template("page.html.jinja").render(
        run_name=run_name,
        verdicts=verdicts,
        charts={
            name: {**vars(chart), "specification": Markup(chart.specification)} for name, chart in charts(figures, verdicts.routers).items()
        },
        systems=summary_table(metrics),
        benchmarks=_by_benchmark(figures),
        shares=_shares(figures),
        heat=_heat(figures, *shown) if shown else None,
        confidences=_confidences(figures),
        voting=_voting(figures),
        data=_data(queries),
        sizes={
            "queries": queries.height,
            "votes": votes.height,
            "scores": scores.height,
            "routes": routes.height,
            "metrics": metrics.height,
        },
        examples=examples(queries, votes, routes, figures.best_single, *shown) if shown and figures.best_single else [],
        best_single=figures.best_single,
        shown=system_name(None, *shown) if shown else None,
        notes=notes,
        settings=settings,
        bundle=Markup(bundle),
        drawing=Markup(drawing),
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {_hash(bundle)} {_hash(drawing)}",
        percent=percent,
    )


# `ast` makes Vega interpret its expressions, so that the page needs no right to make code out of text.
_DRAWING = """
for (const figure of document.querySelectorAll("figure[data-chart]")) {
  const specification = JSON.parse(figure.querySelector("script").textContent);
  vegaEmbed(figure.querySelector(".drawing"), specification, {renderer: "svg", actions: false, ast: true});
}
"""


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that may stand inside a script element."""
    import vl_convert

    script: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub forgets the default
    return script.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(script: str) -> str:
    """As a content security policy names a script that may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _by_benchmark(figures: Figures) -> dict[str, Any] | None:
    """Accuracy of every system on every benchmark; None where there is only one."""
    if len(figures.benchmarks) < 2:
        return None
    rows = []
    systems = sorted(
        (row for row in figures.pooled("accuracy") if row.router != "best-single"),
        key=lambda row: (-row.value, row.model or "", row.router or "", row.policy or ""),
    )
    for system in systems:
        name = {"model": system.model, "router": system.router, "policy": system.policy}
        cells = [figures.one("accuracy", benchmark=benchmark, **name) for benchmark in figures.benchmarks]
        macro = figures.one("macro_accuracy", **name)
        rows.append(
            {
                "name": system_name(**name),
                "cells": [(percent(cell.value) if cell else "–", between(cell)) for cell in cells],
                "macro": (percent(macro.value) if macro else "–", between(macro)),
            }
        )
    counts = [
        max((row.n or 0 for row in figures.all("accuracy") if (row.benchmark, row.subject) == (name, None)), default=0)
        for name in figures.benchmarks
    ]
    return {"names": list(zip(figures.benchmarks, counts, strict=True)), "rows": rows}


def _shares(figures: Figures) -> dict[str, Any]:
    """How often each router and policy chooses each model."""
    shares = {(row.router, row.policy, row.model): row.value for row in figures.pooled("share")}
    models = sorted({model for _, _, model in shares if model})
    systems = [("benchmark", "argmax"), *((router, policy) for router, policies in figures.routers for policy in policies)]
    rows = [
        {"name": system_name(None, router, policy), "cells": [shares.get((router, policy, model), 0.0) for model in models]}
        for router, policy in systems
        if any((router, policy, model) in shares for model in models)
    ]
    return {"models": models, "rows": rows}


def _heat(figures: Figures, router: str, policy: str) -> dict[str, Any] | None:
    """Model by subject (by benchmark, where there are no subjects): how often the router chooses it, and which was best there."""
    of_router = [row for row in figures.all("share") if (row.router, row.policy) == (router, policy) and row.benchmark is not None]
    if any(row.subject is not None for row in of_router):
        of_router = [row for row in of_router if row.subject is not None]
    places = sorted({(row.benchmark or "", row.subject or "") for row in of_router})
    shares = {(row.benchmark or "", row.subject or "", row.model): row.value for row in of_router}
    models = sorted({row.model for row in figures.pooled("accuracy") if row.model is not None})
    rows = []
    for benchmark, subject in places:
        where = {"benchmark": benchmark, "subject": subject or None}
        mine = figures.one("accuracy", router=router, policy=policy, **where)
        known = [(found.value, model) for model in models if (found := figures.one("accuracy", model=model, **where))]
        best = max(known, key=lambda pair: pair[0], default=None)
        rows.append(
            {
                "benchmark": benchmark,
                "subject": subject,
                "n": mine.n if mine else 0,
                "accuracy": percent(mine.value, 0) if mine else "–",
                "best": f"{best[1]} ({percent(best[0], 0)})" if best else "–",
                "cells": [shares.get((benchmark, subject, model), 0.0) for model in models],
            }
        )
    return {"models": models, "rows": rows} if rows else None


def _confidences(figures: Figures) -> list[dict[str, str]]:
    """How good each router's confidences are."""
    rows = []
    for router in ["benchmark", *(router for router, _ in figures.routers)]:
        brier, error = figures.one("brier", router=router), figures.one("calibration_error", router=router)
        f1, upper = figures.one("weighted_f1", router=router), figures.one("classifier_upper_bound", router=router)
        time = figures.one("router_seconds", split=None, router=router)
        if brier is None:
            continue
        rows.append(
            {
                "router": BASELINE_NAMES[router] if router in BASELINES else router,
                "brier": f"{brier.value:.3f}",
                "error": percent(error.value if error else None),
                "f1": f"{f1.value:.3f}" if f1 else "–",
                "upper": percent(upper.value if upper else None),
                "time": seconds(time.value if time else None),
            }
        )
    return rows


def _voting(figures: Figures) -> list[dict[str, Any]]:
    """How the samples of each model voted; empty where outcomes were imported."""
    rows = []
    for ambiguous in sorted(figures.pooled("ambiguous"), key=lambda row: row.model or ""):
        agreement, unreadable = figures.one("agreement", model=ambiguous.model), figures.one("unreadable", model=ambiguous.model)
        accuracy = figures.one("accuracy", model=ambiguous.model)
        single = figures.one("expected_accuracy", model=ambiguous.model)
        rows.append(
            {
                "model": ambiguous.model or "",
                "agreement": percent(agreement.value if agreement else None),
                "ambiguous": percent(ambiguous.value),
                "unreadable": percent(unreadable.value if unreadable else None),
                "accuracy": percent(accuracy.value if accuracy else None),
                "single": percent(single.value if single else None),
                "saved": [
                    percent(found.value if found else None) for found in (figures.one(metric, model=ambiguous.model) for metric in _SAVED)
                ],
            }
        )
    return rows


def _data(queries: pl.DataFrame) -> list[dict[str, Any]]:
    """Questions of each benchmark by split."""
    counts = {(benchmark, split): n for benchmark, split, n in queries.group_by("benchmark", "split").len().iter_rows()}
    return [
        {"benchmark": benchmark, "counts": [counts.get((benchmark, split), 0) for split in SPLITS]}
        for benchmark in sorted({name for name, _ in counts})
    ]
