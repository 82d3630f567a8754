"""Which of the two best models is right: can a router tell at all?

    gsm8k, kmeans-tfidf: preference_auc 0.53, interval 0.46 … 0.60, n = 210

Of a benchmark's two models that are best on training queries, take the test queries where exactly one is right. If the router's
confidence in the first less that in the second is higher where the first is right, for 53 % of the pairs of such queries (ties count
half), the area under the ROC curve is 0.53. A router that only knows the benchmark has 0.5: this is what it adds *inside* a benchmark.
The standard error is DeLong's (DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988); the interval is symmetric in the log odds of the
area (Pepe, The Statistical Evaluation of Medical Tests, 2003, section 5.2), with the normal distribution's 1.96. Symmetric around the
area itself it would hold the truth too rarely where one of the two models is seldom the right one: 94 % with 22 such queries, 88 % with 10.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import expit, logit

from tasks.evaluation.figures import Row, row
from tasks.evaluation.intervals import LEVEL, mean
from tasks.evaluation.systems import FloatArray, Sheet

FEWEST = 30  # queries where exactly one is right, below which nothing is said
NORMAL = 1.96


def preference_aucs(sheet: Sheet, training: Sheet, confidences: Mapping[str, FloatArray]) -> list[Row]:
    """Row `preference_auc` of each router and benchmark; null where fewer than FEWEST queries tell.

    `training`: the training queries by the same models. Where they have none of the benchmark, its two best models are those of all.
    """
    rows = []
    for benchmark in sheet.queries["benchmark"].unique().sort():
        pair = _two_best(training, benchmark)
        if pair is None:
            continue
        here = sheet.queries["benchmark"].to_numpy() == benchmark
        difference = sheet.reward[here, pair[0]] - sheet.reward[here, pair[1]]
        right = sheet.reward[here][:, list(pair)] > 0.5
        for router, values in confidences.items():
            leaning = values[here, pair[0]] - values[here, pair[1]]
            tells = ~np.isnan(difference + leaning) & (right[:, 0] != right[:, 1])
            first, second = leaning[tells & right[:, 0]], leaning[tells & right[:, 1]]
            n = int(tells.sum())
            value, low, high = area(first, second) if n >= FEWEST else (np.nan, np.nan, np.nan)
            rows.append(row("preference_auc", value, n, low=low, high=high, router=router, benchmark=benchmark))
    return rows


def area(first: FloatArray, second: FloatArray) -> tuple[float, float, float]:
    """Area under the ROC curve and its 95 % interval: how often a value of `first` is above one of `second`. NaN if either is empty.

    Without an interval (NaN) where either has one value only.
    """
    if not len(first) or not len(second):
        return np.nan, np.nan, np.nan
    ranks = _ranks(np.concatenate([first, second]))
    of_first = (ranks[: len(first)] - _ranks(first)) / len(second)  # share of `second` that is below each
    of_second = 1 - (ranks[len(first) :] - _ranks(second)) / len(first)
    value = float(of_first.mean())
    if len(first) < 2 or len(second) < 2:
        return value, np.nan, np.nan
    error = float(np.sqrt(of_first.var(ddof=1) / len(first) + of_second.var(ddof=1) / len(second)))
    if value in (0, 1):  # as wide as the interval of a share of which all are alike, of so many as there are of the fewer
        reach = 1 - ((1 - LEVEL) / 2) ** (1 / min(len(first), len(second)))
        return value, max(0.0, value - reach), min(1.0, value + reach)
    if error == 0:
        return value, value, value
    reach = NORMAL * error / (value * (1 - value))
    return value, float(expit(logit(value) - reach)), float(expit(logit(value) + reach))


def _ranks(values: FloatArray) -> FloatArray:
    """1 … n, the mean rank where several are equal."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: FloatArray = (counts.cumsum() - (counts - 1) / 2)[place]
    return ranks


def _two_best(training: Sheet, benchmark: str) -> tuple[int, int] | None:
    """Columns of the two models with the highest mean reward on the benchmark's training queries, the first by name of equals."""
    here = (training.queries["benchmark"] == benchmark).to_numpy()
    rewards, n = mean(training.reward[here] if here.any() else training.reward)
    order = np.lexsort((np.arange(len(n)), -np.nan_to_num(rewards, nan=-1)))
    return (int(order[0]), int(order[1])) if len(n) > 1 and n[order[1]] else None
