"""Serves the page on threads of its own: Cheroot, with TLS where there is a certificate."""

from __future__ import annotations

import logging
import ssl
import threading
from typing import Any

from device.errors import ConfigError, StateError
from device.web.broadcast import MOST_WATCHERS
from device.web.fence import Application
from device.web.pages import load
from device.web.settings import WebConfig

_LOG = logging.getLogger(__name__)
# A stream takes a thread for as long as it lasts; some are left for pages.
THREADS = MOST_WATCHERS + 6
PATIENCE_SECONDS = 10
CLOSE_SECONDS = 3
MOST_BODY_BYTES, MOST_HEADER_BYTES = 16 << 10, 32 << 10


class PageServer:
    """Listens once it is made, answers from :meth:`start` until :meth:`close`. ``port`` is the one in use. A server
    without visitors wakes every ``look_seconds``; at its end, pages in progress have ``close_seconds``.

    Raises :class:`ConfigError` for a certificate that cannot be used, :class:`StateError` for an address that cannot
    be listened at, :class:`RuntimeMissingError` without the libraries.
    """

    def __init__(self, config: WebConfig, application: Application, *, look_seconds: float = 0.5,
                 close_seconds: float = CLOSE_SECONDS) -> None:  # fmt: skip
        wsgi = load("cheroot.wsgi")
        self._server: Any = wsgi.Server(
            (config.host, config.port), application, numthreads=THREADS, max=THREADS, server_name="voicelatch",
            timeout=PATIENCE_SECONDS, shutdown_timeout=close_seconds,
        )  # fmt: skip
        self._server.max_request_body_size = MOST_BODY_BYTES
        self._server.max_request_header_size = MOST_HEADER_BYTES
        self._server.error_log = _log
        self._server.expiration_interval = look_seconds
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
        self._thread.start()

    def close(self) -> None:
        """Wait for pages in progress. Streams must have been ended before."""
        self._server.stop()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)


def _tls(config: WebConfig) -> Any:
    try:
        adapter = load("cheroot.ssl.builtin").BuiltinSSLAdapter(config.tls_cert, config.tls_key)
    except OSError as error:
        raise ConfigError("the certificate or its key cannot be used", where=f"web.tls_cert = {config.tls_cert}",
                          received=error, allowed="PEM files that this user may read") from error  # fmt: skip
    adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
    return adapter


def _log(message: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
    # What browsers do wrong is not a matter for the journal; what we do wrong is logged where it happens.
    _LOG.log(logging.DEBUG if level < logging.ERROR else level, "%s", message.strip(), exc_info=traceback)
