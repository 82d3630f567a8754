"""Two S3 servers to test against: they differ in what they answer, and what we do has to be right on both."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.seaweed import BUCKET, HOST, free_ports, serve

seaweedfs = serve


@contextmanager
def moto(folder: Path) -> Iterator[dict[str, str]]:
    """moto's server with an empty bucket; yields the environment that reaches it."""
    (port,) = free_ports(1)
    address = f"http://{HOST}:{port}"
    environment = {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any-secret",
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "us-east-1",
    }
    with (folder / "moto.log").open("wb") as output:
        command = [str(Path(sys.executable).with_name("moto_server")), "--host", HOST, "--port", str(port)]
        server = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(f"{address}/{BUCKET}", method="PUT"), timeout=5)
                break
            except OSError:
                if time.monotonic() > until or server.poll() is not None:
                    raise
                time.sleep(0.1)
        yield environment
    finally:
        server.terminate()
        server.wait()
