"""Latent response model: a query needs abilities and is more or less difficult; a model has more or less of each ability.

log-odds that a model is right = its abilities · needs of the query + ease of the query + the model's level, where needs and ease are
linear in the query's vector: matrix factorisation of EmbedLLM (arXiv 2410.02223), multidimensional item response theory of IRT-Router
(2506.01048). With few abilities for many models less is learnt per model than by regression for each; a new model needs few labels.

Example: one ability, arithmetic. A word problem needs 1.0 of it and has an ease of -0.5; model a has 1.5 and level 0.2, model b 0.0 and
level 0.4. Log-odds of a: 1.5 · 1.0 - 0.5 + 0.2 = 1.2, confidence 0.77; of b: 0 - 0.5 + 0.4 = -0.1, confidence 0.475.
"""

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import minimize

from tasks.lake.interfaces import Examples
from tasks.routers.on_vectors import Arrays, Floats, Labelled, OnVectors
from tasks.routers.regression import benchmark_weights, log_odds, sigmoid
from tasks.routers.settings import LatentSettings
from tasks.routers.shrinkage import mean_rewards

PENALTY = 3.0  # on squares of needs, abilities and ease
# Of the sizes of benchmarks by which their queries are divided. With 0, four abilities leave out the 115 queries of humaneval among
# RouterDC's 5,935: 55.5 of 5 folds; with 0.5 58.6, with 1 57.7.
POWER = 0.5
EVERY = 10  # of the training queries one is held out to stop early, where there is no validation
STEPS = 200  # at most
PATIENCE = 20  # steps without a better loss on queries held out


class Latent(OnVectors):
    """Abilities of models, needs and ease of queries."""

    def _learn(self, train: Labelled, validation: Examples) -> Arrays:
        assert isinstance(self.settings, LatentSettings)
        held_out = self._labelled(validation)
        if held_out is None:
            train, held_out = split(train)
        starts = [
            factorise(train, held_out, self.settings.rank, np.random.default_rng([self.seed, start]))
            for start in range(self.settings.seeds)
        ]
        return {name: np.stack([start[name] for start in starts]).astype(np.float32) for name in starts[0]}

    def _rewards(self, vectors: npt.NDArray[np.float32]) -> Floats:
        rewards: Floats = np.mean([sigmoid(log_odds_of(vectors, start)) for start in self._starts()], axis=0)
        return rewards

    def _starts(self) -> list[Arrays]:
        return [{name: array[start] for name, array in self.arrays_.items()} for start in range(len(self.arrays_["ease"]))]


def log_odds_of(vectors: Floats, factors: Arrays) -> Floats:
    """Log-odds that each model is right, (queries, models)."""
    result: Floats = vectors @ factors["needs"] @ factors["abilities"] + vectors @ factors["ease"] + factors["levels"]
    return result


def factorise(train: Labelled, held_out: Labelled, rank: int, random: np.random.Generator) -> Arrays:
    """Needs (width, rank), abilities (rank, models), ease (width,) and levels (models,): those with the best loss on queries held out.

    Minimises cross-entropy by L-BFGS from models that differ in nothing but their level, so that their order does not matter.
    """
    width, count = train.vectors.shape[1], train.labels.shape[1]
    shapes = {"needs": (width, rank), "abilities": (rank, count), "ease": (width, 1), "levels": (count,)}
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    weights, held_out_weights = benchmark_weights(train.benchmarks, POWER), benchmark_weights(held_out.benchmarks, POWER)
    rewards = np.nan_to_num(train.labels).astype(np.float32)
    known = (weights[:, None] * ~np.isnan(train.labels)).astype(np.float32)

    def unpacked(parameters: Floats) -> Arrays:
        pieces = np.split(parameters.astype(np.float32), ends[:-1])
        return {name: piece.reshape(shape) for piece, (name, shape) in zip(pieces, shapes.items(), strict=True)}

    def loss(parameters: Floats) -> tuple[float, Floats]:
        factors = unpacked(parameters)
        odds = log_odds_of(train.vectors, factors)
        residuals = (sigmoid(odds) - rewards) * known
        needed = train.vectors.T @ residuals
        slopes = (
            needed @ factors["abilities"].T,
            (train.vectors @ factors["needs"]).T @ residuals,
            needed.sum(axis=1),
            residuals.sum(axis=0),
        )
        penalised = np.where(np.arange(len(parameters)) < ends[-2], PENALTY * parameters, 0)
        return (
            float(cross_entropy(odds, train.labels, weights) + penalised @ parameters / 2),
            np.concatenate([slope.ravel() for slope in slopes]) + penalised,
        )

    start = np.zeros(ends[-1])
    start[: ends[0]] = random.normal(scale=width**-0.5, size=ends[0])
    start[ends[-2] :] = log_odds(mean_rewards(train.labels))
    best, least, steps, found_at = start, np.inf, 0, 0

    def keep_best(parameters: Floats) -> None:
        nonlocal best, least, steps, found_at
        steps += 1
        found = cross_entropy(log_odds_of(held_out.vectors, unpacked(parameters)), held_out.labels, held_out_weights)
        if found < least:
            best, least, found_at = parameters.copy(), found, steps
        if steps - found_at >= PATIENCE:
            raise StopIteration

    keep_best(start)
    minimize(loss, start, jac=True, method="L-BFGS-B", callback=keep_best, options={"maxiter": STEPS})
    return unpacked(best)


def cross_entropy(odds: Floats, labels: Floats, weights: Floats) -> float:
    """Weighted sum over queries and models of the known labels, which may be fractions."""
    return float(weights @ np.nansum(np.logaddexp(0, odds) - labels * odds, axis=1))


def split(train: Labelled) -> tuple[Labelled, Labelled]:
    """The training queries but every tenth, and these; all on both sides where a model would lose its only rewards, or there are few."""
    out = np.arange(len(train.labels)) % EVERY == EVERY - 1
    if not out.any() or np.isnan(train.labels[~out]).all(axis=0).any():
        return train, train
    return _rows(train, ~out), _rows(train, out)


def _rows(examples: Labelled, rows: npt.NDArray[np.bool_]) -> Labelled:
    return Labelled(examples.queries.filter(pl.Series(rows)), examples.vectors[rows], examples.labels[rows], examples.benchmarks[rows])
