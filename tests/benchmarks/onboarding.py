"""What 50 labels tell about a new model: queries chosen by design, beside random ones and random ones from each benchmark in proportion.

    .venv/bin/python tests/benchmarks/onboarding.py ../shared/data/routerdc/outcomes-train.parquet

Each model in turn is the new one. Half of the queries (another half for each of 40 seeds) are the training queries, of which the new
model is sampled on some; on the others a router that is told the benchmark takes the model with the highest mean. The intervals are of
the difference to stratified random queries, over seeds; how much they would move with other models they do not say.
"""

import sys
from collections import defaultdict

import numpy as np
import polars as pl

from tasks.lake.interfaces import Examples
from tasks.lake.views import matrix
from tasks.routers.onboarding import choose_queries, estimate_rewards

SEEDS = 40


def main(file: str, count: int) -> None:
    outcomes = pl.read_parquet(file)
    queries = outcomes.group_by("query_id").agg(pl.col("benchmark").first()).sort("query_id")
    models = sorted(outcomes["model"].unique())
    labels = matrix(outcomes, queries["query_id"].to_list(), models, pl.col("score"))
    names, groups = np.unique(queries["benchmark"].to_numpy().astype(str), return_inverse=True)
    errors, accuracies = defaultdict(list), defaultdict(list)
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        train = random.random(len(labels)) < 0.5
        for new in range(len(models)):
            for name, error, accuracy in _round(
                queries, labels, groups, len(names), train & ~np.isnan(labels[:, new]), ~train, new, count, random
            ):
                errors[name].append(error)
                accuracies[name].append(accuracy)
    shape = (SEEDS, len(models))
    stratified = "stratified, estimated"
    print(f"{file}: {len(models)} models, {count} labels, {SEEDS} seeds\n")  # noqa: T201
    print("| queries, means | error of benchmark means | less than stratified | accuracy, % | more than stratified |")  # noqa: T201
    print("| --- | ---: | ---: | ---: | ---: |")  # noqa: T201
    for name in errors:
        error, accuracy = (np.array(values[name]).reshape(shape + np.shape(values[name][0])) for values in (errors, accuracies))
        base_error, base = (
            np.array(values[stratified]).reshape(shape + np.shape(values[stratified][0])) for values in (errors, accuracies)
        )
        by_seed = np.sqrt(error.mean(axis=(1, 2))) - np.sqrt(base_error.mean(axis=(1, 2)))
        print(  # noqa: T201
            f"| {name} | {np.sqrt(error.mean()):.4f} | {_interval(-by_seed, 4)} | {100 * accuracy.mean():.2f} "
            f"| {_interval(100 * (accuracy - base).mean(axis=1), 2)} |"
        )


def _round(queries, labels, groups, count_groups, train, test, new, count, random):
    """The squared errors of the benchmark means and the macro accuracy on other queries, for each way to choose and to estimate."""
    others = np.delete(labels, new, axis=1)
    groups_here, pool, truth = groups[train], others[train], labels[train, new]
    means = _means(pool, groups_here, count_groups)
    worth = _means(np.column_stack([others, labels[:, new]])[test], groups[test], count_groups)
    true = _means(truth[:, None], groups_here, count_groups)[:, 0]
    sizes = np.bincount(groups_here, minlength=count_groups)
    examples = Examples(queries.filter(train), pool, tuple(f"m{column}" for column in range(pool.shape[1])))
    chosen = {
        "random": random.choice(len(truth), count, replace=False),
        "stratified": _stratified(groups_here, sizes / sizes.sum(), count, random),
        "as many of each": _stratified(groups_here, np.full(count_groups, 1 / count_groups), count, random),
        "designed": choose_queries(examples, count),
    }
    estimates = {"none: the pool's means": means.mean(axis=1)}
    for name, rows in chosen.items():
        few = np.full(len(truth), np.nan)
        few[rows] = truth[rows]
        plain = _means(few[:, None], groups_here, count_groups)[:, 0]
        estimates[f"{name}, plain means"] = np.where(np.isnan(plain), means.mean(axis=1), plain)
        estimate = estimate_rewards(pool, few, groups_here, count_groups)
        estimates[f"{name}, estimated"] = _means(estimate[:, None], groups_here, count_groups)[:, 0]
    estimates["all labels"] = true
    for name, estimate in estimates.items():
        best = np.column_stack([means, estimate]).argmax(axis=1)
        yield name, np.square(estimate - true), worth[np.arange(count_groups), best].mean()


def _means(values, groups, count):
    with np.errstate(invalid="ignore"):
        known = ~np.isnan(values)
        sums = np.stack([np.bincount(groups, np.nan_to_num(column), minlength=count) for column in values.T], axis=1)
        return sums / np.stack([np.bincount(groups, column, minlength=count) for column in known.T], axis=1)


def _stratified(groups, shares, count, random):
    """Random queries, of each benchmark its share, rounded so that they are `count`."""
    taken = np.floor(shares * count).astype(int)
    taken[np.argsort(-(shares * count - taken), kind="stable")[: count - taken.sum()]] += 1
    return np.concatenate([random.choice(np.flatnonzero(groups == group), number, replace=False) for group, number in enumerate(taken)])


def _interval(values, digits):
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.{digits}f} ± {half:.{digits}f}"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50)
