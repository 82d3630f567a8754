"""The page in Chromium, wide and narrow, light and dark: the demo's, and pages whose names and texts are evil."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, Look, chromium, looking_at
from playwright.sync_api import Browser
from report_pages import EVIL, evil_tables, page_of, page_of_studies, studied

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")]
PAGES = ("demo", "evil", "studies")
SIZES = {"wide, light": (1280, False), "wide, dark": (1280, True), "narrow, light": (390, False), "narrow, dark": (390, True)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages by name."""
    folder = tmp_path_factory.mktemp("pages")
    texts = {"evil": page_of(evil_tables(), notes=(EVIL,), settings={EVIL: EVIL}, name=EVIL), "studies": page_of_studies(studied()[1])}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts} | {"demo": request.getfixturevalue("demo_lake") / "report.html"}


@pytest.fixture(scope="module", params=[(name, size) for name in PAGES for size in SIZES], ids=", ".join)
def look(request: pytest.FixtureRequest, browser: Browser, files: dict[str, Path]) -> Iterator[Look]:
    name, size = request.param
    with looking_at(browser, files[name], *SIZES[size]) as open_page:
        yield open_page


def test_nothing_is_fetched_and_nothing_goes_wrong(look: Look) -> None:
    with look.unfolded():
        assert [url.partition("#")[0] for url in look.requests] == [look.page.url.partition("#")[0]]
        assert not look.complaints()


def test_axe_finds_no_serious_fault(look: Look) -> None:
    assert not look.faults()
    with look.unfolded():
        assert not look.faults()
