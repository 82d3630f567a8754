"""TF-IDF of words for a single text: what scikit-learn's transform gives, which takes more than a second to import.

Example: with the terms "cat" and "the" and the inverse document frequencies 1.69 and 1 the text "The cat" has the weights
{"cat": 0.86, "the": 0.51}: (1.69, 1) scaled to length 1. A word that stands there n times counts 1 + log(n) times.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping

# As in `tasks/routers/tfidf.py`, which imports scikit-learn; a test compares the two.
TERM = r"[\u2e80-\u9fff\uf900-\ufaff]|[^\W\u2e80-\u9fff\uf900-\ufaff]+"


def word_weights(text: str, idf: Mapping[str, float]) -> dict[str, float]:
    """The weight of each word of a text that is among the terms, with squares that sum to 1; empty if none is.

    Args:
        idf: term → its inverse document frequency.
    """
    counts = Counter(word for word in re.findall(TERM, text.lower()) if word in idf)
    weights = {word: (1 + math.log(count)) * idf[word] for word, count in sorted(counts.items())}
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {word: weight / length for word, weight in weights.items()}
