"""The vote: what the samples of one model to one query agree on.

    gold "12", answers ["11", "12", null, "12", "11"]  →  majority "11" (two votes each; "11" was seen first),
    runner_up "12", valid 4, agreement 0.5, correct false, success_rate 0.4, ambiguous true (a tie)

Self-consistency (Wang et al., arXiv 2203.11171), as in arXiv 2405.00467 but for three things: an unreadable answer never
wins, a tie goes to the answer seen first (lowest sample), and all samples count for `success_rate`.
"""

from collections.abc import Mapping

import polars as pl

from tasks.config import Price
from tasks.errors import UserError
from tasks.lake import tables
from tasks.voting.answers import with_answers
from tasks.voting.tally import first_undrawn, is_decided, tally

_VOTER = ["query_id", "model", "recipe"]


def vote(generations: pl.DataFrame, queries: pl.DataFrame, k: int | None = None, prices: Mapping[str, Price] | None = None) -> pl.DataFrame:
    """Rows of `votes`, sorted by key: one for each query, model and recipe that has a sample.

    Args:
        generations: rows of the table, in any order. A sample that is there twice counts once.
        queries: rows of the table; generations of other queries are left out.
        k: only samples below k vote; None: all of them. Column `k` says how many there were, `stop` why not more.
        prices: model → US dollars per million tokens; without a price, or token counts, `cost_usd` is null.

    With no readable answer, `majority` and `agreement` are null, `correct` and `ambiguous` false. Raises UserError where a
    gold answer is none of its kind.
    """
    samples = _samples(generations, queries, k)
    voters = samples.group_by(_VOTER, maintain_order=True).agg(
        drawn=pl.len(),
        first_undrawn=first_undrawn(),
        answers=pl.col("answer"),
        valid=pl.col("answer").count(),
        gold=pl.col("gold").first(),
        success_rate=(pl.col("answer") == pl.col("gold")).fill_null(False).mean(),
        cost_usd=_cost(prices or {}).mean(),
        completion_tokens=pl.col("completion_tokens").mean(),
        latency_s=pl.col("latency_s").mean(),
    )
    votes = voters.join(tally(samples, _VOTER), on=_VOTER, how="left").with_columns(
        k=pl.col("drawn"),
        wanted=pl.lit(k, pl.Int32),
        stop=_stop(k),
        agreement=pl.col("votes") / pl.col("valid"),
        correct=(pl.col("majority") == pl.col("gold")).fill_null(False),
        ambiguous=((pl.col("votes") == pl.col("runner_up_votes")).fill_null(False) | (2 * pl.col("votes") < pl.col("valid"))).fill_null(
            False
        ),
    )
    return tables.check(tables.VOTES, votes.select(*tables.VOTES.columns).sort(_VOTER))


def _samples(generations: pl.DataFrame, queries: pl.DataFrame, k: int | None) -> pl.DataFrame:
    """Each sample that votes, in order, with its `answer` and the query's `gold`, both canonical."""
    asked = _with_gold(queries.filter(pl.col("query_id").is_in(generations["query_id"].unique().implode())))
    rows = generations if k is None else generations.filter(pl.col("sample") < k)
    rows = rows.join(asked.select("query_id", "answer_kind", "question", "choices", "gold"), on="query_id")
    rows = rows.sort(*tables.GENERATIONS.key, "text").unique(tables.GENERATIONS.key, keep="first", maintain_order=True)
    return with_answers(rows, lambda reader: reader.read, "answer").select(
        *_VOTER, "sample", "answer", "gold", "prompt_tokens", "completion_tokens", "latency_s"
    )


def _with_gold(queries: pl.DataFrame) -> pl.DataFrame:
    read = with_answers(queries, lambda reader: reader.gold, "canonical")
    bad = read.filter(pl.col("canonical").is_null())
    if bad.height:
        first = bad.sort("query_id").row(0, named=True)
        raise UserError(
            f"benchmark {first['benchmark']!r}: query {first['source_id']}: column 'gold' is {first['gold']!r}, "
            f"expected an answer of kind {first['answer_kind']!r}"
        )
    return read.with_columns(gold=pl.col("canonical"))


def _stop(k: int | None) -> pl.Expr:
    """Why no more samples were drawn."""
    if k is None:
        return pl.lit(None, pl.String)
    early = pl.when(is_decided(k)).then(pl.lit("decided")).otherwise(pl.lit("incomplete"))
    return pl.when(pl.col("drawn") == k).then(pl.lit("all")).otherwise(early)


def _cost(prices: Mapping[str, Price]) -> pl.Expr:
    """US dollars that one sample costs."""
    dollars = pl.lit(0.0)
    prompt = {model: price.prompt for model, price in prices.items()}
    completion = {model: price.completion for model, price in prices.items()}
    for tokens, price in (("prompt_tokens", prompt), ("completion_tokens", completion)):
        per_million = pl.col("model").replace_strict(price, default=None, return_dtype=pl.Float64)
        dollars = dollars + pl.col(tokens) * per_million / 1e6
    return dollars
