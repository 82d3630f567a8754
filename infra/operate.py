"""The whole system on one machine, as an operator runs it: server, S3, workers, deployments, a shard that fails, and Retry.

    python infra/operate.py                             the demo's pool; a few minutes
    python infra/operate.py sampling.k=3 --stay         smaller, and all goes on running until Ctrl-C, to look at the UI

The fault is a real one: the bucket's policy refuses writing below one shard's folder. Everything is started here, on the
loopback address, with its data in `lakes/.operate`, and ended at the end.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from infra.seaweed import BUCKET, HOST, free_ports, serve
from tasks.lake.files import Lake
from tasks.lake.tables import GENERATIONS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "lakes" / ".operate"
RUN_FILE = "infra/runs/demo.toml"
UI_PORT = 4200  # where people look for Prefect
BUSY = 503  # also when SQLite is locked
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
EACH_SAMPLE = ["query_id", "model", "recipe", "sample"]


@dataclass
class System:
    """What runs, and how to talk to it."""

    environment: dict[str, str]
    folder: Path  # logs
    workers: dict[str, "subprocess.Popen[bytes]"]
    server: dict[str, "subprocess.Popen[bytes]"]  # one, while it runs

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The API's answer: to a POST of `body`, or to a GET. Asks again where it has no time, as Prefect's own clients do."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.environment['PREFECT_API_URL']}/{path}", data, {"Content-Type": "application/json"})
        until = time.monotonic() + 180
        while True:
            try:
                with urllib.request.urlopen(request, timeout=120) as answer:  # it may itself wait a minute for SQLite
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code != BUSY or time.monotonic() > until:
                    raise
            time.sleep(1)

    def prefect(self, *words: str) -> str:
        """Run Prefect's command line and return what it says."""
        command = [str(Path(sys.executable).with_name("prefect")), "--no-prompt", *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"prefect {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start_server(self) -> None:
        """The Prefect server; returns when it answers."""
        api = self.environment["PREFECT_API_URL"]
        words = ["server", "start", "--host", HOST, "--port", str(urlsplit(api).port)]
        log = self.folder / "server.log"
        self.server["server"] = _start(["prefect", *words], self.environment, log)
        _wait_for(f"{api}/health", self.server["server"], log)

    def start_worker(self, name: str, pool: str) -> None:
        """A process worker that runs one flow run at a time."""
        words = ["worker", "start", "--pool", pool, "--name", name, "--limit", "1"]
        self.workers[name] = _start(["prefect", *words], self.environment, self.folder / f"{name}.log")

    def refresh(self, lake: str, settings: Sequence[str]) -> str:
        """Start a refresh, as the UI's Run does. Returns the flow run's id."""
        deployment = self.ask("deployments/name/refresh/refresh")["id"]
        parameters = {"file": RUN_FILE, "lake": lake, "settings": list(settings)}
        run = self.ask(f"deployments/{deployment}/create_flow_run", {"parameters": parameters, "state": {"type": "SCHEDULED"}})
        return str(run["id"])

    def retry(self, flow_run: str) -> None:
        """What the UI's Retry sends, once the worker is done with the process that failed: before, Prefect 3.7 calls it crashed."""
        until = time.monotonic() + 60
        while self.processes_of(flow_run) and time.monotonic() < until:
            time.sleep(0.5)
        time.sleep(3)
        state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
        answer = self.ask(f"flow_runs/{flow_run}/set_state", {"state": state, "force": False})
        if answer["status"] != "ACCEPT":
            raise RuntimeError(f"Retry was not accepted: {answer}")

    def wait(self, flow_run: str, seconds: float = 900) -> dict[str, Any]:
        """The flow run, once it has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            run: dict[str, Any] = self.ask(f"flow_runs/{flow_run}")
            if run["state"]["type"] in FINAL:
                return run
            time.sleep(1)
        raise TimeoutError(f"{run['name']} is still {run['state']['name']} after {seconds:.0f} s; logs are in {self.folder}")

    def launched(self, flow_run: str) -> list[dict[str, Any]]:
        """The flow runs that this one has launched on workers, oldest first."""
        parent = {"flow_runs": {"parent_flow_run_id": {"any_": [flow_run]}}}
        return sorted(self.ask("flow_runs/filter", parent), key=lambda run: str(run["created"]))

    def processes_of(self, flow_run: str, worker: str | None = None) -> list[int]:
        """Processes of a flow run, among those that the worker (None: any) has started."""
        workers = [process for name, process in self.workers.items() if worker in (None, name)]
        found = [pid for process in workers for pid in descendants(process.pid)]
        return [pid for pid in found if f"PREFECT__FLOW_RUN_ID={flow_run}".encode() in _environment_of(pid)]


@contextmanager
def system(folder: Path, port: int = 0, workers_of: Sequence[tuple[str, str]] = (("cpu-1", "cpu"), ("gpu-1", "gpu"))) -> Iterator[System]:
    """S3, a Prefect server with work pools, automation and deployments, and workers (name, pool); all ended at the end."""
    with ExitStack() as stack:
        s3 = stack.enter_context(serve(folder / "s3"))
        port = port or free_ports(1)[0]
        api = f"http://{HOST}:{port}/api"
        environment = os.environ | s3 | {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_API_URL": api, "PREFECT_UI_API_URL": api}
        environment |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_WORKER_QUERY_SECONDS": "2"}
        running = System(environment, folder, {}, {})
        stack.callback(_stop, running.server)
        stack.callback(_stop, running.workers)  # before the server, so that they can say goodbye
        running.start_server()
        for pool in ("cpu", "gpu"):
            running.prefect("work-pool", "create", pool, "--type", "process", "--base-job-template", "infra/work-pools/process.json")
        gpus = sum(pool == "gpu" for _, pool in workers_of)
        running.prefect("work-pool", "set-concurrency-limit", "gpu", str(gpus))
        running.prefect("automation", "create", "--from-file", "infra/automations.yaml")
        running.prefect("deploy", "--all", "--prefect-file", "infra/prefect.yaml")
        for name, pool in workers_of:
            running.start_worker(name, pool)
        yield running


def _start(command: Sequence[str], environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    program = str(Path(sys.executable).with_name(command[0]))
    with log.open("ab") as output:
        return subprocess.Popen([program, *command[1:]], cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True)


def _wait_for(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the Prefect server does not start; its log is {log}")


def _stop(processes: dict[str, "subprocess.Popen[bytes]"]) -> None:
    """End them and whatever they have started."""
    families = {name: descendants(process.pid) for name, process in processes.items()}
    for process in processes.values():
        process.terminate()
    for name, process in processes.items():
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        kill(families[name])
    processes.clear()


def descendants(pid: int) -> list[int]:
    """Processes that this one, or one of those, has started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [(int(child), int(parent)) for child, parent in (line.split() for line in listed.splitlines())]
    found, new = [], [pid]
    while new:
        new = [child for child, parent in parents if parent in new]
        found += new
    return found


def _environment_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def kill(pids: Sequence[int]) -> None:
    """Kill -9 those that are still there."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def refuse_writing(environment: dict[str, str], below: str | None) -> None:
    """Let the bucket's policy refuse to write objects whose key is like `below`; None: refuse nothing."""
    import botocore.session

    keys = {"aws_access_key_id": environment["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"]}
    place = {"endpoint_url": environment["AWS_ENDPOINT_URL"], "region_name": environment["AWS_REGION"]}
    client = botocore.session.Session().create_client("s3", **place, **keys)
    if below is None:
        client.delete_bucket_policy(Bucket=BUCKET)
        return
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/{below}"}
    client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def files_of(lake: str) -> dict[str, datetime]:
    """Every file of samples and when it was written."""
    return Lake(lake).changed(GENERATIONS.name)


def samples_of(lake: str) -> pl.DataFrame:
    """Every sample as it stands in the files: one that was written twice is there twice."""
    place = Lake(lake)
    return pl.scan_parquet(place.location(f"{GENERATIONS.name}/**/*.parquet"), hive_partitioning=True, **place.scan_options).collect()


def show_retry(running: System, lake: str, settings: Sequence[str], model: str = "ledger", bucket: str = "01-of-02") -> None:
    """Refresh with one shard that cannot be written, Retry, and check by the tables that only this shard was sampled again.

    Raises RuntimeError if anything is not as it should be.
    """
    prefix = lake.removeprefix(f"s3://{BUCKET}/")
    say(f"S3 refuses to write the samples of {model} in bucket {bucket}; refresh starts")
    refuse_writing(running.environment, f"{prefix}/{GENERATIONS.name}/model={model}/recipe=*/bucket={bucket}/*")
    refresh = running.refresh(lake, settings)
    ended = running.wait(refresh)
    say(f"{ended['name']} is {ended['state']['name']}: {ended['state']['message']}")
    check(ended["state"]["type"] == "FAILED", "the refresh fails")
    first, before, drawn = running.launched(refresh), files_of(lake), samples_of(lake)
    for run in first:
        say(f"    {run['name']}: {run['state']['name']}")
    check(
        [run["name"] for run in first if run["state"]["type"] != "COMPLETED"] == [f"sample {model}"], f"of the models only {model} failed"
    )
    in_shard = [path for path in before if f"/model={model}/" in path and f"/bucket={bucket}/" in path]
    check(bool(before) and not in_shard, f"{len(before)} files with {drawn.height:,} samples are in the lake, none of that shard")

    say("S3 allows it again; Retry")
    refuse_writing(running.environment, None)
    running.retry(refresh)
    ended = running.wait(refresh)
    say(f"{ended['name']} is {ended['state']['name']}, the second time")
    check(ended["state"]["type"] == "COMPLETED", "the refresh completes")
    again = running.launched(refresh)[len(first) :]
    check([run["name"] for run in again] == [f"sample {model}"], f"only {model} was launched again")
    after = files_of(lake)
    new = sorted(set(after) - set(before))
    check({path: after.get(path) for path in before} == before, f"the {len(before)} files are there, none written again")
    check(
        bool(new) and all(f"/model={model}/" in path and f"/bucket={bucket}/" in path for path in new), f"{len(new)} new, all of that shard"
    )
    samples = samples_of(lake)
    check(not samples.select(EACH_SAMPLE).is_duplicated().any(), f"{samples.height:,} samples, none twice")
    counts = samples.group_by("model").len().sort("model")
    check(
        counts["len"].n_unique() == 1, "every model has the same number: " + ", ".join(f"{name} {count:,}" for name, count in counts.rows())
    )


def say(text: str) -> None:
    """A line, with the time."""
    print(f"{datetime.now():%H:%M:%S}  {text}", flush=True)


def check(holds: bool, what: str) -> None:
    """Say that it is so, or raise RuntimeError."""
    if not holds:
        raise RuntimeError(f"not so: {what}")
    say(f"    ✓ {what}")


def main() -> None:
    """Show it."""
    parser = argparse.ArgumentParser(description="Server, S3, workers, deployments; a shard that fails, and Retry.")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="as if it stood in the demo's run file: sampling.k=3")
    parser.add_argument("--stay", action="store_true", help="leave everything running until Ctrl-C, to look at the UI")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background a shell turns it off, for the workers too
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with socket.socket() as probe:
        port = UI_PORT if probe.connect_ex((HOST, UI_PORT)) else 0
    say(f"S3, a Prefect server and two workers start; data and logs are in {FOLDER.relative_to(ROOT)}")
    with system(FOLDER, port) as running:
        os.environ.update(running.environment)  # the lake is read from here too
        say(f"The UI is at {running.environment['PREFECT_API_URL'].removesuffix('/api')}")
        show_retry(running, f"s3://{BUCKET}/demo", options.settings)
        if options.stay:
            say("All of it stays until Ctrl-C")
            signal.pause()


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, TimeoutError) as error:
        sys.exit(f"make operate: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
