"""What arXiv 2405.00467 found: its figures, from the result files and notebooks that its authors published, each with its source.

    read("gsm8k")[0]  →  Published("accuracy", "gemma-7b", None, None, None, 0.7111, 938, 1319, "routing_policies/…gsm8k.csv")

They stand in `paper-2405.00467.csv`: sources are files of kvadityasrivatsa/llm-routing on GitHub (MIT), or say what a figure was derived
from. Latencies are constants that were typed into a notebook; of routers, random choice and the oracle they are means over right answers.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import binomtest

FILE = Path(__file__).with_name("paper-2405.00467.csv")
LEVEL = 0.95


@dataclass(frozen=True)
class Published:
    """One figure: a share, or seconds."""

    metric: str
    model: str | None
    router: str | None
    policy: str | None
    setting: str | None
    value: float
    right: int | None  # queries that were answered right, or clusters; None where it is no count
    n: int | None  # of so many
    source: str


def read(benchmark: str) -> list[Published]:
    """The figures of one of the paper's two settings, gsm8k or mmlu, in the order of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return [
            Published(
                row["metric"],
                row["model"] or None,
                row["router"] or None,
                row["policy"] or None,
                row["setting"] or None,
                float(row["value"]),
                int(row["right"]) if row["right"] else None,
                int(row["n"]) if row["n"] else None,
                row["source"],
            )
            for row in csv.DictReader(file)
            if row["benchmark"] == benchmark
        ]


def wilson(share: float, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval of a share of `n` that are right or wrong; for one that is a mean of shares it is too wide."""
    found = binomtest(round(share * n), n).proportion_ci(confidence_level=level, method="wilson")
    return float(found.low), float(found.high)


def difference(ours: float, n: int, theirs: float, of: int, level: float = LEVEL) -> tuple[float, float]:
    """Interval of the difference of two shares whose queries are not paired (Newcombe, Statistics in Medicine 17, 1998, method 10)."""
    (low, high), (other_low, other_high) = wilson(ours, n, level), wilson(theirs, of, level)
    below, above = math.hypot(ours - low, other_high - theirs), math.hypot(high - ours, theirs - other_low)
    return ours - theirs - below, ours - theirs + above
