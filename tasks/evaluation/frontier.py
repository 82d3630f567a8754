"""What accuracy costs: the best mean accuracy that a router reaches for each mean cost.

A router's confidences and expected costs give a choice for every weight of cost: the model with the highest confidence - weight · cost.
Weight 0 is the most confident model, an infinite one the cheapest, and each weight a point (mean cost, mean accuracy) of what the
chosen models really cost and earned on test queries. Between two points lie their mixtures (toss a coin per query), so that the
frontier is the points' non-decreasing convex hull:

    point   cost   accuracy
    0       0.10       0.60      the cheapest
    1       0.20       0.75
    .       0.60       0.76      below the line from 1 to 2: no corner
    2       1.00       0.83      the dearest that pays

*Area* (AIQ in Hu et al., RouterBench, arXiv 2403.12031, section 3): the frontier's mean height between the mean costs of the cheapest
and of the dearest single model,

    area = 1 / (c_max - c_min) · ∫ frontier(c) dc  from c_min to c_max

where a router that is done before c_max keeps its accuracy, and the cheapest single model is a point of every frontier, so that each
begins at c_min or before. *Share*: the cost at which the frontier reaches the accuracy of the best single model (chosen on training
queries) less one point, divided by what that model costs. "gpt-4's accuracy less a point for 0.27 of its price": 0.27.

Corners are picked where test queries liked them, and that is luck too. `frontier_luck` says how much of it the area has: by how much
the areas of resamples exceed it on average (the bootstrap's estimate of a bias: Efron and Tibshirani, An Introduction to the Bootstrap,
1993, chapter 10). Resampling picks corners anew and so adds the same luck once more; the interval of an area, twice the area less the
quantiles of the resampled (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 5.2), takes both out again and
may lie off centre. Differences of two areas are of the same resamples, and are treated alike. A share has the plain quantiles. (Tried
on 250 planted data sets each of 150 and of 600 queries: such intervals of areas hold the truth in 90 to 96 % of them, of shares in 94 to
97 %; with 150 queries a router's area has 0.006 of luck, and `frontier_luck` says 0.006.)
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.evaluation.figures import Row, row
from tasks.evaluation.intervals import FEWEST, LEVEL, Resamples, interval, mean
from tasks.evaluation.systems import FloatArray, IntArray, Sheet

SINGLE_MODELS, ORACLE = "single-models", "oracle"
WEIGHTS = 30  # of cost, beside 0 and infinity
LESS = 0.01  # accuracy that may be missing of the best single model's


@dataclass(frozen=True)
class Points:
    """What a router does at each weight; both float64 (queries, points), NaN where not known."""

    router: str
    cost: FloatArray
    accuracy: FloatArray


def frontier_rows(
    sheet: Sheet,
    cost: FloatArray,
    scores: Mapping[str, tuple[FloatArray, FloatArray]],
    own_cost: Mapping[str, float | FloatArray],
    best_single: str | None,
    resamples: Resamples,
) -> list[Row]:
    """Rows `frontier_…` and `macro_frontier_area` of single models, of the oracle, and of each router whose expected costs are known.

    `cost`: what each model really cost, float64 (queries, models). `scores`: router → its confidences and expected costs, of the same
    shape. `own_cost`: what a router itself costs, for any query or, of the same shape, before it chooses a model; 0 where it is not
    named. No rows where costs are not known, or where all models cost the same.
    """
    reward = np.where(np.isnan(cost), np.nan, sheet.reward)
    cost = np.where(np.isnan(reward), np.nan, cost)
    means, known = mean(cost)
    if known.max(initial=0) == 0 or np.nanmin(means) == np.nanmax(means):
        return []
    cheapest, dearest = int(np.nanargmin(means)), int(np.nanargmax(means))
    families = [Points(SINGLE_MODELS, cost, reward), points(ORACLE, reward, cost, reward, cost, cheapest)]
    families += [
        points(router, confidence, expected, reward, cost, cheapest, own_cost.get(router, 0.0))
        for router, (confidence, expected) in sorted(scores.items())
        if not np.isnan(expected).all()
    ]
    n = {family.router: int((~np.isnan(family.accuracy)).any(axis=1).sum()) for family in families}
    pooled, macro = _resampled(families, sheet.queries["benchmark"].to_numpy(), resamples)
    areas, macro_areas = ({router: _area(*of, *_ends(part, cheapest, dearest)) for router, of in part.items()} for part in (pooled, macro))

    rows = []
    for router, (costs, accuracies) in pooled.items():
        rows += _corners(router, costs[:1], accuracies[:1], n[router])
        rows.append(_reflected("frontier_area", areas[router], router, n[router]))
        rows.append(row("frontier_luck", areas[router][1:].mean() - areas[router][0], n[router], router=router))
        rows.append(_reflected("macro_frontier_area", macro_areas[router], router, n[router]))
        if best_single in sheet.models:
            column = sheet.models.index(best_single)
            single = pooled[SINGLE_MODELS][0][:, column], pooled[SINGLE_MODELS][1][:, column]
            rows += _share_rows(router, _cost_at(costs, accuracies, single[1] - LESS) / single[0], n[router])
        for metric, opponent in (("frontier_gain", SINGLE_MODELS), ("frontier_gain_over_benchmark", "benchmark")):
            if opponent in areas and router not in (SINGLE_MODELS, opponent):
                rows.append(_reflected(metric, areas[router] - areas[opponent], router, min(n[router], n[opponent])))
    return rows


def points(
    router: str,
    confidence: FloatArray,
    expected: FloatArray,
    reward: FloatArray,
    cost: FloatArray,
    cheapest: int,
    own_cost: float | FloatArray = 0.0,
) -> Points:
    """What the router chooses at each weight, among models that are known on the query; and the cheapest single model."""
    usable = ~np.isnan(confidence + expected + reward)
    confidence, expected = np.where(usable, confidence, -np.inf), np.where(usable, expected, 0.0)
    choices = [
        (np.where(usable, -expected, -np.inf) if np.isinf(weight) else confidence - weight * expected).argmax(axis=1)
        for weight in _weights(confidence, expected)
    ]
    chosen = np.column_stack(list({choice.tobytes(): choice for choice in choices}.values()))  # many weights choose the same
    answered = usable.any(axis=1, keepdims=True)

    def of_chosen(values: FloatArray) -> FloatArray:
        taken = np.where(answered, np.take_along_axis(values, chosen, axis=1), np.nan)
        return np.column_stack([taken, values[:, cheapest]])

    costs = of_chosen(cost + own_cost)
    costs[:, -1] = cost[:, cheapest]  # who always asks the cheapest needs no router
    return Points(router, costs, of_chosen(reward))


def _weights(confidence: FloatArray, expected: FloatArray) -> FloatArray:
    """0, infinity, and quantiles of the weights at which some query would change to a cheaper model: no unit has to be known."""
    best = confidence.argmax(axis=1)[:, None]
    less = np.take_along_axis(confidence, best, axis=1) - confidence
    saved = np.take_along_axis(expected, best, axis=1) - expected
    cheaper = (saved > 0) & np.isfinite(less)
    changes = less[cheaper] / saved[cheaper]
    inner = np.quantile(changes, np.linspace(0, 1, WEIGHTS)) if len(changes) else np.zeros(0)
    # A little more, so that the query that gives the weight does change.
    return np.concatenate([[0.0], np.unique(inner) * (1 + 1e-9), [np.inf]])


Curve = tuple[FloatArray, FloatArray]  # mean cost and mean accuracy, both (1 + draws, points): of the queries as they are, then of draws


def _resampled(families: list[Points], benchmarks: npt.NDArray[Any], resamples: Resamples) -> tuple[dict[str, Curve], dict[str, Curve]]:
    """Router → its curves over all queries, and with benchmarks weighted equally."""
    values = np.hstack([half for family in families for half in (family.cost, family.accuracy)])
    total, count, means, known = np.zeros((4, 1 + len(resamples.counts), values.shape[1]))
    for name in sorted(set(benchmarks)):
        here = np.flatnonzero(benchmarks == name)
        drawn, n = resamples.totals(values, here)
        sums = np.vstack([np.nansum(values[here], axis=0), drawn])
        counts = np.vstack([(~np.isnan(values[here])).sum(axis=0), n])
        total += sums
        count += counts
        means += sums / np.maximum(counts, 1)
        known += counts > 0
    with np.errstate(invalid="ignore"):
        return _by_router(families, total / count), _by_router(families, means / known)


def _by_router(families: list[Points], means: FloatArray) -> dict[str, Curve]:
    """Take `means` apart into each router's costs and accuracies, the order in which they stand there."""
    curves, start = {}, 0
    for family in families:
        count = family.cost.shape[1]
        curves[family.router] = (means[:, start : start + count], means[:, start + count : start + 2 * count])
        start += 2 * count
    return curves


def _ends(curves: Mapping[str, Curve], cheapest: int, dearest: int) -> tuple[FloatArray, FloatArray]:
    """Mean costs of the cheapest and of the dearest single model."""
    return curves[SINGLE_MODELS][0][:, cheapest], curves[SINGLE_MODELS][0][:, dearest]


def _climb(costs: FloatArray, accuracies: FloatArray) -> Iterator[tuple[IntArray, IntArray]]:
    """The hull's edges from the cheapest corner on, for all rows at once: columns of an edge's two ends, the same where a row has none.

    From each corner to the point with the steepest rise, until none is higher.
    """
    rows = np.arange(len(costs))
    at = np.where(costs == np.fmin.reduce(costs, axis=1)[:, None], accuracies, -np.inf).argmax(axis=1)
    while True:
        right, up = costs - costs[rows, at][:, None], accuracies - accuracies[rows, at][:, None]
        rise = np.divide(up, right, out=np.full_like(up, -np.inf), where=(right > 0) & (up > 0))
        to = np.where(rise.max(axis=1) > 0, rise.argmax(axis=1), at)
        yield at, to
        if (to == at).all():
            return
        at = to


def _corners(router: str, costs: FloatArray, accuracies: FloatArray, n: int) -> list[Row]:
    """The frontier's corners from the cheapest on; `costs` and `accuracies` are (1, points)."""
    rows = []
    for number, (at, _) in enumerate(_climb(costs, accuracies)):
        rows.append(row(f"frontier_cost_{number}", costs[0, at[0]], n, router=router))
        rows.append(row(f"frontier_accuracy_{number}", accuracies[0, at[0]], n, router=router))
    return rows


def _area(costs: FloatArray, accuracies: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Mean height of each row's frontier from `low` to `high`; NaN where there is nothing between them."""
    rows, area = np.arange(len(costs)), np.zeros(len(costs))
    for at, to in _climb(costs, accuracies):
        left, right, bottom, top = costs[rows, at], costs[rows, to], accuracies[rows, at], accuracies[rows, to]
        begin, end = np.clip(left, low, high), np.clip(right, low, high)
        slope = np.divide(top - bottom, right - left, out=np.zeros_like(left), where=right > left)
        area += (end - begin) * (bottom + slope * ((begin + end) / 2 - left))
    area += (high - np.clip(right, low, high)) * top
    return np.divide(area, high - low, out=np.full_like(area, np.nan), where=high > low)


def _cost_at(costs: FloatArray, accuracies: FloatArray, wanted: FloatArray) -> FloatArray:
    """Cost at which each row's frontier reaches the accuracy `wanted`, infinite where it never does."""
    rows, cost = np.arange(len(costs)), np.full(len(costs), np.inf)
    for number, (at, to) in enumerate(_climb(costs, accuracies)):
        left, right, bottom, top = costs[rows, at], costs[rows, to], accuracies[rows, at], accuracies[rows, to]
        if number == 0:
            cost = np.where(bottom >= wanted, left, cost)
        here = (bottom < wanted) & (wanted <= top)
        share = np.divide(wanted - bottom, top - bottom, out=np.zeros_like(left), where=here)
        cost = np.where(here, left + share * (right - left), cost)
    return cost


def _reflected(metric: str, values: FloatArray, router: str, n: int) -> Row:
    """A row of `values` (1 + draws,) with the interval that takes the luck of picking corners out."""
    (low,), (high,) = interval(values[1:, None], np.array([n]))
    return row(metric, values[0], n, low=2 * values[0] - high, high=2 * values[0] - low, router=router)


def _share_rows(router: str, shares: FloatArray, n: int) -> list[Row]:
    """The row `frontier_share`, if it is reached. Its interval has no end where more than one draw in forty never gets there."""
    if not np.isfinite(shares[0]):
        return []
    low, high = np.quantile(shares[1:], ((1 - LEVEL) / 2, (1 + LEVEL) / 2), method="nearest") if n >= FEWEST else (np.nan, np.nan)
    return [row("frontier_share", shares[0], n, low=low, high=high, router=router)]
