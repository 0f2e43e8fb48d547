"""A TCP link that can be held: what the far end sends meanwhile waits, as behind a network or a process that stalls."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 30.0


class HeldLink:
    """Passes one connection at a time on to ``port``; :meth:`hold` keeps back what comes from there."""

    def __init__(self, port: int) -> None:
        self._far_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._free = threading.Event()
        self._free.set()
        self._waiting = threading.Condition()
        self._held_bytes = b""
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def hold(self) -> None:
        self._free.clear()

    def wait_until_held(self, part: bytes) -> None:
        """Return once ``part`` has come from the far end and is kept back."""
        with self._waiting:
            assert self._waiting.wait_for(lambda: part in self._held_bytes, PATIENCE_SECONDS), "it never came"

    def release(self) -> None:
        self._free.set()

    def close(self) -> None:
        self._free.set()
        for opened in (self._listener, *self._open):
            opened.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._far_port))
            except OSError:
                return
            self._open += [near, far]
            threading.Thread(target=self._pass_on, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(far, near, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, held: bool) -> None:
        try:
            while content := source.recv(65536):
                if held and not self._free.is_set():
                    with self._waiting:
                        self._held_bytes += content
                        self._waiting.notify_all()
                    self._free.wait()
                target.sendall(content)
        except OSError:
            # Either end has gone; the other one is told by its own socket.
            pass
        finally:
            target.close()


@contextmanager
def held_link(port: int) -> Iterator[HeldLink]:
    link = HeldLink(port)
    try:
        yield link
    finally:
        link.close()
