"""The page's tables, as rows of text; the words around them stand in `page.html.jinja`.

gains_by_benchmark(figures)["rows"][0]   {"name": "domains · argmax", "cells": [("+0.4", "−1.0 to 1.9", "")], …}
"""

from typing import Any

import polars as pl

from tasks.report.figures import BASELINES, Figure, Figures, between, by_place, percent, seconds, signed
from tasks.report.systems import leading, router_name, system_name

SPLITS = ("train", "validation", "test")
_SAVED = ("decided_early", "samples_saved", "tokens_saved", "seconds_saved")


def by_benchmark(figures: Figures) -> dict[str, Any] | None:
    """Accuracy on every benchmark, of routers with their leading policies; None where there is only one benchmark."""
    if len(figures.benchmarks) < 2:
        return None
    rows, first = [], leading(figures)
    systems = sorted(
        (row for row in figures.pooled("accuracy") if _is_leading(row, first)),
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


def gains_by_benchmark(figures: Figures) -> dict[str, Any] | None:
    """Gain of each router, and of what could be had, over the router that knows only the benchmark; None for a single benchmark."""
    names = figures.benchmarks
    if len(names) < 2:
        return None
    routers = [*sorted(leading(figures)), ("subject", "argmax"), ("hindsight-benchmark", None), ("oracle-without-luck", None)]
    rows: list[dict[str, Any]] = []
    for router, policy in routers:
        name = {"router": router, "policy": policy}
        places = [figures.one("gain_over_benchmark", benchmark=benchmark, **name) for benchmark in names]
        macro = figures.one("macro_gain_over_benchmark", **name)
        if any(places):
            cells = [(*_gain(cell), _side(cell) if router not in BASELINES else "") for cell in [*places, macro]]
            rows.append({"name": system_name(None, router, policy), "order": macro.value if macro else 0.0, "cells": cells})
    rows.sort(key=lambda row: (-row["order"], row["name"]))
    return {"names": names, "rows": rows} if rows else None


def preferences(figures: Figures) -> dict[str, Any] | None:
    """Of each router and benchmark, how well it tells which of the two best models is right; None where nothing tells that."""
    known = {(row.router, row.benchmark): row for row in figures.all("preference_auc")}
    counts: dict[str, int] = {}  # questions that tell
    for row in known.values():
        counts[row.benchmark or ""] = max(counts.get(row.benchmark or "", 0), row.n or 0)
    names = sorted(counts)
    rows = []
    for router, _ in figures.routers:
        cells = [known.get((router, benchmark)) for benchmark in names]
        if any(cells):
            rows.append(
                {
                    "name": router,
                    "cells": [(f"{cell.value:.2f}", _of_one(cell), _side(cell, 0.5)) if cell else ("–", "", "") for cell in cells],
                }
            )
    return {"names": [(name, counts[name]) for name in names], "rows": rows} if rows else None


def reliabilities(figures: Figures, router: str) -> list[dict[str, Any]]:
    """How good the router's confidences are on each benchmark, and in each model."""
    models = sorted({row.model for row in figures.pooled("accuracy") if row.model is not None})
    benchmarks = figures.benchmarks if len(figures.benchmarks) > 1 else []
    places = [{"benchmark": name} for name in benchmarks] + [{"model": name} for name in models]
    rows = []
    for place in places:
        brier, error = (figures.one(metric, router=router, **place) for metric in ("brier", "calibration_error"))
        if brier and error:
            ((kind, name),) = place.items()
            rows.append({"kind": kind, "name": name, "brier": f"{brier.value:.3f}", "error": percent(error.value)})
    return rows


def shares(figures: Figures) -> dict[str, Any]:
    """How often each router and policy chooses each model."""
    shares = {(row.router, row.policy, row.model): row.value for row in figures.pooled("share")}
    models = sorted({model for _, _, model in shares if model})
    systems = [("benchmark", "argmax"), *((router, policy) for router, policies in figures.routers for policy in policies)]
    first = leading(figures) | {("benchmark", "argmax")}
    rows = [
        {
            "name": system_name(None, router, policy),
            "is_main": (router, policy) in first,
            "cells": [shares.get((router, policy, model), 0.0) for model in models],
        }
        for router, policy in systems
        if any((router, policy, model) in shares for model in models)
    ]
    return {"models": models, "rows": rows}


def heat(figures: Figures, router: str, policy: str) -> dict[str, Any] | None:
    """Model by subject (by benchmark, where there are no subjects): how often the router chooses it, and which was best there."""
    of_router = [row for row in figures.all("share") if (row.router, row.policy) == (router, policy) and row.benchmark is not None]
    of_router = by_place(of_router)
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


def confidences(figures: Figures) -> list[dict[str, str]]:
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
                "router": router_name(router),
                "brier": f"{brier.value:.3f}",
                "error": percent(error.value if error else None),
                "f1": f"{f1.value:.3f}" if f1 else "–",
                "upper": percent(upper.value if upper else None),
                "time": seconds(time.value if time else None),
            }
        )
    return rows


def voting(figures: Figures) -> list[dict[str, Any]]:
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


def data(queries: pl.DataFrame) -> list[dict[str, Any]]:
    """Questions of each benchmark by split."""
    counts = {(benchmark, split): n for benchmark, split, n in queries.group_by("benchmark", "split").len().iter_rows()}
    return [
        {"benchmark": benchmark, "counts": [counts.get((benchmark, split), 0) for split in SPLITS]}
        for benchmark in sorted({name for name, _ in counts})
    ]


def _is_leading(row: Figure, first: set[tuple[str, str]]) -> bool:
    """Whether the row is of a model, a baseline, or a router with its leading policy. (The best single model is there as a model.)"""
    return row.router != "best-single" and (row.router is None or row.router in BASELINES or (row.router, row.policy) in first)


def _gain(cell: Figure | None) -> tuple[str, str]:
    return (signed(cell.value), between(cell)) if cell else ("–", "")


def _of_one(cell: Figure) -> str:
    """The interval of a share, not in per cent: "0.46 to 0.60"."""
    return f"{cell.ci_low:.2f} to {cell.ci_high:.2f}" if cell.ci_low is not None and cell.ci_high is not None else "–"


def _side(cell: Figure | None, middle: float = 0.0) -> str:
    """Where the whole interval lies: "beats" above `middle`, "loses" below, "" if it holds it or is not known."""
    if cell is None or cell.ci_low is None or cell.ci_high is None:
        return ""
    return "beats" if cell.ci_low > middle else "loses" if cell.ci_high < middle else ""
