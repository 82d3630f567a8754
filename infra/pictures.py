"""Every picture of the README and the guides, taken from what it shows: `make pictures`, or python infra/pictures.py [report ui retry].

report   the demo's report, wide and on a phone, light and dark: of `lakes/demo`
ui       the Prefect UI after a whole run of the demo: its graph, its artifacts, its verdict
retry    the Prefect UI after a refresh of which one shard failed, and Retry

The server, S3 and the workers are those of `make operate`; data and logs are in `lakes/.pictures`.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from infra.operate import BUCKET, RUN_FILE, System, check, say, show_retry, system

ROOT = Path(__file__).parents[1]
GUIDES = ROOT / "infra" / "guides"
FOLDER = ROOT / "lakes" / ".pictures"
REPORT = ROOT / "lakes" / "demo" / "report.html"
CHARTS = "() => [...document.querySelectorAll('figure[data-chart]')].every((one) => !one.checkVisibility() || one.querySelector('svg'))"
BYTES = 250_000  # a picture that is larger is not worth its download
DONE = {"type": {"any_": ["COMPLETED"]}}
SMALL = ["sampling.k=3", "benchmarks.embedded.limit={train = 60, validation = 30, test = 60}", "studies={}"]


def main() -> None:
    """Take those that are named, or all."""
    parser = argparse.ArgumentParser(description="Take the pictures of the README and the guides.")
    parser.add_argument("what", nargs="*", choices=["report", "ui", "retry"], help="default: all")
    wanted = set(parser.parse_args().what) or {"report", "ui", "retry"}
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("make pictures: there is no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        if "report" in wanted:
            report_pictures(browser)
        if wanted & {"ui", "retry"}:
            shutil.rmtree(FOLDER, ignore_errors=True)
            FOLDER.mkdir(parents=True)
            with system(FOLDER) as running:
                os.environ.update(running.environment)  # the lake is read from here too
                if "ui" in wanted:
                    ui_pictures(browser, running)
                if "retry" in wanted:
                    retry_picture(browser, running)
        browser.close()


def report_pictures(browser: Browser) -> None:
    """The top of the report, as far as its first chart."""
    for name, width, height, dark in [("report", 1280, 1080, False), ("report-dark", 1280, 1080, True), ("report-phone", 390, 844, False)]:
        page = open_page(browser, REPORT.as_uri(), width, height, dark)
        page.wait_for_function(CHARTS)
        photograph(page, name)


def ui_pictures(browser: Browser, running: System) -> None:
    """Run the whole demo against the server, then look at what it left there."""
    say("manyminds run infra/runs/demo.toml, on the server; a few minutes")
    command = [str(Path(sys.executable).with_name("manyminds")), "run", RUN_FILE, "--lake", str(FOLDER / "lake")]
    done = subprocess.run(command, cwd=ROOT, env=running.environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    (refresh,) = running.ask("flow_runs/filter", {"flow_runs": {"name": {"any_": ["refresh demo"]}, "state": DONE}})  # others are scheduled
    graph(browser, running, refresh["id"], "ui-run")
    (verdict,) = running.ask("artifacts/latest/filter", {"artifacts": {"key": {"any_": ["verdict"]}}})
    for name, path in (("ui-artifacts", "artifacts"), ("ui-verdict", f"artifacts/artifact/{verdict['id']}")):
        page = open_page(browser, f"{ui(running)}/{path}", 1280, 960)
        page.wait_for_timeout(2000)
        photograph(page, name)


def retry_picture(browser: Browser, running: System) -> None:
    """A refresh on workers, of which one model failed."""
    show_retry(running, f"s3://{BUCKET}/demo", SMALL)
    (refresh,) = running.ask("flow_runs/filter", {"deployments": {"name": {"any_": ["refresh"]}}, "flow_runs": {"state": DONE}})
    graph(browser, running, refresh["id"], "retry")


def graph(browser: Browser, running: System, flow_run: str, name: str) -> None:
    """A flow run's page, with its graph."""
    page = open_page(browser, f"{ui(running)}/runs/flow-run/{flow_run}", 1280, 960)
    page.locator("canvas").first.wait_for()
    page.wait_for_timeout(5000)  # it is laid out, and moves until all is in view; nothing tells when
    photograph(page, name)


def open_page(browser: Browser, address: str, width: int, height: int, dark: bool = False) -> Page:
    """A page that has been loaded."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    page.goto(address, wait_until="load")
    return page


def photograph(page: Page, name: str) -> None:
    """What is seen of the page now, as infra/guides/NAME.png. Raises RuntimeError if that is too large."""
    file = GUIDES / f"{name}.png"
    page.screenshot(path=file)
    check(file.stat().st_size < BYTES, f"{file.relative_to(ROOT)}, {file.stat().st_size / 1000:.0f} kB")
    page.close()


def ui(running: System) -> str:
    """Where the server's pages are."""
    return running.environment["PREFECT_API_URL"].removesuffix("/api")


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, TimeoutError) as error:
        sys.exit(f"make pictures: {error}")
