"""A web server on this machine that misbehaves as told: breaks off, ignores Range, cuts short, answers 404."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """One file. ``break_off`` is used up, one entry a request: after so many bytes of the body the line goes dead
    (None: not this time). ``answers`` likewise: a status to give instead of the file. ``always_cut`` promises the
    whole length and never sends the last bytes."""

    content: bytes
    break_off: list[int | None] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    honours_range: bool = True
    tells_length: bool = True
    always_cut: int = 0


@dataclass(frozen=True)
class Asked:
    """A request as it came: ``wanted`` is its Range header or empty."""

    path: str
    wanted: str
    agent: str


@dataclass
class HttpServer:
    """``url`` ends without a slash; ``asked`` is every request so far."""

    url: str
    files: dict[str, Served]
    asked: list[Asked] = field(default_factory=list)


def _handler(bench: HttpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            bench.asked.append(Asked(self.path, wanted, self.headers.get("User-Agent", "")))
            served = bench.files.get(self.path)
            if served is None:
                self.send_error(404)
            elif served.answers:
                self.send_error(served.answers.pop(0))
            else:
                self._send(served, wanted)

        def _send(self, served: Served, wanted: str) -> None:
            size = len(served.content)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and served.honours_range else 0
            if wanted and served.honours_range and start >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if start:
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            else:
                self.send_response(200)
            if served.tells_length:
                self.send_header("Content-Length", str(size - start))
            self.send_header("Connection", "close")
            self.end_headers()
            body = served.content[start : size - served.always_cut]
            limit = served.break_off.pop(0) if served.break_off else None
            self.wfile.write(body if limit is None else body[:limit])
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    return Handler


@contextmanager
def http_server(files: dict[str, Served]) -> Iterator[HttpServer]:
    """Serve ``files`` by path (``/a.zip``) for the duration of a test."""
    bench = HttpServer("", files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(bench))
    bench.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield bench
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
