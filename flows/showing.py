"""`manyminds show`: one query, with its samples, votes, confidences and routes."""

from typing import Any

import polars as pl
from rich.text import Text

from flows.terminal import console, plain, print_grid
from tasks.errors import UserError
from tasks.lake.files import Lake, open_lake, read_table
from tasks.lake.generations import query_generations
from tasks.lake.tables import GENERATIONS, QUERIES, ROUTES, SCORES, VOTES


def print_query(url: str, wanted: str, as_json: bool = False) -> None:
    """A query with its samples, votes, confidences and routes."""
    lake = open_lake(url)
    queries = read_table(lake, QUERIES)
    if queries.is_empty():
        raise UserError(f"lake {url}: no queries; expected a lake in which `manyminds run` has been started")
    named = queries.filter((pl.col("query_id") == wanted) | (pl.col("source_id") == wanted))
    found = named if not named.is_empty() else queries.filter(pl.col("question").str.contains(wanted, literal=True))
    if found.is_empty():
        raise UserError(f"lake {url}: no query with id or text {wanted!r}")
    if found.height > 1:
        listed = [(row["query_id"], row["split"], row["question"][:80]) for row in found.head(20).iter_rows(named=True)]
        print_grid(f"{found.height} queries; name one by its id", ["query_id", "split", "question"], listed)
        return
    query = found.row(0, named=True)
    for name in ("query_id", "source_id", "benchmark", "split", "subject", "question", "choices", "gold", "answer_kind"):
        if query[name] is not None:
            console.print(Text(f"{name:>12}  {plain(query[name])}"))
    here = pl.col("query_id") == query["query_id"]
    votes = read_table(lake, VOTES).filter(here).sort("model")
    columns = ["model", "k", "stop", "majority", "agreement", "runner_up", "runner_up_votes", "valid", "correct", "success_rate"]
    print_grid("Votes", columns, [[row[name] for name in columns] for row in votes.iter_rows(named=True)])
    scores = read_table(lake, SCORES).filter(here).sort("router", "model")
    if not scores.is_empty():
        wide = scores.pivot(on="model", index="router", values="confidence")
        print_grid("Confidences", wide.columns, wide.iter_rows())
    routes = read_table(lake, ROUTES).filter(here).sort("router", "policy")
    print_grid("Routes", ["router", "policy", "model"], routes.select("router", "policy", "model").iter_rows())
    files = lake.files(GENERATIONS.name)
    if files:
        samples, _ = query_generations(lake, files, lambda rows: rows.filter(here).unique(GENERATIONS.key, keep="first"))
        has_several = pl.col("recipe").n_unique().over("model") > 1
        samples = samples.with_columns(name=pl.when(has_several).then(pl.format("{} by {}", "model", "recipe")).otherwise("model"))
        _print_prompts(lake, query, samples)
        columns = ["name", "sample", "text", "finish_reason"]
        print_grid("Samples", ["model", "sample", "text", "ended"], samples.sort("name", "sample").select(columns).iter_rows())


def _print_prompts(lake: Lake, query: dict[str, Any], samples: pl.DataFrame) -> None:
    """What each model (`name` of `samples`) saw; once for models that saw the same."""
    from tasks.sampling.records import shown_prompt

    saw: dict[str, list[str]] = {}
    for name, recipe in samples.select("name", "recipe").unique().sort("name").iter_rows():
        shown = shown_prompt(lake, recipe, query["question"], query["choices"], query["subject"])
        text = (
            f"{shown.remark}\n{shown.text}".lstrip("\n")
            if shown
            else "not known: the samples were imported, or drawn by an earlier version"
        )
        saw.setdefault(text, []).append(name)
    print_grid("Prompts", ["models", "prompt"], [(", ".join(names), text) for text, names in saw.items()])
