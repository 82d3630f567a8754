"""`manyminds status`: the lake at a glance; and the verdict, which also ends a run."""

from datetime import UTC, datetime

import polars as pl
from rich.text import Text

from flows.terminal import console, plain, print_grid
from tasks.errors import UserError
from tasks.lake.files import Broken, Lake, collect, open_lake, read_table
from tasks.lake.generations import query_generations
from tasks.lake.tables import GENERATIONS, METRICS, TABLES, Table


def print_status(url: str, as_json: bool = False) -> None:
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
