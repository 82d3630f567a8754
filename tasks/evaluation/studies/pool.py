"""Which pools does routing suit, and which of its models does this pool need?

    setting          model   router  metric                value  ci_low  ci_high
    similar strength atlas   null    strength               0.41   (mean training reward of each model in it; split train)
    similar strength null    null    models                    3
    similar strength null    linear  accuracy               0.55    0.49     0.61
    similar strength null    linear  gain                   0.08    0.03     0.13   (over the best single model of the sub-pool)
    similar strength null    null    oracle_gain            0.21    0.16     0.26   (and oracle_gain_without_luck)
    similar strength null    null    error_correlation      0.18    0.12     0.24   (phi, mean over pairs of models)
    similar strength null    null    spread                 0.02   -0.04     0.08   (strongest less weakest)
    without atlas    atlas   linear  contribution           0.06    0.02     0.10   (accuracy of all less accuracy without)
    without atlas    atlas   linear  verdict                   1                    (1: the pool needs it, 0: cannot be told, -1: harms)
    similar strength null    linear  gain_over_different    0.03   -0.02     0.08
    oracle_gain      null    linear  rank_correlation       0.81    0.40     0.95   (over sub-pools, of gain with the figure `setting`)

A router is trained anew on each sub-pool. Which models are in it, which is the best, the strongest and the weakest is decided on
training queries; the figures are of test queries. *Errors* are 1 less the reward, and phi is their Pearson correlation: models that fail
on the same queries have a high one, and an oracle gains little from them. Intervals of contributions hold for all models at once.

The rank correlation is Spearman's over sub-pools. Its interval is of resampled queries, for these very sub-pools: they share models and
are few, so it says what holds of this pool, not of pools.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tasks.config import Settings
from tasks.evaluation.figures import Row, row
from tasks.evaluation.intervals import Resamples, interval, mean
from tasks.evaluation.luck import oracle_without_luck
from tasks.evaluation.studies import Tables
from tasks.evaluation.studies.diversity import FEWEST_POOLS, pair_correlations, rank_correlation
from tasks.evaluation.studies.means import Named, compared_rows, mean_rows
from tasks.evaluation.studies.subpools import ALL, DIFFERENT, SIMILAR, Subpool, only, subpools
from tasks.evaluation.studies.tried import best_first, earned
from tasks.evaluation.systems import FloatArray, Sheet, sheet_of
from tasks.lake.interfaces import Trial


@dataclass(frozen=True)
class _Found:
    """A sub-pool on test queries. Arrays are (queries,), NaN where not known."""

    subpool: Subpool
    single: FloatArray  # reward of the best single model
    oracle_gain: FloatArray
    oracle_gain_without_luck: FloatArray
    spread: FloatArray
    error_correlation: tuple[float, FloatArray]  # and of each resample
    accuracy: dict[str, FloatArray]  # router → reward

    def name(self, metric: str, **who: str) -> Row:
        return {"metric": metric, "setting": self.subpool.setting, **who}


def trials(queries: pl.DataFrame, votes: pl.DataFrame, settings: Settings, seed: int) -> Iterator[Trial]:
    """Each sub-pool, once if two are of the same models; nothing where there is none."""
    found = subpools(queries, votes)
    if len(found) > 1:
        for subpool in _distinct(found).values():
            yield Trial(subpool.setting, queries, only(votes, subpool.models))


def study(tables: Tables, settings: Settings, bootstrap: int, seed: int) -> list[Row]:
    """Rows of METRICS on test queries; none where the pool has no sub-pools or no router was tried on them."""
    sheet = sheet_of(tables.queries, tables.votes, "test")
    chosen = subpools(tables.queries, tables.votes)
    if sheet.queries.is_empty() or len(chosen) < 2 or tables.trials.is_empty():
        return []
    resamples = Resamples(sheet.queries["benchmark"].to_list(), bootstrap, seed)
    found = _found(sheet, tables, chosen, resamples)
    rows = mean_rows(_figures(found), resamples)
    rows += compared_rows(_contributions(found), resamples)
    rows += [row("models", len(each.subpool.models), sheet.queries.height, setting=each.subpool.setting) for each in found]
    rows += _error_correlations(found, sheet)
    rows += _rank_correlations(found, resamples)
    return [figure | {"split": "test"} for figure in rows] + _strengths(tables.queries, chosen)


def _strengths(queries: pl.DataFrame, chosen: Sequence[Subpool]) -> list[Row]:
    """Which models are in the sub-pools that are groups, and how strong they are."""
    n = queries.filter(pl.col("split") == "train").height
    return [
        row("strength", strength, n, split="train", setting=subpool.setting, model=model)
        for subpool in chosen
        if subpool.without is None
        for model, strength in zip(subpool.models, subpool.strengths, strict=True)
    ]


def _found(sheet: Sheet, tables: Tables, chosen: Sequence[Subpool], resamples: Resamples) -> list[_Found]:
    """What each sub-pool is worth on the sheet's queries."""
    outcomes = earned(sheet, tables.trials, best_first(tables.queries.sort("query_id"), tables.votes))
    routers = sorted({router for router, _ in outcomes})
    trained, pairs = _distinct(chosen), pair_correlations(sheet.reward, resamples)
    luck = {members: _without_luck(sheet, tables.votes, subpool.models) for members, subpool in trained.items()}
    found = []
    for subpool in chosen:
        members = frozenset(subpool.models)
        columns = [sheet.models.index(model) for model in subpool.models]
        single, weakest = sheet.reward[:, columns[0]], sheet.reward[:, columns[-1]]
        of_members = [pairs[pair] for pair in sorted(pairs) if set(pair) <= set(columns)]
        phi, phi_draws = (_mean_of(np.stack([np.atleast_1d(pair[place]) for pair in of_members])) for place in (0, 1))
        setting = trained[members].setting
        found.append(
            _Found(
                subpool=subpool,
                single=single,
                oracle_gain=np.fmax.reduce(sheet.reward[:, columns], axis=1) - single,
                oracle_gain_without_luck=luck[members] - single,
                spread=single - weakest,
                error_correlation=(float(phi[0]), phi_draws),
                accuracy={router: outcomes[router, setting] for router in routers if (router, setting) in outcomes},
            )
        )
    return found


def _without_luck(sheet: Sheet, votes: pl.DataFrame, models: Sequence[str]) -> FloatArray:
    """What a perfect router of these models could count on, (queries,)."""
    return oracle_without_luck(sheet_of(sheet.queries, only(votes, models), "test")).accuracy


def _figures(found: Sequence[_Found]) -> list[Named]:
    figures: list[Named] = []
    for each in found:
        for metric in ("oracle_gain", "oracle_gain_without_luck", "spread"):
            figures.append((each.name(metric), getattr(each, metric)))
        for router, accuracy in each.accuracy.items():
            figures.append((each.name("accuracy", router=router), accuracy))
            figures.append((each.name("gain", router=router), accuracy - each.single))
    by_setting = {each.subpool.setting: each for each in found}
    similar, different = by_setting[SIMILAR], by_setting[DIFFERENT]
    for router in similar.accuracy:
        if router in different.accuracy:
            gains = [each.accuracy[router] - each.single for each in (similar, different)]
            figures.append((similar.name("gain_over_different", router=router), gains[0] - gains[1]))
    return figures


def _contributions(found: Sequence[_Found]) -> list[Named]:
    """What each model that was left out brings to the pool."""
    whole = next(each for each in found if each.subpool.setting == ALL).accuracy
    return [
        (each.name("contribution", router=router, model=each.subpool.without), whole[router] - accuracy)
        for each in found
        if each.subpool.without is not None
        for router, accuracy in each.accuracy.items()
        if router in whole
    ]


def _error_correlations(found: Sequence[_Found], sheet: Sheet) -> list[Row]:
    rows = []
    for each in found:
        value, draws = each.error_correlation
        known = ~np.isnan(sheet.reward[:, [sheet.models.index(model) for model in each.subpool.models]])
        n = np.array([(known.sum(axis=1) > 1).sum()])
        if np.isfinite(value):
            (low,), (high,) = interval(draws[:, None], n)
            rows.append(row(**each.name("error_correlation"), value=value, n=n[0], low=low, high=high))
    return rows


def _rank_correlations(found: Sequence[_Found], resamples: Resamples) -> list[Row]:
    """Whether the sub-pools that gain more are those with more to gain, with a wider spread, whose models fail more alike."""
    settings = {subpool.setting for subpool in _distinct([each.subpool for each in found]).values()}
    pools = [each for each in found if each.subpool.setting in settings]
    rows = []
    for router in sorted(set.intersection(*(set(each.accuracy) for each in pools))):
        gains = _with_draws([each.accuracy[router] - each.single for each in pools], resamples)
        phis = [np.array([each.error_correlation[0], *each.error_correlation[1]]) for each in pools]
        others = {metric: _with_draws([getattr(each, metric) for each in pools], resamples) for metric in ("oracle_gain", "spread")}
        for metric, values in (others | {"error_correlation": np.column_stack(phis)}).items():
            correlations = rank_correlation(gains, values)
            if len(pools) >= FEWEST_POOLS and np.isfinite(correlations[0]):
                (low,), (high,) = interval(correlations[1:, None], np.array([len(pools[0].single)]))
                rows.append(row("rank_correlation", correlations[0], len(pools), low=low, high=high, router=router, setting=metric))
    return rows


def _with_draws(figures: Sequence[FloatArray], resamples: Resamples) -> FloatArray:
    """Means of each figure, then those of each resample: (1 + draws, figures)."""
    values = np.column_stack(figures)
    return np.vstack([mean(values)[0], resamples.means(values, np.arange(len(values)))])


def _distinct(found: Sequence[Subpool]) -> dict[frozenset[str], Subpool]:
    """The first sub-pool of each set of models: the one that routers are trained on."""
    first: dict[frozenset[str], Subpool] = {}
    for subpool in found:
        first.setdefault(frozenset(subpool.models), subpool)
    return first


def _mean_of(values: FloatArray) -> FloatArray:
    """Mean over the first axis of what is a number."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        average: FloatArray = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
    return average
