"""Around every page, whatever it is: which requests are heard at all, and what browsers are told with each answer."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Collection, Iterable
from typing import Any
from urllib.parse import urlsplit

_LOG = logging.getLogger(__name__)
Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

HEADERS = (
    # Nothing from elsewhere, nothing in a frame, no script or style but our own files.
    ("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
     "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)  # fmt: skip
PROXY = ("Behind a proxy: it must pass on the name and port that the browser asked for (nginx: proxy_set_header Host "
         "$http_host;).")  # fmt: skip
SAFE_METHODS = ("GET", "HEAD")


class Fence:
    """A WSGI application around ``inner``. ``names``: what this machine may be called, beyond addresses.

    A page elsewhere can let its own name point to this machine, and then reads what it answers: so the name in the
    request must be one of ours. A form must come from a page of ours.
    """

    def __init__(self, inner: Application, names: Collection[str]) -> None:
        self._inner = inner
        self._names = frozenset(each.lower() for each in names)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            ours = {name.lower() for name, _ in HEADERS}
            kept = [each for each in headers if each[0].lower() not in ours]
            if not any(name.lower() == "cache-control" for name, _ in kept):
                kept.append(("Cache-Control", "no-store"))
            return start_response(status, [*kept, *HEADERS], *more)

        refusal = self._against(environ)
        if not refusal:
            return self._inner(environ, start)
        _LOG.warning("refused a request from %s: %s", environ.get("REMOTE_ADDR", ""), refusal)
        content = f"{refusal}\n".encode()
        start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(content)))])
        return [content]

    def _against(self, environ: Environ) -> str:
        host = str(environ.get("HTTP_HOST", ""))
        if not is_ours(host, self._names):
            return (f"This page is not called {host[:100]!a} here. Add the name to [web] names if it is yours. "
                    f"{PROXY}")  # fmt: skip
        if environ.get("REQUEST_METHOD") in SAFE_METHODS:
            return ""
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and not is_same_origin(str(origin), host):
            return f"This form comes from another page ({str(origin)[:100]!a}, not {host[:100]!a}). {PROXY}"
        return "" if environ.get("HTTP_SEC_FETCH_SITE", "same-origin") == "same-origin" else "From another page."


def is_ours(host: str, names: Collection[str]) -> bool:
    """Whether the Host header names this machine: an address, localhost, or one of ``names`` (lower case)."""
    name = _name(host)
    if name is None:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name in names
    return True


def is_same_origin(origin: str, host: str) -> bool:
    """Whether the Origin header names the same host and port as the Host header."""
    try:
        return urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False


def _name(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        # Looking at the port is what finds one that is none.
        wrong = parts.netloc != host or "@" in host or parts.port == -1
    except ValueError:
        return None
    return None if wrong or not parts.hostname else parts.hostname.rstrip(".").lower()
