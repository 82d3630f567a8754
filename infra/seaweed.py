"""An S3 server of one's own: SeaweedFS, on this machine only, with its data in a folder.

    python infra/seaweed.py lakes/.s3        prints what to export, and runs until Ctrl-C

Every port is bound to the loopback address, also those that nobody asked for. The keys are no secret, so the server must
stay where only this machine reaches it.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

HOST = "127.0.0.1"
BUCKET = "lakes"
REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "manyminds", "AWS_SECRET_ACCESS_KEY": "on-this-machine-only"}
_PORTS = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port.grpc"]
_PORTS += ["admin.port", "admin.port.grpc"]
_SECONDS_TO_START = 60


@contextmanager
def serve(folder: Path, port: int = 0) -> Iterator[dict[str, str]]:
    """Start the server, make the bucket "lakes", and yield the environment that reaches it. `port` 0: a free one.

    Raises RuntimeError if it does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    s3, *others = free_ports(1 + len(_PORTS))
    ports = {"s3.port": port or s3, "s3.port.iceberg": 0, "s3.port.lance": 0, **dict(zip(_PORTS, others, strict=True))}
    settings = {"dir": folder, "ip": HOST, "ip.bind": HOST, "bucket": BUCKET, "webdav": "false", "admin.ui": "false"}
    settings |= {"master.telemetry": "false", **ports}
    command = [str(Path(sys.executable).with_name("weed")), "mini", *(f"-{name}={value}" for name, value in settings.items())]
    log = folder.with_name(f"{folder.name}.log")
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | KEYS, start_new_session=True)
    try:
        address = f"http://{HOST}:{ports['s3.port']}"
        _wait(server, address, log)
        yield KEYS | {"AWS_ENDPOINT_URL": address, "AWS_REGION": REGION}
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        for number in set(ports.values()) - {0}:
            for left in Path("/tmp").glob(f"seaweedfs-*-{number}.sock"):  # where SeaweedFS puts them, and leaves them
                left.unlink()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind((HOST, 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Until the bucket is there: SeaweedFS answers before it has made it."""
    keys = dict(zip(("aws_access_key_id", "aws_secret_access_key"), KEYS.values(), strict=True))
    client = botocore.session.Session().create_client("s3", endpoint_url=address, region_name=REGION, **keys)
    until = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < until and server.poll() is None:
        try:
            client.head_bucket(Bucket=BUCKET)
            return
        except (BotoCoreError, ClientError):
            time.sleep(0.1)
    raise RuntimeError(f"SeaweedFS does not start; its log is {log}")


def main() -> None:
    """Serve `FOLDER` on port 8333 until Ctrl-C."""
    if len(sys.argv) != 2:
        sys.exit("usage: python infra/seaweed.py FOLDER")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with serve(Path(sys.argv[1]).resolve(), 8333) as environment:
        for name, value in environment.items():
            print(f"export {name}={value}")
        print(f"# then for instance: manyminds run infra/runs/demo.toml --lake s3://{BUCKET}/demo; Ctrl-C ends the server", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
