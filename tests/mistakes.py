"""What a test of mistakes stands on: a folder with a run file that works, which each mistake spoils in one place.

place = Place(tmp_path)
["plan", place.run_file(sampling="k = 0")]
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import pytest

from flows.command_line import main
from tasks.lake.files import Lake, write_table
from tasks.lake.tables import METRICS, Table, empty

SECRET = "hf_0123456789-very-secret"  # in the environment of every mistake, and in no message
WORLD = Path(__file__).parents[1] / "tasks" / "world"
OUTCOMES = "benchmark,split,question,model,score\n" + "".join(
    f"b,{split},question {number} of {split},{model},{number % 2 if model == 'a' else 1}\n"
    for split in ("train", "validation", "test")
    for number in range(8)
    for model in ("a", "b")
)


@dataclass(frozen=True)
class Place:
    """A folder of the user's."""

    folder: Path

    @property
    def lake(self) -> str:
        """Where the lake would be."""
        return str(self.folder / "lake")

    def run_file(self, more: str = "", *, models: str | None = None, change: tuple[str, str] = ("", ""), top: str = "") -> str:
        """A run file of two tiny models, with `more` at its end, `top` at its beginning, and one text changed to another."""
        two = "".join(f'[[models]]\nname = "{name}"\npath = "{WORLD}/models/{name}"\n' for name in ("ledger", "scribe"))
        text = f"""{top}
name = "small"
[[benchmarks]]
name = "embedded"
limit = {{train = 12, validation = 6, test = 6}}
{two if models is None else models}
[sampling]
k = 2
max_new_tokens = 8
buckets = 1
[[routers]]
name = "kmeans-tfidf"
clusters = 2
[evaluation]
policies = ["argmax"]
bootstrap = 100
{more}"""
        assert change[0] in text
        return self.file("run.toml", text.replace(*change) if change[0] else text)

    def file(self, name: str, content: str | bytes) -> str:
        """A file in the folder; its path."""
        file = self.folder / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(file)

    def outcomes(self, content: str | bytes, name: str = "outcomes.csv") -> list[str]:
        """The command that plans to import this."""
        return ["plan", "--outcomes", self.file(name, content), "--lake", self.lake]

    def run_outcomes(self, lake: str | None = None) -> list[str]:
        """The command that imports outcomes that are as they should be."""
        file = self.file("run.toml", f'[[outcomes]]\nfiles = ["{self.file("outcomes.csv", OUTCOMES)}"]\n')
        return ["run", file, "--lake", lake or self.lake]

    def model(self, *without: str, **files: str | bytes) -> str:
        """A copy of a tiny checkpoint that lacks files, or has others; its path. `config__json` is config.json."""
        folder = self.folder / "model"
        folder.mkdir()
        for file in (WORLD / "models" / "ledger").iterdir():
            if file.name not in without:
                (folder / file.name).write_bytes(file.read_bytes())
        for name, content in files.items():
            (folder / name.replace("__", ".")).write_bytes(content.encode() if isinstance(content, str) else content)
        return str(folder)

    def old_table(self, table: Table = METRICS, **columns: Any) -> str:
        """A lake with a table of another version: a row with other columns than ours; its path."""
        folder = self.folder / "old"
        path = write_table(Lake(str(folder)), table, empty(table), "old.parquet")
        pl.DataFrame({name: [None] for name in table.columns}, schema=table.schema).with_columns(**columns).write_parquet(folder / path)
        return str(folder)

    def router(self, manifest: str, policies: Mapping[str, Any] | None = None) -> list[str]:
        """The command that asks a router saved like this."""
        lake = Lake(str(self.folder / "old"))
        lake.write("routers/knn/5f0c/manifest.json", manifest.encode())
        lake.write("policies/knn/5f0c.json", json.dumps({"models": ["a", "b"], "policies": policies or {}}).encode())
        return ["route", "--lake", lake.url, "--router", "knn", "--policy", "argmax", "What is 2 + 2?"]


def told(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    """The one message of a command that fails, without what it was logging before."""
    capsys.readouterr()
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert SECRET not in err
    assert "Traceback" not in err, err
    _, *messages = re.split("^manyminds: ", err, flags=re.MULTILINE)
    assert len(messages) == 1, err
    return messages[0].rstrip("\n")


@contextmanager
def answering(status: int, content: object = "", **headers: str) -> Iterator[str]:
    """A server that says the same to whatever it is asked; its address."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            with suppress(ConnectionError):  # who has refused once may have left; this server's own trouble is not the command's
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

        do_GET = do_HEAD = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
