"""The outlets that the configuration asks for. A further one (a page, another protocol) is one more entry here."""

from __future__ import annotations

from device.errors import ConfigError
from device.gateway.hub import DoorLine, Outlet
from device.gateway.settings import MetricsConfig, MqttConfig
from device.ports import Clock


def make_outlets(
    mqtt: MqttConfig, metrics: MetricsConfig, *, line: DoorLine | None, clock: Clock, version: str
) -> list[Outlet]:
    """At least one. ``line`` is None where remote openings are not allowed. Raises :class:`ConfigError` where nothing
    is asked for, and what the outlets raise; those made before are closed."""
    outlets: list[Outlet] = []
    try:
        if mqtt.enabled:
            from device.gateway.mqtt import MqttOutlet

            outlets.append(MqttOutlet(mqtt, line=line, clock=clock, version=version))
        if metrics.enabled:
            from device.gateway.metrics import MetricsOutlet

            outlets.append(MetricsOutlet(metrics))
    except BaseException:
        for each in outlets:
            each.close()
        raise
    if not outlets:
        raise ConfigError("the gateway has nothing to do", where="the configuration", received="all switched off",
                          allowed="enabled = true in [mqtt] or [metrics]")  # fmt: skip
    return outlets
