"""What a household is told of the door's events, and the discovery payload that Home Assistant reads."""

import json
import math

import pytest

from device.errors import ConfigError
from device.gateway.homeassistant import Topics, discovery
from device.gateway.settings import MetricsConfig, MqttConfig
from device.gateway.telling import TYPES, Teller


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"kind": "decision", "outcome": "open"}, "granted"),
        ({"kind": "decision", "outcome": "refuse"}, "refused"),
        ({"kind": "decision", "outcome": "say_more"}, "say_more"),
        ({"kind": "decision", "outcome": "locked_out"}, "locked_out"),
        ({"kind": "decision", "outcome": "replay"}, "replay"),
        ({"kind": "decision", "outcome": "cooling_down"}, None),
        ({"kind": "decision", "outcome": "held"}, None),
        ({"kind": "decision", "outcome": "of another version"}, None),
        ({"kind": "remote_open"}, "remote_granted"),
        ({"kind": "remote_refused"}, "remote_refused"),
        ({"kind": "fault"}, "fault"),
        # It follows from a decision that was told.
        ({"kind": "replay"}, None),
        ({"kind": "relay_on"}, None),
        ({"kind": "speech"}, None),
        ({}, None),
    ],
)
def test_an_event_is_told_by_its_type(event: dict[str, object], told: str | None) -> None:
    found = Teller(names=True).event(event)
    assert (found.type if found else None) == told
    assert told is None or told in TYPES


def test_deafness_is_told_once_and_so_is_its_end() -> None:
    teller = Teller(names=True)
    gap = {"kind": "gap", "lost_seconds": 0.5}
    told = [teller.event({"kind": "gap", "lost_seconds": 0.1}), *(teller.event(gap) for _ in range(5))]
    assert [each.type for each in told if each] == ["deaf"]
    ends = [teller.heard() for _ in range(3)]
    assert [each.type for each in ends if each] == ["hearing"]


def test_people_are_named_only_where_that_is_wanted() -> None:
    event = {"kind": "decision", "outcome": "refuse", "resident": "Anna", "evidence": -3.0, "reason": "best is Anna",
             "level_dbfs": -30.0, "scores": {"Anna": -3.0}}  # fmt: skip
    named, unnamed = Teller(names=True).event(event), Teller(names=False).event(event)
    assert named is not None
    assert unnamed is not None
    assert named.facts["reason"] == "best is Anna"
    assert "person" not in named.facts, "who was refused is nobody that the door knows"
    assert "Anna" not in json.dumps(unnamed.facts)
    assert unnamed.facts["level_dbfs"] == -30.0
    opened = Teller(names=True).event({"kind": "remote_open", "by": "web: Anna"})
    assert opened is not None
    assert opened.facts["person"] == "web: Anna"


def test_what_is_no_number_is_never_told() -> None:
    event = {"kind": "decision", "outcome": "refuse", "evidence": math.nan, "latency_seconds": math.inf,
             "speech_seconds": True, "level_dbfs": "loud"}  # fmt: skip
    told = Teller(names=True).event(event)
    assert told is not None
    assert set(told.facts) == {"time"}


def test_the_discovery_payload_has_what_home_assistant_demands() -> None:
    config = MqttConfig(topic="house/porch")
    told = discovery(config, Topics(config), remote=True, version="1")
    assert Topics(config).discovery == "homeassistant/device/house_porch/config"
    assert told["device"]["identifiers"] == ["house_porch"]  # type: ignore[index]
    assert told["origin"]["name"]  # type: ignore[index]
    assert told["availability_mode"] == "all"
    assert len(told["availability"]) == 2  # type: ignore[arg-type]
    components = told["components"]
    assert isinstance(components, dict)
    ids = [each["unique_id"] for each in components.values()]
    assert len(ids) == len(set(ids))
    assert {each["platform"] for each in components.values()} == {"event", "lock", "binary_sensor", "sensor"}
    assert components["event"]["event_types"] == list(TYPES)
    for key in ("last_person", "score", "level", "bundle", "uptime"):
        assert components[key]["value_template"] == f"{{{{ value_json.{key} }}}}"


def test_without_names_there_is_no_sensor_for_a_person() -> None:
    config = MqttConfig(names=False)
    components = discovery(config, Topics(config), remote=False, version="1")["components"]
    assert isinstance(components, dict)
    assert "last_person" not in components
    assert "score" in components


@pytest.mark.parametrize(
    "wrong",
    [{"port": 0}, {"topic": "a/#"}, {"topic": "a//b"}, {"topic": ""}, {"discovery_prefix": "+"}, {"user": "a"},
     {"password_file": "/p"}, {"ca_file": "/c"}, {"level_seconds": 0.0}, {"host": ""}],
)  # fmt: skip
def test_a_wrong_mqtt_table_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        MqttConfig(**wrong)  # type: ignore[arg-type]


def test_a_wrong_metrics_table_is_refused() -> None:
    with pytest.raises(ConfigError):
        MetricsConfig(port=70_000)
