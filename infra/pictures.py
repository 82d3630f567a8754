"""Every picture of the README and the guides, taken from what it shows.

    make pictures                                 all of them; some minutes
    python infra/pictures.py report               only some

report   the demo's report, wide and on a phone, light and dark
ui       the Prefect UI after a run of the demo with one router: its graph, its artifacts, its verdict
retry    the Prefect UI after a refresh of which one shard failed, and Retry

Server, S3 and workers are those of `make operate`; their data and logs are in `lakes/.pictures`.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from infra.operate import RUN_FILE, System, check, say, show_retry, system
from infra.seaweed import BUCKET

ROOT = Path(__file__).parents[1]
GUIDES = ROOT / "infra" / "guides"
FOLDER = ROOT / "lakes" / ".pictures"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
MOST_BYTES = 250_000
KINDS = ("report", "ui", "retry")
DRAWN = """() => [...document.querySelectorAll("figure[data-chart]")]
  .every((figure) => !figure.checkVisibility({contentVisibilityAuto: true}) || figure.querySelector("svg"))"""
COMPLETED = {"state": {"type": {"any_": ["COMPLETED"]}}}  # others are scheduled
# Less than the demo, so that graphs can be read: one router; where Retry is shown, two models too.
ONE_ROUTER = [
    "sampling.k=3",
    f'routers=[{{name = "kmeans-encoder", encoder = "{ROOT}/tasks/world/encoder"}}]',
    'evaluation.policies=["argmax"]',
    "studies={}",
]
MODELS = ", ".join(f'{{name = "{name}", path = "{ROOT}/tasks/world/models/{name}"}}' for name in ("ledger", "scribe"))
TWO_MODELS = [*ONE_ROUTER, f"models=[{MODELS}]", "benchmarks.embedded.limit={train = 60, validation = 30, test = 60}"]


def open_page(browser: Browser, address: str, width: int, height: int, dark: bool = False) -> Page:
    """A page, loaded."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    page.goto(address, wait_until="networkidle")
    return page


def photograph(page: Page, name: str) -> None:
    """What is seen of the page, as `infra/guides/NAME.png`. Raises RuntimeError if the file is large."""
    file = GUIDES / f"{name}.png"
    page.screenshot(path=file)
    page.close()
    check(file.stat().st_size < MOST_BYTES, f"{file.relative_to(ROOT)}, {file.stat().st_size / 1000:.0f} kB")


def report_pictures(browser: Browser, lake: Path) -> None:
    """The top of the report."""
    for name, width, height, dark in [("report", 1280, 1180, False), ("report-dark", 1280, 1180, True), ("report-phone", 390, 1180, False)]:
        page = open_page(browser, (lake / "report.html").resolve().as_uri(), width, height, dark)
        page.wait_for_function(DRAWN)
        photograph(page, name)


def ui_pictures(browser: Browser, running: System) -> None:
    """Run the demo against the server, then look at what it has left there."""
    say("The demo runs, and tells the server")
    command = [str(Path(sys.executable).with_name("manyminds")), "run", RUN_FILE, "--lake", str(FOLDER / "lake")]
    command += [word for setting in ONE_ROUTER for word in ("--set", setting)]
    done = subprocess.run(command, cwd=ROOT, env=running.environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the demo failed: {done.stdout}{done.stderr}")
    (refresh,) = running.ask("flow_runs/filter", {"flows": {"name": {"any_": ["refresh"]}}, "flow_runs": COMPLETED})
    flow_run_picture(browser, running, refresh["id"], "ui-run")
    (verdict,) = running.ask("artifacts/latest/filter", {"artifacts": {"key": {"any_": ["verdict"]}}})
    for name, path in (("ui-artifacts", "artifacts"), ("ui-verdict", f"artifacts/artifact/{verdict['latest_id']}")):
        page = open_page(browser, f"{pages_of(running)}/{path}", 1280, 960, dark=True)
        page.wait_for_timeout(3000)
        photograph(page, name)


def retry_picture(browser: Browser, running: System) -> None:
    """A refresh on workers, of which one model failed once."""
    show_retry(running, f"s3://{BUCKET}/demo", TWO_MODELS)
    (refresh,) = running.ask("flow_runs/filter", {"deployments": {"name": {"any_": ["refresh"]}}, "flow_runs": COMPLETED})
    flow_run_picture(browser, running, refresh["id"], "retry")


def flow_run_picture(browser: Browser, running: System, flow_run: str, name: str) -> None:
    """A flow run's page, with its graph."""
    page = open_page(browser, f"{pages_of(running)}/runs/flow-run/{flow_run}", 1280, 820, dark=True)
    page.locator("canvas").first.wait_for()
    page.wait_for_timeout(5000)  # it is laid out and moves until all is in view; nothing tells when
    photograph(page, name)


def pages_of(running: System) -> str:
    """Where the server's UI is."""
    return running.environment["PREFECT_API_URL"].removesuffix("/api")


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(description="Take the pictures of the README and the guides.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}; all of them by default")
    parser.add_argument("--lake", type=Path, default=ROOT / "lakes" / "demo", help="whose report; lakes/demo by default")
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(KINDS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    kinds = options.kinds or KINDS
    if CHROMIUM is None:
        raise RuntimeError("there is no Chromium: apt-get install chromium")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"])
        if "report" in kinds:
            report_pictures(browser, options.lake)
        for kind, pictures in (("ui", ui_pictures), ("retry", retry_picture)):
            if kind in kinds:
                shutil.rmtree(FOLDER, ignore_errors=True)
                FOLDER.mkdir(parents=True)
                with system(FOLDER) as running:
                    os.environ.update(running.environment)  # the lake is read from here too
                    pictures(browser, running)
        browser.close()


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, TimeoutError) as error:
        sys.exit(f"make pictures: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
