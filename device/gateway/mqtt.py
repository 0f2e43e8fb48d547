"""The door at an MQTT broker, by paho: what happens is published, and an opening is asked for where that is allowed."""

from __future__ import annotations

import importlib
import json
import logging
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from device.errors import ConfigError, RuntimeMissingError
from device.gateway.broker_errors import reason_of
from device.gateway.freshness import EchoProbe
from device.gateway.homeassistant import LOCKED, OFF, OFFLINE, ON, ONLINE, OPEN, UNLOCKED, Topics, discovery
from device.gateway.hub import DoorLine, Message
from device.gateway.settings import MqttConfig
from device.gateway.telling import Teller, Told, number
from device.ports import Clock
from device.settings import is_loopback

_LOG = logging.getLogger(__name__)
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1, 60
KEEP_ALIVE_SECONDS = 30
MOST_WAITING = 100
# How often the way through the broker is tried where openings are allowed, and how old a command may be at most.
PROBE_SECONDS = 1.0
COMMAND_SECONDS = 5.0


class MqttOutlet:
    """An :class:`~device.gateway.hub.Outlet`. ``line`` opens the door; None where remote openings are not allowed.

    The library's own thread connects, and comes back with growing patience; while it is away nothing waits to be told
    late. A command counts only while it can be shown to be fresh (:mod:`device.gateway.freshness`). Raises
    :class:`RuntimeMissingError` without paho-mqtt, :class:`ConfigError` for a password or certificate that cannot be
    read, or for a door that anybody on the network could open.
    """

    def __init__(
        self, config: MqttConfig, *, line: DoorLine | None, clock: Clock, version: str,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:  # fmt: skip
        if line is not None:
            require_safe_opening(config)
        self._config, self._line, self._clock, self._version = config, line, clock, version
        self._topics = Topics(config)
        self._teller = Teller(names=config.names)
        self._reachable = False
        self._latch = LOCKED
        self._level_due_seconds = -1.0
        self._state: dict[str, object] = {"last_person": None, "score": None, "last_event": None, "level": None,
                                          "bundle": None, "uptime": None, "microphone_silent": None}  # fmt: skip
        self._probe, self._probe_lock, self._stopping = EchoProbe(), threading.Lock(), threading.Event()
        self._failure = self._complained = ""
        self._client = self._make_client()
        try:
            self._client.connect_async(config.host, config.port, keepalive=KEEP_ALIVE_SECONDS)
        except ValueError as error:
            raise ConfigError("not a broker", where="mqtt.host", received=config.host) from error
        self._client.loop_start()
        self._prober = threading.Thread(
            target=self._keep_probing, args=(probe_seconds,), name="mqtt-probe", daemon=True
        )
        if line is not None:
            self._prober.start()

    def door(self, reachable: bool) -> None:
        if reachable != self._reachable:
            self._reachable = reachable
            self._publish(self._topics.door, ONLINE if reachable else OFFLINE, retain=True)

    def hear(self, message: Message) -> None:
        match message["kind"]:
            case "level":
                self._hear_level(message)
            case "status":
                self._state |= {"bundle": message.get("bundle"), "uptime": number(message.get("uptime_seconds")),
                                "microphone_silent": _switch(message.get("microphone_silent"))}  # fmt: skip
                self.door(message.get("listening") is True)
                self._publish_state()
            case "event":
                if message.get("recent") is True:
                    # What is past says nothing about whether the door hears now.
                    self._remember(Teller(names=self._config.names).event(message["event"]))
                else:
                    self._hear_event(message["event"])

    def close(self) -> None:
        """Say good-bye, since a last will is only for those who could not."""
        self._stopping.set()
        if self._client.is_connected():
            self._publish(self._topics.door, OFFLINE, retain=True)
            good_bye = self._client.publish(self._topics.gateway, OFFLINE, qos=1, retain=True)
            try:
                good_bye.wait_for_publish(2.0)
            except RuntimeError as error:
                # The connection ended since it was looked at; the broker tells the last will.
                _LOG.warning("the MQTT broker did not hear the good-bye: %s", error)
        self._client.disconnect()
        self._client.loop_stop()
        if self._prober.is_alive():
            self._prober.join(2.0)

    def probe(self) -> None:
        """Send the next numbered message through the broker; a thread does so every second."""
        with self._probe_lock:
            payload = self._probe.next_payload(now_seconds=self._clock.monotonic_seconds())
        self._publish(self._topics.probe, payload)

    def _keep_probing(self, every_seconds: float) -> None:
        while not self._stopping.wait(every_seconds):
            self.probe()

    def _hear_level(self, message: Message) -> None:
        self._tell(self._teller.heard())
        now = self._clock.monotonic_seconds()
        if now >= self._level_due_seconds:
            self._level_due_seconds = now + self._config.level_seconds
            self._state["level"] = number(message.get("level_dbfs"))
            self._publish_state()

    def _hear_event(self, event: Mapping[str, Any]) -> None:
        kind = event.get("kind")
        if kind in ("relay_on", "relay_off", "started", "stopped", "fault"):
            self._latch = UNLOCKED if kind == "relay_on" else LOCKED
            self._publish(self._topics.latch, self._latch, retain=True)
        if kind in ("started", "stopped", "fault"):
            self.door(kind == "started")
        if kind in ("microphone_silent", "microphone_back"):
            self._state["microphone_silent"] = _switch(kind == "microphone_silent")
        self._tell(self._teller.event(event))

    def _tell(self, told: Told | None) -> None:
        if told is None:
            return
        self._publish(self._topics.event, json.dumps({"event_type": told.type, **told.facts}))
        self._remember(told)
        self._publish_state()

    def _remember(self, told: Told | None) -> None:
        if told is None:
            return
        self._state["last_event"] = told.type
        if told.type == "granted":
            self._state["last_person"] = told.facts.get("person")
        if "score" in told.facts:
            self._state["score"] = told.facts["score"]

    def _publish_state(self) -> None:
        self._publish(self._topics.state, json.dumps(self._state), retain=True)

    def _publish(self, topic: str, payload: str, *, retain: bool = False) -> None:
        # Told late it would be told wrong: an hour-old "granted" must not switch on a light. At quality 0 the library
        # keeps nothing for a connection that is lost without its knowledge either.
        if self._client.is_connected():
            self._client.publish(topic, payload, qos=0, retain=retain)

    def _make_client(self) -> Any:
        try:
            paho = importlib.import_module("paho.mqtt.client")
        except ImportError as error:
            raise RuntimeMissingError("paho-mqtt is not installed", where="mqtt.enabled = true", received=error,
                                      next_step="sudo systemd/install.sh --with mqtt") from error  # fmt: skip
        config = self._config
        # A clean session: the broker keeps no opening that was asked for while nobody was there.
        outlet = self

        class Client(paho.Client):  # type: ignore[name-defined,misc]
            """Remembers why no connection came about: the library's own callback is not told."""

            def reconnect(self) -> Any:
                try:
                    return super().reconnect()
                except (OSError, ValueError) as error:
                    outlet._failure = reason_of(error)
                    raise

        client = Client(paho.CallbackAPIVersion.VERSION2, clean_session=True)
        client.max_queued_messages_set(MOST_WAITING)
        client.reconnect_delay_set(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS)
        client.will_set(self._topics.gateway, OFFLINE, qos=1, retain=True)
        if config.user:
            client.username_pw_set(config.user, read_password(Path(config.password_file)))
        if config.tls:
            try:
                client.tls_set(ca_certs=config.ca_file or None, tls_version=ssl.PROTOCOL_TLS_CLIENT)
            except OSError as error:
                raise ConfigError("cannot be read as certificates", where=f"mqtt.ca_file = {config.ca_file}",
                                  received=error) from error  # fmt: skip
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_connect_fail, client.on_message = self._unreachable, self._message
        return client

    def _connected(self, client: Any, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if reason.is_failure:
            _LOG.error("the MQTT broker refuses: %s", reason)
            return
        _LOG.info("connected to the MQTT broker at %s:%d", self._config.host, self._config.port)
        self._complained = ""
        with self._probe_lock:
            self._probe.forget()
        client.subscribe(self._topics.birth, qos=0)
        if self._line is not None:
            client.subscribe([(self._topics.command, 0), (self._topics.probe, 0)])
        self._announce()

    def _announce(self) -> None:
        """Everything that is kept at the broker: after a connection, and for a Home Assistant that has just started."""
        told = discovery(self._config, self._topics, remote=self._line is not None, version=self._version)
        self._publish(self._topics.discovery, json.dumps(told), retain=True)
        self._publish(self._topics.latch, self._latch, retain=True)
        self._publish_state()
        self._publish(self._topics.door, ONLINE if self._reachable else OFFLINE, retain=True)
        self._publish(self._topics.gateway, ONLINE, retain=True)

    def _disconnected(self, _client: Any, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        _LOG.warning("the MQTT broker is away: %s", reason)

    def _unreachable(self, _client: Any, _data: object) -> None:
        if self._failure != self._complained:
            # Once for each reason: it is tried again for as long as it takes.
            self._complained = self._failure
            _LOG.warning("the MQTT broker at %s:%d cannot be reached: %s", self._config.host, self._config.port,
                         self._failure)  # fmt: skip

    def _message(self, _client: Any, _data: object, message: Any) -> None:
        if message.topic == self._topics.birth:
            if message.payload == ONLINE.encode():
                self._announce()
        elif message.topic == self._topics.probe:
            with self._probe_lock:
                self._probe.echo(message.payload[:64].decode("ascii", errors="replace"))
        elif message.topic == self._topics.command and self._line is not None:
            self._command(message.payload, retained=bool(message.retain))

    def _command(self, payload: bytes, *, retained: bool) -> None:
        if retained:
            # It would open the door at every new connection.
            _LOG.error("an opening that is kept at the broker (retain) is not heeded: clear %s", self._topics.command)
        elif payload != OPEN.encode():
            _LOG.info("not a command of this door: %r", payload[:40])
        elif self._line is not None:
            # Read once: whatever stalls from here on makes the command older, never younger.
            now_seconds = self._clock.monotonic_seconds()
            with self._probe_lock:
                oldest_seconds = self._probe.oldest_seconds()
            if oldest_seconds is None or not 0.0 <= now_seconds - oldest_seconds <= COMMAND_SECONDS:
                _LOG.error("an opening by MQTT is not heeded: it may be old (%s)",
                           "the connection is new" if oldest_seconds is None
                           else f"up to {now_seconds - oldest_seconds:.0f} s")  # fmt: skip
                return
            reason = self._line.open("mqtt", asked_at_seconds=now_seconds)
            _LOG.info("asked for by MQTT: %s", reason or "opened")


def require_safe_opening(config: MqttConfig) -> None:
    """Raise :class:`ConfigError` where anybody on the network could open the door through this broker."""
    if is_loopback(config.host) or (config.tls and config.user):
        return
    raise ConfigError(
        "whoever reaches the network could open the door through this broker",
        where="remote.open = true, with [mqtt]",
        received=f"{config.host}, {'TLS' if config.tls else 'no TLS'}, {'a user' if config.user else 'no user'}",
        allowed='mqtt.tls = true and a mqtt.user with a password, or a broker on this machine (host = "localhost")',
        next_step="set these, or remote.open = false",
    )


def read_password(path: Path) -> str:
    """The first line of ``path``. Raises :class:`ConfigError` where it cannot be read, is empty, or anybody may."""
    where = f"mqtt.password_file = {path}"
    try:
        if path.stat().st_mode & 0o007:
            raise ConfigError("everybody on this machine may read it", where=where,
                              next_step=f"chown root:voicelatch-gateway {path}; chmod 640 {path}")  # fmt: skip
        password = path.read_text(encoding="utf-8-sig").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cannot be read", where=where, received=error) from error
    if not password:
        raise ConfigError("its first line is empty", where=where)
    return password


def _switch(value: object) -> str:
    """As Home Assistant's binary sensors read it."""
    return ON if value is True else OFF
