"""What Home Assistant must know to show the door: one device with its parts, for its MQTT discovery."""

from __future__ import annotations

from collections.abc import Mapping

from device.gateway.settings import MqttConfig
from device.gateway.telling import TYPES

# Home Assistant's own words.
ONLINE, OFFLINE = "online", "offline"
LOCKED, UNLOCKED, OPEN = "LOCKED", "UNLOCKED", "OPEN"
ON, OFF = "ON", "OFF"


class Topics:
    """Where what is published; every one begins with the configured topic."""

    def __init__(self, config: MqttConfig) -> None:
        base = config.topic
        self.gateway = f"{base}/gateway"
        self.door = f"{base}/door"
        self.state = f"{base}/state"
        self.event = f"{base}/event"
        self.latch = f"{base}/latch"
        self.command = f"{base}/latch/set"
        self.probe = f"{base}/gateway/probe"
        self.identity = base.replace("/", "_")
        self.discovery = f"{config.discovery_prefix}/device/{self.identity}/config"
        self.birth = f"{config.discovery_prefix}/status"


def discovery(config: MqttConfig, topics: Topics, *, remote: bool, version: str) -> dict[str, object]:
    """The payload of Home Assistant's device discovery.

    ``remote``: a lock that can be opened; else the latch is only shown, and a lock that was there is taken away. The
    device is there while gateway and door both are.
    """
    identity = topics.identity
    return {
        "device": {
            "identifiers": [identity], "name": config.door_name, "manufacturer": "Voicelatch",
            "model": "Voice door opener", "sw_version": version,
        },
        "origin": {"name": "voicelatch", "sw_version": version},
        "availability": [{"topic": topics.gateway}, {"topic": topics.door}],
        "availability_mode": "all",
        "state_topic": topics.state,
        "qos": 1,
        "components": {
            "event": {"platform": "event", "unique_id": f"{identity}_event", "name": "Event",
                      "state_topic": topics.event, "event_types": list(TYPES)},
            "lock": _lock(topics) if remote else {"platform": "lock"},
            "latch": {"platform": "binary_sensor", "unique_id": f"{identity}_latch", "name": "Latch",
                      "device_class": "lock", "state_topic": topics.latch, "payload_on": UNLOCKED,
                      "payload_off": LOCKED},
            "microphone": {"platform": "binary_sensor", "unique_id": f"{identity}_microphone",
                           "name": "Microphone silent", "device_class": "problem", "entity_category": "diagnostic",
                           "value_template": "{{ value_json.microphone_silent }}", "payload_on": ON,
                           "payload_off": OFF},
            **{key: _sensor(identity, key, **more) for key, more in _sensors(config).items()},
        },
    }  # fmt: skip


def _lock(topics: Topics) -> dict[str, object]:
    """Opens for a moment: what locks and unlocks for good has no meaning here, and is not listened to."""
    return {
        "platform": "lock", "unique_id": f"{topics.identity}_lock", "name": "Lock", "state_topic": topics.latch,
        "command_topic": topics.command, "payload_open": OPEN, "state_locked": LOCKED, "state_unlocked": UNLOCKED,
        "optimistic": False, "retain": False, "qos": 0,
    }  # fmt: skip


def _sensors(config: MqttConfig) -> Mapping[str, Mapping[str, object]]:
    about = {"entity_category": "diagnostic"}
    named: dict[str, Mapping[str, object]] = {"last_person": {"name": "Last person"}}
    return (named if config.names else {}) | {
        "score": {"name": "Score"},
        "last_event": {"name": "Last event"},
        "level": {"name": "Level", "unit_of_measurement": "dB", "state_class": "measurement"},
        "bundle": {"name": "Bundle", **about},
        "uptime": {"name": "Uptime", "unit_of_measurement": "s", "device_class": "duration", **about},
    }


def _sensor(identity: str, key: str, **more: object) -> dict[str, object]:
    return {"platform": "sensor", "unique_id": f"{identity}_{key}", "value_template": f"{{{{ value_json.{key} }}}}",
            **more}  # fmt: skip
