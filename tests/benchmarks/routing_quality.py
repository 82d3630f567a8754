"""Routers on real outcomes by cross-validation: what each earns, beside what a router earns that is told the benchmark.

    .venv/bin/python tests/benchmarks/routing_quality.py ../shared/data/routerdc/outcomes-train.parquet --routers domains linear knn

Five folds, stratified by benchmark, another five for each seed; a router is trained on four and takes, for each query of the fifth, the
model that it is surest of, without being told the benchmark. Of a query's outcomes with several seeds the mean counts once. Accuracies are
means over benchmarks. Intervals are of paired differences, by a bootstrap over queries inside each benchmark: how much another training
set would change they do not say. Then the same with one benchmark after the other left out of training. Prints three tables.

AUC: among the queries on which only one of the two models is right that were the best of the benchmark in training, how often
a router tells a query that suits the one from a query that suits the other. 0.5 is chance, and what knowing the benchmark gives.
Folds are not mixed (a fold whose training queries favour one model has test queries that favour the other).

Nothing is calibrated, and no query is held out for early stopping but a tenth of the training queries, which classifiers take themselves.
"""

import argparse
import sys
import time
from collections import defaultdict
from functools import lru_cache

import numpy as np
import routing_data
from sklearn.metrics import roc_auc_score

from tasks.config import Router
from tasks.evaluation.intervals import Resamples, interval
from tasks.lake.interfaces import Examples
from tasks.lake.views import question_texts
from tasks.routers import make_router
from tasks.routers.baselines import BestSingle
from tasks.routers.prefixes import shared_prefixes
from tasks.routers.settings import NoSettings

FOLDS = 5
DRAWS = 2000
TOLD = ("benchmark", "subject")  # routers that are told these, and what they are told
ROUTERS = (
    "domains",
    "linear",
    "knn",
    "cluster-and-rank",
    "latent",
    "dual-contrastive",
    "pairwise",
    "kmeans-tfidf",
    "kmeans-encoder",
    "stacking",
)


class Study:
    """The queries of a file, and what systems earn on them."""

    def __init__(self, file: str, encoder: str) -> None:
        self.examples = routing_data.read(file)
        self.encoder = encoder
        self.benchmarks = self.examples.queries["benchmark"].to_numpy().astype(str)
        self.names = sorted(set(self.benchmarks))
        self.draws = Resamples(self.benchmarks.tolist(), DRAWS, 0)
        self.texts = np.array(question_texts(self.examples.queries), dtype=object)

    def confidences(self, router: Router, train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
        """Of a router trained on the rows `train`, on the rows `test`, float (queries, models); the models that were not asked have -1."""
        queries = routing_data.embedded(self.examples.queries, self._prefixes(tuple(train)), router)
        labels, models = self.examples.labels, self.examples.models
        learned = Examples(queries[train], labels[train], models)
        asked = queries[test] if router.name in TOLD else queries[test].drop(TOLD)
        fitted = make_router(router, seed).fit(learned, Examples(queries[:0], labels[:0], models))
        # Equal confidences: the model that is better on training queries, as policies do.
        better = 1e-6 * BestSingle(NoSettings(), 0).fit(learned, learned).rewards_
        return np.where(np.isnan(labels[test]), -1, fitted.confidences(asked) + better)

    def earned(self, confidences: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """What the surest model earned on each of the rows."""
        return self.examples.labels[rows, confidences.argmax(axis=1)]

    def each(self, earned: np.ndarray) -> list[float]:
        """Mean of each benchmark, %."""
        return [100 * float(earned[self.benchmarks == name].mean()) for name in self.names]

    def interval(self, difference: np.ndarray) -> str:
        """Mean over benchmarks with its interval, in points."""
        parts = [self.draws.means(difference[:, None], np.flatnonzero(self.benchmarks == name)) for name in self.names]
        (low,), (high,) = interval(100 * np.mean(parts, axis=0), np.array([len(difference)]))
        return f"{np.mean(self.each(difference)):+.2f} ({low:+.2f} to {high:+.2f})"

    def folds(self, seed: int) -> np.ndarray:
        random, folds = np.random.default_rng(seed), np.zeros(len(self.benchmarks), dtype=int)
        for name in self.names:
            rows = np.flatnonzero(self.benchmarks == name)
            folds[random.permutation(rows)] = np.arange(len(rows)) % FOLDS
        return folds

    @lru_cache(maxsize=64)  # noqa: B019  (one study a process)
    def _prefixes(self, train: tuple[int, ...]) -> list[str]:
        return shared_prefixes(self.texts[list(train)].tolist())

    def _hindsight(self) -> np.ndarray:
        """What the model earns that is best on the benchmark's own queries."""
        earned = np.zeros(len(self.benchmarks))
        for name in self.names:
            rows = np.flatnonzero(self.benchmarks == name)
            labels = self.examples.labels[rows]
            means = np.nanmean(labels, axis=0)
            earned[rows] = self.earned(np.where(np.isnan(labels), -1, means), rows)
        return earned

    def bounds(self) -> dict[str, np.ndarray]:
        labels = self.examples.labels
        return {
            "random": np.nanmean(labels, axis=1),
            "best of each benchmark, in hindsight": self._hindsight(),
            "oracle": np.nanmax(labels, 1),
        }


def main(file: str, kinds: list[str], seeds: int, encoder: str) -> None:
    study = Study(file, encoder)
    examples = study.examples
    print(f"{file}: {examples.queries.height:,} queries, {len(examples.models)} models; seeds: {seeds}; encoder: {encoder}\n", flush=True)  # noqa: T201
    routers = [routing_data.section(kind, encoder) for kind in dict.fromkeys(["benchmark", "best-single", *kinds])]
    earned, aucs, seconds = {}, {}, {}
    for router in routers:
        began = time.process_time()
        earned[router.name], aucs[router.name] = cross_validated(study, router, seeds)
        seconds[router.name] = (time.process_time() - began) / (seeds * FOLDS)
        print(f"{router.name}: {np.mean(study.each(earned[router.name])):.2f}, {seconds[router.name]:.1f} s a fold", file=sys.stderr)  # noqa: T201
    known = earned["benchmark"]
    head = ["", "accuracy, %", *study.names, "more than knowing the benchmark", "CPU-seconds a fold"]
    rows = [
        [name, *_figures(study, outcome), study.interval(outcome - known), f"{seconds[name]:.1f}" if name in seconds else ""]
        for name, outcome in (earned | study.bounds()).items()
    ]
    _print(head, rows)

    pairs, luck = _pairs(study, seeds)
    _print(
        ["AUC", *study.names],
        [
            ["queries on which one of the two is right", *(f"{pairs[name]:.0f}" for name in study.names)],
            ["± by luck alone", *(f"{luck[name]:.3f}" for name in study.names)],
            *([name, *(f"{auc[benchmark]:.3f}" for benchmark in study.names)] for name, auc in aucs.items()),
        ],
    )

    if len(study.names) < 2:
        return
    left_out = {router.name: _left_out(study, router) for router in routers if router.name not in TOLD}
    head = ["trained on the other benchmarks", "accuracy, %", *study.names, "more than the others' best single model"]
    _print(
        head,
        [
            [name, *_figures(study, outcome), study.interval(outcome - left_out["best-single"])]
            for name, outcome in (left_out | study.bounds()).items()
        ],
    )


def cross_validated(study: Study, router: Router, seeds: int) -> tuple[np.ndarray, dict[str, float]]:
    """What the router earns on each query it was not trained on, mean of the seeds, and its AUC on each benchmark."""
    earned = np.zeros((seeds, len(study.benchmarks)))
    found = defaultdict(list)
    for seed in range(seeds):
        folds = study.folds(seed)
        for fold in range(FOLDS):
            train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            confidences = study.confidences(router, train, test, seed)
            earned[seed, test] = study.earned(confidences, test)
            for name, first, second, rows in _duels(study, train, test):
                lead = confidences[:, first] - confidences[:, second]
                suits = study.examples.labels[test, first] > study.examples.labels[test, second]
                weight = int(suits[rows].sum()) * int((~suits[rows]).sum())
                if weight:
                    found[name].append((roc_auc_score(suits[rows], lead[rows]), weight))
    return earned.mean(axis=0), {name: _weighted(found[name]) for name in study.names}


def _weighted(found: list[tuple[float, int]]) -> float:
    return sum(value * weight for value, weight in found) / sum(weight for _, weight in found) if found else float("nan")


def _duels(study: Study, train: np.ndarray, test: np.ndarray):
    """Of each benchmark: the two models that are best on its training queries, and the places in `test` where they earn differently."""
    labels = study.examples.labels
    for name in study.names:
        means = np.nanmean(labels[train][study.benchmarks[train] == name], axis=0)
        first, second = np.argsort(-means, kind="stable")[:2]
        difference = np.nan_to_num(labels[test, first] - labels[test, second])
        yield name, first, second, np.flatnonzero((difference != 0) & (study.benchmarks[test] == name))


def _pairs(study: Study, seeds: int) -> tuple[dict[str, float], dict[str, float]]:
    """How many queries there are to tell apart in a seed's folds, and 1.96 standard errors of the AUC of a guess (Mann and Whitney)."""
    counts, variances, weights = (dict.fromkeys(study.names, 0.0) for _ in range(3))
    for seed in range(seeds):
        folds = study.folds(seed)
        for fold in range(FOLDS):
            train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            for name, first, second, rows in _duels(study, train, test):
                right = int((study.examples.labels[test, first] > study.examples.labels[test, second])[rows].sum())
                wrong = len(rows) - right
                counts[name] += len(rows) / seeds
                weights[name] += right * wrong / seeds
                variances[name] += right * wrong * (len(rows) + 1) / 12 / seeds
    return counts, {name: 1.96 * np.sqrt(variances[name]) / weights[name] if weights[name] else np.nan for name in study.names}


def _left_out(study: Study, router: Router) -> np.ndarray:
    """What the router earns on each benchmark when it was trained on the others."""
    earned = np.zeros(len(study.benchmarks))
    for name in study.names:
        train, test = np.flatnonzero(study.benchmarks != name), np.flatnonzero(study.benchmarks == name)
        earned[test] = study.earned(study.confidences(router, train, test, 0), test)
    return earned


def _figures(study: Study, earned: np.ndarray) -> list[str]:
    each = study.each(earned)
    return [f"{np.mean(each):.2f}", *(f"{value:.1f}" for value in each)]


def _print(head: list[str], rows: list[list[str]]) -> None:
    marks = ["---", *["---:"] * (len(head) - 1)]
    print("\n".join(f"| {' | '.join(row)} |" for row in [head, marks, *rows]) + "\n", flush=True)  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--routers", nargs="*", default=list(ROUTERS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--encoder", default="all-MiniLM-L6-v2")
    arguments = parser.parse_args()
    main(arguments.file, arguments.routers, arguments.seeds, arguments.encoder)
