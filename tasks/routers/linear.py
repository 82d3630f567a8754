"""Linear routers: how much each direction of a query's vector speaks for each model.

A reward is what the model earns on the recognised benchmark (or on all queries: `around = "overall"`), and ridge or logistic regression
(`regression.py`) of what is left, rewards that are fractions included. What is left is taken apart, as in `shrinkage.py`: how easy the
query is for all models, and how well it suits each. The first is plain in texts and the second hardly, so each has a penalty of its own,
chosen by the error on queries left out; one for both would believe too much of the second, or too little of the first.

Example: a and b are right on 60 % of a benchmark. On those of its queries that are about arithmetic, half of n = 100, a is right on 90 %
and b on 70 %, on the others on 30 % and 50 %. One feature, +1 for arithmetic and -1 for the rest: ease is ±0.2, preference of a ±0.1.
With penalties of 0 and 100 they become ±0.2 and ±0.1 · n / (n + 100) = ±0.05: on arithmetic a gets 0.85 and b 0.75. Were preference no
more than luck, the largest penalty would leave the least error, and both would get 0.8.

On RouterDC's training queries with MiniLM's vectors the penalty leaves nothing of preference within benchmarks: 59.9 (5 folds, macro,
three seeds; a router that is told the benchmark: 60.1), and 59.2 around the overall mean.
"""

import numpy as np
import numpy.typing as npt

from tasks.lake.interfaces import Examples
from tasks.routers.on_vectors import Arrays, Floats, Labelled, OnVectors
from tasks.routers.regression import benchmark_weights, log_odds, logistic, ridge, sigmoid
from tasks.routers.settings import LinearSettings
from tasks.routers.shrinkage import group_rewards, take_apart

RECOGNITION = 0.01  # penalty of telling benchmarks apart: on RouterDC's queries 98.7 % are told right, with 0.1 97.9 %
CURVATURE = 0.25  # of the cross-entropy where a model is right on half of the queries, against 1 of the square


class Linear(OnVectors):
    """Ridge or logistic regression of rewards on vectors."""

    def _learn(self, train: Labelled, validation: Examples) -> Arrays:
        assert isinstance(self.settings, LinearSettings)
        vectors, labels = train.vectors, train.labels
        weights = benchmark_weights(train.benchmarks, 1.0 if self.settings.weights == "benchmarks" else 0.0)
        groups = np.zeros_like(train.benchmarks) if self.settings.around == "overall" else train.benchmarks
        means = group_rewards(labels, groups, int(groups.max()) + 1)
        recognition = logistic(vectors, np.eye(len(means))[groups], weights, RECOGNITION, RECOGNITION)

        base, ease, preference = take_apart(labels - means[groups])
        common, common_base, common_penalty = ridge(vectors, ease, weights)
        own, own_base, own_penalty = ridge(vectors, preference, weights)
        name, regression = "rewards", _stack(common + own, base + common_base + own_base)
        if self.settings.loss == "logistic":
            penalties = CURVATURE * common_penalty, CURVATURE * own_penalty
            name, regression = "log_odds", _stack(*logistic(vectors, labels, weights, *penalties, offsets=log_odds(means)[groups]))
        return {"means": means.astype(np.float32), "recognition": _stack(*recognition), name: regression}

    def _rewards(self, vectors: npt.NDArray[np.float32]) -> Floats:
        vectors = np.column_stack([vectors, np.ones(len(vectors), dtype=np.float32)])
        shares = sigmoid(vectors @ self.arrays_["recognition"])
        rewards: Floats = shares / shares.sum(axis=1, keepdims=True) @ self.arrays_["means"]
        if "rewards" in self.arrays_:
            return rewards + np.asarray(vectors @ self.arrays_["rewards"])
        return sigmoid(log_odds(rewards) + vectors @ self.arrays_["log_odds"])


def _stack(coefficients: Floats, intercepts: Floats) -> npt.NDArray[np.float32]:
    """Coefficients with the intercepts below them, float32 (width + 1, columns)."""
    return np.vstack([coefficients, intercepts]).astype(np.float32)
