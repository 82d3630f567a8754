"""A few test questions to read: where the router was right and the best single model wrong, and the reverse.

Those on which the samples of both models agree most, since a vote of 4 to 3 may be a fluke; one of each subject before a second of any,
and of equals the first by `query_id`, a hash. So they are the clearest, not typical ones, and nobody picked them by looking.
"""

from collections.abc import Callable
from typing import Any

import polars as pl

from tasks.lake import views
from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake
from tasks.lake.generations import generation_files, query_generations
from tasks.lake.tables import GENERATIONS, empty
from tasks.report.figures import Figures
from tasks.report.systems import shown_first

EACH = 3
SHOWN = 600  # characters of a text that are seen at once
LONGEST = 6000  # characters of a text that are on the page at all
_SAMPLE = ["query_id", "model", "recipe", "sample"]
TEXTS = [*_SAMPLE, "text"]


def read_texts(lake: Lake, queries: pl.DataFrame, votes: pl.DataFrame, routes: pl.DataFrame, metrics: pl.DataFrame) -> pl.DataFrame:
    """The samples of the examples' answers, columns `TEXTS`, from `generations`: a few dozen rows; none where outcomes were imported."""
    chosen = [row for rows in _chosen(queries, votes, routes, metrics).values() for row in rows.iter_rows(named=True)]
    voters = {(row["query_id"], row[f"model{end}"], row[f"recipe{end}"]) for row in chosen for end in ("", "_best") if row[f"k{end}"]}
    found = [empty(GENERATIONS).select(TEXTS)]
    for query_id, model, recipe in sorted(voters):
        here = Bucket(int(query_id[:8], 16), 2**32)  # the narrowest slice: only files that may hold the query are opened
        files = generation_files(lake, model, recipe, here)
        rows, _ = query_generations(lake, files, _of(query_id))
        found.append(rows.sort(TEXTS).unique(_SAMPLE, keep="first", maintain_order=True))  # it may have been written twice
    return pl.concat(found)


def _of(query_id: str) -> Callable[[pl.LazyFrame], pl.LazyFrame]:
    return lambda rows: rows.filter(pl.col("query_id") == query_id).select(TEXTS)


def examples(
    queries: pl.DataFrame, votes: pl.DataFrame, routes: pl.DataFrame, metrics: pl.DataFrame, texts: pl.DataFrame | None = None
) -> list[dict[str, Any]]:
    """Two groups, the router right and the reverse; each has `won`, `count` and up to three `questions`. `texts`: of `read_texts`.

    A question has its text, choices and gold, and the two `answers`, the router's first: model, what it says, the votes for that, the
    reward, and the text of the first sample that says it, if it is there.
    """
    said: dict[tuple[str, str, str], list[str]] = {}
    if texts is not None:
        for query_id, model, recipe, _, text in texts.select(TEXTS).sort(_SAMPLE).iter_rows():
            said.setdefault((query_id, model, recipe), []).append(text)
    groups = []
    for won, rows in _chosen(queries, votes, routes, metrics).items():
        questions = [_question(row, said) for row in rows.iter_rows(named=True)]
        if questions:
            groups.append({"won": won, "count": rows["count"][0], "questions": questions})
    return groups


def _chosen(queries: pl.DataFrame, votes: pl.DataFrame, routes: pl.DataFrame, metrics: pl.DataFrame) -> dict[bool, pl.DataFrame]:
    """Won or lost → up to three rows: of the query, and of the votes of the model that was chosen and of the best single one."""
    figures = Figures(metrics)
    shown, best_single = shown_first(figures), figures.best_single
    if shown is None or best_single is None:
        return {}
    outcomes = votes.select("query_id", "model", "recipe", views.reward(), "k", "answers", "majority", "agreement", "valid")
    of_router = (pl.col("router") == shown[0]) & (pl.col("policy") == shown[1])
    rows = (
        queries.filter(pl.col("split") == "test")
        .select("query_id", "benchmark", "subject", "question", "choices", "gold", "answer_kind")
        .join(routes.filter(of_router).select("query_id", "model"), on="query_id")
        .join(outcomes, on=["query_id", "model"])
        .join(outcomes.filter(pl.col("model") == best_single), on="query_id", suffix="_best")
        .with_columns(
            gap=(pl.col("reward") - pl.col("reward_best")).abs(),
            clear=pl.min_horizontal(pl.col("agreement", "agreement_best").fill_null(0.0)),
        )
    )
    clearest = ["gap", "clear", "query_id"]
    found = {}
    for won in (True, False):
        of_kind = rows.filter(pl.col("reward") > pl.col("reward_best") if won else pl.col("reward") < pl.col("reward_best"))
        of_kind = of_kind.with_columns(count=pl.len()).sort(clearest, descending=[True, True, False])
        turn = pl.int_range(pl.len()).over("benchmark", "subject")
        found[won] = of_kind.with_columns(turn=turn).sort("turn", maintain_order=True).head(EACH)
    return found


def _question(row: dict[str, Any], said: dict[tuple[str, str, str], list[str]]) -> dict[str, Any]:
    choices = [(letter, choice) for letter, choice in zip(views.LETTERS, row["choices"] or (), strict=False)]
    return {
        "query_id": row["query_id"],
        "place": row["subject"] or row["benchmark"],
        "question": shortened(row["question"]),
        "choices": choices,
        "gold": _with_option(row["gold"], row, choices),
        "answers": [_answer(row, end, choices, said) for end in ("", "_best")],
    }


def _answer(row: dict[str, Any], end: str, choices: list[tuple[str, str]], said: dict[tuple[str, str, str], list[str]]) -> dict[str, Any]:
    answers, majority = row[f"answers{end}"], row[f"majority{end}"]
    texts = said.get((row["query_id"], row[f"model{end}"], row[f"recipe{end}"]), [])
    number = answers.index(majority) if answers and majority in answers else 0
    # Answers are in the order of the samples; if not all of those are here, it cannot be told which is which.
    is_known = bool(texts) and answers is not None and len(texts) == len(answers)
    return {
        "model": row[f"model{end}"],
        "says": _with_option(majority, row, choices),
        "votes": sum(answer == majority for answer in answers) if answers and majority is not None else None,
        "k": row[f"k{end}"],
        "reward": row[f"reward{end}"],
        "text": shortened(texts[number]) if is_known else None,
    }


def _with_option(answer: str | None, row: dict[str, Any], choices: list[tuple[str, str]]) -> str | None:
    """Of a choice its letter and its text: "C, yellow"."""
    option = dict(choices).get(answer or "") if row["answer_kind"] == "choice" else None
    return answer if option is None else f"{answer}, {option}"


def shortened(text: str) -> dict[str, Any]:
    """`start`, what is seen at once; `whole`, null where that is all; `left_out`: characters that are not on the page."""
    start = text if len(text) <= SHOWN else text[:SHOWN].rstrip() + " …"
    whole = text[:LONGEST] if len(text) > SHOWN else None
    return {"start": start, "whole": whole, "left_out": max(0, len(text) - LONGEST)}
