"""Test queries that were learned from: the same question, or nearly the same, among training or validation queries, of any benchmark.

    test        "What is the capital of Kuland? (A) Kax (B) Son"
    train       "what is the capital of  Kuland (A) Son (B) Kax"       the same: case, whitespace, punctuation, order of options
    train       "What is the capital of Kuland? (A) Kax (B) Rem"       another question: other options

Sameness is of what is left of a question when it is put in lower case, cut into words, numbers and signs, and rid of punctuation; signs
that mean something (3 - 4, x^2, brackets) stay, and numbers lose the commas between thousands. Of what is not the same, two questions are
*nearly* the same if nine tenths of their pieces of three words each are (Jaccard similarity; Broder, On the resemblance and containment of
documents, 1997; a piece that occurs twice counts twice) and they have the same numbers in the same order, in which questions from one
template differ. What stands in many questions, as a template or the examples of a prompt, is no part of the comparison.

All pairs are found, without looking at all: of two texts that similar, one of the rarest tenth of the one's pieces is among the rarest
tenth of the other's (prefix filter: Bayardo, Ma and Srikant, Scaling up all pairs similarity search, 2007).
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

SIMILAR = 0.9
SHORTEST = 6  # pieces of a text of its own, below which one other word makes another question
COMMON, FEW = 0.02, 10  # share of the texts in which a piece is no text's own; in so few it always is
_AT_ONCE = 20_000  # rows that are looked up at once
# A number, a letter of a script that has no spaces, a word (with its hyphens), or a sign.
_WORD = re.compile(r"\d+(?:[.,:/]\d+)*|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[^\w\s]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-‐‑](?=[^\W\d_])")
_MEANS_SOMETHING = frozenset("-−/*%\\&#@()[]{}")  # of what Unicode takes for punctuation


def leaks(queries: pl.DataFrame) -> pl.DataFrame:
    """The test queries, each with whether it was learned from: `query_id`, `benchmark`, `same`, `nearly` (Boolean; never both).

    `queries`: rows of the table; read are `query_id`, `benchmark`, `split`, `question`, `choices`. Sorted by `query_id`.
    """
    rows = queries.select("query_id", "benchmark", "split", "question", "choices").sort("query_id")
    asked = [words(text) for text in rows["question"].to_list()]
    options = [sorted(words(option) for option in choices or ()) for choices in rows["choices"].to_list()]
    texts = [(tuple(question), *map(tuple, given)) for question, given in zip(asked, options, strict=True)]
    is_test = [split == "test" for split in rows["split"].to_list()]
    learned = {text for text, test in zip(texts, is_test, strict=True) if text[0] and not test}  # without a word it says nothing
    same = [test and text in learned for text, test in zip(texts, is_test, strict=True)]
    left = [row for row, test in enumerate(is_test) if test and not same[row]]
    similar = _similar([_whole(texts[row]) for row in left], [_whole(text) for text in sorted(learned)])
    nearly = np.zeros(len(texts), dtype=bool)
    nearly[[row for row, found in zip(left, similar, strict=True) if found]] = True
    found = rows.select("query_id", "benchmark", "split").with_columns(same=pl.Series(same, dtype=pl.Boolean), nearly=pl.Series(nearly))
    return found.filter(pl.col("split") == "test").drop("split")


def words(text: str) -> list[str]:
    """What of a text tells questions apart: its words in lower case, numbers, and the signs that mean something."""
    plain = _HYPHEN.sub(" ", _THOUSANDS.sub("", unicodedata.normalize("NFKC", text).casefold()))
    return [word for word in _WORD.findall(plain) if word[0].isalnum() or _is_sign(word)]


@cache
def _is_sign(character: str) -> bool:
    return character in _MEANS_SOMETHING or unicodedata.category(character)[0] == "S"


def _whole(parts: tuple[tuple[str, ...], ...]) -> list[str]:
    """The words of a question and of its options."""
    return [word for part in parts for word in part]


def _similar(tests: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> npt.NDArray[np.bool_]:
    """Whether each of the first texts, as words, is nearly the same as any of the second; bool (tests,)."""
    texts = [*tests, *others]
    found = np.zeros(len(tests), dtype=bool)
    often = max(FEW, COMMON * len(texts))
    pieces = _pieces(texts).with_columns(frequency=pl.len().over("piece")).filter(pl.col("frequency") <= often)
    sizes = pieces.group_by("text").agg(size=pl.len().cast(pl.Int64)).filter(pl.col("size") >= SHORTEST)
    pieces = pieces.join(sizes, on="text")
    if pieces.is_empty():
        return found
    numbers: dict[tuple[str, ...], int] = {}
    held = [numbers.setdefault(tuple(word for word in text if word[0].isdigit()), len(numbers)) for text in texts]
    # Of rare pieces first, as many as the other text cannot lack all of.
    rare = (
        pieces.sort("text", "frequency", "piece")
        .with_columns(place=pl.int_range(pl.len()).over("text"), numbers=pl.Series(held)[pieces["text"].sort()])
        .filter(pl.col("place") <= pl.col("size") - (SIMILAR * pl.col("size")).ceil())
        .select("text", "piece", "numbers", "size")
    )
    is_test = pl.col("text") < len(tests)
    of_tests, of_others = rare.filter(is_test).sort("text"), rare.filter(~is_test).rename({"text": "other", "size": "other_size"})
    for part in of_tests.iter_slices(_AT_ONCE):
        pairs = (
            part.join(of_others, on=["piece", "numbers"])
            .filter(pl.col("size").is_between(SIMILAR * pl.col("other_size"), pl.col("other_size") / SIMILAR))
            .unique(["text", "other"])
        )
        for some in pairs.iter_slices(_AT_ONCE):
            shared = (
                some.select("text", "other", "size", "other_size")
                .join(pieces.select("text", "piece"), on="text")
                .join(pieces.select("piece", other="text"), on=["other", "piece"])
                .group_by("text", "other")
                .agg(pl.len().alias("shared"), pl.col("size", "other_size").first())
                .filter(pl.col("shared") >= SIMILAR * (pl.col("size") + pl.col("other_size") - pl.col("shared")))
            )
            found[shared["text"].to_numpy()] = True
    return found


def _pieces(texts: Sequence[Sequence[str]]) -> pl.DataFrame:
    """Every piece of three words of each text that is long enough, as a number: `text`, `piece`, no two rows alike."""
    long = [number for number, text in enumerate(texts) if len(text) > SHORTEST]
    vocabulary: dict[str, int] = {}
    word = np.array([vocabulary.setdefault(word, len(vocabulary)) for number in long for word in texts[number]], dtype=np.uint64)
    text = np.repeat(np.array(long, dtype=np.int64), [len(texts[number]) for number in long])
    if not long:
        return pl.DataFrame(schema={"text": pl.Int64, "piece": pl.UInt64})
    size = np.uint64(len(vocabulary))
    code = (word[:-2] * size + word[1:-1]) * size + word[2:]
    inside = text[:-2] == text[2:]
    # The second time that a piece occurs in a text it is another piece.
    frame = pl.DataFrame({"text": text[:-2][inside], "code": code[inside]})
    frame = frame.with_columns(times=pl.int_range(pl.len()).over("text", "code").cast(pl.UInt64))
    return frame.select("text", piece=(pl.col("code") * 4096 + pl.col("times").clip(upper_bound=4095)))
