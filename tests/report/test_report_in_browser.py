"""The page in Chromium, wide and narrow, light and dark: the demo's, and pages whose names and texts are evil."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, Look, chromium, looking_at
from playwright.sync_api import Browser
from report_pages import EVIL, evil_tables, page_of, page_of_studies, studied

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")]

WIDE, PHONE = 1280, 390
LOOKS = {
    "demo, wide, light": ("demo", WIDE, False),
    "demo, wide, dark": ("demo", WIDE, True),
    "demo, phone, light": ("demo", PHONE, False),
    "demo, phone, dark": ("demo", PHONE, True),
    "evil, wide, dark": ("evil", WIDE, True),
    "evil, phone, light": ("evil", PHONE, False),
    "studies, wide, light": ("studies", WIDE, False),
    "studies, phone, dark": ("studies", PHONE, True),
}
# Of each chart: its name, whether it stands within its figure, and how many marks can be seen of how many (but texts, and
# intervals: one may have no width).
CHARTS = """() => [...document.querySelectorAll("figure[data-chart]")].map((figure) => {
  const box = figure.getBoundingClientRect(), svg = figure.querySelector("svg").getBoundingClientRect();
  const marks = [...figure.querySelectorAll("g.role-mark:not(.mark-text):not(.mark-rule) > *")].map((mark) => mark.getBoundingClientRect());
  const seen = marks.filter((mark) => mark.width + mark.height > 0).length;
  return {name: figure.dataset.chart, inside: svg.left >= box.left - 1 && svg.right <= box.right + 1, seen, of: marks.length};
})"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# What a question or a name could have started, had it become markup.
STARTED = """() => [
  ...document.querySelectorAll("img, iframe, object, embed, form, base, link, script[src], a:not([href^='#'])"),
  ...[...document.querySelectorAll("*")].filter((one) => [...one.attributes].some((its) => its.name.startsWith("on"))),
].map((one) => one.outerHTML.slice(0, 200))"""
NOT_NAMED = """() => [...document.querySelectorAll("table")].filter((table) => !table.caption && !table.ariaLabel
  && !table.getAttribute("aria-labelledby")).map((table) => table.outerHTML.slice(0, 200))"""
# What the tooltips of the first chart say, mark by mark.
TOOLTIPS = """() => [...document.querySelector("figure[data-chart]").querySelectorAll(".mark-symbol > path")].map((mark) => {
  const {x, y, width, height} = mark.getBoundingClientRect();
  const place = {clientX: x + width / 2, clientY: y + height / 2, bubbles: true};
  for (const name of ["pointerover", "pointermove", "mouseover", "mousemove"]) mark.dispatchEvent(new PointerEvent(name, place));
  return document.getElementById("vg-tooltip-element")?.innerText ?? "";
})"""
NOWHERE = """() => [...document.querySelectorAll("a")].map((link) => link.getAttribute("href").slice(1))
  .filter((id) => !document.getElementById(id))"""
FOLDED = """() => [...document.querySelectorAll("details > :not(summary)")]
  .filter((one) => !one.checkVisibility({contentVisibilityAuto: true}) || !one.getBoundingClientRect().height)
  .map((one) => one.outerHTML.slice(0, 200))"""

# The rows of a table, each a list of cells, each as it says it is to be compared or else as it reads.
ROWS = """(table) => [...table.tBodies].flatMap((body) => [...body.rows])
  .map((row) => [...row.cells].map((cell) => cell.dataset.value
    ?? [...cell.childNodes].map((part) => part.textContent.trim()).join(" ").trim()))"""
# What becomes of a table whose headings are pressed three times each, one after the other: column, how it says it is sorted, rows.
PRESSED = f"""(table) => [...table.tHead.rows[table.tHead.rows.length - 1].cells].flatMap((heading, column) => {{
  const button = heading.querySelector("button");
  const press = () => {{ button.click(); return [column, heading.ariaSort, ({ROWS})(table)]; }};
  return button ? [[press(), press(), press()]] : [];
}})"""
NUMBER = re.compile(r"[^\w+\-−.]*([+\-−]?\d[\d,\u00a0\u202f]*(?:\.\d+)?(?:e[+-]?\d+)?)\s*(µs|ms|s|min|h)?\b")
SECONDS = {"µs": 0.000001, "ms": 0.001, "s": 1, "min": 60, "h": 3600, None: 1}
NOTHING = ("", "–", "—")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def files(demo_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages by name."""
    folder = tmp_path_factory.mktemp("pages")
    texts = {"evil": page_of(evil_tables(), notes=(EVIL,), settings={EVIL: EVIL}, name=EVIL), "studies": page_of_studies(studied()[1])}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts} | {"demo": demo_lake / "report.html"}


@pytest.fixture(scope="module", params=LOOKS)
def look(request: pytest.FixtureRequest, browser: Browser, files: dict[str, Path]) -> Iterator[Look]:
    """Each page at each size, opened once."""
    name, width, dark = LOOKS[request.param]
    with looking_at(browser, files[name], width, dark) as seen:
        yield seen


@pytest.fixture
def demo(browser: Browser, files: dict[str, Path]) -> Iterator[Look]:
    """The demo's page, for one test alone."""
    with looking_at(browser, files["demo"]) as seen:
        yield seen


def test_nothing_is_fetched_and_nothing_goes_wrong(look: Look) -> None:
    with look.unfolded():
        assert look.requests == [look.page.url]
        assert not look.complaints()


def test_every_chart_is_drawn_within_its_figure(look: Look) -> None:
    with look.unfolded():
        charts: list[dict[str, Any]] = look.page.evaluate(CHARTS)
    assert len(charts) >= 4
    for chart in charts:
        assert chart["inside"] and chart["seen"] == chart["of"] > 0, chart


def test_the_page_is_never_wider_than_the_window(look: Look) -> None:
    assert look.page.evaluate(TOO_WIDE) == 0
    with look.unfolded():
        assert look.page.evaluate(TOO_WIDE) == 0


def test_axe_finds_no_serious_fault(look: Look) -> None:
    with look.unfolded():
        assert not look.faults()


def test_every_table_has_a_name_and_every_link_leads_somewhere(look: Look) -> None:
    assert not look.page.evaluate(NOT_NAMED)
    assert look.page.locator("nav a").count() >= 5
    assert not look.page.evaluate(NOWHERE)


def test_what_is_evil_is_only_text(look: Look) -> None:
    with look.unfolded():
        assert not look.page.evaluate(STARTED)
        assert look.page.evaluate("window.hurt") is None


def test_evil_names_are_read_as_they_are_also_in_a_tooltip(browser: Browser, files: dict[str, Path]) -> None:
    with looking_at(browser, files["evil"]) as look, look.unfolded():
        read = look.page.evaluate("document.body.innerText.replace(/\\s+/g, ' ')")
        assert read.count(EVIL) > 20
        pointed = look.page.evaluate(TOOLTIPS)
        assert any(EVIL in text for text in pointed), pointed
        assert not look.page.evaluate(STARTED)
        assert look.page.evaluate("window.hurt") is None
        assert not look.complaints()


def number(text: str) -> float | None:
    """What a cell begins with, if it is a number: "−1,234.5 ms" → -1.2345."""
    found = NUMBER.match(text)
    if found is None:
        return None
    digits = found[1].replace("−", "-").replace(",", "").replace("\u00a0", "").replace("\u202f", "")
    return float(digits) * SECONDS[found[2]]


def in_order(cells: list[str], order: str) -> bool:
    """Whether a column of numbers is: what is no number last. Other columns are not judged here: alphabets differ."""
    values = [number(cell) for cell in cells if cell not in NOTHING]
    if None in values:
        return True
    first = cells[: len(values)]
    return not set(first) & set(NOTHING) and values == sorted(values, reverse=order == "descending")


def test_each_column_of_each_table_sorts_both_ways_and_back(demo: Look) -> None:
    columns = 0
    for table in demo.page.locator("table:has(th button)").all():
        before = table.evaluate(ROWS)
        for *both, (_, unsorted, restored) in table.evaluate(PRESSED):
            assert sorted(order for _, order, _ in both) == ["ascending", "descending"]
            for column, order, rows in both:
                assert sorted(rows) == sorted(before)
                assert in_order([row[column] for row in rows], order), (order, [row[column] for row in rows])
            assert restored == before and unsorted in (None, "none")
            columns += 1
    assert columns > 40


def test_tables_sort_from_the_keyboard_and_one_column_at_a_time(demo: Look) -> None:
    table = demo.page.locator("table:has(th button):visible").first
    headings = table.locator("th:has(button)")
    before = table.evaluate(ROWS)
    headings.nth(0).locator("button").focus()
    demo.page.keyboard.press("Enter")
    demo.page.keyboard.press("Space")
    assert headings.nth(0).get_attribute("aria-sort") in ("ascending", "descending")
    demo.page.keyboard.press("Tab")
    demo.page.keyboard.press("Enter")
    assert table.locator("th[aria-sort=ascending], th[aria-sort=descending]").count() == 1
    assert headings.nth(1).get_attribute("aria-sort") in ("ascending", "descending")
    assert sorted(table.evaluate(ROWS)) == sorted(before)


def test_without_scripts_the_tables_are_plain_and_whole(browser: Browser, files: dict[str, Path]) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(files["demo"].as_uri())
    assert page.locator("table tbody tr").count() > 100
    assert not page.locator("button").count()
    page.close()


def test_what_is_printed_is_unfolded_and_fits(browser: Browser, files: dict[str, Path]) -> None:
    with looking_at(browser, files["demo"], width=718) as look:  # A4 within margins of a centimetre, at 96 dots an inch
        look.page.emulate_media(media="print")
        look.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        look.wait_until_drawn()
        assert not look.page.evaluate(FOLDED)
        assert look.page.evaluate(TOO_WIDE) == 0
        look.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert look.page.pdf(format="A4").startswith(b"%PDF")
        assert not look.complaints()


def test_a_window_made_narrow_is_filled_anew(demo: Look) -> None:
    demo.page.set_viewport_size({"width": PHONE, "height": 900})
    demo.page.wait_for_function(f"({TOO_WIDE})() === 0")
    demo.page.wait_for_function("""() => [...document.querySelectorAll("figure[data-chart] svg")]
      .every((drawn) => drawn.getBoundingClientRect().right <= innerWidth)""")
    assert demo.page.evaluate(TOO_WIDE) == 0
