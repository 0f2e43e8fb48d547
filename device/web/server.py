"""Serves the page on threads of its own: Cheroot, with TLS where there is a certificate.

Cheroot lets a connection have a thread from its first moment, and waits for each byte anew. Here a connection has one
once something came in, and ``visitors`` ends what is too slow as a whole; there are as many threads as connections.
"""

from __future__ import annotations

import io
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from device.errors import ConfigError, StateError
from device.web.fence import Application, Environ
from device.web.pages import load
from device.web.settings import WebConfig
from device.web.visitors import MOST, Visit, Visitors

_LOG = logging.getLogger(__name__)
PATIENCE_SECONDS = 10
CLOSE_SECONDS = 3
MOST_BODY_BYTES, MOST_HEADER_BYTES = 16 << 10, 32 << 10
_USE_HTTPS = b"This page is encrypted: its address begins with https://\n"
_NOT_ENCRYPTED = (b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
                  b"Content-Length: %d\r\n\r\n%s" % (len(_USE_HTTPS), _USE_HTTPS))  # fmt: skip


class PageServer:
    """Listens once it is made, answers from :meth:`start` until :meth:`close`. ``port`` is the one in use. A server
    without visitors wakes every ``look_seconds``; at its end, pages in progress have ``close_seconds``.

    Raises :class:`ConfigError` for a certificate that cannot be used, :class:`StateError` for an address that cannot
    be listened at, :class:`RuntimeMissingError` without the libraries.
    """

    def __init__(self, config: WebConfig, application: Application, *, look_seconds: float = 0.5,
                 close_seconds: float = CLOSE_SECONDS, visitors: Visitors | None = None) -> None:  # fmt: skip
        wsgi = load("cheroot.wsgi")
        self.visitors = visitors if visitors is not None else Visitors(time.monotonic)
        self._application, self._current = application, threading.local()
        self._server: Any = wsgi.Server(
            (config.host, config.port), self._timed, numthreads=MOST, max=MOST, server_name="voicelatch",
            timeout=PATIENCE_SECONDS, shutdown_timeout=close_seconds,
        )  # fmt: skip
        self._server.max_request_body_size = MOST_BODY_BYTES
        self._server.max_request_header_size = MOST_HEADER_BYTES
        self._server.error_log = _log
        self._server.expiration_interval = look_seconds
        self._hand_to_thread: Callable[[Any], None] = self._server.process_conn
        self._server.process_conn = self._process
        if config.tls:
            self._server.ssl_adapter = _tls(config)
        where = f"web.host = {config.host}, web.port = {config.port}"
        try:
            self._server.prepare()
        except OSError as error:
            raise StateError("the page cannot be served there", where=where, received=error,
                             next_step="is the port taken, or the address another machine's?") from error  # fmt: skip
        self.port = int(self._server.bind_addr[1])
        self._thread = threading.Thread(target=self._server.serve, name="page", daemon=True)

    def start(self) -> None:
        self.visitors.start()
        self._thread.start()

    def close(self) -> None:
        """Wait for pages in progress. Streams must have been ended before."""
        self._server.stop()
        self.visitors.close()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _process(self, connection: Any) -> None:
        """A connection is new, or something came in on it."""
        if hasattr(connection, "visit"):
            self._hand_to_thread(connection)
            return
        raw = connection.socket
        visit = self.visitors.admit(str(connection.remote_addr), lambda: _cut(raw))
        close, communicate = connection.close, connection.communicate

        def leave() -> None:
            if visit is not None:
                self.visitors.leave(visit)
            close()

        def serve() -> bool:
            return visit is not None and self._serve(raw, visit, communicate)

        connection.visit, connection.close, connection.communicate = visit, leave, serve
        if visit is None:
            connection.close()
            return
        # Back to where it is waited for: whoever says nothing has no thread.
        self._server.put_conn(connection)

    def _serve(self, raw: Any, visit: Visit, communicate: Callable[[], bool]) -> bool:
        """Answer one request; whether the connection is kept."""
        self.visitors.expect_request(visit)
        self._current.visit = visit
        if not _shake_hands(raw):
            return False
        goes_on = communicate()
        self.visitors.expect_request(visit)
        return goes_on

    def _timed(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The application, once the whole request is here."""
        visit: Visit = self._current.visit
        try:
            body = environ["wsgi.input"].read()
        except (load("cheroot.errors").MaxSizeExceeded, ValueError):
            start_response("413 Content Too Large", [("Content-Length", "0"), ("Connection", "close")])
            return [b""]
        environ["wsgi.input"] = io.BytesIO(body)
        self.visitors.answer(visit)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            if any(name.lower() == "content-type" and value.startswith("text/event-stream") for name, value in headers):
                self.visitors.stream(visit)
            return start_response(status, headers, *more)

        return self._application(environ, start)


def _cut(raw: Any) -> None:
    """End a connection that a thread may be reading from. Not by TLS's own method, which waits for the other side."""
    with suppress(OSError):
        socket.socket.shutdown(raw, socket.SHUT_RDWR)


def _shake_hands(raw: Any) -> bool:
    """TLS begins, on the connection's own thread: whoever is slow at it holds up nobody."""
    if not isinstance(raw, ssl.SSLSocket) or raw.version() is not None:
        return True
    try:
        raw.do_handshake()
    except OSError as error:
        if isinstance(error, ssl.SSLError) and error.reason == "HTTP_REQUEST":
            with suppress(OSError):
                socket.socket.send(raw, _NOT_ENCRYPTED)
        _LOG.debug("no encrypted connection came about: %s", error)
        return False
    return True


def _tls(config: WebConfig) -> Any:
    try:
        adapter = load("cheroot.ssl.builtin").BuiltinSSLAdapter(config.tls_cert, config.tls_key)
    except OSError as error:
        raise ConfigError("the certificate or its key cannot be used", where=f"web.tls_cert = {config.tls_cert}",
                          received=error, allowed="PEM files that this user may read") from error  # fmt: skip
    adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2

    def wrap(raw: socket.socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        # Cheroot would shake hands where connections are accepted, one after another.
        made = adapter.context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
        return made, {"wsgi.url_scheme": "https", "HTTPS": "on"}

    adapter.wrap = wrap
    return adapter


def _log(message: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
    # What browsers do wrong is not a matter for the journal; what we do wrong is logged where it happens.
    _LOG.log(logging.DEBUG if level < logging.ERROR else level, "%s", message.strip(), exc_info=traceback)
