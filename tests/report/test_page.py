"""The page: whole, self-contained, and nothing in it that a question or a name could start."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import polars as pl
from planted_tables import Tables, decided_early, hand_tables, pool_tables
from report_pages import EVIL, evil_tables, page_of, page_of_studies, studied

from tasks.evaluation.evaluate import evaluate
from tasks.evaluation.studies import KINDS
from tasks.lake.tables import METRICS
from tasks.report.page import parted, render
from tasks.report.studies import sections


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


def test_the_page_says_the_verdict_first_and_carries_every_figure_in_tables() -> None:
    page = page_of(pool_tables(), notes=("A fifth was cut off by hash.",), settings={"k": "10"})
    text = " ".join(" ".join(Reader(page).text).split())
    assert "kmeans-tfidf with argmax beats the best single model, general, by " in text
    assert text.index("beats the best single model") < text.rindex("Accuracy, time and cost")  # the contents have it too
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
        assert not {"src", "srcset"} & set(attributes), (tag, attributes)
        assert (attributes.get("href") or "#").startswith("#"), attributes
    assert "default-src &#39;none&#39;" in page
    assert "@import" not in page


def test_every_chart_has_a_title_and_a_text_and_valid_data() -> None:
    page = page_of(pool_tables())
    specifications = [json.loads(text) for kind, text in Reader(page).scripts if kind == "application/json"]
    assert len(specifications) == page.count("<figure") == page.count("<figcaption>") == 8
    images = [attributes for _, attributes in Reader(page).elements if attributes.get("role") == "img"]
    assert all(len(attributes["aria-label"] or "") > 20 for attributes in images)
    assert all("vega-lite" in specification["$schema"] for specification in specifications)


def test_nothing_that_a_question_or_a_name_says_becomes_markup() -> None:
    reader = Reader(page_of(evil_tables(), notes=(EVIL,), settings={EVIL: EVIL}, name=EVIL))
    assert not [element for element in reader.elements if element[0] == "img" or "onerror" in element[1]]
    code = [text for kind, text in reader.scripts if kind == "code"]
    assert len(code) == 4
    assert "hurt" not in "".join(code)
    assert EVIL in "".join(reader.text)
    assert "49" not in re.findall(r"\{\{ (.*?) \}\}", "".join(reader.text))
    for kind, text in reader.scripts:
        if kind == "application/json":
            json.loads(text)


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
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert 4 in levels


def test_a_study_alone_has_its_section_and_one_that_found_nothing_has_none() -> None:
    metrics = studied()[1]
    for name in KINDS:
        alone = metrics.filter(pl.col("study").is_in(["evaluation", name]))
        assert [section.study for section in sections(alone)] == [name]
    nothing = {**dict.fromkeys(METRICS.columns), "metric": "x", "value": 1.0}
    for name in KINDS:
        assert not sections(pl.DataFrame([nothing | {"study": name}], schema=METRICS.schema)), name
    assert ">Studies</h2>" not in page_of(pool_tables(12))


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


def test_every_section_is_in_the_contents_and_every_link_leads_to_one_place() -> None:
    for page in (page_of_studies(studied()[1]), page_of(pool_tables(12)), page_of(evil_tables(), name=EVIL)):
        elements = Reader(page).elements
        ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        links = [attributes["href"] for tag, attributes in elements if tag == "a"]
        assert {str(link).removeprefix("#") for link in links} <= set(ids)
        sections = [attributes for tag, attributes in elements if tag == "h2" and attributes]
        assert len(sections) > 5
        for attributes in sections:
            assert f"#{attributes['id']}" in links


def test_the_page_has_landmarks_and_a_way_past_the_contents() -> None:
    tags = [tag for tag, _ in Reader(page_of(pool_tables(12))).elements]
    assert tags.count("main") == tags.count("nav") == 1
    assert tags.index("a") < tags.index("nav") < tags.index("main") < tags.index("h1")


def test_every_table_has_a_caption_and_a_region_that_can_be_reached() -> None:
    elements = Reader(page_of_studies(studied()[1])).elements
    tables = [tag for tag, _ in elements].count("table")
    regions = [attributes for _, attributes in elements if attributes.get("role") == "region"]
    assert tables == [tag for tag, _ in elements].count("caption") == len(regions) > 10
    assert all(attributes["tabindex"] == "0" and attributes["aria-label"] for attributes in regions)


def test_what_is_long_is_parted_after_its_first_sentence() -> None:
    assert parted("Off by 2.5 points (0.1 to 4.9). Leave it out. Or not.") == ("Off by 2.5 points (0.1 to 4.9).", "Leave it out. Or not.")
    assert parted("See no. 3, e.g. this") == ("See no. 3, e.g. this", "")
    assert parted("") == ("", "")
