"""Texts as short dense vectors: TF-IDF of words or of pieces of words, reduced by a singular value decomposition.

    terms = fit_terms("characters", texts, seed=0)      # at most 20,000 pieces, at most 200 dimensions
    terms.vectors(["a new text"])                       # float32 (1, 200), length 1

Example: "cat" is padded to " cat " and has the pieces " c", "ca", "at", "t ", " ca", "cat", "at ", " cat", "cat ", " cat ". A text none of
whose pieces is known has the vector 0.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import scipy.sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tasks.routers.tfidf import TERM

KINDS = ("words", "characters")
TERMS = 20_000  # at most, the most frequent: a saved router has them all
DIMENSIONS = 200  # at most
ITERATIONS = 3  # of the decomposition; with 5, characters of RouterDC's queries have 33.2 instead of 32.7 % of their variance explained
MIN_TEXTS = 3  # that a term must be in
MAX_SHARE = 0.95  # of the texts, that a term may be in
SMALLEST = 1e-4  # length, or share of the largest singular value, below which there is nothing but rounding
REMEMBERED = 20_000  # texts, of which vectors are kept for a while: 16 MB

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Terms:
    """What `fit_terms` learned: the terms, their inverse document frequencies, float64 (terms,), and the reduction."""

    kind: str
    names: list[str]
    idf: npt.NDArray[np.float64]
    components: npt.NDArray[np.float16]  # (terms, dimensions)

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """The vector of each text, float32 (texts, dimensions), of length 1, or 0 where no term is known."""
        return _remembered(self, tuple(texts)).copy() if len(texts) <= REMEMBERED else self._vectors(texts)

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        counts = [Counter(column for term in self._split(text) if (column := self._columns.get(term)) is not None) for text in texts]
        ends = np.cumsum([0, *map(len, counts)])
        columns = np.fromiter((column for count in counts for column in sorted(count)), np.int32, ends[-1])
        data = np.fromiter((count[column] for count in counts for column in sorted(count)), np.float64, ends[-1])
        table = scipy.sparse.csr_matrix((data, columns, ends), shape=(len(texts), len(self.names)))
        return _reduced(_weighed(table, self.idf), self._components)

    @cached_property
    def _split(self) -> Callable[[str], list[str]]:
        split: Callable[[str], list[str]] = _counter(self.kind).build_analyzer()
        return split

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {term: column for column, term in enumerate(self.names)}

    @cached_property
    def _components(self) -> Vectors:
        return self.components.astype(np.float32)


@lru_cache(maxsize=8)  # a study trains routers on the same texts again and again
def _remembered(terms: Terms, texts: tuple[str, ...]) -> Vectors:
    return terms._vectors(texts)


def fit_terms(kind: str, texts: Sequence[str], seed: int) -> Terms:
    """Learn from texts, in an order that the caller has fixed. `kind`: "words" or "characters"."""
    return _fit(kind, tuple(texts), seed)


@lru_cache(maxsize=4)  # several routers learn from the same texts
def _fit(kind: str, texts: tuple[str, ...], seed: int) -> Terms:
    counter = _counter(kind, min_df=MIN_TEXTS, max_df=MAX_SHARE, max_features=TERMS)
    try:
        counts = counter.fit_transform(texts)
    except ValueError:  # scikit-learn has no other sign for an empty vocabulary
        return Terms(kind, [], np.zeros(0), np.zeros((0, 1), np.float16))
    idf = 1 + np.log((1 + len(texts)) / (1 + np.bincount(counts.indices, minlength=counts.shape[1])))
    components = _components(_weighed(counts.astype(np.float64), idf), seed)
    return Terms(kind, counter.get_feature_names_out().tolist(), idf, components.astype(np.float16, order="C"))


def _counter(kind: str, **arguments: object) -> CountVectorizer:
    if kind == "words":
        return CountVectorizer(token_pattern=TERM, **arguments)
    return CountVectorizer(analyzer="char_wb", ngram_range=(2, 5), **arguments)


def _weighed(counts: scipy.sparse.csr_matrix, idf: npt.NDArray[np.float64]) -> scipy.sparse.csr_matrix:
    """TF-IDF with a logarithmic TF, each row of length 1."""
    weights = (1 + np.log(counts.data)) * idf[counts.indices]
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    lengths = np.sqrt(np.bincount(rows, weights=np.square(weights), minlength=counts.shape[0]))
    return scipy.sparse.csr_matrix(((weights / lengths[rows]).astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)


def _components(table: scipy.sparse.csr_matrix, seed: int) -> npt.NDArray[np.float64]:
    """Directions in which the texts differ most, (terms, dimensions); all of them, if there are few terms."""
    texts, terms = table.shape
    if terms <= DIMENSIONS:
        return np.eye(terms)
    with threadpool_limits(1):  # how many cores there are must not decide the order of a sum
        found = TruncatedSVD(min(DIMENSIONS, texts), n_iter=ITERATIONS, random_state=seed % 2**32).fit(table)
    certain = found.singular_values_ > SMALLEST * found.singular_values_[0]
    components: npt.NDArray[np.float64] = found.components_[certain].T
    return components


def _reduced(table: scipy.sparse.csr_matrix, components: Vectors) -> Vectors:
    dense = np.asarray(table @ components)
    lengths = np.sqrt(np.square(dense).sum(axis=1, keepdims=True))
    return np.where(lengths > SMALLEST, dense / np.maximum(lengths, SMALLEST), 0).astype(np.float32)
