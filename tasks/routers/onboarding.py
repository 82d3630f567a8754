"""A new model that only few queries can be paid for: which ones, and what they tell about all the others.

    rows = choose_queries(examples, count=50)      # training queries to sample the new model on
    complete(examples)                             # with its 50 labels, and what is to be expected of it elsewhere

A model is taken for another draw from the pool that is there. Its reward on a query is expected to be the mean of the pool's models on
that benchmark, plus how easy the query was for them (shrunk, as in `shrinkage.py`), plus an offset of its own for the benchmark. How far
offsets scatter is known from the pool; but one in ten is allowed to be unlike the pool, and far away. Few labels draw an offset away
from 0 by little, many or very surprising ones by much; without a label the model is the pool's mean.

Which labels tell most follows: those that lessen the expected squared error of the benchmark means (an A-optimal design, greedily), in
which each benchmark counts the same. Example: on gsm8k offsets scatter by 0.20 and on mmlu by 0.10, and a label by 0.40 around what is
expected. A first label on gsm8k takes 0.20⁴ / (0.20² + 0.40²) = 0.008 off the squared error of 0.04, one on mmlu 0.0006 off 0.01. So
labels go to gsm8k until there are twelve, and the next takes no more off there. In a benchmark the queries are taken from the hardest to
the easiest at equal distances.

Of tinyBenchmarks (arXiv 2402.14992) it is the idea to estimate benchmark means from few queries by what other models did on all. Their
anchor points and item response models need hundreds of models; a pool has a handful. What was tried and told nothing: vectors of
the texts, factors of the other models' rewards beyond ease, how offsets go together (`tests/benchmarks/README.md`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.lake.interfaces import Examples

SPARSE = 0.25  # of the queries: a model with labels on a smaller share is new
UNLIKE = 0.1  # chance that a model is unlike the pool on a benchmark; else a surprise would be taken for luck, or never looked for
FAR = 0.3  # how far it is away then: standard deviation of the offset
CREDENCE = 2.0  # models that an assumption counts for: that benchmarks have the same spread, that it is SPREAD
SPREAD = 0.1  # of models' means on a benchmark: what RouterDC's and RouterBench's have about
LEAST_NOISE = 0.01  # variance of a label; nothing is certain

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Prior:
    """What the pool lets expect of one more model."""

    expected: Floats  # (queries,) reward
    noise: Floats  # (benchmarks,) variance of a label around expectation and offset
    spread: Floats  # (benchmarks,) variance of the offsets, as the pool's models have it
    far: Floats  # (benchmarks,) variance of the offset of a model unlike the pool


def choose_queries(examples: Examples, count: int) -> Ints:
    """The rows of `examples` on which a new model should be sampled first, int64 (count,), sorted; all if there are no more.

    Models that are new themselves count for nothing.
    """
    groups, benchmarks = _benchmarks(examples)
    prior = _prior(examples.labels[:, ~_sparse(examples.labels)], groups, benchmarks)
    rows = [np.zeros(0, dtype=np.int64)]
    for group, taken in enumerate(_allocation(prior, np.bincount(groups, minlength=benchmarks), count)):
        members = np.flatnonzero(groups == group)
        # Equals by query_id, which is as good as chance; rounded, so that the order in which models are summed decides nothing.
        by_ease = members[np.argsort(prior.expected[members].round(9), kind="stable")]
        rows.append(by_ease[((np.arange(taken) + 0.5) / max(taken, 1) * len(by_ease)).astype(np.int64)])
    return np.sort(np.concatenate(rows))


def complete(examples: Examples) -> Examples:
    """The examples with what is to be expected of new models where they have no label; all other labels stay, and so do other holes.

    A router that is given the few labels alone believes too much of them. With each of RouterDC's models new in turn, 50 labels and two
    halves, five kinds of routers were 0.2 to 0.6 points more accurate by it. Other holes stay: where models had 30 % of their labels or
    more, filling them made no router better, and some worse. A model without a label stays without.
    """
    sparse = _sparse(examples.labels)
    if not sparse.any():
        return examples
    groups, benchmarks = _benchmarks(examples)
    labels = examples.labels.copy()
    for column in np.flatnonzero(sparse):
        estimate = estimate_rewards(examples.labels[:, ~sparse], labels[:, column], groups, benchmarks)
        labels[:, column] = np.where(np.isnan(labels[:, column]), estimate, labels[:, column])
    return Examples(examples.queries, labels, examples.models)


def estimate_rewards(pool: npt.NDArray[np.floating], new: npt.NDArray[np.floating], groups: Ints, count: int) -> Floats:
    """Expected reward of a new model on every query, float64 (queries,), 0 … 1.

    Args:
        pool: float (queries, models), rewards of the models that are there, NaN where one is missing.
        new: float (queries,), those of the new model, NaN nearly everywhere.
        groups: the benchmark of each query, 0 … count-1.
    """
    prior = _prior(pool, groups, count)
    known = ~np.isnan(new)
    labels = np.bincount(groups[known], minlength=count)
    surprise = np.bincount(groups[known], (new - prior.expected)[known], minlength=count) / np.maximum(labels, 1)
    (near, near_likelihood), (far, far_likelihood) = (_believed(surprise, labels, prior.noise, of) for of in (prior.spread, prior.far))
    odds = UNLIKE / (1 - UNLIKE) * np.exp(far_likelihood - near_likelihood)
    offsets = surprise * (near + odds * far) / (1 + odds)
    estimate: Floats = np.clip(prior.expected + offsets[groups], 0, 1)
    return estimate


def _believed(surprise: Floats, labels: npt.NDArray[np.integer], noise: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """If offsets have this variance: the share of a mean surprise that is no luck, and its log-likelihood, both (benchmarks,)."""
    total = variance + noise / np.maximum(labels, 1)
    return np.where(labels > 0, variance / total, 0), -np.square(surprise) / total / 2 - np.log(total) / 2


def _benchmarks(examples: Examples) -> tuple[Ints, int]:
    """The benchmark of each query, as a number, and how many there are."""
    names, groups = np.unique(examples.queries["benchmark"].to_numpy().astype(str), return_inverse=True)
    return groups.astype(np.int64), len(names)


def _sparse(labels: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Which models are new: they have labels, but on few queries. Where no model has more, none is."""
    share = (~np.isnan(labels)).sum(axis=0) / max(len(labels), 1)
    new: npt.NDArray[np.bool_] = (share > 0) & (share < SPARSE) & (share >= SPARSE).any()
    return new


def _prior(pool: npt.NDArray[np.floating], groups: Ints, count: int) -> _Prior:
    known = ~np.isnan(pool)
    sizes = _sums(known, groups, count)
    means = _sums(np.where(known, pool, 0), groups, count) / np.maximum(sizes, 1)
    models = (sizes > 0).sum(axis=1)  # that have labels in the benchmark
    levels = np.where(models > 0, means.sum(axis=1) / np.maximum(models, 1), 0.5)

    # A query's ease: the mean of its labels' deviations, in which luck is `within` / labels and the rest `between`.
    deviations = np.where(known, pool - means[groups], 0)
    labels = known.sum(axis=1)
    ease = deviations.sum(axis=1) / np.maximum(labels, 1)
    queries = np.maximum(np.bincount(groups, labels > 0, minlength=count), 1)
    squares = np.bincount(groups, np.square(ease), minlength=count) / queries
    rest = np.bincount(groups, np.square(np.where(known, deviations - ease[:, None], 0)).sum(axis=1), minlength=count)
    degrees = np.bincount(groups, np.maximum(labels - 1, 0), minlength=count)
    # Where one model is alone, its ease cannot be told from luck, and is taken for luck.
    within = np.maximum(np.where(degrees > 0, rest / np.maximum(degrees, 1), squares), LEAST_NOISE)
    luck = within * np.bincount(groups, (labels > 0) / np.maximum(labels, 1), minlength=count) / queries
    between = np.maximum(0, squares - luck)
    credence = between[groups] * labels / (between[groups] * labels + within[groups])
    unknown = between * np.bincount(groups, 1 - credence, minlength=count) / np.maximum(np.bincount(groups, minlength=count), 1)

    offsets = np.square(np.where(sizes > 0, means - levels[:, None], 0)).sum(axis=1)
    others = np.maximum(models - 1, 0)
    common = (offsets.sum() + CREDENCE * SPREAD**2) / (others.sum() + CREDENCE)
    spread = (offsets + CREDENCE * common) / (others + CREDENCE)
    return _Prior(levels[groups] + credence * ease, within + unknown, spread, np.maximum(spread, FAR**2))


def _sums(values: npt.NDArray[np.generic], groups: Ints, count: int) -> Floats:
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums


def _allocation(prior: _Prior, sizes: npt.NDArray[np.integer], count: int) -> Ints:
    """How many of `count` labels each benchmark gets, int64 (benchmarks,); it has `sizes` queries."""
    taken: Ints = np.zeros(len(sizes), dtype=np.int64)
    variance = (1 - UNLIKE) * prior.spread + UNLIKE * prior.far
    for _ in range(min(count, int(sizes.sum()))):
        error = variance * prior.noise / (prior.noise + taken * variance)  # squared, of each mean, given the labels so far
        gain = np.square(error) / (prior.noise + error)
        taken[np.argmax(np.where(taken < sizes, gain, -1))] += 1
    return taken
