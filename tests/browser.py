"""Chromium, as Debian packages it, driven by Playwright: what a page does where it is looked at.

with chromium() as browser, looking_at(browser, Path("report.html"), width=390, dark=True) as look:
    assert not look.complaints()
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_REMEMBER = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (event) => window.refused.push(event.violatedDirective + " " + event.blockedURI));
"""
_DRAWN = """() => [...document.querySelectorAll("figure[data-chart]")]
  .filter((figure) => figure.checkVisibility({contentVisibilityAuto: true}))
  .every((figure) => figure.querySelector("svg"))"""
_UNFOLD = "() => [...document.querySelectorAll('details')].map((one) => { const was = one.open; one.open = true; return was; })"
_FOLD = "(were) => document.querySelectorAll('details').forEach((one, at) => { one.open = were[at]; })"


@dataclass
class Look:
    """A page that is open, what it has asked for, and what went wrong in it."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def complaints(self) -> list[str]:
        """Errors, warnings, and what the page's own policy refused."""
        return [*self.errors, *self.page.evaluate("window.refused")]

    def wait_until_drawn(self) -> None:
        """Until each chart that is not folded away is there."""
        self.page.wait_for_function(_DRAWN)

    @contextmanager
    def unfolded(self) -> Iterator[None]:
        """All details are open inside, and as before behind."""
        were = self.page.evaluate(_UNFOLD)
        self.wait_until_drawn()
        yield
        self.page.evaluate(_FOLD, were)

    def faults(self) -> list[str]:
        """What axe-core calls serious or critical: the rule, the element and why."""
        self.page.evaluate(AXE_SCRIPT)
        found: list[dict[str, Any]] = self.page.evaluate("axe.run({resultTypes: ['violations']}).then((results) => results.violations)")
        grave = [rule for rule in found if rule["impact"] in ("serious", "critical")]
        return [f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}" for rule in grave for node in rule["nodes"]]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of one's own, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_OPTIONS)
        yield browser
        browser.close()


@contextmanager
def looking_at(browser: Browser, file: Path, width: int = 1280, dark: bool = False) -> Iterator[Look]:
    """The page of a file, its charts drawn."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    look = Look(page)
    page.on("request", lambda request: look.requests.append(request.url))
    page.on("console", lambda message: look.errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: look.errors.append(str(error)))
    page.add_init_script(_REMEMBER)
    page.goto(file.as_uri())
    look.wait_until_drawn()
    yield look
    page.close()
