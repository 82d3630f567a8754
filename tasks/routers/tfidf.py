"""Texts as vectors: TF-IDF of their words, by scikit-learn, saved and loaded as terms and numbers.

Example: with the terms "cat" (in half of the training texts) and "the" (in all of them) the text "the cat" is the vector
(idf(cat), idf(the)) scaled to length 1, where idf is 1 + log((1 + texts) / (1 + texts with the term)): of 9 texts
(1 + log(10 / 5), 1) = (1.69, 1), hence (0.86, 0.51).
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer

# A word of any length (digits included), and each character of scripts that do without spaces: Chinese, Japanese.
TERM = r"[\u2e80-\u9fff\uf900-\ufaff]|[^\W\u2e80-\u9fff\uf900-\ufaff]+"


def fit_tfidf(texts: Sequence[str], min_df: float, max_df: float) -> TfidfVectorizer | None:
    """The TF-IDF transform of these texts, or None if no term is in enough of them.

    Args:
        min_df, max_df: in how many texts a term must be at least and at most: a number, or below 1 a share of the texts.
    """
    vectorizer = _vectorizer(min_df=min_df if min_df < 1 else int(min_df), max_df=float(max_df))
    try:
        return vectorizer.fit(texts)
    except ValueError:  # scikit-learn has no other sign for an empty vocabulary
        return None


def load_tfidf(terms: Sequence[str], idf: npt.NDArray[np.float64]) -> TfidfVectorizer:
    """The same transform from its terms, in order of their columns, and their inverse document frequencies."""
    vectorizer = _vectorizer(vocabulary={term: column for column, term in enumerate(terms)})
    vectorizer.idf_ = idf
    return vectorizer


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return re.findall(TERM, text.lower())


def _vectorizer(**arguments: Any) -> TfidfVectorizer:
    return TfidfVectorizer(token_pattern=TERM, sublinear_tf=True, **arguments)
