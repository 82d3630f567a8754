"""How much more accurate a model is on training queries than can be explained: by their subjects, or by how easy they are.

    subject   train, right   test, right   the others, train   test      a model that is right 10 points more often on training queries;
    sums           90 %          70 %             60 %          50 %     half of both splits are sums
    places         50 %          50 %             40 %          40 %     → the others explain 5 points of it, the excess is 5

Training and test queries are different ones. So a plain difference accuses honest models wherever a benchmark's training split is easier,
and this is what test theory knows as differential item functioning, with models for items and queries for persons: are two groups that
are equally able still unequal on one item? The groups are the splits, and how easy a query is the *other* models tell:

- Inside each subject the splits are compared, and subjects count as they do among the training queries (direct standardisation).
- What the others gain from one split to the other is taken off, times the slope of the model on ease. Others that are right or wrong tell
  ease badly, and a slope on a bad measure is too flat; so it is corrected for that (Porter and Chibucos, Common problems of design and
  analysis in evaluative research, 1975; the same correction in SIBTEST: Shealy and Stout, Psychometrika 58, 1993): the covariance of
  the model with the mean of the others, over the mean covariance of two others; all inside a subject and a split. Where the others hardly
  go together (specialists), there is no common ease, and nearly nothing is taken off. A single other model is taken off as it is.
- Others that are nearly always right, or wrong, move little where a model in the middle moves much: on a logistic curve as p (1 - p). So
  the slope is that of the model over that of the others where this is steep, and never below it for a single other one; then what the
  others gain is believed as it is, since so little of them goes together.
- The others have luck too. Of what they gain, no more is believed than is reliable (Kelley, Fundamentals of Statistics, 1947), unless
  they gain more than another draw of the queries would make them: then all but the luck.
- A model that is accused is no measure of ease any more: it is left out, and the rest are judged again, unless none is left to judge by.

Intervals come from a bootstrap over the queries of both splits, of the figures' influence functions (Efron and Tibshirani, 1993, chapter
22.7). A model is called *contaminated* on a benchmark if its excess is at least five points, and above 0 by an interval that holds for all
models and benchmarks at once (max-t, see `comparisons.py`). A small excess that is sure is not worth an accusation.

Validation queries are left out: they are cut from the training queries on some benchmarks (gsm8k) and are no model's business on others.
Test labels are used here to tell what happened; nothing is fitted or chosen by them.

What it cannot tell: whether most of a pool was trained on the same queries (then they seem easy); a benchmark of which all splits leaked;
an easier training split from a seen one where the others say nothing of ease, because they guess or know other things. Of a single model
on a benchmark nothing is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.evaluation.comparisons import simultaneous
from tasks.evaluation.intervals import Resamples, interval, mean
from tasks.evaluation.systems import FloatArray, IntArray
from tasks.lake import views

FEWEST_QUERIES = 50  # of a model on a benchmark, in either split; of fewer nothing is said
FEWEST_IN_SUBJECT = 10  # in either split; smaller subjects are taken together
LEAST_EXCESS = 0.05  # that is called contamination
LEAST_CORRELATION = 0.05  # of two models, that common ease is believed in
STEEPEST = 2.0  # slope on ease, where the others are not nearly always right or wrong
LEAST_SPREAD = 0.01  # p (1 - p) of the others: at 99 %
DRAWS = 2000  # behind every interval, whatever the run file says: what is called contaminated must not hang on it

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Excess:
    """One model on one benchmark. Intervals are (low, high): `own` its own, `corrected` one that holds for all at once."""

    benchmark: str
    model: str
    train_accuracy: float
    train_interval: tuple[float, float]
    train_queries: int
    test_accuracy: float
    test_interval: tuple[float, float]
    test_queries: int
    value: float
    own: tuple[float, float]
    corrected: tuple[float, float]
    contaminated: bool


@dataclass(frozen=True)
class _Benchmark:
    """Training and test queries of one benchmark, by the models that are known on enough of both."""

    name: str
    models: tuple[str, ...]
    rewards: FloatArray  # (queries, models), NaN where missing
    rates: FloatArray  # (queries, models), share of samples that are right: tells ease better than a vote does
    train: BoolArray  # (queries,)
    subjects: IntArray  # (queries,), numbers from 0


def excesses(queries: pl.DataFrame, votes: pl.DataFrame, seed: int) -> list[Excess]:
    """The excess of each model on each benchmark where both splits have enough queries; sorted by benchmark and model."""
    benchmarks = _benchmarks(queries, votes)
    resamples = [Resamples(["train" if is_train else "test" for is_train in of.train], DRAWS, seed) for of in benchmarks]
    accused: set[tuple[str, str]] = set()
    while True:
        found = _judged(benchmarks, resamples, accused)
        guilty = [one for one in found if one.contaminated and (one.benchmark, one.model) not in accused]
        if not guilty:
            return found
        clearest = max(guilty, key=lambda one: one.value / (one.corrected[1] - one.corrected[0]))
        accused.add((clearest.benchmark, clearest.model))


def contaminated(found: Sequence[Excess]) -> dict[str, list[str]]:
    """Model → benchmarks whose training queries it has seen; both sorted."""
    flagged = [one for one in found if one.contaminated]
    return {name: sorted(one.benchmark for one in flagged if one.model == name) for name in sorted({one.model for one in flagged})}


def excess(own: FloatArray, others: FloatArray, train: BoolArray, subjects: IntArray) -> tuple[float, FloatArray]:
    """A model's excess, and each query's influence on it, float64 (queries,): resampled, `value` + mean of the influences drawn.

    Args:
        own: float64 (queries,) of one benchmark, the model's rewards, NaN where it is missing.
        others: float64 (queries, models), how often those are right that tell how easy a query is, NaN where one is missing; no column
            if there are none.
        train: bool (queries,), whether it is a training query or a test query.
        subjects: int64 (queries,), numbers from 0.
    """
    alone = not others.shape[1]
    rows = np.flatnonzero(~np.isnan(own) & (alone | ~np.isnan(others).all(axis=1)))
    ease = (others - mean(others)[0])[rows]  # less each model's mean: a query is no easier for having been asked of better models
    rewards, is_train = own[rows], train[rows]
    groups = _groups(subjects[rows], is_train)
    easy = np.zeros(len(rows)) if alone else mean(ease.T)[0]
    spread = LEAST_SPREAD if alone else max(LEAST_SPREAD, float(np.mean(_variance(mean(others[rows])[0]))))
    relative = float(_variance(rewards.mean())) / spread
    slope, of_slope, reliability = _slope(rewards, ease, easy, 2 * groups + is_train, spread, relative)
    gained, of_gained = _difference(easy, is_train, groups)
    believed, steepness = _believed(gained, float((of_gained**2).sum()), reliability)
    difference, of_difference = _difference(rewards, is_train, groups)
    influence = np.zeros(len(own))
    influence[rows] = len(own) * (of_difference - slope * steepness * of_gained - believed * of_slope)
    return difference - slope * believed, influence


def _believed(gained: float, variance: float, reliability: float) -> tuple[float, float]:
    """How much of what the others gain is no luck of theirs, and how steeply that rises with it.

    Of a gain that drawing the queries may have made by itself (its `variance`), as much as is reliable; of a larger one all but the luck.
    """
    luck, square = (1 - reliability) * variance, gained**2
    if square <= variance:
        return gained * reliability, reliability
    return gained - luck / gained, 1 + luck / square


def _judged(benchmarks: Sequence[_Benchmark], resamples: Sequence[Resamples], accused: set[tuple[str, str]]) -> list[Excess]:
    """All models on all benchmarks; who is accused tells nothing of how easy a query is."""
    values: list[float] = []
    draws: list[FloatArray] = []
    sizes: list[int] = []
    for of, drawn in zip(benchmarks, resamples, strict=True):
        estimates = [
            excess(of.rewards[:, column], of.rates[:, _measures(of, column, accused)], of.train, of.subjects)
            for column in range(len(of.models))
        ]
        values += [value for value, _ in estimates]
        draws.append(np.array([value for value, _ in estimates]) + drawn.means(np.column_stack([one for _, one in estimates]), _all(of)))
        sizes += (~np.isnan(of.rewards)).sum(axis=0).tolist()
    if not values:
        return []
    together, n = np.concatenate(draws, axis=1), np.array(sizes)
    own, corrected = interval(together, n), simultaneous(np.array(values), together, n)
    found: list[Excess] = []
    for of, drawn in zip(benchmarks, resamples, strict=True):
        sides = [_accuracies(of, drawn, is_train) for is_train in (True, False)]
        for column, model in enumerate(of.models):
            (train, test), place = ([side[column] for side in sides], len(found))
            low = float(corrected[0][place])
            found.append(
                Excess(
                    of.name,
                    model,
                    *train,
                    *test,
                    values[place],
                    (float(own[0][place]), float(own[1][place])),
                    (low, float(corrected[1][place])),
                    low > 0 and values[place] >= LEAST_EXCESS and len(of.models) > 1,
                )
            )
    return found


def _measures(of: _Benchmark, column: int, accused: set[tuple[str, str]]) -> list[int]:
    """The models that tell how easy queries are for one of them: the others that are not accused; all others, if all are."""
    others = [other for other in range(len(of.models)) if other != column]
    return [other for other in others if (of.name, of.models[other]) not in accused] or others


def _benchmarks(queries: pl.DataFrame, votes: pl.DataFrame) -> list[_Benchmark]:
    rows = queries.filter(pl.col("split").is_in(["train", "test"])).sort("query_id")
    models = views.pool(votes)
    found = []
    for (name,), asked in sorted(rows.partition_by("benchmark", as_dict=True).items()):
        ids = asked["query_id"].to_list()
        rewards, rates = (views.matrix(votes, ids, models, of).astype(np.float64) for of in (views.reward(), pl.col("success_rate")))
        train = (asked["split"] == "train").to_numpy()
        known = np.minimum((~np.isnan(rewards[train])).sum(axis=0), (~np.isnan(rewards[~train])).sum(axis=0))
        judged = np.flatnonzero(known >= FEWEST_QUERIES)
        subjects = np.unique(asked["subject"].fill_null("").to_numpy().astype(str), return_inverse=True)[1]
        if len(judged):
            found.append(
                _Benchmark(str(name), tuple(models[column] for column in judged), rewards[:, judged], rates[:, judged], train, subjects)
            )
    return found


def _accuracies(of: _Benchmark, drawn: Resamples, is_train: bool) -> list[tuple[float, tuple[float, float], int]]:
    """Of each model on one split: its accuracy, the interval, the queries."""
    rows = np.flatnonzero(of.train == is_train)
    values, n = mean(of.rewards[rows])
    low, high = interval(drawn.means(of.rewards, rows), n)
    return [(float(values[column]), (float(low[column]), float(high[column])), int(n[column])) for column in range(len(of.models))]


def _all(of: _Benchmark) -> IntArray:
    return np.arange(len(of.rewards))


def _groups(subjects: IntArray, train: BoolArray) -> IntArray:
    """The subject of each query, numbers from 0, where those with too few queries in a split are one together."""
    names, codes = np.unique(subjects, return_inverse=True)
    sizes = np.stack([np.bincount(codes[side], minlength=len(names)) for side in (train, ~train)], axis=1)
    by_size = np.argsort(sizes.min(axis=1), kind="stable")
    together = int((sizes.min(axis=1) < FEWEST_IN_SUBJECT).sum())
    while 0 < together < len(names) and sizes[by_size[:together]].sum(axis=0).min() < FEWEST_IN_SUBJECT:
        together += 1
    number = np.zeros(len(names), dtype=np.int64)
    number[by_size[together:]] = np.arange(len(names) - together) + 1
    return np.unique(number[codes], return_inverse=True)[1]


def _slope(
    own: FloatArray, others: FloatArray, easy: FloatArray, cells: IntArray, spread: float, relative: float
) -> tuple[float, FloatArray, float]:
    """Of a model's reward on true ease: the slope, each query's influence on it, and how reliably the others' mean `easy` tells ease.

    Args:
        own, others, easy: of each query the model's reward, how often each other one is right, less its mean, and the mean of these.
        cells: pairs of subject and split, inside which all of it is taken.
        spread: p (1 - p) of the others' accuracy p, on average.
        relative: that of the model over `spread`.
    """
    nothing = np.zeros(len(own))
    if others.shape[1] < 2 or relative > STEEPEST:
        # Without any there is nothing to take off.
        return min(1, others.shape[1]) * max(1.0, relative), nothing, 1.0
    own, easy, others = _inside(own[:, None], cells)[:, 0], _inside(easy[:, None], cells)[:, 0], _inside(others, cells)
    known = (~np.isnan(others)).sum(axis=1)
    others = np.nan_to_num(others)
    total = others.sum(axis=1)
    pairs = np.where(known > 1, (total**2 - (others**2).sum(axis=1)) / np.maximum(known * (known - 1), 1), 0)
    reliability = float(np.clip(pairs.sum() / max((easy**2).sum(), 1e-12), 0, 1))
    with_model = own * total / known
    least = LEAST_CORRELATION * spread * (known > 1).sum()
    slope = with_model.sum() / max(pairs.sum(), least, 1e-12)
    if not 0 < slope < STEEPEST:
        return float(np.clip(slope, 0, STEEPEST)), nothing, reliability
    if pairs.sum() <= least:
        return float(slope), with_model / least - slope / len(own), reliability
    return float(slope), (with_model - slope * pairs) / pairs.sum(), reliability


def _variance(shares: FloatArray | float) -> FloatArray | float:
    """Of something that is right so often: p (1 - p)."""
    return shares * (1 - shares)


def _inside(values: FloatArray, cells: IntArray) -> FloatArray:
    """Values (queries, models) less the mean of their cell."""
    known = ~np.isnan(values)
    sums, counts = (_sums(of, cells) for of in (np.where(known, values, 0), known))
    return values - (sums / np.maximum(counts, 1))[cells]


def _sums(values: npt.NDArray[np.generic], cells: IntArray) -> FloatArray:
    return np.stack([np.bincount(cells, column, minlength=cells.max() + 1) for column in values.T], axis=1)


def _difference(values: FloatArray, train: BoolArray, groups: IntArray) -> tuple[float, FloatArray]:
    """Mean over training queries less that over test queries, with groups weighted as in training, and each query's influence on it."""
    count = groups.max() + 1
    sizes = [np.bincount(groups[side], minlength=count) for side in (train, ~train)]
    on_test = np.bincount(groups[~train], values[~train], minlength=count) / sizes[1]
    surprise = values - on_test[groups]
    share = sizes[0] / sizes[0].sum()
    value = float(surprise[train].mean())
    # Means of few queries vary by n / (n - 1) more than their own spread tells.
    spread = np.sqrt(sizes[1] / np.maximum(sizes[1] - 1, 1))
    influence = np.where(train, (surprise - value) / sizes[0].sum(), -surprise * (share / sizes[1] * spread)[groups])
    return value, influence
