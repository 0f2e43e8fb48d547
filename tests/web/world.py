"""A page on loopback beside a door's files; what the door says and hears is what a test makes up."""

from __future__ import annotations

import http.client
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from device.ports import Event, Microphone
from device.service.config import Config, EventsConfig, ModelConfig, PrivacyConfig, RelayConfig
from device.service.events import FileEvents
from device.service.privacy import CLIPS
from device.service.recordings import Shelf
from device.service.status import Sighting
from device.simulated.clock import ManualClock
from device.simulated.microphone import SimulatedMicrophone, silence
from device.web.broadcast import Broadcast
from device.web.clips import Clips
from device.web.entrance import Entrance
from device.web.fence import Fence
from device.web.password import NAME, hash_password, write_password
from device.web.recorder import Recorder
from device.web.server import PageServer
from device.web.settings import WebConfig
from device.web.site import Parts, Site
from device.web.visits import Visits
from tests.conftest import ROOT

PASSWORD = "correct horse battery"
# Hashed once: each time takes a tenth of a second, on purpose.
HASH = hash_password(PASSWORD)
ANNA = ROOT / "device/simulated/evening/anna.wav"


class World:
    """The page, running. ``clock`` stands still unless a test moves it; ``seen`` is what the status file says."""

    def __init__(
        self,
        folder: Path,
        *,
        listen: Callable[[], Microphone] | None = None,
        keep_clips: bool = True,
        secure: bool = False,
    ) -> None:
        self.folder, self.clock = folder, ManualClock()
        write_password(folder / NAME, HASH)
        self.config = Config(
            relay=RelayConfig(pin=17), model=ModelConfig(bundle=str(ROOT / "models" / "demo"), allow_unsigned=True),
            events=EventsConfig(path=str(folder / "events.db")), privacy=PrivacyConfig(keep_clips=keep_clips),
        )  # fmt: skip
        self.events = FileEvents(folder / "events.db", max_bytes=1_000_000)
        self.broadcast, self.shelf, self.seen = Broadcast(), Shelf(folder), Sighting(problem="no daemon")
        self.recorder = Recorder(self.shelf, listen or self._nothing, self.broadcast.publish, clock=self.clock)
        self.entrance = Entrance(folder / NAME, clock=self.clock)
        site = Site(Parts(
            entrance=self.entrance, broadcast=self.broadcast, recorder=self.recorder,
            shelf=self.shelf, visits=Visits(folder / "events.db"), clips=Clips(self.config, folder, self.clock),
            look=lambda: self.seen, clock=self.clock, secure=secure,
        ))  # fmt: skip
        self.server = PageServer(
            WebConfig(enabled=True, port=0), Fence(site.application, ["door.lan"]), look_seconds=0.02, close_seconds=0.2
        )
        self.server.start()
        self.address = f"http://127.0.0.1:{self.server.port}"

    def happen(self, kind: str, **details: object) -> None:
        """Into the event log."""
        self.events.record(Event(kind=kind, at_seconds=self.clock.monotonic_seconds(),
                                 wall_time=self.clock.wall_time(), details=details))  # fmt: skip

    def keep_clip(self, person: str = "Anna", outcome: str = "refuse") -> str:
        """A clip as the door keeps it; its name."""
        (self.folder / CLIPS).mkdir(exist_ok=True)
        count = len(list((self.folder / CLIPS).iterdir())) + 1
        name = f"20260101T180000.000000-{count}-{person}-{outcome}.wav"
        shutil.copy(ANNA, self.folder / CLIPS / name)
        return name

    def close(self) -> None:
        self.broadcast.close()
        self.recorder.close()
        self.server.close()
        self.events.close()

    def _nothing(self) -> Microphone:
        return SimulatedMicrophone([silence(1.0)], clock=self.clock)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


class Browser:
    """Keeps cookies, follows nothing."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}
        # As the server sent them, with their attributes.
        self.sent_cookies: list[str] = []

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers={"Accept": "text/html", **headers})

    def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, body=urlencode(form or {}), headers=kind | headers)

    def ask(self, method: str, path: str, *, body: str | None = None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20.0)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            told["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request(method, path, body=body, headers=told)
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie") or ():
                self.sent_cookies.append(cookie)
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name] = value.strip('"')
            return Answer(answer.status, dict(answer.headers), answer.read().decode("utf-8", errors="replace"))
        finally:
            connection.close()

    def csrf(self, path: str = "/") -> str:
        """The token in the form of a page."""
        found = re.search(r'name="csrf" (?:content|value)="([^"]+)"', self.get(path).text)
        assert found is not None
        return found[1]

    def come_in(self, world: World) -> None:
        """Have a session without the tenth of a second that a password takes."""
        self.cookies["voicelatch"] = world.entrance.sessions.start(HASH.line)

    def log_in(self, password: str = PASSWORD, **headers: str) -> Answer:
        return self.post("/login", {"csrf": self.csrf("/login"), "password": password}, **headers)
