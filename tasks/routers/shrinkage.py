"""What each model is worth on each group of queries, without believing the noise of small groups.

Groups (clusters, benchmarks) of few queries have a best model by luck: on GSM8K the winner on training queries was the
winner on test queries in only 11 of the paper's 50 clusters. So a group's mean is drawn towards what is true of all
queries, the more so the smaller the group is. By how much the data itself tells (Bühlmann and Straub's credibility
estimator, 1970): a mean of n values counts n / (n + K), where K is the variance inside groups over that between groups.

Example: values scatter inside groups with variance 0.25 and the groups' true means with 0.05, so K = 5. A group of 5 whose
mean is 0.2 above the overall one counts as 0.1 above it, a group of 45 as 0.18. If groups differ no more than luck
explains, the variance between is 0, every group gets the overall mean, and the router is the best single model.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
ROUNDS = 50  # each brings the means nearer to where they stay, by about half
DOUBT = 1.0  # labels that say a query is like any other; on RouterDC's queries a label's luck has 1.3 times the variance of ease


def mean_rewards(labels: npt.NDArray[np.floating]) -> Floats:
    """Mean reward of each model, float64 (models,). A model without any reward gets 0: nothing speaks for it.

    Args:
        labels: float (queries, models), NaN where the model is missing.
    """
    known = ~np.isnan(labels)
    means: Floats = np.where(known, labels, 0).sum(axis=0, dtype=np.float64) / np.maximum(known.sum(axis=0), 1)
    return means


def fair_means(labels: npt.NDArray[np.floating]) -> Floats:
    """Mean reward of each model as if all had been asked the same queries, float64 (models,); without holes that is the mean.

    A model that is missing on hard queries looks better than it is. So a reward counts for as much more as its query is harder than
    others: as the models that were asked it fared worse on it than elsewhere. Example: a and b are right on 8 of 10 easy queries each, b
    on 2 of 10 hard ones too. The means are 0.8 and 0.5, the fair ones 0.65 and 0.5: half of what one other model says is believed. Of
    six others more is: without the hardest 30 % of RouterDC's queries a model's mean is 0.11 to 0.20 too high, the fair one 0.03 at most.
    """
    means, known = mean_rewards(labels), ~np.isnan(labels)
    if known.all():
        return means
    asked = known.sum(axis=1, keepdims=True)
    for _ in range(ROUNDS):
        ease = np.where(known, labels - means, 0).sum(axis=1, keepdims=True, dtype=np.float64) / (asked + DOUBT)
        means = mean_rewards(labels - ease + ease.sum() / max(np.count_nonzero(asked), 1))
    return means


def group_rewards(labels: npt.NDArray[np.floating], groups: npt.NDArray[np.integer], count: int) -> Floats:
    """Expected reward of each model in each group, float64 (count, models), 0 … 1.

    A reward is taken apart into the model's overall mean, how easy the query's group is for all models, and how well the
    group suits the model. The last two are shrunk separately: groups differ much in difficulty, and little in which model
    they suit.

    Args:
        labels: float (queries, models), 0 … 1, NaN where the model is missing.
        groups: the group of each query, 0 … count-1.
    """
    overall, ease, preference = take_apart(labels)
    rewards = overall + credible_means(ease, groups, count) + credible_means(preference, groups, count)
    seen = ~np.isnan(labels).all(axis=0)  # a model without any reward has 0 in every group
    clipped: Floats = np.where(seen, np.clip(rewards, 0, 1), 0)
    return clipped


def take_apart(labels: npt.NDArray[np.floating]) -> tuple[Floats, Floats, Floats]:
    """Each model's mean reward, (models,), each query's ease for all, (queries, 1), and how well it suits each model, (queries, models).

    Their sum is `labels`. With one model right and one wrong on a query where both are right on half of all: (0.5, 0.5), 0, (0.5, -0.5).
    A query's ease is NaN where no model has a reward.
    """
    overall = fair_means(labels)
    deviations = labels - overall
    known = ~np.isnan(deviations)
    ease = np.where(known, deviations, 0).sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    ease = np.where(known.any(axis=1, keepdims=True), ease, np.nan)
    return overall, ease, deviations - ease


def credible_means(values: Floats, groups: npt.NDArray[np.integer], count: int) -> Floats:
    """Shrunk mean of each column in each group, float64 (count, columns); `values` have mean 0 and NaN for holes."""
    known = ~np.isnan(values)
    values = np.where(known, values, 0)
    sizes = np.zeros((count, values.shape[1]))
    sums = np.zeros_like(sizes)
    np.add.at(sizes, groups, known)
    np.add.at(sums, groups, values)
    means = sums / np.maximum(sizes, 1)
    total, cells, columns = sizes.sum(), np.count_nonzero(sizes), np.count_nonzero(sizes.any(axis=0))
    within = np.square(np.where(known, values - means[groups], 0)).sum() / max(total - cells, 1)
    independent = total - np.square(sizes).sum(axis=0) @ (1 / np.maximum(sizes.sum(axis=0), 1))
    if independent <= 0:  # one group: its mean is the overall one
        return np.zeros_like(means)
    between = max(0.0, ((sizes * np.square(means)).sum() - (cells - columns) * within) / independent)
    weights = np.divide(sizes * between, sizes * between + within, out=np.zeros_like(means), where=(sizes > 0) & (between > 0))
    shrunk: Floats = means * weights
    return shrunk
