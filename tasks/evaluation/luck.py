"""The oracle with luck taken out: what a perfect router could count on if every model were asked again.

The oracle takes any right answer, earned or not, and the more models there are the more often some one is right by luck: of seven
that only guess at four options, on 87 % of the questions. Two kinds of luck can be told, each by a model of it:

*Samples.* Where k > 1 samples of each model are known, its true success rate p on a query has the posterior of a beta prior (the
beta-binomial model of test scores: Lord and Novick, Statistical Theories of Mental Test Scores, 1968, chapter 23), fitted by moments.
The query counts what the best model would earn by a fresh vote. Nine of ten samples right, on queries where p is about 0.7 and differs
little (prior Beta(14, 6)): p is taken for (14 + 9) / (20 + 10) = 0.77.

*Guesses.* Where there is one right or wrong answer per model to a question of c options, a model knows, or guesses with equal chances
(correction for guessing: Frary, Formula Scoring of Multiple-Choice Tests, 1988). A model that is wrong with rate w then guesses right
with rate w / (c - 1), so its right answer is lucky with probability w / ((c - 1) · accuracy). Somebody knows unless all right answers
are lucky; and where nobody knows, a guess is right with 1 / c: the query counts 1 - L + L / c, where L is the product of these
probabilities. Four options, accuracy 0.55: w = 0.45, a right answer is lucky with 0.15 / 0.55 = 0.27. If it alone is right, the query
counts 0.80; with two such, 0.94.

Both are fitted per benchmark and model and, since models are right together, in five classes of how often the *other* models are right
on the query: a lone right answer to a question that the others miss is likelier luck. In planted worlds of seven models, from no common
difficulty to nothing else, the figure is within three points of the truth for samples (without the classes, up to nine above it), and
for guesses from exact to seven points above it (without them, up to thirty): an upper bound, then. Assumed is that, given the class,
models are lucky independently, and that who does not know guesses evenly; where models share wrong beliefs, neither quite holds.

On the seven models of RouterDC (training halves) the gap between the best single model of the benchmark and the oracle is luck for
0.58 of it on cmmlu, 0.49 on mmlu, and 0.09 on gsm8k, where ten samples are known.

Where nothing is known of luck (one outcome and no options; scores that are no shares of samples) the query counts as the oracle's does.
"""

import re

import numpy as np
import polars as pl

from tasks.evaluation.systems import FloatArray, IntArray, Sheet, System
from tasks.lake.views import LETTERS

CLASSES = 5
FEWEST_IN_CLASS = 20  # queries; with fewer there are fewer classes
FEWEST_SAMPLES, MOST_SAMPLES = 5, 100  # that an imported score can be a share of: halves, thirds and quarters may be partial credit


def oracle_without_luck(sheet: Sheet) -> System:
    """What the best model for each query could be counted on to earn. Nothing is said of its latency and cost."""
    credit = np.fmax.reduce(sheet.reward, axis=1)
    names = sheet.queries["benchmark"].to_numpy()
    options = _options(sheet.queries)
    for name in sorted(set(names)):
        rows = np.flatnonzero(names == name)
        reward, known = sheet.reward[rows], ~np.isnan(sheet.reward[rows])
        samples = np.where(known, sheet.samples[rows], np.nan)
        if np.isnan(samples).all():
            samples = np.where(known, _samples_told_by(reward), np.nan)
        if np.nanmax(samples, initial=0) > 1 and not np.isnan(samples[known]).any():
            credit[rows] = _by_samples(reward, sheet.success_rate[rows], samples)
        else:
            guessed = (options[rows] > 1) & (np.isnan(reward) | (reward == 0) | (reward == 1)).all(axis=1) & known.any(axis=1)
            credit[rows[guessed]] = _by_guesses(reward[guessed], options[rows[guessed]])
    nothing = np.full(len(names), np.nan)
    return System(None, "oracle-without-luck", None, credit, nothing, nothing, nothing, nothing)


def _by_samples(reward: FloatArray, share: FloatArray, samples: FloatArray) -> FloatArray:
    """What the best model of each query earns by a fresh vote of as many samples as were drawn at most."""
    known = ~np.isnan(reward)
    wanted = int(np.nanmax(samples))
    shares, place = np.unique(share[known], return_inverse=True)
    earned = np.bincount(place, reward[known]) / np.bincount(place)  # by the share of samples that are right, whatever the label's rule
    curve = {0.0: 0.0, 1.0: 1.0} | dict(zip(shares.tolist(), earned.tolist(), strict=True))
    by_count = np.interp(np.arange(wanted + 1) / wanted, sorted(curve), [curve[point] for point in sorted(curve)])
    expected = reward.copy()
    for column, rows in _classes(share):
        right, drawn = share[rows, column], samples[rows, column]
        mean, inverse = right.mean(), (1 / drawn).mean()
        if len(rows) < 2 or mean in (0, 1) or inverse == 1:
            continue
        # The variance of a share of k samples is mean (1 - mean) (correlation + (1 - correlation) / k).
        correlation = (right.var(ddof=1) / (mean * (1 - mean)) - inverse) / (1 - inverse)
        strength = 1 / np.clip(correlation, 1e-6, 1 - 1e-6) - 1
        outcomes, place = np.unique(np.stack([right * drawn, drawn]), axis=1, return_inverse=True)
        fresh = _beta_binomial(mean * strength + outcomes[0], (1 - mean) * strength + outcomes[1] - outcomes[0], wanted)
        expected[rows, column] = (fresh @ by_count)[place.ravel()]
    best: FloatArray = np.fmax.reduce(expected, axis=1)
    return best


def _beta_binomial(right: FloatArray, wrong: FloatArray, count: int) -> FloatArray:
    """Chances of 0 … `count` right samples under the posteriors Beta(right, wrong); float64 (posteriors, count + 1)."""
    number = np.arange(count)
    ratios = (count - number) / (number + 1) * (right[:, None] + number) / (wrong[:, None] + count - number - 1)
    logs = np.hstack([np.zeros((len(right), 1)), np.log(ratios).cumsum(axis=1)])
    chances = np.exp(logs - logs.max(axis=1, keepdims=True))
    normalised: FloatArray = chances / chances.sum(axis=1, keepdims=True)
    return normalised


def _by_guesses(reward: FloatArray, options: IntArray) -> FloatArray:
    """Chance that some model knows the answer, or that a guess is right; `reward` is 0, 1 or NaN."""
    lucky, guess = np.ones_like(reward), np.zeros_like(reward)
    for column, rows in _classes(reward):
        accuracy, chance = reward[rows, column].mean(), 1 / options[rows]
        # A model below chance does not even guess evenly: all its right answers are lucky, and so few are its guesses.
        guess[rows, column] = np.minimum(chance, accuracy)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.minimum(1, (1 - accuracy) * chance / (1 - chance) / accuracy)
        lucky[rows, column] = np.where(reward[rows, column] == 1, share, 1)
    nobody = lucky.prod(axis=1)
    credit: FloatArray = 1 - nobody + nobody * guess.max(axis=1)
    return credit


def _classes(values: FloatArray) -> list[tuple[int, IntArray]]:
    """(model, rows): the queries on which the model is known, in classes of equal size by the mean of the other models."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0)
    others = (filled.sum(axis=1, keepdims=True) - filled) / np.maximum(known.sum(axis=1, keepdims=True) - known, 1)
    others = others.round(9)  # sums of the same values in another order are the same
    found = []
    for column in range(values.shape[1]):
        rows = np.flatnonzero(known[:, column])
        count = max(1, min(CLASSES, len(rows) // FEWEST_IN_CLASS))
        edges = np.quantile(others[rows, column], np.arange(1, count) / count) if len(rows) else np.zeros(0)
        place = np.searchsorted(edges, others[rows, column])
        found += [(column, rows[place == number]) for number in range(count) if (place == number).any()]
    return found


def _samples_told_by(reward: FloatArray) -> float:
    """How many samples imported scores are shares of: 10 if they are 0, 0.1, 0.4, …, 1. NaN if that cannot be told."""
    shares = np.unique(reward[~np.isnan(reward)])
    counts = (n for n in range(1, MOST_SAMPLES + 1) if np.abs(shares * n - np.rint(shares * n)).max(initial=0) < 1e-4)
    count = next(counts, 0)
    return float(count) if count >= FEWEST_SAMPLES else np.nan


_LETTERED = re.compile(r"^[ \t]*\(?([A-Z])[).．、]", re.MULTILINE)


def _options(queries: pl.DataFrame) -> IntArray:
    """How many options each query has, 0 where none are known."""
    return np.array(
        [
            len(choices) if choices is not None else lettered(question)
            for question, choices in queries.select("question", "choices").iter_rows()
        ],
        dtype=np.int64,
    )


def lettered(question: str) -> int:
    """How many options a question has on lines of their own, "A. black" or "(A) black"; of several questions (few-shot) the last."""
    letters = "".join(_LETTERED.findall(question))
    last = letters[letters.rfind("A") :] if "A" in letters else ""
    return next((number for number, letter in enumerate(last) if letter != LETTERS[number]), len(last))
