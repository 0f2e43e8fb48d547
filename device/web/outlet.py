"""The page in its place: told by the hub what the door says, it serves browsers until it is closed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from device.enrolment.prompts import SENTENCES
from device.ports import Clock
from device.service.config import Config
from device.service.record_command import read_sentences
from device.service.status import look
from device.web.broadcast import Broadcast, Message
from device.web.door_line import door_at
from device.web.entrance import Entrance
from device.web.fence import Fence
from device.web.password import NAME, read_password
from device.web.recorder import Recorder
from device.web.server import PageServer
from device.web.site import Parts, Site
from device.web.words import messages_of

_LOG = logging.getLogger(__name__)


class WebOutlet:
    """An :class:`~device.gateway.hub.Outlet`. ``socket``: the live feed's, over which everything of the door is asked
    for; ``state``: the page's own folder; ``runtime``: the daemon's, with the status that everybody may read.

    Raises :class:`~device.errors.ConfigError` where there is no password yet or the sentences cannot be read, and what
    the server raises.
    """

    def __init__(self, config: Config, *, socket: Path, state: Path, runtime: Path, clock: Clock) -> None:
        web = config.web
        password = Path(web.password_file) if web.password_file else state / NAME
        read_password(password)
        self._broadcast = Broadcast()

        door = door_at(socket, clock)
        sentences = read_sentences(Path(web.sentences_file)) if web.sentences_file else SENTENCES
        self._recorder = Recorder(door, self._broadcast.publish, clock=clock, sentences=sentences)
        site = Site(Parts(
            entrance=Entrance(password, clock=clock), broadcast=self._broadcast, recorder=self._recorder, door=door,
            look=lambda: look(runtime), clock=clock, secure=web.tls,
        ))  # fmt: skip
        self._server = PageServer(web, Fence(site.application, web.names))
        self.address = f"{'https' if web.tls else 'http'}://{web.host}:{self._server.port}/"
        self._server.start()
        _LOG.info("the page is at %s", self.address)

    def door(self, reachable: bool) -> None:
        self._broadcast.publish({"kind": "door", "reachable": reachable})

    def hear(self, message: Message) -> None:
        event: Any = message.get("event")
        if message["kind"] in ("level", "status"):
            self._broadcast.publish(message)
        elif message["kind"] == "event" and isinstance(event, dict):
            for each in messages_of(event):
                self._broadcast.publish(each)

    def close(self) -> None:
        self._broadcast.close()
        self._recorder.close()
        self._server.close()
