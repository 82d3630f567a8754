"""What an operator sees of a run in the Prefect UI: a table for each step, the verdict with its pictures, where everything is.

    queries, shards-of-gemma-7b, votes, embeddings, routers, routes, metrics, studies, verdict, report, tables

Artifacts tell, and nothing hangs on them: one that cannot be made, or that the server does not take, is logged and left out.
A description is Markdown; names in it are untrusted.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import ParamSpec
from urllib.parse import quote, urlsplit

import polars as pl
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from tasks.config import Router, RunFile
from tasks.lake.files import Broken, Lake, collect, read_table
from tasks.lake.fingerprints import fingerprint
from tasks.lake.tables import EMBEDDINGS, GENERATIONS, METRICS, QUERIES, ROUTES, TABLES, VOTES, Table
from tasks.report.figures import percent, seconds
from tasks.report.markdown import escape_markdown
from tasks.steps.step import Written

MOST_ROWS = 50
MOST_MODELS = 12  # with a column each

logger = logging.getLogger("manyminds")
P = ParamSpec("P")


def not_shown(what: str, error: Exception) -> None:
    """Say in the log that the UI lacks something."""
    logger.warning("not shown in the Prefect UI: %s: %s", what, error)


def key_of(kind: str, name: str = "") -> str:
    """An artifact's key: lower-case letters, digits and dashes. ("shards-of", "Gemma 7B") → "shards-of-gemma-7b"."""
    key = re.sub("[^a-z0-9]+", "-", f"{kind} {name}".lower()).strip("-")
    is_told = not any(letter.isalnum() and not letter.isascii() for letter in name)
    return key if is_told else f"{key}-{fingerprint(name)[:8]}"  # two names in Chinese would have the same key


def harmless(show: Callable[P, None]) -> Callable[P, None]:
    """No run fails for want of something to look at."""

    @wraps(show)
    def shown(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            show(*args, **kwargs)
        except Exception as error:
            not_shown(show.__name__.removeprefix("show_"), error)

    return shown


def _table(key: str, rows: Sequence[Mapping[str, object]], description: str) -> None:
    """A table of at most `MOST_ROWS` rows; what is left out is counted in its description."""
    if not rows:
        return
    left_out = len(rows) - MOST_ROWS
    description += f" The first {MOST_ROWS} of {len(rows)} rows." if left_out > 0 else ""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [{name: _cell(row.get(name)) for name in columns} for row in rows[:MOST_ROWS]]
    create_table_artifact(cells, key=key, description=description)


def _cell(value: object) -> str:
    """As people read it: the UI shows 0.5833333333333334 whole."""
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _rows(lake: Lake, table: Table, paths: Sequence[str], query: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
    """What `query` makes of the files, of which no more is read than that takes."""
    found = collect(lake, table, list(paths), query)
    if isinstance(found, Broken):
        raise OSError(found.error)
    return found


def _where(lake: Lake, paths: Sequence[str]) -> str:
    """ "3 files in `/lakes/demo/votes`", as Markdown."""
    count = "1 file" if len(paths) == 1 else f"{len(paths):,} files"
    return f"{count} in {_code(lake.location(paths[0].split('/')[0]))}" if paths else "no files"


def _code(text: str) -> str:
    return f"`{text}`" if "`" not in text else escape_markdown(text)


@harmless
def show_queries(run: RunFile, paths: Sequence[str]) -> None:
    """Questions of each benchmark, by split."""
    counts = _rows(
        Lake(run.lake),
        QUERIES,
        paths,
        lambda rows: rows.group_by("benchmark").agg(
            *[(pl.col("split") == split).sum().alias(split) for split in ("train", "validation", "test")],
            pl.col("subject").n_unique().alias("subjects"),
            pl.col("answer_kind").unique().drop_nulls().sort().str.join(", ").alias("answers are"),
        ),
    )
    rows = counts.sort("benchmark").to_dicts()
    total = sum(row[split] for row in rows for split in ("train", "validation", "test"))
    _table("queries", rows, f"{total:,} questions of {escape_markdown(run.name)}: {_where(Lake(run.lake), paths)}.")


@harmless
def show_shards(model: str, shards: Sequence[dict[str, object]]) -> None:
    """What became of a model's shards in a flow run (rows with `state`, `shard`, and what was drawn), those that failed first."""
    rows = [
        row | {"seconds": f"{row['seconds']:.1f}"} if "seconds" in row else row
        for row in sorted(shards, key=lambda row: row["state"] != "failed")
    ]
    failed = sum(row["state"] == "failed" for row in rows)
    said = f"{failed} of {len(rows)} shards failed" if failed else f"{len(rows)} shards are done" if len(rows) > 1 else "the shard is done"
    _table(key_of("shards-of", model), rows, f"{escape_markdown(model)}: {said}.")


@harmless
def show_votes(run: RunFile, paths: Sequence[str]) -> None:
    """How each model did, and how its samples agreed."""
    sampled = pl.col("k").is_not_null()
    found = _rows(
        Lake(run.lake),
        VOTES,
        paths,
        lambda rows: rows.group_by("model", "recipe").agg(
            pl.col("correct").mean().alias("right"),
            pl.col("agreement").mean().alias("agreement"),
            (1 - pl.col("valid").filter(sampled).sum() / pl.col("k").sum()).fill_nan(None).alias("unreadable"),
            pl.col("ambiguous").filter(sampled).mean().alias("ambiguous"),
            (pl.col("stop") == "decided").filter(sampled).mean().alias("decided early"),
            pl.col("success_rate").mean().alias("right samples"),
            pl.col("latency_s").mean().alias("latency"),
            pl.len().alias("votes"),
            pl.col("k").sum().alias("samples"),
        ),
    ).sort(pl.col("right"), "model", "recipe", descending=[True, False, False])
    shares = ("right", "right samples", "agreement", "ambiguous", "unreadable", "decided early")
    rows = [
        row | {name: percent(row[name]) if row[name] is not None else None for name in shares} | {"latency": seconds(row["latency"])}
        for row in found.to_dicts()
    ]
    if len({row["model"] for row in rows}) == len(rows):
        rows = [{name: value for name, value in row.items() if name != "recipe"} for row in rows]
    total = sum(row["votes"] for row in rows)
    _table("votes", rows, f"{total:,} votes of {escape_markdown(run.name)}: {_where(Lake(run.lake), paths)}.")


@harmless
def show_embeddings(run: RunFile, written: Mapping[tuple[str, int], Written]) -> None:
    """What each encoder made of the questions. `written`: by encoder and tokens read."""
    lake = Lake(run.lake)
    rows = [
        {
            "encoder": Path(encoder).name if Path(encoder).is_absolute() else encoder,
            "tokens read, at most": length,
            "questions": _rows(lake, EMBEDDINGS, made["embeddings"], lambda rows: rows.select(pl.len())).item(),
            "ms per question": f"{1000 * made['seconds_per_query']:.2f}",
        }
        for (encoder, length), made in written.items()
    ]
    paths = [path for made in written.values() for path in made["embeddings"]]
    _table("embeddings", rows, f"What encoders made of {escape_markdown(run.name)}: {_where(lake, paths)}.")


@harmless
def show_routers(run: RunFile, routers: Sequence[Router], written: Sequence[Written]) -> None:
    """What was trained, and how long that took."""
    rows = [
        {
            "router": router.name,
            "kind": router.of_kind,
            "training took": seconds(made.get("seconds")),
            "ms per question": f"{1000 * made['seconds_per_query']:.2f}",
            "notes": " ".join(made["notes"]) or None,
        }
        for router, made in zip(routers, written, strict=True)
    ]
    paths = [path for made in written for path in made["routers"]]
    _table("routers", rows, f"{len(rows)} routers of {escape_markdown(run.name)}, baselines first: {_where(Lake(run.lake), paths)}.")


@harmless
def show_routes(run: RunFile, routes: Sequence[str], queries: Sequence[str]) -> None:
    """Which share of the test questions each router and policy sends to each model."""
    lake = Lake(run.lake)
    test = _rows(lake, QUERIES, queries, lambda rows: rows.filter(pl.col("split") == "test").select("query_id").unique())
    counts = _rows(
        lake,
        ROUTES,
        routes,
        lambda rows: rows.join(test.lazy(), on="query_id", how="semi").group_by("router", "policy", "model").len(),
    )
    asked = counts.group_by("model").agg(pl.col("len").sum()).sort("len", "model", descending=[True, False])["model"].to_list()
    rows = []
    for (router, policy), mine in sorted(counts.partition_by("router", "policy", as_dict=True).items()):
        shares = {model: percent(count / mine["len"].sum(), 0) for model, count in mine.select("model", "len").iter_rows()}
        rows.append({"router": router, "policy": policy} | {model: shares.get(model, "–") for model in asked[:MOST_MODELS]})
    rows.sort(key=lambda row: (row["policy"] != "argmax", row["policy"].endswith("-as-published")))
    said = f"Where {test.height:,} test questions of {escape_markdown(run.name)} go: {_where(lake, routes)}."
    _table("routes", rows, said + (f" The {MOST_MODELS} models that are asked most." if len(asked) > MOST_MODELS else ""))


@harmless
def show_metrics(run: RunFile, paths: Sequence[str]) -> None:
    """Accuracy of each system on test questions, best first."""
    from tasks.report.markdown import HEADINGS
    from tasks.report.systems import summary_table

    lake = Lake(run.lake)
    systems = summary_table(read_table(lake, METRICS, paths))
    rows = [{title: row[name] for name, title in HEADINGS.items()} for row in systems if row["rank"] == "main"]
    _table("metrics", rows, f"{len(rows)} systems on test questions of {escape_markdown(run.name)}: {_where(lake, paths)}.")


@harmless
def show_studies(run: RunFile, paths: Sequence[str]) -> None:
    """The question of each study, and its answer in short; the report has all of it."""
    from tasks.report.studies import sections

    lake = Lake(run.lake)
    rows = [
        {"study": section.study, "question": section.title, "in short": section.text.split(". ")[0].rstrip(".")}
        for section in sections(read_table(lake, METRICS, paths))
    ]
    _table("studies", rows, f"{len(rows)} studies of {escape_markdown(run.name)}: {_where(lake, paths)}.")


@harmless
def show_verdict(run: RunFile, metrics: pl.DataFrame, notes: Sequence[str]) -> None:
    """Is routing worth it, with the report's first pictures."""
    from tasks.report.markdown import markdown, pictured
    from tasks.report.words import verdict_sentences

    text = markdown(run.name, metrics, notes, pictured(metrics, run.cost.unit))
    answer = verdict_sentences(metrics).answer
    create_markdown_artifact(text, key="verdict", description=f"Worth it for {escape_markdown(run.name)}? {answer}.")


@harmless
def show_report(run: RunFile) -> None:
    """Where the report is: a link where a browser can follow one, else a path to copy. Browsers open no file from a page of a server."""
    lake = Lake(run.lake)
    name, place = escape_markdown(run.name), lake.location("report.html")
    if address := web_address(lake, "report.html"):
        described = f"Report of {name}: {_code(place)}. The link opens where the browser may read the bucket."
        create_link_artifact(address, f"Report of {name}", key="report", description=described)
    else:
        text = f"Open this file in a browser, on the machine that has it:\n\n```\n{place}\n```\n"
        create_markdown_artifact(text, key="report", description=f"Where the report of {name} is.")


@harmless
def show_tables(run: RunFile, tables: Mapping[str, Sequence[str]]) -> None:
    """Where the tables are, how large, and a line that reads each. `tables`: paths of each."""
    lake = Lake(run.lake)
    listed = {**tables, GENERATIONS.name: lake.files(GENERATIONS.name)}
    lines = ["| table | rows | files | where |", "|---|---|---|---|"]
    for name, table in TABLES.items():
        if paths := listed.get(name):
            count = f"{_rows(lake, table, paths, lambda rows: rows.select(pl.len())).item():,}"
            place = _code(lake.location(name)).replace("|", "\\|")
            address = web_address(lake, f"{name}/")
            lines.append(f"| {name} | {count} | {len(paths):,} | {f'[{place}]({address})' if address else place} |")
    example = f'import polars as pl\n\npl.read_parquet("{lake.location(VOTES.name)}/**/*.parquet")'
    text = "\n".join([*lines, "", "```python", example, "```", ""])
    create_markdown_artifact(text, key="tables", description=f"Where the tables of {escape_markdown(run.name)} are: Parquet.")


def web_address(lake: Lake, path: str) -> str | None:
    """Where a browser finds a file, or a folder (which ends in a slash), of a lake in a bucket; None for one that is on a disk.

    On AWS that is the console, which asks who one is; elsewhere the server's own address, if anybody may read there.
    """
    if lake.is_local:
        return None
    bucket, _, key = lake.location(path).removeprefix("s3://").partition("/")
    key += "/" if path.endswith("/") and not key.endswith("/") else ""
    endpoint = lake.scan_options["storage_options"].get("aws_endpoint_url")
    if endpoint is None:
        return f"https://console.aws.amazon.com/s3/{'buckets' if path.endswith('/') else 'object'}/{bucket}?prefix={quote(key, safe='')}"
    parts = urlsplit(endpoint)
    host = parts.netloc.rpartition("@")[2]
    return None if path.endswith("/") else f"{parts.scheme}://{host}{parts.path.rstrip('/')}/{bucket}/{quote(key)}"
