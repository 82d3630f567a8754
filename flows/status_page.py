"""How `manyminds status` prints a lake for people."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from flows.terminal import print_grid, print_text, shortened
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import METRICS

_LISTED = 20  # shards


def print_page(document: dict[str, Any], lake: Lake) -> None:
    """A lake (`flows.status.status_document`), from its tables to the verdict."""
    running = {True: "a run is at work on it", False: "no run is at work on it", None: "whether a run is at work on it cannot be told"}
    print_text(f"Lake {document['lake']}: {running[document['is_running']]}")
    tables = document["tables"]
    rows = [(one["table"], one["files"], one["rows"], _size(one["bytes"]), _ago(one["changed"])) for one in tables]
    print_grid("Tables", ["table", "files", "rows", "size", "last changed"], rows)
    for one in tables:
        for file in one["broken"]:
            print_text(f"• {one['table']}: {lake.location(file)} cannot be read{_mending(one['table'])}")
    if document["samples"]:
        _print_samples(document)
    if document["lacking"]:
        _print_lacking(document)
    if document["verdict"] is None:
        is_damaged = any(one["table"] == METRICS.name and one["broken"] for one in tables)
        print_text("No verdict: metrics cannot be read." if is_damaged else "No verdict yet: nothing has been evaluated.")
    else:
        _print_verdict(document, lake)


def _mending(table: str) -> str:
    if table == "generations":
        return ": its samples count as missing, and the next run draws them again"
    return "; delete it and run again to make it anew"


def _print_samples(document: dict[str, Any]) -> None:
    samples = document["samples"]
    names = [one["model"] for one in samples]
    rows = [
        [f"{one['model']} by {one['recipe']}" if names.count(one["model"]) > 1 else one["model"], *(one[name] for name in _COUNTED)]
        for one in samples
    ]
    if len(rows) > 1:
        rows.append(["all", *(sum(one[name] or 0 for one in samples) for name in _COUNTED)])
    columns = ["model", "in the lake", "wanted", "lacking"]
    shown = len(columns) if document["k"] is not None else 2
    print_grid("Samples", columns[:shown], [row[:shown] for row in rows])
    if document["k"] is None:
        print_text("How many are wanted is not known: they were imported, or drawn by an earlier version.")
    if document["stop"] == "decided":
        print_text("At most so many are wanted: sampling a query stops once its vote is decided.")


_COUNTED = ("present", "wanted", "lacking")


def _print_lacking(document: dict[str, Any]) -> None:
    """Shards that lack samples: a model that cannot be loaded, or of which nothing is there, is one line."""
    unusable = {one["model"]: one["unusable"] for one in document["samples"] if one["unusable"]}
    for why in unusable.values():
        print_text(f"• {shortened(why, 300)}")
    rows: list[tuple[str, int, int, str]] = []
    for (model, _), shards in groupby(document["lacking"], lambda one: (one["model"], one["recipe"])):
        rows += _rows(list(shards), model in unusable)
    is_running = document["is_running"]
    print_grid(
        "Still to be drawn" if is_running else "Shards that lack samples", ["shard", "lacking", "of", "what happened"], rows[:_LISTED]
    )
    if len(rows) > _LISTED:
        print_text(f"and {len(rows) - _LISTED:,} more; --json lists all")
    if not document["is_running"]:
        command = f"`manyminds run` with the run file of {document['run']}"
        print_text(f"{command} draws these and nothing else; where workers sample, so does Retry of the refresh in the Prefect UI.")


def _rows(shards: Sequence[dict[str, Any]], is_unusable: bool) -> list[tuple[str, int, int, str]]:
    wanted, lacking = (sum(one[name] for one in shards) for name in ("wanted", "lacking"))
    reasons = {one["why"] for one in shards}
    if is_unusable or (wanted == lacking and len(shards) > 1 and len(reasons) == 1):
        buckets = "all buckets" if len(shards) == shards[0]["buckets"] else f"{len(shards)} of {shards[0]['buckets']} buckets"
        why = "the model cannot be loaded" if is_unusable else shortened(next(iter(reasons)) or "", 200)
        return [(f"{shards[0]['model']} · {buckets}", lacking, wanted, why)]
    return [(one["shard"], one["lacking"], one["wanted"], shortened(one["why"] or "", 200)) for one in shards]


def _print_verdict(document: dict[str, Any], lake: Lake) -> None:
    from flows.verdict import print_systems

    verdict = document["verdict"]
    print_systems(read_table(lake, METRICS), in_short=True)
    print_text(f"{verdict['answer']}. {verdict['headline']}", style="bold")
    if verdict["router"] is not None:
        print_text(f"The router to use is {verdict['router']} with {verdict['policy']}; `manyminds route` asks it.")
    if verdict["alarms"]:
        titles = "; ".join(alarm["title"].lower() for alarm in verdict["alarms"])
        print_text(f"{len(verdict['alarms'])} alarm{'s' * (len(verdict['alarms']) > 1)}: {titles}.")
    if verdict["is_outdated"]:
        print_text("Samples have come since this was evaluated.")
    if document["report"]:
        print_text(f"More in the report: {document['report']}")


def _size(count: int) -> str:
    for unit, length in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= length:
            return f"{count / length:.3g} {unit}" if count < 100 * length else f"{count / length:,.0f} {unit}"
    return f"{count} B"


def _ago(moment: datetime | None) -> str:
    if moment is None:
        return ""
    seconds = max((datetime.now(UTC) - moment.astimezone(UTC)).total_seconds(), 0)
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} second{'s' * (round(seconds) != 1)} ago"
