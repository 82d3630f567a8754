"""Which query is meant: by an id, by the first characters of one, or by its text.

"geography-3-0039"      an id that it came with; several benchmarks may have it
"00781232"              the beginning of a query_id
"capital is nem?"       its text, or a part of it; neither case nor width of spaces matters
"""

import math
import re
from difflib import get_close_matches

import polars as pl

from flows.terminal import shortened
from tasks.errors import UserError
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import QUERIES

_SHORTEST_PREFIX = 4
_NEAREST = 3


def find_queries(lake: Lake, wanted: str) -> pl.DataFrame:
    """Rows of `queries` that `wanted` may mean, in the order of `query_id`: those with this id, else this text, else a part of it.

    Raises UserError if there is none, with the nearest ones.
    """
    text = pl.select(_folded(pl.lit(wanted))).item()
    if not text:
        raise UserError("show: nothing to look for; expected an id, or some text of the question")
    is_id = (pl.col("query_id") == wanted.strip()) | (pl.col("source_id") == wanted.strip())
    question = _folded(pl.col("question"))
    is_part = question.str.contains(text, literal=True)
    if len(text) >= _SHORTEST_PREFIX:
        is_part |= pl.col("query_id").str.starts_with(text)
    hits = read_table(lake, QUERIES, where=is_id | is_part).sort("query_id")
    for is_meant in (is_id, question == text, is_part):
        if not (meant := hits.filter(is_meant)).is_empty():
            return meant
    raise UserError(f"lake {lake.url}: no query with the id or text {shortened(wanted, 80)!r}{_nearest(lake, wanted.strip(), text)}")


def _folded(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def _nearest(lake: Lake, wanted: str, text: str) -> str:
    """The queries whose ids look most like it; else those that share most of its words, the rare ones counting more."""
    queries = read_table(lake, QUERIES, columns=["query_id", "source_id", "question"]).sort("query_id")
    if queries.is_empty():
        return "; there are no queries yet: has `manyminds run` been started?"
    ids = [*queries["query_id"], *queries["source_id"]] if " " not in wanted else []
    if close := get_close_matches(wanted, dict.fromkeys(ids), n=_NEAREST, cutoff=0.75):
        return f"; the nearest: {', '.join(repr(shortened(one, 80)) for one in close)}"
    alike = _most_alike(queries, text).head(_NEAREST)
    named = [f"{query_id} ({shortened(question, 60)!r})" for query_id, question in alike.select("query_id", "question").iter_rows()]
    return f"; the nearest: {', '.join(named)}" if named else "; expected an id, or some text of the question"


def _most_alike(queries: pl.DataFrame, text: str) -> pl.DataFrame:
    words = queries.select("query_id", word=_folded(pl.col("question")).str.extract_all(r"\w+").list.unique()).explode("word")
    known = words["word"].drop_nulls().unique().sort().to_list()
    in_questions = set(known)
    asked = {near for word in re.findall(r"\w+", text) for near in ([word] if word in in_questions else get_close_matches(word, known))}
    shared = words.filter(pl.col("word").is_in(sorted(asked)))
    weight = (math.log(1 + queries.height) - pl.len().over("word").log()).alias("weight")
    likeness = shared.with_columns(weight).group_by("query_id").agg(pl.col("weight").sum())
    return queries.join(likeness, on="query_id").sort(
        "weight", pl.col("question").str.len_chars(), "query_id", descending=[True, False, False]
    )
