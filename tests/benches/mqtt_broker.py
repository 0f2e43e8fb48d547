"""A real mosquitto on a port of its own, and a listener that stands for Home Assistant."""

from __future__ import annotations

import queue
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
PATIENCE_SECONDS = 30.0


def why_not() -> str | None:
    """Why the bench cannot run here, or None."""
    return None if MOSQUITTO else "mosquitto is not installed (Debian: mosquitto)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Broker:
    folder: Path
    lines: tuple[str, ...] = ("allow_anonymous true",)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *self.lines, "user root", ""]))
        self.process = subprocess.Popen([MOSQUITTO, "-c", config], stderr=(self.folder / "log").open("wb"))
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
                return
            except OSError:
                assert time.monotonic() < end, (self.folder / "log").read_text()
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def broker(folder: Path, *lines: str) -> Iterator[Broker]:
    made = Broker(folder, lines or ("allow_anonymous true",))
    made.start()
    try:
        yield made
    finally:
        made.stop()


class Listener:
    """Takes everything that is published below ``topic``."""

    def __init__(self, port: int, topic: str = "#", *, user: str = "", password: str = "", ca_file: str = "") -> None:
        self.messages: queue.Queue[tuple[str, str, bool]] = queue.Queue()
        subscribed: queue.Queue[bool] = queue.Queue()
        self.client: Any = paho.Client(paho.CallbackAPIVersion.VERSION2)
        if user:
            self.client.username_pw_set(user, password)
        if ca_file:
            self.client.tls_set(ca_certs=ca_file)
        self.client.on_message = lambda _client, _data, got: self.messages.put(
            (got.topic, got.payload.decode(), bool(got.retain))
        )
        self.client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self.client.on_subscribe = lambda *_: subscribed.put(True)
        self.client.connect("localhost" if ca_file else "127.0.0.1", port)
        self.client.loop_start()
        subscribed.get(timeout=PATIENCE_SECONDS)

    def until(self, topic: str, payload: str | None = None) -> str:
        """The payload of the next message of that topic (with that payload)."""
        seen = []
        while True:
            try:
                got, told, _ = self.messages.get(timeout=PATIENCE_SECONDS)
            except queue.Empty:
                raise AssertionError(f"no {topic} {payload or ''} among {seen}") from None
            seen.append((got, told[:80]))
            if got == topic and payload in (None, told):
                return told

    def say(self, topic: str, payload: str, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_SECONDS)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
