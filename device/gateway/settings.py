"""What the gateway is told: the tables ``[mqtt]`` and ``[metrics]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from device.errors import ConfigError
from device.settings import within


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttConfig:
    """A broker at ``host``:``port``, with TLS where ``tls`` (``ca_file``: whom to trust; empty: the system's list), as
    ``user`` with the password in ``password_file``.

    Topics begin with ``topic``; Home Assistant looks below ``discovery_prefix``. ``names``: people are named, also in
    reasons. ``level_seconds``: between two levels.
    """

    enabled: bool = False
    host: str = "localhost"
    port: int = 1883
    user: str = ""
    password_file: str = ""
    tls: bool = False
    ca_file: str = ""
    topic: str = "voicelatch"
    discovery_prefix: str = "homeassistant"
    door_name: str = "Front door"
    names: bool = True
    level_seconds: float = 10.0

    def __post_init__(self) -> None:
        within("mqtt.port", self.port, 1, 65_535)
        within("mqtt.level_seconds", self.level_seconds, 1.0, 3600.0)
        for key, value in (("topic", self.topic), ("discovery_prefix", self.discovery_prefix)):
            if not re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", value):
                raise ConfigError("not a topic", where=f"mqtt.{key}", received=value,
                                  allowed="letters, digits, _ and -, with / between them")  # fmt: skip
        if not self.host or not self.door_name:
            raise ConfigError("is empty", where="mqtt.host" if not self.host else "mqtt.door_name", received="")
        if bool(self.user) != bool(self.password_file):
            raise ConfigError("user and password go together", where="mqtt.password_file", received=self.password_file,
                              allowed="both or none of mqtt.user and mqtt.password_file")  # fmt: skip
        if self.ca_file and not self.tls:
            raise ConfigError("needs mqtt.tls = true", where="mqtt.ca_file", received=self.ca_file, allowed="empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """Prometheus metrics at http://``address``:``port``/metrics."""

    enabled: bool = False
    address: str = "127.0.0.1"
    port: int = 9464

    def __post_init__(self) -> None:
        within("metrics.port", self.port, 1, 65_535)
