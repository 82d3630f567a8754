"""All tables → the report, in the lake and in the Prefect UI."""

from dataclasses import asdict

import polars as pl
from prefect import task

from tasks.config import RunFile
from tasks.lake.files import Lake, read_table
from tasks.lake.fingerprints import fingerprint, source_fingerprint
from tasks.lake.tables import METRICS, QUERIES, ROUTES, SCORES, VOTES
from tasks.sampling.shards import recipes_of
from tasks.steps.artifacts import show_report, show_tables, show_verdict
from tasks.steps.generations import templates_of


@task(task_run_name="report", persist_result=False)
def report(run: RunFile, tables: dict[str, list[str]], notes: list[str]) -> str:
    """All tables → `LAKE/report.html`, the verdict and where things are in the Prefect UI; returns where the page is."""
    lake = Lake(run.lake)
    metrics = read_table(lake, METRICS, tables[METRICS.name])
    made_from = fingerprint(source_fingerprint("tasks.report"), tables, notes, run)
    mark = f"<!-- {made_from} -->".encode()
    if not lake.exists("report.html") or not lake.read("report.html").rstrip().endswith(mark):
        page = page_of(run, lake, tables, metrics, notes)
        lake.write("report.html", page.encode() + b"\n" + mark)
    show_verdict(run, metrics, notes)
    show_report(run)
    show_tables(run, tables)
    return lake.location("report.html")


def page_of(run: RunFile, lake: Lake, tables: dict[str, list[str]], metrics: pl.DataFrame, notes: list[str]) -> str:
    """The page of these tables, with the texts of a few answers, and all by which a figure is traced."""
    from tasks.report.examples import read_texts
    from tasks.report.page import render
    from tasks.report.settings import places_of, recipe_rows, settings_of

    queries, votes, scores, routes = (read_table(lake, table, tables[table.name]) for table in (QUERIES, VOTES, SCORES, ROUTES))
    recipes = [
        (model, recipe.id, asdict(recipe), benchmarks)
        for model in run.models
        for recipe, benchmarks in recipes_of(model, templates_of(run, model), run.sampling).items()
    ]
    return render(
        run.name,
        queries,
        votes,
        scores,
        routes,
        metrics,
        notes,
        settings_of(run),
        run.cost.unit,
        texts=read_texts(lake, queries, votes, routes, metrics),
        recipes=recipe_rows(recipes),
        places=places_of(lake, tables),
    )
