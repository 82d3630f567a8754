"""What a vote would be with fewer samples, and how firm it is with all of them.

    gold "12", answers ["11", "12", "12", null, "11", "12"]
      →  samples  1      2      3     4     5      6
         correct  false  false  true  true  false  true     (of equally frequent answers the one seen first wins: "11" after 2 and 5)
         flip     null   null   null  null  null   0.33

`flip` is a plug-in estimate (a parametric bootstrap of the vote: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter
6): as many samples are drawn again, each of them saying "11" with 2/6, "12" with 3/6 and nothing readable with 1/6, and vote. What no
sample said cannot be drawn, so a vote on which all samples agree has flip 0, though the model might have said something else.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.lake.tables import GROWTH, check, empty
from tasks.voting.answers.equivalence import right
from tasks.voting.vote import with_gold

DRAWS = 1000  # votes that are drawn anew for each distinct pattern of counts: a flip is then known to about 0.01

_VOTER = ["query_id", "model"]

Ints = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def growth(queries: pl.DataFrame, votes: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Rows of GROWTH, sorted by key, of every vote whose answers are known; none of imported outcomes.

    `votes` has one recipe per query and model. Where sampling stopped early, there are rows for the samples that were drawn, and `flip`
    is of as many. `correct` for all samples is that of `votes`. The order of rows changes nothing.
    """
    sampled = votes.filter(pl.col("answers").list.len() > 0).sort(_VOTER)
    rows = sampled.select(*_VOTER, "correct", "success_rate", answer="answers").with_row_index("voter")
    if rows.is_empty():
        return empty(GROWTH)
    asked = with_gold(queries.join(rows, on="query_id", how="semi")).select("query_id", "gold", "answer_kind")
    samples = _with_right(rows.explode("answer").join(asked, on="query_id", how="inner", maintain_order="left"))
    found = [
        _grow(part.select(*_VOTER).unique(maintain_order=True), part["answer"], part["right"], drawn, seed)
        for (drawn,), part in samples.with_columns(drawn=pl.len().over("voter")).partition_by("drawn", as_dict=True).items()
        if isinstance(drawn, int)
    ]
    return check(GROWTH, pl.concat(found).sort(GROWTH.key))


def _with_right(samples: pl.DataFrame) -> pl.DataFrame:
    """`samples` in the same order with `right`: whether the answer is gold. What the votes tell already is not compared again."""
    told = samples.with_columns(right=(pl.col("answer") == pl.col("gold")).fill_null(False)).with_columns(
        is_told=pl.col("right").sum().over("voter") == (pl.col("success_rate") * pl.len().over("voter")).round()
    )
    is_right, is_told = told["right"].to_numpy().copy(), told["is_told"].to_numpy()
    if not is_told.all():  # comparing expressions may take milliseconds each
        is_right[~is_told] = right(samples.filter(~is_told)).to_numpy()
    return samples.with_columns(right=pl.Series(is_right))


def _grow(voters: pl.DataFrame, answers: pl.Series, is_right: pl.Series, drawn: int, seed: int) -> pl.DataFrame:
    """Rows of voters with the same number of samples; `answers`, `is_right`: sample after sample of voter after voter."""
    said, rights = _numbered(answers, drawn), is_right.to_numpy().reshape(-1, drawn)
    correct, votes = _majorities(said, rights)
    flip = np.full(said.shape, np.nan)
    flip[:, -1] = _flips(votes, rights, correct[:, -1], seed)
    return pl.DataFrame(
        {
            "query_id": np.repeat(voters["query_id"].to_numpy(), drawn),
            "model": np.repeat(voters["model"].to_numpy(), drawn),
            "samples": np.tile(np.arange(1, drawn + 1), len(voters)),
            "correct": correct.reshape(-1),
            "flip": pl.Series(flip.reshape(-1)).fill_nan(None),
        },
        schema_overrides=GROWTH.schema,
    )


def _numbered(answers: pl.Series, drawn: int) -> Ints:
    """Each sample's answer as the number of the sample that said it first, int64 (voters, samples); -1 where none could be read."""
    codes = answers.rank("dense").cast(pl.Int64).fill_null(-1).to_numpy().reshape(-1, drawn)
    said = np.full(codes.shape, -1, dtype=np.int64)
    for sample in range(drawn):
        said[(codes == codes[:, [sample]]) & (said < 0) & (codes >= 0)] = sample
    return said


def _majorities(said: Ints, rights: Booleans) -> tuple[Booleans, Ints]:
    """Whether the majority of the first one, two, … samples is right, bool (voters, samples); and the votes of all samples.

    These are int64 (voters, samples), at the sample that said the answer first.
    """
    voters = np.arange(len(said))
    votes = np.zeros(said.shape, dtype=np.int64)
    correct = np.zeros(said.shape, dtype=np.bool_)
    for sample in range(said.shape[1]):
        readable = said[:, sample] >= 0
        votes[voters[readable], said[readable, sample]] += 1
        first = votes.argmax(axis=1)  # of equally frequent answers the first, which is the one seen first
        correct[:, sample] = rights[voters, first] & (votes[voters, first] > 0)
    return correct, votes


def _flips(votes: Ints, rights: Booleans, correct: Booleans, seed: int) -> npt.NDArray[np.float64]:
    """The chance of another label for each voter, float64 (voters,)."""
    drawn = votes.shape[1]
    right_votes, wrong_votes = (np.sort(np.where(of, votes, 0), axis=1)[:, ::-1] for of in (rights, ~rights))
    patterns, place = np.unique(np.hstack([right_votes, wrong_votes]), axis=0, return_inverse=True)
    chances = np.array([_chance(_counts(row[:drawn]), _counts(row[drawn:]), drawn, seed) for row in patterns])
    is_right = chances[place.reshape(-1)]
    return np.where(correct, 1 - is_right, is_right)


def _counts(votes: Ints) -> list[int]:
    return [int(count) for count in votes if count]


def _chance(right_votes: list[int], wrong_votes: list[int], drawn: int, seed: int) -> float:
    """The chance that a new vote of `drawn` samples is right, where so many of the old ones gave each right and each wrong answer."""
    counts = [*right_votes, *wrong_votes]
    unreadable = drawn - sum(counts)
    if not right_votes or not wrong_votes:
        return 1 - (unreadable / drawn) ** drawn if right_votes else 0.0
    random = np.random.default_rng([seed, len(right_votes), drawn, *counts])  # the same for the same pattern, whatever others there are
    fresh = random.multinomial(drawn, np.array([*counts, unreadable]) / drawn, size=DRAWS)[:, :-1]
    # Of equally frequent answers each is as likely the one that is seen first.
    leads = (fresh == fresh.max(axis=1, keepdims=True)) & (fresh > 0)
    of_right = leads[:, : len(right_votes)].sum(axis=1) / np.maximum(leads.sum(axis=1), 1)
    return float(of_right.mean())
