"""`manyminds status`: the lake at a glance."""

import logging
from datetime import datetime
from typing import Any

import polars as pl

from flows.terminal import print_json
from tasks.errors import UserError
from tasks.lake.entry import Entry
from tasks.lake.files import Broken, Lake, collect, open_lake, read_table
from tasks.lake.generations import IMPORTED, query_generations
from tasks.lake.tables import GENERATIONS, METRICS, TABLES, Table
from tasks.sampling.wanted import Wanted, read_wanted


def print_status(url: str, as_json: bool = False) -> None:
    """The tables, the samples that are wanted and lacking, the verdict. Raises UserError for a lake in which nothing is."""
    from flows.status_page import print_page

    logging.getLogger("manyminds").addHandler(logging.NullHandler())  # what cannot be read is said in the document
    lake = open_lake(url)
    document = status_document(lake)
    if as_json:
        print_json(document)
    else:
        print_page(document, lake)


def status_document(lake: Lake) -> dict[str, Any]:
    """What `manyminds status --json` prints. What is not known is null; moments are text, ISO 8601, UTC.

    `lake`: as given; `report`: where the report is
    `is_running`: whether a run is at work on the lake; null on S3, where it cannot be told
    `run`: name of the run file that wanted samples last; `k`, `stop`: how many of each query, and "all" or "decided"
    `tables`: for each of the six: `table`, `files`, `rows` (null if it cannot be read), `bytes`, `changed`, `broken` (files that cannot
        be read; of generations these count as missing, and `rows` are those of the others)
    `samples`: for each model and recipe: `model`, `recipe`
        `wanted`: by the newest run; at most, with stop = "decided"; null: not known, or imported
        `present`: rows in the lake, wanted or not; `lacking`: still to be drawn
        `unusable`: why the model could not be loaded, if it lacks samples
    `lacking`: for each shard that lacks samples: `shard` (as the Prefect UI names it), `model`, `recipe`, `bucket` (from 0), `buckets`,
        `wanted`, `lacking`, `why` (what its newest try met, if it failed)
    `verdict`: `flows.verdict.verdict_document`, and `is_outdated`: samples have come since; null where nothing has been evaluated
    """
    wanted = read_wanted(lake)
    entries = {name: lake.entries(name) for name in TABLES}
    if wanted is None and not any(entries.values()):
        raise UserError(f"lake {lake.url}: nothing there; expected a lake in which `manyminds run` has been started")
    counts, broken = _counts(lake, list(entries[GENERATIONS.name]))
    tables = [_table(lake, TABLES[name], listed) for name, listed in entries.items() if name != GENERATIONS.name]
    rows = sum(sum(of.values()) for of in counts.values())
    tables.insert(1, _described(GENERATIONS.name, entries[GENERATIONS.name], rows, broken))
    samples, lacking = _samples(lake, wanted, counts)
    return {
        "lake": lake.url,
        "report": lake.location("report.html") if lake.exists("report.html") else None,
        "is_running": lake.is_had(),
        "run": wanted.run if wanted else None,
        "k": wanted.k if wanted and wanted.models else None,
        "stop": wanted.stop if wanted and wanted.models else None,
        "tables": tables,
        "samples": samples,
        "lacking": lacking,
        "verdict": _verdict(lake, entries),
    }


def _table(lake: Lake, table: Table, listed: dict[str, Entry]) -> dict[str, Any]:
    counted = collect(lake, table, list(listed), lambda rows: rows.select(pl.len())) if listed else None
    if isinstance(counted, Broken):
        return _described(table.name, listed, None, counted.files or [counted.error])
    return _described(table.name, listed, 0 if counted is None else int(counted.item()), [])


def _described(table: str, listed: dict[str, Entry], rows: int | None, broken: list[str]) -> dict[str, Any]:
    size = sum(entry.size for entry in listed.values())
    return {"table": table, "files": len(listed), "rows": rows, "bytes": size, "changed": _newest(listed), "broken": broken}


def _newest(listed: dict[str, Entry]) -> datetime | None:
    return max((entry.changed for entry in listed.values()), default=None)


def _counts(lake: Lake, files: list[str]) -> tuple[dict[tuple[str, str], dict[str, int]], list[str]]:
    """Rows of each model and recipe by bucket, from the files' footers; and the files that cannot be read."""
    names = ["model", "recipe", "bucket"]
    rows, broken = query_generations(lake, files, lambda rows: rows.group_by(names).len().sort(names))
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for model, recipe, bucket, count in rows.iter_rows():
        counts.setdefault((model, recipe), {})[bucket] = count
    return counts, broken


def _samples(
    lake: Lake, wanted: Wanted | None, counts: dict[tuple[str, str], dict[str, int]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    from flows.lacking import left

    models = left(lake, wanted, counts) if wanted else []
    asked = {(one.model, one.recipe): one for one in models}
    samples = []
    for model, recipe in [*asked, *(key for key in counts if key not in asked)]:
        one = asked.get((model, recipe))
        unwanted = 0 if wanted and recipe != IMPORTED else None
        samples.append(
            {
                "model": model,
                "recipe": recipe,
                "wanted": one.wanted if one else unwanted,
                "present": sum(counts.get((model, recipe), {}).values()),
                "lacking": one.lacking if one else unwanted,
                "unusable": one.unusable if one else None,
            }
        )
    lacking = [
        {
            "shard": str(shard.shard),
            "model": one.model,
            "recipe": one.recipe,
            "bucket": shard.shard.bucket.index,
            "buckets": shard.shard.bucket.count,
            "wanted": shard.wanted,
            "lacking": shard.lacking,
            "why": shard.why,
        }
        for one in models
        for shard in one.shards
        if shard.lacking
    ]
    return samples, lacking


def _verdict(lake: Lake, entries: dict[str, dict[str, Entry]]) -> dict[str, Any] | None:
    from flows.verdict import verdict_document

    evaluated, sampled = _newest(entries[METRICS.name]), _newest(entries[GENERATIONS.name])
    if evaluated is None:
        return None
    try:
        metrics = read_table(lake, METRICS)
    except UserError:  # the table's line says which file it is
        return None
    return verdict_document(metrics) | {"is_outdated": sampled is not None and sampled > evaluated}
