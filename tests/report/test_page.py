"""The page: whole, self-contained, and nothing in it that a question or a name could start."""

import json
import re
import shutil
import subprocess
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from planted_tables import Tables, decided_early, hand_tables, pool_tables, query_rows

from tasks.evaluation.evaluate import evaluate
from tasks.evaluation.studies import KINDS, make_study, trials_of
from tasks.evaluation.studies import Tables as Studied
from tasks.lake.tables import CLUSTERS, ENDINGS, LOADS, METRICS, TRIALS
from tasks.report.page import render
from tasks.report.studies import sections
from tasks.voting.growth import growth

EVIL = "</script><script>window.hurt=1</script><img src=x onerror=window.hurt=1>{{ 7*7 }}=cmd()$x^2$\"'&"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def evil(tables: Tables) -> Tables:
    """The tables with evil names: of a model, a router, a policy, a benchmark and a subject. The other benchmark is one of the paper's."""
    wicked = pl.col(pl.String).replace(["general", "kmeans-tfidf", "random"], EVIL)
    queries = tables.queries.with_columns(pl.col("benchmark", "subject").replace(["stories", "sums", "facts"], [EVIL, EVIL, "gsm8k"]))
    return Tables(queries, tables.votes.with_columns(wicked), tables.scores.with_columns(wicked), tables.routes.with_columns(wicked))


@cache
def studied() -> tuple[Tables, pl.DataFrame]:
    """Tables with evil names, and the figures of all studies on them. What routers say in trials, and what is measured, is made up."""
    tables, random = evil(pool_tables(60)), np.random.default_rng(0)
    parts = (tables.queries, tables.votes, tables.scores, tables.routes)
    models = tables.votes["model"].unique().sort()
    ids = tables.queries["query_id"]
    clusters = pl.concat(
        pl.DataFrame([(query, EVIL, 4, seed, int(random.integers(4))) for query in ids], schema=CLUSTERS.schema, orient="row")
        for seed in range(2)
    )
    made_up = {
        "clusters": clusters,
        "growth": growth(tables.queries, tables.votes, 0),
        "endings": pl.DataFrame([(EVIL, EVIL, 1000, 300)], schema=ENDINGS.schema, orient="row"),
        "loads": pl.DataFrame([(model, "transformers", EVIL, 5.0, 2.0, None, None) for model in models], schema=LOADS.schema, orient="row"),
    }
    metrics = evaluate(*parts, {}, 100, 0)
    for name in KINDS:
        settings = {"of": "gsm8k"} if name == "reproduction" else {}
        tried = [
            (query, EVIL, trial.setting, model, float(random.random()))
            for trial in trials_of(name, settings, tables.queries, tables.votes, 0)
            for query in trial.queries.filter(pl.col("split") == "test")["query_id"]
            for model in trial.votes["model"].unique().sort()
        ]
        trials = pl.DataFrame(tried, schema=TRIALS.schema, orient="row")
        metrics = pl.concat([metrics, make_study(name, settings, Studied(*parts, metrics, trials, **made_up), 100, 0)])
    return tables, metrics


def page_of_studies(metrics: pl.DataFrame) -> str:
    tables = studied()[0]
    return render("demo", tables.queries, tables.votes, tables.scores, tables.routes, metrics, (), {})


def page_of(tables: Tables, notes: tuple[str, ...] = (), settings: dict[str, str] | None = None, name: str = "demo") -> str:
    metrics = evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {"kmeans-tfidf": 0.0002}, 200, 0)
    return render(name, tables.queries, tables.votes, tables.scores, tables.routes, metrics, notes, settings or {})


def evil_tables() -> Tables:
    """Two models, one with an evil name, on questions, subjects and a benchmark that are evil too."""
    queries = pl.concat(
        [
            query_rows(60, benchmark=EVIL, split="validation", subject=EVIL),
            query_rows(60, benchmark=EVIL, subject=EVIL, first=60),
            query_rows(60, benchmark="plain", subject="plain", first=120),
        ]
    ).with_columns(question=pl.lit(EVIL), gold=pl.lit(EVIL))
    first = [float(number % 3 != 0) for number in range(180)]
    chosen: list[str | None] = [EVIL if value else "owl" for value in first]
    tables = hand_tables(
        {EVIL: [*first], "owl": [1 - value for value in first]}, {(EVIL, EVIL): chosen, (EVIL, "argmax"): chosen}, queries=queries
    )
    cost = pl.when(pl.col("model") == EVIL).then(0.002).otherwise(0.001)
    return Tables(tables.queries, tables.votes.with_columns(cost_usd=cost), tables.scores.with_columns(cost=cost), tables.routes)


class Reader(HTMLParser):
    """Collects elements, attributes, text and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[tuple[str | None, str]] = []
        self._inside: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self._inside = dict(attrs).get("type") or "code"

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts.append((self._inside, data))
        else:
            self.text.append(data)


def in_chromium(page: str, folder: Path) -> str:
    """The page's elements after its scripts have run."""
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        f"--user-data-dir={folder / 'browser'}",
    ]
    command = [str(CHROMIUM), *options, "--virtual-time-budget=8000", "--enable-logging=stderr", "--dump-dom", f"file://{file}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout


def test_the_page_says_the_verdict_first_and_carries_every_figure_in_tables() -> None:
    page = page_of(pool_tables(), notes=("A fifth was cut off by hash.",), settings={"k": "10"})
    text = " ".join(" ".join(Reader(page).text).split())
    assert "kmeans-tfidf with argmax beats the best single model, general, by " in text
    assert text.index("beats the best single model") < text.index("Accuracy, time and cost")
    for needed in (
        "oracle",
        "random choice",
        "knows only the benchmark",
        "clock times",
        "A fifth was cut off by hash.",
        "agreement",
        "Brier score",
    ):
        assert needed in text
    assert page.count("<tr") > 40


def test_the_page_needs_no_network_and_is_small() -> None:
    page = page_of(pool_tables())
    assert len(page.encode()) < 3_000_000
    for tag, attributes in Reader(page).elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form"), tag
        assert not {"src", "href", "srcset"} & set(attributes), (tag, attributes)
    assert "default-src &#39;none&#39;" in page
    assert "@import" not in page


def test_every_chart_has_a_title_and_a_text_and_valid_data() -> None:
    page = page_of(pool_tables())
    specifications = [json.loads(text) for kind, text in Reader(page).scripts if kind == "application/json"]
    assert len(specifications) == page.count("<figure") == page.count("<figcaption>") == 4
    images = [attributes for _, attributes in Reader(page).elements if attributes.get("role") == "img"]
    assert all(len(attributes["aria-label"] or "") > 20 for attributes in images)
    assert all("vega-lite" in specification["$schema"] for specification in specifications)


def test_nothing_that_a_question_or_a_name_says_becomes_markup() -> None:
    reader = Reader(page_of(evil_tables(), notes=(EVIL,), settings={EVIL: EVIL}, name=EVIL))
    assert not [element for element in reader.elements if element[0] == "img" or "onerror" in element[1]]
    code = [text for kind, text in reader.scripts if kind == "code"]
    assert len(code) == 2
    assert "hurt" not in "".join(code)
    assert EVIL in "".join(reader.text)
    assert "49" not in re.findall(r"\{\{ (.*?) \}\}", "".join(reader.text))
    for kind, text in reader.scripts:
        if kind == "application/json":
            json.loads(text)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_in_a_browser_every_chart_is_drawn_and_nothing_evil_runs(tmp_path: Path) -> None:
    drawn = in_chromium(page_of(evil_tables()), tmp_path)
    tags = [tag for tag, _ in Reader(drawn).elements]
    assert tags.count("figure") == tags.count("svg") == 4
    assert tags.count("script") == 2 + 4
    assert "img" not in tags


def test_every_study_has_its_section_and_no_name_in_it_becomes_markup() -> None:
    metrics = studied()[1]
    reader = Reader(page_of_studies(metrics))
    assert not [element for element in reader.elements if element[0] == "img" or "onerror" in element[1]]
    shown = [attributes["id"] for _, attributes in reader.elements if (attributes.get("id") or "").startswith("study-")]
    assert sorted(shown) == sorted(f"study-{name}" for name in KINDS)
    assert "49" not in re.findall(r"\{\{ (.*?) \}\}", "".join(reader.text))
    for kind, text in reader.scripts:
        assert kind in ("code", "application/json")
        if kind == "application/json":
            assert not names_in_expressions(json.loads(text)), text[:200]


def names_in_expressions(part: object, key: str = "") -> bool:
    """Whether an evil name stands anywhere in a chart's specification but among its data and in lists of values."""
    if isinstance(part, dict):
        return any(EVIL in name or names_in_expressions(value, name) for name, value in part.items() if name not in ("values", "datasets"))
    if isinstance(part, list):
        return key not in ("domain", "sort", "range") and any(names_in_expressions(value, key) for value in part)
    return isinstance(part, str) and EVIL in part


def test_headings_are_in_order() -> None:
    levels = [int(tag[1]) for tag, _ in Reader(page_of_studies(studied()[1])).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels[1:]))
    assert 4 in levels


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_in_a_browser_the_charts_of_all_studies_are_drawn_and_nothing_evil_runs(tmp_path: Path) -> None:
    page = page_of_studies(studied()[1])
    drawn = Reader(in_chromium(page, tmp_path))
    tags = [tag for tag, _ in drawn.elements]
    assert tags.count("figure") == tags.count("svg") == page.count("<figure")
    assert "img" not in tags


def test_a_study_alone_has_its_section_and_one_that_found_nothing_has_none() -> None:
    metrics = studied()[1]
    for name in KINDS:
        alone = metrics.filter(pl.col("study").is_in(["evaluation", name]))
        assert [section.study for section in sections(alone)] == [name]
    nothing = {**dict.fromkeys(METRICS.columns), "metric": "x", "value": 1.0}
    for name in KINDS:
        assert not sections(pl.DataFrame([nothing | {"study": name}], schema=METRICS.schema)), name
    assert "<h2>Studies</h2>" not in page_of(pool_tables(12))


def test_the_page_says_what_stopping_early_left_out_and_what_it_saved() -> None:
    tables = pool_tables(12)
    assert "censored" not in page_of(tables)
    page = page_of(Tables(tables.queries, decided_early(tables.votes, 1.0), tables.scores, tables.routes))
    text = "".join(Reader(page).text)
    assert "Success rates and agreement are censored" in text
    assert "tokens saved" in text and text.count("40.0\N{NO-BREAK SPACE}%") > 5 * 3


def test_a_page_of_what_is_missing_is_still_a_page() -> None:
    for tables in (pool_tables(12, measured=False, subjects=False), hand_tables({"fox": [1.0, 0.0], "owl": [0.0, 1.0]}, {}, k=None)):
        page = page_of(tables)
        assert "Accuracy, time and cost" in page
        assert "Accuracy against latency" not in page or "seconds per question" in page
    empty = pool_tables(12)
    metrics = evaluate(empty.queries, empty.votes, empty.scores, empty.routes, {}, 100, 0).clear()
    assert "Cannot be told" in render("demo", empty.queries, empty.votes, empty.scores, empty.routes, metrics, [], {})


def test_the_same_tables_give_the_same_page() -> None:
    assert page_of(pool_tables(12)) == page_of(pool_tables(12))
