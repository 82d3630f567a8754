"""Can confidences be believed, and would scaling them on validation queries help?

    router  setting      metric                       value  ci_low  ci_high
    linear  null         brier                        0.212   0.198    0.226   (as in the table `scores`)
    linear  isotonic     brier                        0.205   0.192    0.219
    linear  isotonic     brier_difference            -0.007  -0.011   -0.003   (below 0: scaling helps; interval for all at once)
    linear  isotonic     calibration_error            0.031   0.004    0.058
    linear  null         calibration_error_by_luck    0.020            0.034
    linear  null         miscalibrated                    1

All answers (pairs of query and model) of a router are scaled by one rising function, fitted on validation queries: *isotonic* regression,
or *temperature*, which divides the log odds by one number (Guo et al., On Calibration of Modern Neural Networks, 2017, section 4.2).
Temperature changes no choice; isotonic regression makes ties. A router may be calibrated already as it is trained (`calibration` in its
settings), so what is said of its confidences is said of them as they are used.

The calibration error is never zero, by luck alone, and the bootstrap adds to that excess. `calibration_error_by_luck` is what confidences
would have that are right on the mean: in each bin the deviations of rewards from their mean, all those of a query with one random sign
(a wild cluster bootstrap: Cameron, Gelbach and Miller, 2008). A router is `miscalibrated` if its error is five points above that and above
its (1 - 0.05 / routers)-quantile, the upper end that stands there.

The interval of the error ends as far below it as the upper end of the resampled errors is above it, and at 0 where luck alone gives as
much in one of forty cases. In simulations (`test_coverage.py`) it holds the truth in 93 to 97 % of data sets, whether confidences are
right or off. The basic interval (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 5.2) goes without the second
rule, and its upper end takes the excess off twice: it holds the truth in 61 % where confidences are right, in 86 to 91 % where they are 2
to 10 points off.
"""

import numpy as np
import polars as pl
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from tasks.config import Settings
from tasks.evaluation.calibration import BINS
from tasks.evaluation.figures import Row, row
from tasks.evaluation.intervals import FEWEST, LEVEL, Resamples
from tasks.evaluation.studies import Tables
from tasks.evaluation.studies.means import Named, compared_rows, mean_rows
from tasks.evaluation.studies.tried import best_first
from tasks.evaluation.systems import FloatArray, Sheet, sheet_of
from tasks.evaluation.verdict import BASELINES
from tasks.lake import views

OFF = 0.05  # beyond luck, from where confidences mislead whoever weighs them against costs
NEAREST = 1e-4  # to 0 or 1 that a confidence comes where its logarithm is taken
SIGNS = 1000  # random signs, to see what luck does


def study(tables: Tables, settings: Settings, bootstrap: int, seed: int) -> list[Row]:
    """Rows of METRICS without `study`; nothing without scores of test queries."""
    test, validation = (sheet_of(tables.queries, tables.votes, split) for split in ("test", "validation"))
    scores = tables.scores.filter(~pl.col("router").is_in(BASELINES))
    routers = sorted(scores["router"].unique())
    if test.queries.is_empty() or not routers:
        return []
    resamples = Resamples(test.queries["benchmark"].to_list(), bootstrap, seed)
    signs = random_signs(test.queries.height, seed)
    order = [test.models.index(model) for model in best_first(tables.queries, tables.votes)]
    rows: list[Row] = []
    differences: list[Named] = []
    for router in routers:
        raw, seen = (_confidences(scores.filter(pl.col("router") == router), sheet) for sheet in (test, validation))
        if np.isnan(raw + test.reward).all():
            continue
        versions = {None: raw} | scaled(seen, validation.reward, raw)
        figures = {setting: _per_query(values, test.reward, order) for setting, values in versions.items()}
        for setting, values in versions.items():
            name = {"router": router, "setting": setting}
            rows += mean_rows([(name | {"metric": metric}, of) for metric, of in figures[setting].items()], resamples)
            rows += [name | found for found in _errors(values, test.reward, resamples, signs)]
            if setting is not None:
                differences.append((name | {"metric": "brier_difference"}, figures[setting]["brier"] - figures[None]["brier"]))
                others = {metric: figures[setting][metric] - figures[None][metric] for metric in ("log_loss", "accuracy")}
                rows += mean_rows([(name | {"metric": f"{metric}_difference"}, of) for metric, of in others.items()], resamples)
        rows += [{"router": router} | found for found in judged(raw, test.reward, len(routers), seed)]
    rows += [found for found in compared_rows(differences, resamples) if found["metric"] != "verdict"]
    return [{"split": "test"} | found for found in rows]


def scaled(seen: FloatArray, rewards: FloatArray, confidences: FloatArray) -> dict[str | None, FloatArray]:
    """`confidences` scaled by what `seen` (queries, models) and the `rewards` of the same answers tell; nothing where they tell nothing."""
    known = ~np.isnan(seen + rewards)
    if known.sum() < FEWEST or len(np.unique(rewards[known])) < 2:
        return {}
    rising = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(seen[known], rewards[known])
    isotonic = np.full_like(confidences, np.nan)
    there = ~np.isnan(confidences)
    isotonic[there] = rising.predict(confidences[there])
    odds, right = _log_odds(seen[known]), rewards[known]
    best = minimize_scalar(lambda log: _log_loss(expit(odds * np.exp(-log)), right).mean(), bounds=(-3, 3), method="bounded")
    return {"isotonic": isotonic, "temperature": expit(_log_odds(confidences) * np.exp(-best.x))}


def _per_query(confidences: FloatArray, rewards: FloatArray, order: list[int]) -> dict[str, FloatArray]:
    """Brier score and log loss, means over the models that are known, and the reward of the most confident; each (queries,).

    `order`: the models, the one that wins a tie first.
    """
    losses = {"brier": (confidences - rewards) ** 2, "log_loss": _log_loss(np.clip(confidences, NEAREST, 1 - NEAREST), rewards)}
    known = ~np.isnan(confidences + rewards)
    with np.errstate(invalid="ignore"):
        found = {metric: np.where(known, loss, 0.0).sum(axis=1) / known.sum(axis=1) for metric, loss in losses.items()}
    most = np.where(np.isnan(confidences), -1, confidences)[:, order].argmax(axis=1)
    return found | {"accuracy": rewards[:, order][np.arange(len(rewards)), most]}


def _errors(confidences: FloatArray, rewards: FloatArray, resamples: Resamples, signs: FloatArray) -> list[Row]:
    """The calibration error with its interval, and the bins behind it. `signs`: those of `random_signs`."""
    off, n, expected, observed = _binned(confidences, rewards)
    sums, _ = resamples.totals(np.column_stack([off, n.sum(axis=1)]), np.arange(len(rewards)))
    error = np.abs(off.sum(axis=0)).sum() / n.sum()
    drawn = np.abs(sums[:, :BINS]).sum(axis=1) / sums[:, BINS]
    high = max(float(error), float(np.quantile(drawn, (1 + LEVEL) / 2)))
    is_luck = error <= np.quantile(_by_luck(confidences, rewards, signs), (1 + LEVEL) / 2)
    low = 0.0 if is_luck else max(0.0, 2 * float(error) - high)
    queries = int((n.sum(axis=1) > 0).sum())
    rows = [row("calibration_error", error, queries) if queries < FEWEST else row("calibration_error", error, queries, low=low, high=high)]
    for number in np.flatnonzero(n.sum(axis=0)):
        pairs = int(n[:, number].sum())
        rows.append(row(f"reliability_confidence_{number}", expected[number] / pairs, pairs))
        rows.append(row(f"reliability_reward_{number}", observed[number] / pairs, pairs))
    return rows


def judged(confidences: FloatArray, rewards: FloatArray, routers: int, seed: int) -> list[Row]:
    """Rows on what luck alone would give, and whether the error is more; arrays are (queries, models). `routers`: how many are judged."""
    off, n, _, _ = _binned(confidences, rewards)
    queries = int((n.sum(axis=1) > 0).sum())
    luck = _by_luck(confidences, rewards, random_signs(len(rewards), seed))
    high = float(np.quantile(luck, 1 - (1 - LEVEL) / routers))
    error = np.abs(off.sum(axis=0)).sum() / n.sum()
    is_off = queries >= FEWEST and error - luck.mean() > OFF and error > high
    return [row("calibration_error_by_luck", luck.mean(), queries, high=high), row("miscalibrated", float(is_off), queries)]


def random_signs(queries: int, seed: int) -> FloatArray:
    """1 or -1, float64 (SIGNS, queries)."""
    signs: FloatArray = np.random.default_rng(seed).choice([-1.0, 1.0], (SIGNS, queries))
    return signs


def _by_luck(confidences: FloatArray, rewards: FloatArray, signs: FloatArray) -> FloatArray:
    """Calibration errors (SIGNS,) of confidences that are right on the mean of each tenth of the scale."""
    n, _, observed = _by_bin(confidences, rewards)
    with np.errstate(invalid="ignore"):
        rates = np.nan_to_num(observed.sum(axis=0) / n.sum(axis=0))
    errors: FloatArray = np.abs(signs @ (observed - n * rates)).sum(axis=1) / n.sum()
    return errors


def _binned(confidences: FloatArray, rewards: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """By query and tenth of the scale: rewards less confidences, and pairs; by tenth alone: sums of confidences, of rewards."""
    n, expected, observed = _by_bin(confidences, rewards)
    return observed - expected, n, expected.sum(axis=0), observed.sum(axis=0)


def _by_bin(confidences: FloatArray, rewards: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pairs, and sums of confidences and of rewards, of each query in each tenth of the scale; float64 (queries, BINS)."""
    known = ~np.isnan(confidences + rewards)
    tenth = np.minimum((np.nan_to_num(confidences) * BINS + 1e-6).astype(np.int64), BINS - 1)
    cell = (np.arange(len(rewards))[:, None] * BINS + tenth)[known]

    def sums(values: FloatArray | None) -> FloatArray:
        weights = None if values is None else values[known]
        return np.bincount(cell, weights, len(rewards) * BINS).reshape(len(rewards), BINS).astype(np.float64)

    return sums(None), sums(confidences), sums(rewards)


def _confidences(scores: pl.DataFrame, sheet: Sheet) -> FloatArray:
    query_ids = sheet.queries["query_id"].to_list()
    return views.matrix(scores, query_ids, sheet.models, pl.col("confidence")).astype(np.float64)


def _log_odds(confidences: FloatArray) -> FloatArray:
    odds: FloatArray = logit(np.clip(confidences, NEAREST, 1 - NEAREST))
    return odds


def _log_loss(confidences: FloatArray, rewards: FloatArray) -> FloatArray:
    """Cross entropy of each answer; rewards may be fractions."""
    loss: FloatArray = -(rewards * np.log(confidences) + (1 - rewards) * np.log(1 - confidences))
    return loss
