"""`manyminds label`: read all answers in a lake again, with the readers as they are now, and say which labels that changed.

    12 of 3,600 labels changed: 9 count for more now, 3 for less.
    5f0c…   ledger   18   00, wrong   18, right   … so she makes $18.00 every day.

Nothing is sampled. What is downstream of the votes is redone by the next `manyminds run`.
"""

from typing import Any

import polars as pl

from flows.refresh import relabel
from flows.terminal import console, print_grid
from tasks.config import RunFile
from tasks.lake.files import Lake, read_table
from tasks.lake.generations import IMPORTED, query_generations
from tasks.lake.tables import GENERATIONS, QUERIES, VOTES

EXAMPLES = 12
_KEY = list(VOTES.key)
_COMPARED = ["majority", "correct", "label", "success_rate", "answers"]


def print_relabelled(run: RunFile) -> None:
    """Vote again and print what changed. Raises UserError for bad input."""
    lake = Lake(run.lake)
    before = read_table(lake, VOTES)
    relabel(run)
    after = read_table(lake, VOTES)
    changed = changed_labels(before, after)
    shared = before.join(after, on=_KEY, how="semi").height
    console.print(f"{after.height:,} votes; {after.height - shared:,} are new." if shared < after.height else f"{after.height:,} votes.")
    if not shared:
        return
    flipped = changed.filter(pl.col("label") != pl.col("label_before"))
    up = flipped.filter(pl.col("label") > pl.col("label_before")).height
    print(f"{flipped.height:,} of {shared:,} labels changed: {up:,} count for more now, {flipped.height - up:,} for less.")
    if others := changed.height - flipped.height:
        print(f"{others:,} more were read otherwise, with the same label.")
    if changed.is_empty():
        return
    by_model = changed.group_by("model").agg(
        (pl.col("label") > pl.col("label_before")).sum().alias("counts more"),
        (pl.col("label") < pl.col("label_before")).sum().alias("counts less"),
        (pl.col("label") == pl.col("label_before")).sum().alias("same label"),
    )
    print_grid("Changed votes", by_model.columns, by_model.sort("model").iter_rows())
    print_grid("Examples", ["query", "model", "gold", "before", "now", "an answer that was read otherwise"], _examples(lake, changed))
    print("`manyminds run` trains and evaluates again what follows from this.")


def changed_labels(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Rows of `votes` in both tables whose answers were read otherwise; columns of `before` with the suffix `_before`.

    First those whose label changed, then by key. Imported outcomes have no answers, so nothing of them is read.
    """
    before = before.with_columns(pl.col("label").fill_null(pl.col("correct").cast(pl.Float64)))  # an earlier version had no other rule
    both = after.join(before.select(*_KEY, *_COMPARED), on=_KEY, suffix="_before")
    answered = (pl.col("recipe") != IMPORTED) | pl.col("answers").is_not_null()
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_before")) for name in _COMPARED)
    return both.filter(answered & ~same).sort(pl.col("label") == pl.col("label_before"), *_KEY)


def _examples(lake: Lake, changed: pl.DataFrame) -> list[tuple[str, ...]]:
    """The first few, with the end of the first text that was read otherwise."""
    first = changed.head(EXAMPLES)
    golds = dict(read_table(lake, QUERIES, columns=["query_id", "gold"]).iter_rows())
    wanted = first.select(*_KEY)
    texts, _ = query_generations(
        lake,
        lake.files(GENERATIONS.name),
        lambda rows: rows.select(*GENERATIONS.key, "text").join(wanted.lazy(), on=_KEY, how="semi"),
    )
    texts = texts.unique(GENERATIONS.key, keep="first").sort(GENERATIONS.key)
    rows = list[tuple[str, ...]]()
    for vote in first.iter_rows(named=True):
        mine = texts.filter(*[pl.col(name) == vote[name] for name in _KEY])["text"].to_list()
        rows.append(
            (
                vote["query_id"],
                vote["model"],
                golds[vote["query_id"]] or "",
                _said(vote, "_before"),
                _said(vote, ""),
                _differing(vote, mine),
            )
        )
    return rows


def _said(vote: dict[str, Any], suffix: str) -> str:
    """ "18, right", "18, right, counts 0.70": the majority, and what the samples count for where that is something else."""
    majority, is_right, label = vote[f"majority{suffix}"], vote[f"correct{suffix}"], vote[f"label{suffix}"]
    word = "right" if is_right else "wrong"
    return f"{'no answer' if majority is None else majority}, {word}" + (f", counts {label:.2f}" if label != is_right else "")


def _differing(vote: dict[str, Any], texts: list[str]) -> str:
    """`answers` are in the order of the samples, as the texts are."""
    pairs = zip(vote["answers_before"] or [], vote["answers"] or [], texts, strict=False)
    text = next((text for before, now, text in pairs if before != now), "")
    shown = " ".join(text.split())
    return f"… {shown[-160:]}" if len(shown) > 160 else shown
