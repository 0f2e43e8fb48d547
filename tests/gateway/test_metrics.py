"""Prometheus metrics as a scraper reads them."""

import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.errors import ConfigError, RuntimeMissingError
from device.gateway import metrics as metrics_module
from device.gateway.metrics import MetricsOutlet
from device.gateway.settings import MetricsConfig
from tests.benches.mqtt_broker import free_port


@pytest.fixture
def thermal(tmp_path: Path) -> Path:
    for name, kind, temp in (("thermal_zone0", "cpu-thermal", "48250"), ("thermal_zone1", "broken", "hot")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(f"{kind}\n")
        (tmp_path / name / "temp").write_text(f"{temp}\n")
    return tmp_path


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def outlet(thermal: Path, port: int) -> Iterator[MetricsOutlet]:
    made = MetricsOutlet(MetricsConfig(enabled=True, port=port), thermal=thermal)
    yield made
    made.close()


def scrape(port: int) -> dict[str, float]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    text = opener.open(f"http://127.0.0.1:{port}/metrics", timeout=30.0).read().decode()
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in lines if "_created" not in name}


def event(kind: str, **details: object) -> dict[str, object]:
    return {"kind": "event", "event": {"kind": kind, **details}}


def test_before_anything_happened_every_outcome_is_nought(outlet: MetricsOutlet, port: int) -> None:
    told = scrape(port)
    assert told['voicelatch_decisions_total{outcome="open"}'] == 0.0
    assert told['voicelatch_openings_total{way="remote"}'] == 0.0
    assert told["voicelatch_listening"] == 0.0


def test_decisions_are_counted_by_outcome_with_their_latency(outlet: MetricsOutlet, port: int) -> None:
    outlet.hear(event("decision", outcome="open", latency_seconds=0.08, resident="Anna"))
    outlet.hear(event("decision", outcome="refuse", latency_seconds=0.3))
    outlet.hear(event("decision", outcome="of another version", latency_seconds="soon"))
    outlet.hear(event("remote_open", by="mqtt"))
    outlet.hear(event("remote_refused", by="mqtt", unreported=4))
    told = scrape(port)
    assert told['voicelatch_decisions_total{outcome="open"}'] == 1.0
    assert told['voicelatch_decisions_total{outcome="refuse"}'] == 1.0
    assert told['voicelatch_decisions_total{outcome="other"}'] == 1.0
    assert told["voicelatch_decision_latency_seconds_count"] == 2.0
    assert told['voicelatch_decision_latency_seconds_bucket{le="0.1"}'] == 1.0
    assert told['voicelatch_openings_total{way="voice"}'] == 1.0
    assert told['voicelatch_openings_total{way="remote"}'] == 1.0
    assert told["voicelatch_remote_refusals_total"] == 5.0
    assert not any("Anna" in each for each in told)


def test_sound_loss_age_memory_and_temperature_are_told(outlet: MetricsOutlet, port: int) -> None:
    for speech_seconds in (0.12, 0.0):
        outlet.hear({"kind": "level", "level_dbfs": -40.5, "heard_seconds": 0.12, "speech_seconds": speech_seconds,
                     "age_seconds": 0.031})  # fmt: skip
    outlet.hear(event("gap", lost_seconds=0.5))
    outlet.hear({"kind": "status", "listening": True, "memory_bytes": 64_000_000, "uptime_seconds": 7.5, "lost": 3})
    told = scrape(port)
    assert told["voicelatch_heard_seconds_total"] == pytest.approx(0.24)
    assert told["voicelatch_speech_seconds_total"] == pytest.approx(0.12)
    assert told["voicelatch_queue_age_seconds"] == 0.031
    assert told["voicelatch_level_dbfs"] == -40.5
    assert told["voicelatch_frames_lost_total"] == 25.0
    assert told["voicelatch_gaps_total"] == 1.0
    assert told["voicelatch_memory_bytes"] == 64_000_000
    assert told["voicelatch_uptime_seconds"] == 7.5
    assert told["voicelatch_feed_lost"] == 3.0
    assert told["voicelatch_listening"] == 1.0
    temperatures = {name: value for name, value in told.items() if "temperature" in name}
    assert temperatures == {'voicelatch_temperature_celsius{zone="thermal_zone0:cpu-thermal"}': 48.25}
    outlet.door(False)
    assert scrape(port)["voicelatch_listening"] == 0.0


def test_what_happened_before_is_not_counted_again(outlet: MetricsOutlet, port: int) -> None:
    outlet.hear({**event("decision", outcome="open"), "recent": True})
    outlet.hear({**event("gap", lost_seconds=1.0), "recent": True})
    told = scrape(port)
    assert told['voicelatch_decisions_total{outcome="open"}'] == 0.0
    assert told["voicelatch_gaps_total"] == 0.0


def test_what_is_no_number_is_left_out(outlet: MetricsOutlet, port: int) -> None:
    before = scrape(port)
    outlet.hear({"kind": "level", "level_dbfs": None, "heard_seconds": "x", "speech_seconds": -1.0})
    outlet.hear({"kind": "status"})
    outlet.hear(event("gap", lost_seconds=float("nan")))
    after = scrape(port)
    assert {name for name in after if after[name] != before.get(name)} == {"voicelatch_gaps_total"}


def test_by_default_this_machine_alone_may_ask_and_nothing_is_served() -> None:
    assert MetricsConfig() == MetricsConfig(enabled=False, address="127.0.0.1", port=9464)


def test_a_port_that_is_taken_is_a_wrong_configuration(port: int, thermal: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(ConfigError, match=r"metrics\.port"):
            MetricsOutlet(MetricsConfig(port=port), thermal=thermal)


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> None:
        raise ImportError

    monkeypatch.setattr(metrics_module.importlib, "import_module", absent)
    with pytest.raises(RuntimeMissingError, match="--with metrics"):
        MetricsOutlet(MetricsConfig())
