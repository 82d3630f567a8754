"""Whether it pays to look at samples before choosing: the router `looking` beside `domains`, which sees the same text and does not look.

    .venv/bin/python tests/benchmarks/looking.py lakes/demo 1 3

Five folds of all queries of a lake that has generations; each router is asked about queries that it was not trained on. Cost is in tokens,
samples looked at included. `domains` at equal cost: what it takes with the weight of expected tokens (confidence - weight x tokens), or a
mixture of two, with which it costs the same; where looking costs more than all that it could choose, its surest choices. First every router
chooses what it is surest of; then a token of the best single model counts as ten (an invented price, to have a pool in which difficulty
pays), and looking is held to half of what `domains` spends on its surest choices ("–": it cannot be).
"""

import sys
from itertools import pairwise

import numpy as np
import polars as pl

from tasks.config import Router
from tasks.lake.files import Lake, read_table
from tasks.lake.generations import query_generations
from tasks.lake.interfaces import Examples
from tasks.lake.tables import QUERIES, VOTES
from tasks.lake.views import matrix, pool, reward
from tasks.routers import make_router
from tasks.routers.looks import evidence, first_samples, with_evidence, with_looking
from tasks.routers.out_of_fold import FOLDS, fold_of, rows_of

FEATURES = ["words", "characters"]
WEIGHTS = np.concatenate([[0], np.geomspace(1e-6, 1e2, 200)])


def main(folder: str, looks: list[int]) -> None:
    lake = Lake(folder)
    votes = read_table(lake, VOTES)
    queries = read_table(lake, QUERIES).filter(pl.col("query_id").is_in(votes["query_id"].to_list())).sort("query_id")
    models, ids = pool(votes), queries["query_id"].to_list()
    tokens = matrix(votes, ids, models, pl.col("completion_tokens")).astype(np.float64)
    examples = Examples(queries, matrix(votes, ids, models, reward()), tuple(models))
    best = int(np.nanmean(examples.labels, axis=0).argmax())
    print(f"{folder}: {len(ids)} queries, {', '.join(models)}; best single {models[best]}, {np.nanmean(examples.labels[:, best]):.3f}\n")  # noqa: T201
    prices = np.where(np.arange(len(models)) == best, 10.0, 1.0)
    blind, _ = _asked(examples, {"name": "domains"})
    print("| looked at | samples | moved in folds | log loss | accuracy | tokens | more than `domains` at equal cost | the same, priced |")  # noqa: T201
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")  # noqa: T201
    _print(["nothing", "0", "–"], blind, _points(blind, examples.labels, tokens, tokens)[0], examples.labels, None, None)
    for model in models:
        for count in looks:
            files = [path for path in lake.files("generations") if f"/model={model}/" in path]
            samples, _ = query_generations(lake, files, lambda rows, count=count: first_samples(rows, count))
            seen = with_evidence(queries, [evidence(votes, samples, model, count)])
            section = {"name": "looking", "model": model, "looks": count}
            confidences, moved = _asked(Examples(seen, examples.labels, examples.models), section)
            gains = [
                _gain(confidences, blind, examples.labels, tokens * price, seen, models, model, price[best] > 1)
                for price in (1 + 0 * prices, prices)
            ]
            total = with_looking(tokens, seen, models, model)
            point = _points(confidences, examples.labels, total, total)[0]
            _print([model, str(count), f"{moved} of {FOLDS}"], confidences, point, examples.labels, *gains)


def _asked(examples, section):
    """Confidences on queries left out, and in how many folds looking moved anything."""
    folds, confidences, moved = fold_of(examples), np.zeros(examples.labels.shape), 0
    for fold in range(FOLDS):
        outside = np.flatnonzero(folds != fold)
        router = make_router(Router(features=FEATURES, **section), 0).fit(rows_of(examples, outside), rows_of(examples, outside[:0]))
        confidences[folds == fold] = router.confidences(examples.queries[np.flatnonzero(folds == fold)])
        moved += bool(hasattr(router, "arrays_") and "moves" in router.arrays_ and router.arrays_["moves"].any())
    return confidences, moved


def _points(confidences, labels, expected, cost):
    """(accuracy, cost) of each query at each weight; of an unweighed choice first."""
    points = []
    for weight in WEIGHTS:
        chosen = (confidences - weight * expected).argmax(axis=1)
        points.append((np.take_along_axis(labels, chosen[:, None], 1)[:, 0], np.take_along_axis(cost, chosen[:, None], 1)[:, 0]))
    return points


def _gain(confidences, blind, labels, tokens, seen, models, model, held):
    """Difference in accuracy of each query between looking and `domains` at the same mean cost."""
    expected = np.tile(np.nanmean(tokens, axis=0), (len(tokens), 1))
    others = _points(blind, labels, expected, tokens)
    looking = _points(confidences, labels, with_looking(expected, seen, models, model), with_looking(tokens, seen, models, model))
    budget = others[0][1].mean() / 2
    affordable = [point for point in looking if point[1].mean() <= budget] if held else looking
    if not affordable:
        return None
    accuracy, cost = affordable[0]
    return accuracy - _at_cost(others, cost.mean())


def _at_cost(points, cost):
    """Accuracy of each query at this mean cost: a mixture of two neighbouring weights; no weight is picked for its accuracy."""
    for (high, high_cost), (low, low_cost) in pairwise(points):
        if low_cost.mean() <= cost < high_cost.mean():
            share = (cost - low_cost.mean()) / (high_cost.mean() - low_cost.mean())
            return (1 - share) * low + share * high
    return points[0][0] if cost >= points[0][1].mean() else points[-1][0]


def _print(names, confidences, point, labels, *gains):
    accuracy, cost = point
    sure = np.clip(confidences, 0.001, 0.999)
    loss = -np.nanmean(labels * np.log(sure) + (1 - labels) * np.log(1 - sure))
    cells = [*names, f"{loss:.4f}", f"{accuracy.mean():.3f}", f"{cost.mean():.1f}", *map(_interval, gains)]
    print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201


def _interval(gain):
    return "–" if gain is None else f"{100 * gain.mean():+.1f} ± {196 * gain.std(ddof=1) / np.sqrt(len(gain)):.1f}"


if __name__ == "__main__":
    main(sys.argv[1], [int(count) for count in sys.argv[2:]] or [1, 3])
