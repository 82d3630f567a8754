"""What is compared, as people read it: names, a line on each baseline, the table of systems.

    system                    accuracy   gain   verdict
    oracle                      77.5 %  +22.9   –
    domains · argmax            58.9 %   +4.3   beats
    knows only the benchmark    58.7 %   +4.1   –
    mistral (best single)       54.6 %      –   –

With ten routers and seven policies each, seventy rows would hide what matters: `leading` says which routers' rows come first.
"""

import polars as pl

from tasks.report.figures import BASELINES, Figures, between, dollars, percent, seconds, signed

BASELINE_NAMES = {
    "best-single": "best single model (router)",
    "benchmark": "knows only the benchmark",
    "subject": "knows only the subject",
    "random": "random choice",
    "hindsight-benchmark": "best model of each benchmark, in hindsight",
    "oracle": "oracle",
    "oracle-without-luck": "oracle, luck taken out",
    "single-models": "single models",
}
BASELINE_LINES = {
    "oracle": "some model is right, by knowledge or by luck",
    "oracle-without-luck": "the oracle less what guesses and lucky samples explain: what a perfect router could count on, at most",
    "hindsight-benchmark": "for each benchmark the model that is best on these very questions: all that knowing the benchmark can bring",
    "subject": "for each subject the model that did best on its training questions, the fewer they are the nearer to its benchmark’s",
    "benchmark": "for each benchmark the model that did best on its training questions: what routers must beat to be more",
    "random": "expected accuracy of a uniform draw",
}
KINDS = ["oracle", "oracle-without-luck", "router", "hindsight-benchmark", "subject", "benchmark", "best-single", "model", "random"]
_VERDICT_WORD = {1: "beats", 0: "ties", -1: "loses"}


def system_name(model: str | None, router: str | None, policy: str | None) -> str:
    """How a system is called in tables and charts: "general", "kmeans-tfidf · argmax", "oracle"."""
    if model is not None:
        return model
    return router_name(router or "") if router in BASELINES else f"{router} · {policy}"


def router_name(router: str) -> str:
    """How a router is called where its policy does not matter."""
    return BASELINE_NAMES.get(router, router)


def leading(figures: Figures) -> set[tuple[str, str]]:
    """Each router with argmax (its first policy, where it lacks that), and the pair that validation questions chose."""
    first = {(router, policies[0]) for router, policies in figures.routers}
    return first | ({figures.default} if figures.default else set())


def shown_first(figures: Figures) -> tuple[str, str] | None:
    """Router and policy that the page shows in detail: those chosen on validation questions, else the first by name; None without any."""
    return figures.default or next(((router, policies[0]) for router, policies in figures.routers), None)


def judged(figures: Figures) -> list[tuple[str, str]]:
    """Each router with the policy that it is judged by, in the order of names.

    The default router's own policy; else the most accurate on *validation* questions, else the router's first.
    """
    return [(router, _judging(figures, router, policies)) for router, policies in figures.routers]


def _judging(figures: Figures, router: str, policies: list[str]) -> str:
    if figures.default is not None and figures.default[0] == router and figures.default[1] in policies:
        return figures.default[1]

    def accuracy(policy: str) -> float:
        found = figures.one("accuracy", split="validation", router=router, policy=policy)
        return -found.value if found else 0.0

    honest = [policy for policy in policies if not policy.endswith("-as-published")] or policies
    return min(honest, key=accuracy)


def foremost(figures: Figures, count: int) -> list[str]:
    """At most `count` routers to draw, by accuracy on *validation* questions, the default router first."""

    def order(named: tuple[str, list[str]]) -> tuple[bool, float, str]:
        router, policies = named
        found = figures.one("accuracy", split="validation", router=router, policy=policies[0])
        return (figures.default is None or router != figures.default[0], -found.value if found else 0.0, router)

    return [router for router, _ in sorted(figures.routers, key=order)[:count]]


def left_out(figures: Figures, count: int) -> str:
    """A sentence on the routers that are not among the `count` that are drawn, if there are any."""
    more = len(figures.routers) > count
    return f" Drawn are the {count} routers that did best on validation questions; the table has all." if more else ""


def summary_table(metrics: pl.DataFrame) -> list[dict[str, str]]:
    """One row per system on all test questions, best first: system, kind, rank, accuracy, interval, gain, verdict, latency, cost.

    `rank` is "more" for a router's policies beside the leading one, else "main". The gains of routers have the intervals that hold for
    all of them at once, as the verdicts do. All values are text for people. The names in it come from a run file or an imported
    table: escape them for where they go.
    """
    figures = Figures(metrics)
    first = leading(figures)
    rows = sorted(
        (row for row in figures.pooled("accuracy") if row.router != "best-single"),  # the model itself is there already
        key=lambda row: (-row.value, KINDS.index(_kind(row.model, row.router)), row.router or row.model or "", row.policy or ""),
    )
    table = []
    for row in rows:
        name = {"model": row.model, "router": row.router, "policy": row.policy}
        gain, verdict = figures.one("gain_corrected", **name) or figures.one("gain", **name), figures.one("verdict", **name)
        latency, cost = figures.one("latency_s", **name), figures.one("cost_usd", **name)
        is_best = row.model is not None and row.model == figures.best_single
        kind = _kind(row.model, row.router)
        table.append(
            {
                "system": system_name(row.model, row.router, row.policy) + (" (best single)" if is_best else ""),
                "kind": kind,
                "rank": "more" if kind == "router" and (row.router, row.policy) not in first else "main",
                "accuracy": percent(row.value),
                "interval": between(row),
                "gain": signed(gain.value if gain else None),
                "gain_interval": between(gain),
                "verdict": _VERDICT_WORD[int(verdict.value)] if verdict and row.router not in BASELINES else "–",
                "latency": seconds(latency.value if latency else None),
                "cost": dollars(cost.value if cost else None),
                "n": f"{row.n:,}",
            }
        )
    return table


def _kind(model: str | None, router: str | None) -> str:
    if model is not None:
        return "model"
    return router if router in BASELINES else "router"
