"""Commands that only read a lake: show, status, and the verdict after a run.

What is printed of questions, answers and model names is untrusted text: control characters are replaced, and nothing in it
is taken for markup.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import polars as pl
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from tasks.errors import UserError
from tasks.lake.files import Lake, read_table, scan_files
from tasks.lake.tables import GENERATIONS, METRICS, QUERIES, ROUTES, SCORES, TABLES, VOTES

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
    from tasks.report.words import summary_table, system_name, verdict_sentences

    metrics = read_table(Lake(url), METRICS)
    verdicts = verdict_sentences(metrics)
    chosen = {system_name(None, verdict.router, verdict.policy) for verdict in verdicts.routers}
    rows = [row for row in summary_table(metrics) if row["kind"] != "router" or row["system"] in chosen]
    cells = [(row["system"], row["accuracy"], row["interval"], row["gain"], row["verdict"], row["latency"]) for row in rows]
    console.print()
    print_grid("On test questions", ["system", "accuracy", "95 % interval", "gain", "verdict", "latency"], cells)
    for sentence in [f"{verdicts.answer}. {verdicts.headline}", *(verdict.sentence for verdict in verdicts.routers), *verdicts.alarms]:
        console.print(Text(f"• {plain(sentence)}"))


def print_query(url: str, wanted: str) -> None:
    """A query with its samples, votes, confidences and routes."""
    lake = Lake(url)
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
    columns = ["model", "k", "majority", "agreement", "runner_up", "valid", "correct", "success_rate"]
    print_grid("Votes", columns, [[row[name] for name in columns] for row in votes.iter_rows(named=True)])
    scores = read_table(lake, SCORES).filter(here).sort("router", "model")
    if not scores.is_empty():
        wide = scores.pivot(on="model", index="router", values="confidence")
        print_grid("Confidences", wide.columns, wide.iter_rows())
    routes = read_table(lake, ROUTES).filter(here).sort("router", "policy")
    print_grid("Routes", ["router", "policy", "model"], routes.select("router", "policy", "model").iter_rows())
    files = lake.files(GENERATIONS.name)
    if files:
        samples = scan_files(lake, GENERATIONS, files).filter(here).unique(GENERATIONS.key, keep="first").collect().sort("model", "sample")
        print_grid("Samples", ["model", "sample", "text", "ended"], samples.select("model", "sample", "text", "finish_reason").iter_rows())


def print_status(url: str) -> None:
    """Rows and age of each table, samples per model, the verdict."""
    lake = Lake(url)
    rows = []
    for table in TABLES.values():
        files = lake.files(table.name)
        counted = scan_files(lake, table, files).select(pl.len()).collect().item() if files else 0
        changed = max((lake.filesystem.modified(lake.location(file)) for file in files), default=None)
        rows.append((table.name, len(files), counted, _ago(changed) if changed else ""))
    if not any(row[1] for row in rows):
        raise UserError(f"lake {url}: nothing there; expected a lake in which `manyminds run` has been started")
    print_grid(f"Lake {url}", ["table", "files", "rows", "last changed"], rows)
    files = lake.files(GENERATIONS.name)
    if files:
        drawn = (
            scan_files(lake, GENERATIONS, files).unique(GENERATIONS.key).group_by("model", "recipe").len().collect().sort("model", "recipe")
        )
        print_grid("Samples", ["model", "recipe", "samples"], drawn.iter_rows())
    if lake.files(METRICS.name):
        print_verdict(url)


def _ago(moment: datetime) -> str:
    seconds = (datetime.now(UTC) - moment.astimezone(UTC)).total_seconds()
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} seconds ago"
