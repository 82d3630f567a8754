"""Looking figures up in the metrics table, and writing them as people read them.

figures.one("gain", router="kmeans-tfidf", policy="argmax").value        0.062
percent(0.062), points(0.062), between(figure)                           "6.2 %", "6.2 points", "2.1 to 10.3"
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

BASELINES = ("best-single", "benchmark", "subject", "random", "hindsight-benchmark", "oracle", "oracle-without-luck")
NAME = ("benchmark", "subject", "split", "model", "router", "policy", "setting")


@dataclass(frozen=True)
class Figure:
    """One row of the metrics table. `value` is not null; the interval and `n` may be."""

    benchmark: str | None
    subject: str | None
    split: str | None
    model: str | None
    router: str | None
    policy: str | None
    setting: str | None
    metric: str
    value: float
    ci_low: float | None
    ci_high: float | None
    n: int | None


class Figures:
    """The figures of one study, by name. What is not given is null: all benchmarks, no router, …"""

    def __init__(self, metrics: pl.DataFrame, study: str = "evaluation") -> None:
        rows = metrics.filter((pl.col("study") == study) & pl.col("value").is_not_null()).drop("study")
        self.rows = [Figure(**row) for row in rows.select(Figure.__dataclass_fields__.keys()).iter_rows(named=True)]
        self._by_name = {(row.metric, *(getattr(row, key) for key in NAME)): row for row in self.rows}

    def one(self, metric: str, *, split: str | None = "test", **name: str | None) -> Figure | None:
        """The figure of exactly that name, if there is one."""
        wanted = {"split": split, **name}
        return self._by_name.get((metric, *(wanted.get(key) for key in NAME)))

    def all(self, metric: str, *, split: str | None = "test") -> Iterator[Figure]:
        """Every figure of that metric, whoever it is about."""
        return (row for row in self.rows if (row.metric, row.split) == (metric, split))

    def pooled(self, metric: str) -> Iterator[Figure]:
        """Figures over all test queries together."""
        return (row for row in self.all(metric) if row.benchmark is None and row.subject is None)

    @property
    def benchmarks(self) -> list[str]:
        """Benchmarks with test queries, sorted."""
        return sorted({row.benchmark for row in self.all("accuracy") if row.benchmark is not None})

    @property
    def best_single(self) -> str | None:
        """The best single model, chosen on training queries."""
        return next((row.model for row in self.pooled("best_single")), None)

    @property
    def default(self) -> tuple[str, str] | None:
        """Router and policy chosen on validation queries."""
        return next(((row.router, row.policy) for row in self.all("default", split="validation") if row.router and row.policy), None)

    @property
    def routers(self) -> list[tuple[str, list[str]]]:
        """Each trained router with its policies on test queries, by name; argmax first, as-published last."""
        policies: dict[str, list[str]] = {}
        for row in self.pooled("accuracy"):
            if row.router is not None and row.policy is not None and row.router not in BASELINES:
                policies.setdefault(row.router, []).append(row.policy)
        return [
            (router, sorted(policies[router], key=lambda policy: (policy != "argmax", policy.endswith("-as-published"), policy)))
            for router in sorted(policies)
        ]


def by_place(rows: Sequence[Figure]) -> list[Figure]:
    """Of figures of benchmarks and of their subjects those of the subjects, and those of benchmarks that have none."""
    divided = {row.benchmark for row in rows if row.subject is not None}
    return [row for row in rows if row.subject is not None or row.benchmark not in divided]


def percent(value: float | None, digits: int = 1) -> str:
    """A share as text: 0.7161 → "71.6 %"."""
    return "–" if value is None else f"{100 * value + 0:.{digits}f} %"


def points(value: float) -> str:
    """A difference of shares in percentage points: -0.062 → "6.2 points"; the words around it say which way."""
    return f"{abs(100 * value):.1f} points"


def signed(value: float | None) -> str:
    """A difference of shares with its sign: 0.062 → "+6.2"."""
    return "–" if value is None else f"{_tenths(value):+.1f}".replace("-", "−")


def between(figure: Figure | None) -> str:
    """The 95 % interval of a share: "2.1 to 10.3", or "–"."""
    if figure is None or figure.ci_low is None or figure.ci_high is None:
        return "–"
    return f"{_tenths(figure.ci_low):.1f} to {_tenths(figure.ci_high):.1f}".replace("-", "−")


def seconds(value: float | None) -> str:
    """Three significant digits, in a unit that people read: "1.38 s", "0.23 ms", "1 µs"."""
    if value is None:
        return "–"
    unit, scale = ("s", 1) if value >= 0.01 or value == 0 else ("ms", 1e3) if value >= 1e-5 else ("µs", 1e6)
    return f"{_short(scale * value)} {unit}"


def dollars(value: float | None) -> str:
    """US dollars per thousand queries: 0.000345 per query → "$0.345"."""
    return "–" if value is None else f"${_short(1000 * value)}"


def _tenths(share: float) -> float:
    """In per cent, to one digit; what is nearly nothing has no sign."""
    return round(100 * share, 1) + 0.0


def _short(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 0.0001 else f"{value:.1g}"
