"""A proxy before an S3 server that counts requests, and answers some of them as a server in trouble does."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import unquote, urlsplit

Fault = Literal["slow down", "forbidden", "late", "cut off", "answer lost"] | None
_ERRORS = {"slow down": (503, "SlowDown"), "forbidden": (403, "AccessDenied")}
_NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Proxy:
    """What came through, and what is to go wrong: `fault("PUT", "/lakes/x/votes/a.parquet")` says what happens to a request."""

    def __init__(self, server: str) -> None:
        self.server = urlsplit(server)
        self.requests: list[tuple[str, str]] = []  # method and path with query, decoded
        self.moments: list[datetime] = []  # when each came
        self.fault: Callable[[str, str], Fault] = lambda method, path: None
        self.lock = threading.Lock()
        self.seconds_late = 2.0
        self.address = ""


@contextmanager
def proxy(server: str) -> Iterator[Proxy]:
    """Listen on a free port of this machine."""
    state = Proxy(server)
    listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    listener.daemon_threads = True
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{listener.server_port}"
    try:
        yield state
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Proxy

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(self.path)
        with self.state.lock:
            self.state.requests.append((self.command, path))
            self.state.moments.append(datetime.now(UTC))
        fault = self.state.fault(self.command, path)
        if fault in _ERRORS:
            status, code = _ERRORS[fault]
            self._answer(status, {"Content-Type": "application/xml"}, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())
            return
        if fault == "late":
            time.sleep(self.state.seconds_late)
        server = http.client.HTTPConnection(self.state.server.hostname or "", self.state.server.port, timeout=60)
        try:
            server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "expect":
                    server.putheader(name, value)
            server.endheaders(body[: len(body) // 2] if fault == "cut off" else body)
            if fault == "cut off":
                self.close_connection = True
                return
            answer = server.getresponse()
            content = answer.read()
            if fault == "answer lost":
                self.close_connection = True
                return
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _NOT_PASSED_ON}
            if self.command == "HEAD":
                headers["Content-Length"] = answer.getheader("Content-Length") or "0"
            self._answer(answer.status, headers, content)
        finally:
            server.close()

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on

    def log_message(self, format: str, *args: object) -> None: ...
