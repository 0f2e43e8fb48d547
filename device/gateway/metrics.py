"""Prometheus metrics of the door, by prometheus-client: no names, one small page, by default for this machine alone."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from device.errors import ConfigError, RuntimeMissingError
from device.gateway.hub import Message
from device.gateway.settings import MetricsConfig
from device.gateway.telling import number
from device.sound.pcm import FRAME_SECONDS

OUTCOMES = ("open", "refuse", "say_more", "cooling_down", "locked_out", "replay", "second_factor_missing",
            "outside_schedule", "held", "relay_refused")  # fmt: skip
LATENCY_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)
THERMAL = Path("/sys/class/thermal")


class MetricsOutlet:
    """An :class:`~device.gateway.hub.Outlet` that serves ``/metrics`` on a thread of the library's.

    ``thermal``: where the kernel tells temperatures. Raises :class:`RuntimeMissingError` without prometheus-client,
    :class:`ConfigError` where the address cannot be listened on.
    """

    def __init__(self, config: MetricsConfig, *, thermal: Path = THERMAL) -> None:
        try:
            library = importlib.import_module("prometheus_client")
        except ImportError as error:
            raise RuntimeMissingError(
                "prometheus-client is not installed",
                where="metrics.enabled = true",
                received=error,
                next_step="sudo systemd/install.sh --with metrics",
            ) from error
        self.registry: Any = library.CollectorRegistry()
        self._make(library, thermal)
        try:
            self._server, self._thread = library.start_http_server(config.port, config.address, registry=self.registry)
        except OSError as error:
            raise ConfigError("cannot be listened on", where="metrics.address, metrics.port",
                              received=f"{config.address}:{config.port}: {error}") from error  # fmt: skip

    def door(self, reachable: bool) -> None:
        if not reachable:
            self._listening.set(0)

    def hear(self, message: Message) -> None:
        match message["kind"]:
            case "level":
                self._hear_level(message)
            case "status":
                self._listening.set(1 if message.get("listening") is True else 0)
                _set(self._memory, message.get("memory_bytes"))
                _set(self._uptime, message.get("uptime_seconds"))
                _set(self._untold, message.get("lost"))
                self._silent.set(1 if message.get("microphone_silent") is True else 0)
            # What this gateway counted before, or was not there to count.
            case "event" if message.get("recent") is not True:
                self._hear_event(message["event"])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2.0)

    def _make(self, library: Any, thermal: Path) -> None:
        def counter(name: str, text: str, *labels: str) -> Any:
            return library.Counter(f"voicelatch_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str) -> Any:
            return library.Gauge(f"voicelatch_{name}", text, registry=self.registry)

        self._decisions = counter("decisions", "Clips decided on", "outcome")
        for each in OUTCOMES:
            self._decisions.labels(each)
        self._openings = counter("openings", "Times the door was opened", "way")
        for each in ("voice", "remote"):
            self._openings.labels(each)
        self._refused_remotely = counter("remote_refusals", "Openings asked for elsewhere and refused")
        self._latency = library.Histogram(
            "voicelatch_decision_latency_seconds",
            "From the end of a clip to its decision",
            buckets=LATENCY_SECONDS,
            registry=self.registry,
        )
        self._gaps = counter("gaps", "Times that sound was missing")
        self._lost = counter("frames_lost", "Frames of 20 ms known to be missing")
        self._heard = counter("heard_seconds", "Sound that the door heard while this gateway read its feed")
        self._speech = counter("speech_seconds", "Sound that the detector called speech; by heard_seconds its duty")
        self._age = gauge("queue_age_seconds", "Age of the sound that was heard last")
        self._level = gauge("level_dbfs", "Level of the last 120 ms")
        self._listening = gauge("listening", "1 while the door can be reached and listens")
        self._silent = gauge("microphone_silent", "1 while the microphone delivers nothing: muted, stuck, or repeating")
        self._memory = gauge("memory_bytes", "Memory of the daemon")
        self._uptime = gauge("uptime_seconds", "Time since the daemon started")
        self._untold = gauge(
            "feed_lost", "Messages of the live feed that found its queue full, since the daemon started"
        )
        self.registry.register(Temperatures(library, thermal))

    def _hear_level(self, message: Message) -> None:
        self._heard.inc(max(0.0, number(message.get("heard_seconds")) or 0.0))
        self._speech.inc(max(0.0, number(message.get("speech_seconds")) or 0.0))
        _set(self._age, message.get("age_seconds"))
        _set(self._level, message.get("level_dbfs"))

    def _hear_event(self, event: Mapping[str, Any]) -> None:
        match event.get("kind"):
            case "decision":
                outcome = str(event.get("outcome"))
                # A label for whatever comes would grow without end.
                self._decisions.labels(outcome if outcome in OUTCOMES else "other").inc()
                latency_seconds = number(event.get("latency_seconds"))
                if latency_seconds is not None:
                    self._latency.observe(latency_seconds)
                if outcome == "open":
                    self._openings.labels("voice").inc()
            case "remote_open":
                self._openings.labels("remote").inc()
            case "remote_refused":
                self._refused_remotely.inc(1 + max(0.0, number(event.get("unreported")) or 0.0))
            case "microphone_silent" | "microphone_back":
                self._silent.set(1 if event.get("kind") == "microphone_silent" else 0)
            case "gap":
                self._gaps.inc()
                self._lost.inc(max(0.0, number(event.get("lost_seconds")) or 0.0) / FRAME_SECONDS)


class Temperatures:
    """The kernel's thermal zones, read when somebody asks."""

    def __init__(self, library: Any, folder: Path) -> None:
        self._gauge: Callable[..., Any] = library.metrics_core.GaugeMetricFamily
        self._folder = folder

    def collect(self) -> list[Any]:
        family = self._gauge("voicelatch_temperature_celsius", "Temperature by thermal zone", labels=["zone"])
        for zone in sorted(self._folder.glob("thermal_zone*")):
            try:
                celsius = int((zone / "temp").read_text()) / 1000.0
                name = (zone / "type").read_text().strip()
            except (OSError, ValueError):
                # A sensor that does not answer is left out of this answer.
                continue
            family.add_metric([f"{zone.name}:{name}"], celsius)
        return [family]


def _set(gauge: Any, value: object) -> None:
    known = number(value)
    if known is not None:
        gauge.set(known)
