"""The vote: what the samples of one model to one query agree on.

    gold "12", answers ["11", "12", null, "12", "11"]  →  majority "11" (two votes each; "11" was seen first),
    runner_up "12" (2 votes), valid 4, agreement 0.5, correct false, success_rate 0.4, ambiguous true (a tie)

Self-consistency (Wang et al., arXiv 2203.11171), as in arXiv 2405.00467 but for three things: an unreadable answer never
wins, a tie goes to the answer seen first (lowest sample), and all samples count for `success_rate`.
"""

from collections.abc import Mapping

import polars as pl

from tasks.config import Labels, Price
from tasks.errors import UserError
from tasks.lake import tables
from tasks.voting.answers import with_answers
from tasks.voting.answers.equivalence import right, unite
from tasks.voting.tally import is_decided, tally

_VOTER = ["query_id", "model", "recipe"]
_COUNTED = ["prompt_tokens", "completion_tokens", "latency_s"]
READ = [*_VOTER, "sample", "text", *_COUNTED]  # what voting reads of a generation


def vote(
    generations: pl.DataFrame,
    queries: pl.DataFrame,
    k: int | None = None,
    prices: Mapping[str, Price] | None = None,
    labels: Labels | None = None,
) -> pl.DataFrame:
    """Rows of `votes`, sorted by key: one for each query, model and recipe that has a sample.

    Args:
        generations: rows of the table, in any order. A sample that is there twice counts once.
        queries: rows of the table; generations of other queries are left out.
        k: only samples below k vote; None: all of them. Column `k` says how many there were, `stop` why not more.
        prices: model → US dollars per million tokens; without a price, or token counts, `cost_usd` is null.
        labels: the rule for `label`; default: the majority's.

    With no readable answer, `majority` and `agreement` are null, `correct` and `ambiguous` false. Raises UserError where a
    gold answer is none of its kind, and for labels that no query's samples are enough for.
    """
    asked = with_gold(queries)
    return count(read(generations, asked, k), asked, k, prices, labels)


def with_gold(queries: pl.DataFrame) -> pl.DataFrame:
    """`queries` with `gold` in canonical form, null where it has none, and as it was in `given`."""
    return with_answers(queries.with_columns(given="gold"), lambda reader: reader.gold, "gold")


def check_gold(asked: pl.DataFrame) -> None:
    """Raise UserError for the first query of `asked` (of `with_gold`) whose gold is no answer of its kind."""
    bad = asked.filter(pl.col("gold").is_null()).sort("query_id")
    if bad.height:
        first = bad.row(0, named=True)
        raise UserError(
            f"benchmark {first['benchmark']!r}: query {first['source_id']}: column 'gold' is {first['given']!r}, "
            f"expected an answer of kind {first['answer_kind']!r}"
        )


def _check_enough(votes: pl.DataFrame, at_least: int) -> None:
    """That not all answers of a model count for nothing because it has too few samples: nobody could tell from the labels."""
    few = votes.group_by("model").agg(pl.col("drawn").max()).filter(pl.col("drawn") < at_least).sort("model")
    if few.height:
        model, drawn = few.row(0)
        raise UserError(f"labels: at_least = {at_least}, but model {model!r} has {drawn} samples of a query at most")


def read(generations: pl.DataFrame, asked: pl.DataFrame, k: int | None) -> pl.DataFrame:
    """What is read from each sample that votes: `query` of its query in `asked` (of `with_gold`), and `answer`; its text is let go.

    `generations`: the columns `READ`; it may be a part of them.
    """
    rows = generations if k is None else generations.filter(pl.col("sample") < k)
    queries = rows.select("query_id").join(
        asked.select("query_id").with_row_index("query"), on="query_id", how="left", maintain_order="left"
    )["query"]
    if queries.null_count():  # of other queries
        rows, queries = rows.filter(queries.is_not_null()), queries.drop_nulls()
    rows = rows.select(READ).with_columns(queries, *asked.select("answer_kind", "question", "choices")[queries])
    rows = with_answers(rows, lambda reader: reader.read, "answer")
    # Many rows have few models: a number for each is quick to group by, and small.
    return rows.select(pl.col("model", "recipe").cast(pl.Categorical), "query", "sample", "answer", *_COUNTED)


def count(
    samples: pl.DataFrame, asked: pl.DataFrame, k: int | None, prices: Mapping[str, Price] | None, labels: Labels | None
) -> pl.DataFrame:
    """The votes of all samples that were `read`; as `vote`."""
    asked = asked.with_row_index("query")
    check_gold(asked.join(samples, on="query", how="semi"))
    parts = [
        _count(part, asked, k).with_columns(model=pl.lit(str(model)), recipe=pl.lit(str(recipe)))
        for (model, recipe), part in samples.partition_by("model", "recipe", as_dict=True, include_key=False).items()
    ]
    if not parts:
        return tables.empty(tables.VOTES)
    labels = labels or Labels()
    votes = pl.concat(parts).with_columns(wanted=pl.lit(k, pl.Int32), stop=_stop(k), label=_label(labels), cost_usd=_cost(prices or {}))
    if k is None:
        _check_enough(votes, labels.at_least or 0)
    return tables.check(tables.VOTES, votes.select(*tables.VOTES.columns).sort(*tables.VOTES.key))


def _count(samples: pl.DataFrame, asked: pl.DataFrame, k: int | None) -> pl.DataFrame:
    """The votes of one model by one recipe; and `votes`, `seen`, `runner_up_seen`, `first_undrawn`, `drawn`, `right`, `prompt_tokens`."""
    samples = _once_each(samples)
    samples = samples.with_columns(*asked.select("answer_kind", "gold")[samples["query"]])
    samples = unite(samples, ["query"])
    samples = samples.with_columns(right=right(samples), is_in_place=pl.col("sample") == pl.int_range(pl.len()) - _first_row())
    voters = samples.group_by("query", maintain_order=True).agg(
        drawn=pl.len(),
        first_undrawn=pl.col("is_in_place").sum().cast(pl.Int32),
        answers=pl.col("answer"),
        valid=pl.col("answer").count(),
        right=pl.col("right").sum(),
        success_rate=pl.col("right").mean(),
        prompt_tokens=pl.col("prompt_tokens").mean(),
        completion_tokens=pl.col("completion_tokens").mean(),
        latency_s=pl.col("latency_s").mean(),
    )
    right_answers = samples.filter("right").select("query", majority="answer", correct=True).unique(["query", "majority"])
    votes = voters.join(tally(samples, ["query"]), on="query", how="left").join(right_answers, on=["query", "majority"], how="left")
    return votes.join(asked.select("query", "query_id"), on="query").with_columns(
        k=pl.col("drawn"),
        agreement=pl.col("votes") / pl.col("valid"),
        correct=pl.col("correct").fill_null(False),
        ambiguous=((pl.col("votes") == pl.col("runner_up_votes")).fill_null(False) | (2 * pl.col("votes") < pl.col("valid"))).fill_null(
            False
        ),
    )


def _once_each(samples: pl.DataFrame) -> pl.DataFrame:
    """In order of query and sample; of one that was written twice always the same one."""
    key = ["query", "sample"]
    samples = samples.sort(*key)
    is_first = pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in key).fill_null(True)
    if samples.select(is_first.all()).item():
        return samples
    return samples.sort(*key, "answer", *_COUNTED, nulls_last=True).filter(is_first)


def _first_row() -> pl.Expr:
    """Over rows in the order of `query`: the number of the first row of the same query."""
    is_first = (pl.col("query") != pl.col("query").shift(1)).fill_null(True)
    return pl.when(is_first).then(pl.int_range(pl.len())).forward_fill()


def _label(labels: Labels) -> pl.Expr:
    """What the answer counts for."""
    if labels.rule == "success-rate":
        return pl.col("success_rate")
    counts = pl.col("correct") if labels.at_least is None else pl.col("right") >= labels.at_least
    return counts.cast(pl.Float64)


def _stop(k: int | None) -> pl.Expr:
    """Why no more samples were drawn."""
    if k is None:
        return pl.lit(None, pl.String)
    early = pl.when(is_decided(k)).then(pl.lit("decided")).otherwise(pl.lit("incomplete"))
    return pl.when(pl.col("drawn") == k).then(pl.lit("all")).otherwise(early)


def _cost(prices: Mapping[str, Price]) -> pl.Expr:
    """US dollars that one sample costs on the mean."""
    dollars = pl.lit(0.0)
    prompt = {model: price.prompt for model, price in prices.items()}
    completion = {model: price.completion for model, price in prices.items()}
    for tokens, price in (("prompt_tokens", prompt), ("completion_tokens", completion)):
        per_million = pl.col("model").replace_strict(price, default=None, return_dtype=pl.Float64)
        dollars = dollars + pl.col(tokens) * per_million / 1e6
    return dollars
