"""Commands that only read a lake: show, status, and the verdict after a run.

What is printed of questions, answers and model names is untrusted text: control characters are replaced, and nothing in it
is taken for markup.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from tasks.errors import UserError
from tasks.lake.files import Broken, Lake, collect, open_lake, read_table
from tasks.lake.generations import query_generations
from tasks.lake.tables import GENERATIONS, METRICS, QUERIES, ROUTES, SCORES, TABLES, VOTES, Table

console = Console(highlight=False)


def plain(value: object) -> str:
    """Untrusted text for a terminal: what cannot be printed becomes a replacement character."""
    return "".join(character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}" for character in str(value))


def print_grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; numbers to the right."""
    cells = [[value if isinstance(value, str) else _number(value) for value in cells] for cells in rows]
    grid = Grid(title=title, title_justify="left")
    for place, column in enumerate(columns):
        numeric = bool(cells) and all(
            row[place].replace(",", "").replace(".", "").strip("-–% ").isdigit() or not row[place] for row in cells
        )
        grid.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        grid.add_row(*(Text(plain(cell)) for cell in row))
    console.print(grid)


def _number(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def print_verdict(url: str) -> None:
    """Is routing worth it: the sentences, and each router, with its best policy, beside the single models and the baselines."""
    from tasks.report.systems import summary_table, system_name
    from tasks.report.words import verdict_sentences

    metrics = read_table(Lake(url), METRICS)
    verdicts = verdict_sentences(metrics)
    chosen = {system_name(None, verdict.router, verdict.policy) for verdict in verdicts.routers}
    rows = [row for row in summary_table(metrics) if row["kind"] != "router" or row["system"] in chosen]
    cells = [(row["system"], row["accuracy"], row["interval"], row["gain"], row["verdict"], row["latency"]) for row in rows]
    console.print()
    print_grid("On test questions", ["system", "accuracy", "95 % interval", "gain", "verdict", "latency"], cells)
    notes = [*filter(None, [verdicts.looks]), *verdicts.alarms, *filter(None, [verdicts.censored])]
    for sentence in [f"{verdicts.answer}. {verdicts.headline}", *(verdict.sentence for verdict in verdicts.routers), *notes]:
        console.print(Text(f"• {plain(sentence)}"))


def print_query(url: str, wanted: str) -> None:
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


def print_status(url: str) -> None:
    """Rows and age of each table, samples per model, the verdict."""
    lake = open_lake(url)
    changed = {table.name: lake.changed(table.name) for table in TABLES.values()}
    if not any(changed.values()):
        raise UserError(f"lake {url}: nothing there; expected a lake in which `manyminds run` has been started")
    rows = [
        (name, len(files), _rows(lake, TABLES[name], list(files)), _ago(max(files.values())) if files else "")
        for name, files in changed.items()
    ]
    print_grid(f"Lake {url}", ["table", "files", "rows", "last changed"], rows)
    if files := list(changed[GENERATIONS.name]):
        drawn, _ = query_generations(lake, files, lambda rows: rows.unique(GENERATIONS.key).group_by("model", "recipe").len())
        print_grid("Samples", ["model", "recipe", "samples"], drawn.sort("model", "recipe").iter_rows())
    if changed[METRICS.name]:
        print_verdict(url)


def _rows(lake: Lake, table: Table, files: list[str]) -> int | str:
    """Rows of the table, or which file cannot be read."""
    counted = collect(lake, table, files, lambda rows: rows.select(pl.len())) if files else None
    if isinstance(counted, Broken):
        return f"cannot be read: {', '.join(counted.files) or counted.error}"
    return int(counted.item()) if counted is not None else 0


def _ago(moment: datetime) -> str:
    seconds = (datetime.now(UTC) - moment.astimezone(UTC)).total_seconds()
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} seconds ago"
