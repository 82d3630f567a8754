"""The report: one HTML file that needs nothing else, no network, no server.

    render("demo", queries, votes, scores, routes, metrics, notes=["…"], settings={"k": "10"})  →  "<!doctype html>…"

The verdict comes first, then what it rests on. Everything that a question, a model or a name says is untrusted: Jinja2
escapes it, chart data cannot leave its script element, and the page's own policy lets no other script run and nothing be
fetched. Tables carry every figure that a chart shows.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from tasks.report import sections
from tasks.report.chart_style import Chart
from tasks.report.charts import charts
from tasks.report.examples import examples
from tasks.report.figures import Figures, percent
from tasks.report.frontier import frontier_table
from tasks.report.studies import Section
from tasks.report.studies import sections as study_sections
from tasks.report.systems import BASELINE_LINES, router_name, shown_first, summary_table, system_name
from tasks.report.words import verdict_sentences

SCRIPTS = ("drawing.js", "sorting.js", "reading.js")
_SENTENCE = re.compile(r"(?<=[\w)%”]\.)\s+(?=[A-Z“])|\n+")
_HEADING = re.compile(r'<h([23]) id="([^"]+)">(.*?)</h')


def render(
    run_name: str,
    queries: pl.DataFrame,
    votes: pl.DataFrame,
    scores: pl.DataFrame,
    routes: pl.DataFrame,
    metrics: pl.DataFrame,
    notes: Sequence[str],
    settings: Mapping[str, str],
    unit: str = "usd",
    *,
    texts: pl.DataFrame | None = None,
    recipes: Sequence[Mapping[str, str]] = (),
    places: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """The page, from whole tables.

    `notes`: what a reader should know about the data and about what routers did; `settings`: name → value; `unit`: of the expected
    costs, as in the run file's [cost] (usd, seconds or tokens); `texts`: answers of the examples, as `examples.read_texts` gives them;
    `recipes` and `places`: as `settings.recipe_rows` and `settings.places_of` give them.
    """
    import jinja2
    from markupsafe import Markup

    figures = Figures(metrics)
    verdicts, systems = verdict_sentences(metrics), summary_table(metrics)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tasks.report", package_path=""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_together,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    studies = {section.study: _with_markup(section) for section in study_sections(metrics)}
    health = studies.pop("health", None)  # stands on top
    shown = shown_first(figures)
    body = environment.get_template("body.html.jinja").render(
        run_name=run_name,
        verdicts=verdicts,
        charts={name: _safe(chart) for name, chart in charts(figures, unit).items()},
        systems=systems,
        health=health,
        studies=list(studies.values()),
        baselines=[(router_name(name), line) for name, line in BASELINE_LINES.items() if any(row["kind"] == name for row in systems)],
        frontier=frontier_table(figures),
        gains=sections.gains_by_benchmark(figures),
        preferences=sections.preferences(figures),
        reliabilities=sections.reliabilities(figures, shown[0]) if shown else [],
        benchmarks=sections.by_benchmark(figures),
        shares=sections.shares(figures),
        heat=sections.heat(figures, *shown) if shown else None,
        confidences=sections.confidences(figures),
        voting=sections.voting(figures),
        data=sections.data(queries),
        sizes={
            "queries": queries.height,
            **({"generations": drawn} if (drawn := votes["k"].sum()) else {}),  # those that voted
            "votes": votes.height,
            "scores": scores.height,
            "routes": routes.height,
            "metrics": metrics.height,
        },
        examples=examples(queries, votes, routes, metrics, texts),
        best_single=figures.best_single,
        shown=system_name(None, *shown) if shown else None,
        shown_router=shown[0] if shown else None,
        notes=notes,
        settings=settings,
        recipes=recipes,
        places=places,
        percent=percent,
        parted=parted,
    )
    scripts = [_bundle(), *(_script(name) for name in SCRIPTS)]
    return environment.get_template("page.html.jinja").render(
        run_name=run_name,
        body=Markup(body),
        headings=_headings(body),
        scripts=[Markup(script) for script in scripts],
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {' '.join(map(_hash, scripts))}",
    )


def _together(value: Any) -> Any:
    """Text in which a figure and its "%" stay on one line."""
    return value if type(value) is not str else re.sub(r"(?<=\d) %", "\u00a0%", value)


def parted(text: str) -> tuple[str, str]:
    """The first sentence, and the others: what is read at a glance, and what is read by whoever wants to know."""
    first, *rest = _SENTENCE.split(text, maxsplit=1)
    return first, "".join(rest)


def _headings(body: str) -> list[dict[str, Any]]:
    """What the list of contents shows. Headings are ours alone: in the text of others, there is no "<"."""
    from markupsafe import Markup

    return [{"level": int(level), "id": name, "title": Markup(title)} for level, name, title in _HEADING.findall(body)]


def _with_markup(section: Section) -> dict[str, Any]:
    return {**vars(section), "chart": None if section.chart is None else _safe(section.chart)}


def _safe(chart: Chart) -> dict[str, Any]:
    """A chart as the template takes it: its specification may stand in a script element as it is."""
    from markupsafe import Markup

    return {**vars(chart), "specification": Markup(chart.specification)}


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that may stand inside a script element."""
    import vl_convert

    script: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub forgets the default
    return script.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


@cache
def _script(name: str) -> str:
    """A script of ours, from beside this file."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """As a content security policy names a script that may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
