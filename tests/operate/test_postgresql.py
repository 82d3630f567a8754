"""A Prefect server on PostgreSQL is killed and started again while a flow of 2,000 quick task runs is under way."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.seaweed import HOST, free_ports

TASKS = 2000
FLOW = f"""
import pathlib, sys, time
from prefect import flow, task

@task(persist_result=False)
def quick(number):
    time.sleep(0.05)
    with open(sys.argv[1], "a") as done:
        done.write(f"{{number}}\\n")

@flow(name="many")
def many():
    quick.map(range({TASKS})).wait()

many()
"""


def programs() -> Path | None:
    """Where PostgreSQL's programs are: on Debian not in the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(path) for path in [shutil.which("initdb")] if path]
    return found[-1].parent if found else None


pytestmark = [pytest.mark.slow, pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")]


@pytest.fixture
def database() -> Iterator[str]:
    """A PostgreSQL of the test's own; yields its address. It refuses to run as root."""
    tools, (port,) = programs(), free_ports(1)
    root = os.geteuid() == 0
    folder = Path(tempfile.mkdtemp(prefix="manyminds-postgresql-"))
    if root:
        shutil.chown(folder, "postgres")

    def run(*command: str) -> None:
        subprocess.run(["runuser", "-u", "postgres", "--", *command] if root else command, check=True, capture_output=True, cwd=folder)

    run(f"{tools}/initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "prefect")
    options = f"-c listen_addresses={HOST} -c port={port} -c unix_socket_directories={folder}"
    run(f"{tools}/pg_ctl", "-D", f"{folder}/data", "-l", f"{folder}/log", "-w", "-o", options, "start")
    try:
        yield f"postgresql+asyncpg://prefect@{HOST}:{port}/postgres"
    finally:
        run(f"{tools}/pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def test_a_flow_run_outlives_its_server(database: str, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    api = f"http://{HOST}:{port}/api"
    environment = os.environ | {"PREFECT_HOME": str(tmp_path / "home"), "PREFECT_API_URL": api, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    environment |= {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database}
    done = tmp_path / "done"
    done.touch()
    (tmp_path / "many.py").write_text(FLOW)

    server = start_server(port, environment, tmp_path)
    try:
        flow = subprocess.Popen([sys.executable, str(tmp_path / "many.py"), str(done)], env=environment, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while len(done.read_text().splitlines()) < TASKS // 4:
            assert flow.poll() is None, "the flow ended before the server could be killed"
            assert time.monotonic() < until
            time.sleep(0.05)
        server.kill()
        server.wait()
        assert len(done.read_text().splitlines()) < TASKS, "all was done before the server was killed"
        server = start_server(port, environment, tmp_path)
        assert flow.wait(300) == 0
        assert sorted(map(int, done.read_text().split())) == list(range(TASKS))
        assert b'"COMPLETED"' in ask(f"{api}/flow_runs/filter")
        assert not (tmp_path / "home" / "prefect.db").exists(), "the server was on SQLite"
    finally:
        server.terminate()
        server.wait()


def start_server(port: int, environment: dict[str, str], folder: Path) -> "subprocess.Popen[bytes]":
    """A Prefect server that answers."""
    command = [str(Path(sys.executable).with_name("prefect")), "server", "start", "--host", HOST, "--port", str(port)]
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    until = time.monotonic() + 180
    while True:
        try:
            ask(f"http://{HOST}:{port}/api/flow_runs/filter")
            return server
        except OSError:
            assert time.monotonic() < until
            assert server.poll() is None, "the server does not start"
            time.sleep(0.2)


def ask(address: str) -> bytes:
    """The answer to an empty filter."""
    request = urllib.request.Request(address, b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())
