"""What follows from the gains: the share of the gap that is closed, verdicts, and intervals that allow for how many were compared.

The best of twelve routers that are all as good as the best single model is above it by luck, and its own 95 % interval leaves out zero
far more often than once in twenty times. So intervals are made wide enough to hold for *all* routers and policies at once: of each
resample, the largest |resampled gain - gain| / standard error over all of them; its 95th percentile c; gain ± c standard errors
(single-step max-t: Westfall and Young, Resampling-Based Multiple Testing, 1993; Romano and Wolf, Econometrica 73, 2005). The resamples
are the same for all, so that routers which nearly agree hardly widen it: twelve independent ones make c = 2.9, twelve equal ones 2.

    gain 0.031, interval 0.004 … 0.058  →  gain_corrected 0.031, interval -0.006 … 0.068, verdict 0
"""

import numpy as np

from tasks.evaluation import verdict
from tasks.evaluation.averages import Averages
from tasks.evaluation.figures import Figure, Row, row
from tasks.evaluation.intervals import FEWEST, LEVEL, Resamples, interval, mean
from tasks.evaluation.systems import FloatArray, IntArray


def compared(figure: Figure) -> bool:
    """Whether it is of one of the routers and policies that are compared. Baselines are what they are compared with."""
    return figure.policy is not None and figure.router not in verdict.BASELINES


def corrected_rows(found: Averages, metric: str) -> list[Row]:
    """`metric` of all that are compared, with intervals that hold for all at once: rows `gain_corrected` for "gain"."""
    gains = _gains(found, metric)
    low, high = _corrected(gains)
    return [
        figure.name | row(f"{metric}_corrected", gains.mean[column], gains.n[column], low=low[column], high=high[column]) | found.scope.name
        for column, figure in enumerate(gains.figures)
        if compared(figure)
    ]


def verdict_rows(found: Averages) -> list[Row]:
    """`verdict` and `certainty` of every gain. The verdict goes by the interval that holds for all that are compared at once."""
    gains = _gains(found, "gain")
    low, high = _corrected(gains)
    rows = []
    for column, figure in enumerate(gains.figures):
        value = verdict.verdict(figure.values[found.scope.rows], low[column], high[column])
        rows.append(figure.name | row("verdict", value, gains.n[column]))
        rows.append(figure.name | row("certainty", verdict.certainty(gains.draws[:, column]), gains.n[column]))
    return [of_gain | found.scope.name for of_gain in rows]


def _gains(found: Averages, metric: str) -> Averages:
    """Those of routers with a policy, where they are known of any query."""
    return found.take(
        [column for column, figure in enumerate(found.figures) if figure.metric == metric and figure.policy is not None and found.n[column]]
    )


def _corrected(gains: Averages) -> tuple[FloatArray, FloatArray]:
    """Ends of the intervals: simultaneous ones of all that are compared, a baseline's own."""
    low, high = interval(gains.draws, gains.n)
    judged = np.array([compared(figure) for figure in gains.figures], dtype=bool)
    low[judged], high[judged] = simultaneous(gains.mean[judged], gains.draws[:, judged], gains.n[judged])
    return low, high


def simultaneous(values: FloatArray, draws: FloatArray, n: IntArray) -> tuple[FloatArray, FloatArray]:
    """Ends of intervals around `values` (figures,) that hold all at once in 95 % of cases, from `draws` (draws, figures).

    NaN where `n` is below FEWEST: such figures neither get an interval nor widen the others'.
    """
    errors = np.full(len(values), np.nan)
    judged = n >= FEWEST
    if not judged.any():
        return errors, errors
    errors[judged] = np.nanstd(draws[:, judged], axis=0)
    moving = judged & (np.nan_to_num(errors) > 1e-12)  # a copy of what it is compared with has no error at all
    if not moving.any():
        return values - errors, values + errors
    largest = np.fmax.reduce(np.abs(draws[:, moving] - values[moving]) / errors[moving], axis=1)
    reach = np.nanquantile(largest, LEVEL)
    return values - reach * errors, values + reach * errors


def gap_rows(found: Averages, headroom: FloatArray | None, resamples: Resamples) -> list[Row]:
    """Each gain as a share of `headroom` (queries,), the oracle's gain, on the same queries; no row where there is none."""
    gains = _gains(found, "gain")
    if headroom is None or not gains.figures:
        return []
    holes = [np.isnan(figure.values) for figure in gains.figures]
    distinct = {of_gain.tobytes(): of_gain for of_gain in holes}  # nearly all are the same
    place = [list(distinct).index(of_gain.tobytes()) for of_gain in holes]
    rooms = np.column_stack([np.where(of_gain, np.nan, headroom) for of_gain in distinct.values()])
    whole, n = mean(rooms[found.scope.rows])
    drawn = resamples.means(rooms, found.scope.rows)
    whole, n, drawn = whole[place], n[place], drawn[:, place]
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = interval(gains.draws / drawn, n)
    return [
        figure.name
        | row("gap_closed", gains.mean[column] / whole[column], n[column], low=low[column], high=high[column])
        | found.scope.name
        for column, figure in enumerate(gains.figures)
        if whole[column] > 0
    ]
