"""Would more training queries help, and from how many on would the router beat the best single model?

    router  setting  metric               value  ci_low  ci_high
    linear  25 %     training_queries       873                     (split train)
    linear  25 %     accuracy             0.596   0.574    0.618    (mean over draws)
    linear  25 %     gain                 0.021   0.002    0.041    (over the best single model; gain_over_benchmark too)
    linear  200 %    curve_accuracy       0.624   0.600    0.649    (fitted; beyond 100 % it is a guess)
    linear  null     curve_limit          0.631   0.601    0.672
    linear  null     gain_of_size         0.031   0.012    0.049    (all training queries, against the smallest share)
    linear  null     gain_of_last_share   0.004  -0.008    0.015    (all, against the largest share below)
    linear  null     break_even_queries     210      90      640    (on the curve; none where it is beyond ten times what there is)
    linear  null     surpasses             0.98                     (share of resamples whose curve is half a point above the best single
                                                                     model with ten times the queries; surpasses_in_the_end: with any)

Of each share several draws are tried; a draw's smaller shares are part of its larger ones, and all keep the benchmarks' proportions. The
opponent was chosen on all training queries: it gets no worse with fewer. Intervals are of a bootstrap over test queries and over draws
(the same for all shares, so that differences are paired); that *all* training queries are a draw themselves is not in them. Only test
queries count on which every share and opponent has a reward, so that holes make no difference between two of them.

The curve is accuracy(n) = a - b · n⁻ᶜ, with b ≥ 0, 0.1 ≤ c ≤ 1 and a no higher than the oracle: a power law, as learning curves mostly
are (Hestness et al., arXiv 1712.00409; Viering and Loog, The Shape of Learning Curves, 2022), which five points tell only roughly.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.config import Settings
from tasks.evaluation.figures import Row, row
from tasks.evaluation.intervals import FEWEST, LEVEL, Resamples
from tasks.evaluation.studies import Tables
from tasks.evaluation.studies.power_law import Curve, fit
from tasks.evaluation.studies.settings import TrainingSize
from tasks.evaluation.studies.tried import best_first, earned
from tasks.evaluation.systems import FloatArray, Sheet, find, oracle, routed, sheet_of
from tasks.lake.interfaces import Trial

LEAST = 20  # training queries; with fewer most routers learn nothing
FURTHEST = 10  # times what there is, up to where the curve is followed
BEYOND = (2, 5, FURTHEST)
LEAST_GAIN = 0.005  # over the best single model: a router that becomes that model surpasses nothing
EQUAL = 1e-6  # rounding: a router that is the best single model is not above it


def trials(queries: pl.DataFrame, votes: pl.DataFrame, settings: Settings, seed: int) -> Iterator[Trial]:
    """Each share of the training queries, as often as it is drawn; the whole once."""
    assert isinstance(settings, TrainingSize)
    train = (
        queries.filter(pl.col("split") == "train").join(votes.select("query_id").unique(), on="query_id", how="semi").sort("query_id")
    ).select("query_id", "benchmark")
    others = queries.filter(pl.col("split") != "train")
    for draw in range(settings.draws):
        lots = train.with_columns(lot=np.random.default_rng([seed, draw]).permutation(train.height))
        place = (pl.col("lot").rank("ordinal").over("benchmark") - 1) / pl.len().over("benchmark")
        ordered = lots.with_columns(place=place)
        for share in sorted({share for share in settings.shares if share < 1}):
            kept = ordered.filter(pl.col("place") < share)["query_id"]
            if len(kept) >= LEAST:
                yield Trial(f"{_percent(share)} · draw {draw + 1}", pl.concat([_of(queries, kept), others]), votes)
    if train.height >= LEAST:
        yield Trial(_percent(1), queries, votes)


@dataclass(frozen=True)
class _Share:
    """One share of the training queries. `draws` (resamples, ) are accuracies of resampled draws on resampled queries."""

    setting: str
    size: float  # training queries
    values: FloatArray  # float64 (queries,): mean over draws
    accuracy: float
    draws: FloatArray


def study(tables: Tables, settings: Settings, bootstrap: int, seed: int) -> list[Row]:
    """Rows of METRICS without `study`; nothing without trials of at least two shares."""
    sheet = sheet_of(tables.queries, tables.votes, "test")
    if sheet.queries.is_empty() or tables.trials.is_empty():
        return []
    resamples = Resamples(sheet.queries["benchmark"].to_list(), bootstrap, seed)
    tried = earned(sheet, tables.trials, best_first(tables.queries, tables.votes))
    sizes = _sizes(tables, settings, seed)
    opponents = _opponents(tables, sheet)
    rows: list[Row] = []
    for router in sorted({router for router, _ in tried}):
        of_router = {setting: values for (name, setting), values in tried.items() if name == router}
        known = np.isfinite(np.column_stack([*of_router.values(), *opponents.values()]).sum(axis=1))
        shares = _shares(_only(of_router, known), sizes, resamples, seed)
        if len(shares) > 1:
            highest = float(oracle(sheet).accuracy[known].mean())
            rows += [{"router": router} | found for found in _of_router(shares, _only(opponents, known), highest, resamples)]
    return rows


def _only(values: dict[str, FloatArray], known: npt.NDArray[np.bool_]) -> dict[str, FloatArray]:
    """The same, NaN where not `known` (queries,)."""
    return {name: np.where(known, of, np.nan) for name, of in values.items()}


def _of_router(shares: Sequence[_Share], opponents: dict[str, FloatArray], highest: float, resamples: Resamples) -> list[Row]:
    everything = np.arange(len(shares[0].values))
    against = {metric: resamples.means(values[:, None], everything)[:, 0] for metric, values in opponents.items()}
    rows: list[Row] = []
    for share in shares:
        n = int(np.isfinite(share.values).sum())
        name = {"setting": share.setting, "split": "test"}
        rows.append({"setting": share.setting, "split": "train"} | row("training_queries", share.size, int(share.size)))
        rows.append(name | _row("accuracy", share.accuracy, share.draws, n))
        for metric, values in opponents.items():
            gain = share.values - values
            rows.append(name | _row(metric, float(np.nanmean(gain)), share.draws - against[metric], int(np.isfinite(gain).sum())))
    whole, n = shares[-1], int(np.isfinite(shares[-1].values).sum())
    for metric, other in (("gain_of_size", shares[0]), ("gain_of_last_share", shares[-2])):
        rows.append({"split": "test"} | _row(metric, whole.accuracy - other.accuracy, whole.draws - other.draws, n))
    return rows + [{"split": "test"} | found for found in _curve(shares, opponents["gain"], against["gain"], highest, n)]


def _curve(shares: Sequence[_Share], single: FloatArray, drawn_single: FloatArray, highest: float, n: int) -> list[Row]:
    """The power law through the shares, and where it meets the best single model; nothing of fewer than three shares."""
    if len(shares) < 3 or n < FEWEST:
        return []
    sizes = np.array([share.size for share in shares])
    best = fit(sizes, np.array([[share.accuracy for share in shares]]), highest)
    draws = fit(sizes, np.column_stack([share.draws for share in shares]), highest)
    names = [(share.setting, share.size) for share in shares] + [(_percent(times), times * sizes[-1]) for times in BEYOND]
    rows = [{"setting": name} | _row("curve_accuracy", best.at(size)[0], draws.at(size), n) for name, size in names]
    rows.append(_row("curve_limit", best.limit[0], draws.limit, n))
    target, drawn_single = float(np.nanmean(single)) + EQUAL, drawn_single + EQUAL
    far = drawn_single + LEAST_GAIN
    rows.append(row("surpasses", float((draws.at(FURTHEST * sizes[-1]) > far).mean()), n))
    rows.append(row("surpasses_in_the_end", float((draws.limit > far).mean()), n))
    return rows + _break_even(best, target, draws, drawn_single, FURTHEST * sizes[-1], n)


def _break_even(best: Curve, target: float, draws: Curve, drawn: FloatArray, furthest: float, n: int) -> list[Row]:
    """Training queries from which on the curve is above the best single model; an end beyond `furthest` is not given."""
    size, sizes = best.meets(np.array([target]))[0], draws.meets(drawn)
    if size > furthest:
        return []
    # Some may be infinite, where the curve ends below: so ends are drawn sizes, with nothing between two of them.
    low, high = np.quantile(sizes, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="higher")
    ends = {"low": low if low <= furthest else np.nan, "high": high if high <= furthest else np.nan}
    return [row("break_even_queries", size, n, low=ends["low"], high=ends["high"])]


def _shares(of_router: dict[str, FloatArray], sizes: dict[str, float], resamples: Resamples, seed: int) -> list[_Share]:
    """The shares that were tried, the smallest first."""
    groups: dict[str, list[FloatArray]] = {}
    for setting in sorted(of_router):
        groups.setdefault(setting.split(" · ")[0], []).append(of_router[setting])
    found = []
    for setting, values in groups.items():
        if setting not in sizes:
            continue
        by_draw = np.column_stack(values)
        means = resamples.means(by_draw, np.arange(len(by_draw)))
        count = by_draw.shape[1]
        # The same random numbers for all shares: a draw that is taken twice is so with all its shares.
        picked = np.random.default_rng(seed).integers(count, size=(len(means), count))
        drawn = np.take_along_axis(means, picked, axis=1).mean(axis=1)
        # A mean of few draws varies more than resampling them shows: by n / (n - 1).
        wider = np.sqrt(count / (count - 1)) if count > 1 else 1.0
        middle = means.mean(axis=1)
        rewards = by_draw.mean(axis=1)
        if np.isfinite(rewards).any():
            found.append(_Share(setting, sizes[setting], rewards, float(np.nanmean(rewards)), middle + wider * (drawn - middle)))
    return sorted(found, key=lambda share: share.size)


def _sizes(tables: Tables, settings: Settings, seed: int) -> dict[str, float]:
    """Setting → training queries."""
    found: dict[str, float] = {}
    for trial in trials(tables.queries, tables.votes, settings, seed):
        asked = trial.queries.filter(pl.col("split") == "train").join(tables.votes.select("query_id").unique(), on="query_id", how="semi")
        found[trial.setting.split(" · ")[0]] = asked.height
    return found


def _opponents(tables: Tables, sheet: Sheet) -> dict[str, FloatArray]:
    """Metric → rewards of the best single model, chosen on all training queries, and of the router that knows the benchmark."""
    systems = routed(sheet, tables.routes, {})
    single, benchmark = (find(systems, router, "argmax") for router in ("best-single", "benchmark"))
    best = sheet.models.index(best_first(tables.queries, tables.votes)[0])
    opponents = {"gain": single.accuracy if single else sheet.reward[:, best]}
    if benchmark is not None and sheet.queries["benchmark"].n_unique() > 1:
        opponents["gain_over_benchmark"] = benchmark.accuracy
    return opponents


def _row(metric: str, value: float, draws: FloatArray, n: int) -> Row:
    low, high = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if n >= FEWEST else (np.nan, np.nan)
    return row(metric, value, n, low=low, high=high)


def _of(queries: pl.DataFrame, kept: pl.Series) -> pl.DataFrame:
    return queries.filter(pl.col("query_id").is_in(kept.implode()))


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
