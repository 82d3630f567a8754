"""How many requests each step of a run sends to S3: the demo's pool, through a proxy that counts, into SeaweedFS.

    python tests/benchmarks/s3_requests.py [key=value …]        settings as for `manyminds run --set`

A request belongs to the step that was running when it came; "between the steps" are the results of steps, which Prefect writes
when a step has ended, and the listings that make a table consist of what the steps wrote. The second run finds everything done.
"""

import os
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from s3_proxy import Proxy, proxy  # noqa: E402

from flows.refresh import refresh  # noqa: E402
from infra.seaweed import BUCKET, serve  # noqa: E402
from tasks.config import load_run  # noqa: E402

KINDS = ["GET", "PUT", "LIST", "HEAD", "DELETE"]
BETWEEN = "between the steps"


def kind(method: str, path: str) -> str:
    """The request in S3's terms: a listing is a GET, the removal of several files a POST."""
    if method == "GET" and "list-type=2" in path:
        return "LIST"
    return "DELETE" if method == "POST" and path.endswith("?delete") else method


def steps_since(began: datetime) -> list[tuple[datetime, datetime, str]]:
    """When each task run began and ended, and of which step it was: the first word of its name, without the model or router."""
    with get_client(sync_client=True) as client:
        runs, page = [], client.read_task_runs(limit=200)
        while page:
            runs += page
            page = client.read_task_runs(limit=200, offset=len(runs))
    return [
        (run.expected_start_time, run.end_time, run.name.split()[0])
        for run in runs
        if run.expected_start_time and run.end_time and run.expected_start_time >= began
        if not run.name.startswith("sample-model")  # the flow run of a model, whose shards are what counts
    ]


def table(between: Proxy, began: datetime) -> list[str]:
    """A Markdown table: per step, its task runs and its requests."""
    steps = steps_since(began)
    counted: dict[str, Counter[str]] = {}
    for (method, path), moment in zip(between.requests, between.moments, strict=True):
        if moment >= began:
            running = [(start, name) for start, end, name in steps if start <= moment <= end]
            counted.setdefault(max(running)[1] if running else BETWEEN, Counter())[kind(method, path)] += 1
    runs = Counter(name for _, _, name in steps)
    order = sorted(
        counted, key=lambda name: min((start for start, _, step in steps if step == name), default=datetime.max.replace(tzinfo=UTC))
    )
    rows = [[name, runs.get(name, ""), *(counted[name].get(each, "") for each in KINDS)] for name in order]
    rows.append(["all", sum(runs.values()), *(sum(counts[each] for counts in counted.values()) for each in KINDS)])
    lines = [["step", "task runs", *KINDS], ["---"] + ["---:"] * (1 + len(KINDS)), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]


def main() -> None:
    """Run twice, and print both tables."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder) / "s3") as environment,
        proxy(environment["AWS_ENDPOINT_URL"]) as between,
    ):
        os.environ.update(environment, AWS_ENDPOINT_URL=between.address)
        run = load_run(ROOT / "infra/runs/demo.toml", settings=sys.argv[1:], lake=f"s3://{BUCKET}/demo")
        with prefect_test_harness(server_startup_timeout=120):
            for words in ("First run", "Second run: nothing to do"):
                began = datetime.now(UTC)
                refresh(run)
                sys.stdout.write("\n".join(["", words, "", *table(between, began), ""]))


if __name__ == "__main__":
    main()
