"""Few-shot prefixes: what many texts begin with says nothing about the question, and an encoder that reads 256 tokens sees little else.

    prefixes = shared_prefixes(texts)       # of training queries: ["Q: How many …? A: 7\\n\\nQ: … A: 12\\n\\n"]
    cut("Q: How many …? A: 7\\n\\nQ: … A: 12\\n\\nQ: Who runs faster?", prefixes)        →  "Q: Who runs faster?"

Texts are sorted, so that those which begin alike are neighbours. Runs of neighbours that share a long beginning share a prefix; inside
such a run there may be longer ones, of texts that share as much again. A prefix ends where a line ends, or else a word.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from tasks.routers.tfidf import words

TEXTS = 30  # that begin alike, at least: a passage with several questions to it is part of each
LENGTH = 200  # characters that they share, at least: "Write a Python function to" is how a question begins
OTHERS = 0.1  # of a run, at each end, may differ before the others do: a prompt with a slip in it, or an example less
OWN_WORDS = 4  # of the median text after the prefix, at least: where only a number or a name differs, it is one question in many versions


def shared_prefixes(texts: Sequence[str]) -> list[str]:
    """The prefixes that many of the texts share, sorted; the order of the texts does not matter."""
    distinct = sorted(set(texts))
    # A text that another one goes on from is a question with an addition, and no prefix.
    distinct = [text for text, following in pairwise([*distinct, ""]) if not following.startswith(text)]
    common = [_common(text, following) for text, following in pairwise(distinct)]
    found = []
    searches = [(0, len(distinct), 0)]
    while searches:
        first, last, begin = searches.pop()
        for start, end in _runs(common, first, last, begin + LENGTH):
            prefix = _prefix(distinct, common, start, end, begin + LENGTH)
            inside = [row for row in range(start, end) if distinct[row].startswith(prefix)]
            if prefix and _are_questions([distinct[row][len(prefix) :] for row in inside]):
                found.append(prefix)
                after = inside[-1] + 1
                searches += [(start, inside[0], begin), (inside[0], after, len(prefix)), (after, end, begin)]
    return sorted(found)


def cut(text: str, prefixes: Sequence[str]) -> str:
    """The text without the longest of the prefixes that it begins with, unless nothing else is left of it."""
    longest = max((len(prefix) for prefix in prefixes if text.startswith(prefix)), default=0)
    return text[longest:] if text[longest:].strip() else text


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _runs(common: Sequence[int], first: int, last: int, length: int) -> list[tuple[int, int]]:
    """Those stretches of sorted texts `first` … `last` - 1 in which all share `length` characters, and that are long enough."""
    starts = [first, *(row + 1 for row in range(first, last - 1) if common[row] < length), last]
    return [(start, end) for start, end in pairwise(starts) if end - start >= TEXTS]


def _prefix(texts: Sequence[str], common: Sequence[int], start: int, end: int, least: int) -> str:
    """What nearly all of the sorted texts `start` … `end` - 1 share up to a line's end, or else all of them up to a word's; or ""."""
    few = int((end - start) * OTHERS)
    nearly_all = _common(texts[start + few], texts[end - 1 - few])
    stop = texts[start + few].rfind("\n", least - 1, nearly_all) + 1 or texts[start].rfind(" ", least - 1, min(common[start : end - 1])) + 1
    return texts[start + few][:stop]


def _are_questions(rests: Sequence[str]) -> bool:
    """Whether these have words of their own, beside those that nearly all of them have."""
    each = [set(words(rest)) for rest in rests]
    counts = Counter(word for own in each for word in own)
    return median(sum(counts[word] < len(rests) / 2 for word in own) for own in each) >= OWN_WORDS
