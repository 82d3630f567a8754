"""Domains: recognise in the text which benchmark and subject a query is like, and trust each model as it did there; where the query is
like none of them, fall back on its neighbours and on what holds of all benchmarks.

"Most routers only recognise the benchmark" (The Routing Plateau; LLMRouterBench): so this one does that as well as it can, without ever
being told, and believes little else. What it knows of a model in a domain is drawn towards its subject's, benchmark's and overall means
by how much the data tells (`shrinkage.py`). A query is *familiar* if one domain is plainly more likely than the others and if it is
not farther from it than nearly all of its training queries. In unknown territory each benchmark is one example of what a benchmark may
be, so they weigh the same there, and the nearest training queries say what little more can be said.

What texts do tell is how hard a query is, for all models alike. It moves their log-odds by the same amount, which cannot change the
model that is best, but what it is sure of: `cost-aware` then pays for the dearer model where the cheap one is likely to fail.

Example: a query is of domain gsm8k with probability 0.995, and as near to it as most: it is familiar. Model a earns 0.82 on gsm8k and
b 0.77; overall it is 0.54 and 0.56. The confidences are (0.82, 0.77) times 0.995, plus 0.005 times those of the other domains. A riddle
that could be gsm8k or mmlu (0.55 and 0.45) is not: of its 100 neighbours a solved 48 and b 52, so a gets (48 + 40 · 0.54) / 140 = 0.50,
and b 0.53.

On RouterDC's training queries (5 folds, macro): 60.6; a router that is told the benchmark 60.7. With one benchmark left out of training
each time: 48.4; the best single model 47.0.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.lake.interfaces import Examples
from tasks.routers.baselines import Subject
from tasks.routers.on_vectors import Arrays, Floats, Labelled, OnVectors
from tasks.routers.regression import log_odds, ridge, sigmoid
from tasks.routers.settings import NoSettings
from tasks.routers.shrinkage import take_apart

FEWEST = 10  # queries of a subject that is a domain of its own; the others of the benchmark are one together
INVERSE_PENALTY = 10.0  # of telling domains apart: with 1 to 100 over 99 % of RouterDC's queries are told right
PLAIN = (0.8, 0.99)  # probability of the likeliest domain: up to the first it is a guess, from the second on it is known
REMOTE = 0.1  # share of a domain's own queries that lie farther out; a query out there is not quite of it
NEIGHBOURS = 100
PSEUDO = 40.0  # neighbours that say what holds of all benchmarks


class Domains(OnVectors):
    """Means of the domain that a text is recognised to be of, moved by how hard it looks."""

    def _learn(self, train: Labelled, validation: Examples) -> Arrays:
        places, groups = _domains(train.queries)
        means = _means(train, places)
        first = np.array([places["benchmark"].to_list().index(name) for name in places["benchmark"].unique().sort()])
        overall = _means(train, places[first].with_columns(subject=None)).mean(axis=0)
        recognition = _recognise(train.vectors, groups, len(places))

        centres = np.zeros((len(places), train.vectors.shape[1]))
        np.add.at(centres, groups, train.vectors)
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
        nearness = (train.vectors * centres[groups]).sum(axis=1)
        edges = [np.quantile(nearness[groups == domain], (0, REMOTE)) for domain in range(len(places))]

        _, ease, _ = take_apart(train.labels - means[groups])
        slope = (means[groups] * (1 - means[groups])).mean()  # a shift of the log-odds moves a confidence by this much
        difficulty, base, _ = ridge(train.vectors, ease / max(slope, 0.01), np.ones(len(ease)))
        arrays = {
            "means": means,
            "overall": overall,
            "recognition": recognition,
            "centres": centres,
            "edges": np.array(edges),
            "ease": np.vstack([difficulty, base]),
            "vectors": train.vectors,
            "labels": train.labels,
        }
        return {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}

    def _rewards(self, vectors: npt.NDArray[np.float32]) -> Floats:
        arrays = self.arrays_
        with_one = np.column_stack([vectors, np.ones(len(vectors), dtype=np.float32)])
        shares = _softmax(with_one @ arrays["recognition"])
        rewards = shares @ arrays["means"]
        familiar = self._familiarity(vectors, shares)
        unsure = np.flatnonzero(familiar < 1)
        if len(unsure):
            known = familiar[unsure, None]
            rewards[unsure] = known * rewards[unsure] + (1 - known) * self._local(vectors[unsure])
        moved: Floats = sigmoid(log_odds(rewards) + familiar[:, None] * (with_one @ arrays["ease"]))
        return moved

    def _familiarity(self, vectors: npt.NDArray[np.float32], shares: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """How sure it is that the query is of the likeliest domain, 0 … 1, (queries,)."""
        domain = shares.argmax(axis=1)
        nearness = (vectors * self.arrays_["centres"][domain]).sum(axis=1)
        farthest, edge = self.arrays_["edges"][domain].T
        inside = np.clip((nearness - farthest) / np.maximum(edge - farthest, 1e-6), 0, 1)
        plain = np.clip((shares.max(axis=1) - PLAIN[0]) / (PLAIN[1] - PLAIN[0]), 0, 1) if shares.shape[1] > 1 else 1.0
        familiar: npt.NDArray[np.float32] = inside * plain
        return familiar

    def _local(self, vectors: npt.NDArray[np.float32]) -> Floats:
        """Mean rewards of the nearest training queries and of some that are like all benchmarks, (queries, models)."""
        labels = self.arrays_["labels"]
        similar = vectors @ self.arrays_["vectors"].T
        farthest = max(similar.shape[1] - NEIGHBOURS, 0)
        # Those as near as the hundredth count too: of equal ones none comes first. What has nothing in common is no neighbour.
        least = np.partition(similar, farthest, axis=1)[:, [farthest]]
        nearest = ((similar >= least) & (similar > 0)).astype(np.float32)
        sums = nearest @ np.nan_to_num(labels) + PSEUDO * self.arrays_["overall"]
        result: Floats = sums / (nearest @ (~np.isnan(labels)).astype(np.float32) + PSEUDO)
        return result


def _domains(queries: pl.DataFrame) -> tuple[pl.DataFrame, npt.NDArray[np.int64]]:
    """Benchmark and subject (null where it is small or not known) of each domain, by name, and the number of each query's domain."""
    subject = pl.col("subject") if "subject" in queries.columns else pl.lit(None, dtype=pl.String)
    rows = queries.select("benchmark", subject=subject)
    rows = rows.with_columns(subject=pl.when(pl.len().over("benchmark", "subject") >= FEWEST).then("subject"))
    places = rows.unique().sort("benchmark", "subject", nulls_last=False)
    numbers = rows.join(places.with_row_index("number"), on=["benchmark", "subject"], how="left", nulls_equal=True, maintain_order="left")
    return places, numbers["number"].cast(pl.Int64).to_numpy()


def _means(train: Labelled, places: pl.DataFrame) -> Floats:
    """Each model's expected reward at each place, float64 (places, models)."""
    models = tuple(str(column) for column in range(train.labels.shape[1]))
    known = Subject(NoSettings(), 0).fit(
        Examples(train.queries, train.labels.astype(np.float32), models),
        Examples(train.queries.clear(), train.labels[:0].astype(np.float32), models),
    )
    return known.confidences(places).astype(np.float64)


def _recognise(vectors: npt.NDArray[np.float32], groups: npt.NDArray[np.int64], count: int) -> Floats:
    """Coefficients of multinomial logistic regression with the intercepts below them, (width + 1, domains); domains weigh the same."""
    from sklearn.linear_model import LogisticRegression

    if count == 1:
        return np.zeros((vectors.shape[1] + 1, 1))
    fitted = LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=500).fit(vectors, groups)
    if count == 2:  # scikit-learn has one column for two classes
        return np.vstack(
            [np.column_stack([-fitted.coef_[0], fitted.coef_[0]]) / 2, [[-fitted.intercept_[0] / 2, fitted.intercept_[0] / 2]]]
        )
    coefficients: Floats = np.vstack([fitted.coef_.T, fitted.intercept_])
    return coefficients


def _softmax(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    shifted = np.exp(values - values.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
    return shares
