"""A microphone that delivers nothing: muted, stuck at a value, or the same buffer for ever; told where people look."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from device.errors import MicrophoneError
from device.gateway.telling import Teller
from device.service import check
from device.service.config import Config, ModelConfig, RelayConfig
from device.service.daemon import Hardware, Wishes, build_door, serve
from device.service.explain import explain
from device.service.microphone_health import MicrophoneHealth
from device.service.status import Sighting, Status, StatusFile
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.sound.novelty import Novelty, why_lifeless
from device.sound.pcm import FRAME_SAMPLES, SAMPLE_RATE_HZ, Frame, Samples
from device.web.health import facts
from device.web.words import line_of

RNG = np.random.default_rng(3)


def noise(seconds: float, *, most: int = 3) -> Samples:
    return RNG.integers(-most, most + 1, round(seconds * SAMPLE_RATE_HZ), np.int16)


def constant(value: int, seconds: float) -> Samples:
    return np.full(round(seconds * SAMPLE_RATE_HZ), value, np.int16)


def again(seconds: float, *, period_samples: int = 4096) -> Samples:
    return np.resize(noise(1.0, most=3000)[:period_samples], round(seconds * SAMPLE_RATE_HZ)).astype(np.int16)


def frames(*sound: Samples) -> list[Frame]:
    samples = np.concatenate(sound)
    return [Frame(each, 0.02 * n) for n, each in enumerate(samples.reshape(-1, FRAME_SAMPLES))]


LIFELESS = {
    "muted": (constant(0, 180.0), "exactly 0: it is muted"),
    "stuck": (constant(-32768, 180.0), "-32768: its converter is stuck"),
    "one above zero": (constant(1, 180.0), "1: its converter is stuck"),
    "the same buffer": (again(180.0), "again and again"),
    "the same long buffer": (again(180.0, period_samples=16_000), "again and again"),
}


@pytest.mark.parametrize("kind", LIFELESS)
def test_the_daemon_says_after_a_minute_that_its_microphone_delivers_nothing_and_when_it_is_back(
    kind: str, models: Path, tmp_path: Path
) -> None:
    sound, reason = LIFELESS[kind]
    clock = ManualClock()
    events, relay, supervisor = RecordedEvents(), SimulatedRelay(clock), RecordedSupervisor()
    hardware = Hardware(
        microphone=SimulatedMicrophone([noise(10.0), sound, noise(5.0)], clock=clock), relay=relay, clock=clock,
        supervisor=supervisor, events=events, status=StatusFile(tmp_path),
    )  # fmt: skip
    seen: list[str] = []
    record = events.record

    def look(event: object) -> None:
        seen.append(json.loads((tmp_path / "status.json").read_text())["microphone"])
        record(event)  # type: ignore[arg-type]

    events.record = look  # type: ignore[method-assign]
    config = Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle=str(models)))
    serve(build_door(config, hardware), hardware, Wishes(), lambda: None)
    (silent,), (back,) = events.of("microphone_silent"), events.of("microphone_back")
    assert reason in str(silent.details["reason"])
    assert float(str(silent.details["silent_seconds"])) == pytest.approx(60.0, abs=1.1)
    assert float(str(back.details["silent_seconds"])) == pytest.approx(180.0, abs=2.1)
    assert any(reason in each for each in seen)
    assert json.loads((tmp_path / "status.json").read_text())["microphone"] == ""
    assert supervisor.messages.count("alive") > 180, "it lives, and is not started anew"
    assert events.of("fault") == []
    assert relay.history == []


@pytest.mark.parametrize("most", [1, 2, 30_000])
def test_a_microphone_that_works_is_never_called_silent_however_quiet(most: int) -> None:
    health, kinds = MicrophoneHealth(), []
    for frame in frames(noise(200.0, most=most)):
        health.look(frame, tell=lambda kind, **_: kinds.append(kind), status=StatusFile(None))
    assert kinds == []


def test_pauses_in_which_a_microphone_sends_zeros_are_no_silence() -> None:
    health, kinds = MicrophoneHealth(), []
    for frame in frames(*(each for _ in range(5) for each in (constant(0, 50.0), noise(0.02)))):
        health.look(frame, tell=lambda kind, **_: kinds.append(kind), status=StatusFile(None))
    assert kinds == []


def test_memory_is_bounded_and_time_is_counted_in_sound() -> None:
    novelty = Novelty()
    for frame in frames(noise(60.0), constant(5, 3.0)):
        novelty.push(frame)
    assert novelty.stale_seconds == pytest.approx(2.98)
    assert len(novelty._remembered) == 500


@pytest.mark.parametrize(
    ("sound", "problem"),
    [([constant(0, 1.0)], "muted"), ([constant(77, 1.0)], "stuck"), ([again(1.0, period_samples=1600)], "again"),
     ([noise(0.2), constant(0, 0.8)], "muted"), ([constant(0, 0.4), noise(0.6)], ""), ([noise(1.0, most=1)], "")],
)  # fmt: skip
def test_a_second_of_sound_shows_whether_there_is_any(sound: list[Samples], problem: str) -> None:
    assert problem in why_lifeless(frames(*sound))
    assert bool(problem) == bool(why_lifeless(frames(*sound)))


class Plugged:
    """Stands in for the microphone that check opens."""

    rate_hz = 16_000
    sound: Iterable[Frame] = ()

    def __init__(self, _device: str | None, *, clock: object) -> None:
        self._frames = iter(self.sound)

    def read(self) -> Frame:
        return next(self._frames)

    def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("kind", LIFELESS)
def test_check_does_not_call_a_microphone_fit_that_delivers_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A buffer that repeats shows itself in the second that check listens only when it is shorter.
    sound, reason = (again(180.0, period_samples=1600), "again") if "buffer" in kind else LIFELESS[kind]
    monkeypatch.setattr(Plugged, "sound", frames(sound[: 2 * SAMPLE_RATE_HZ]))
    monkeypatch.setattr(check, "SounddeviceMicrophone", Plugged)
    config = Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle="models"))
    with pytest.raises(MicrophoneError, match=reason):
        check._microphone(config)
    monkeypatch.setattr(Plugged, "sound", frames(noise(2.0)))
    assert "dBFS" in check._microphone(config)


def test_people_read_it_in_the_status_on_the_page_in_the_log_and_at_home_assistant() -> None:
    status = Status(state="listening", pid=1, microphone="every sample is exactly 0: it is muted")
    seen = Sighting(status=status, alive=True)
    assert "delivers nothing: every sample is exactly 0" in seen.as_text()
    feed = {"listening": True, "microphone_silent": True}
    (row,) = [each for each in facts(feed, seen, reachable=True, celsius=None) if each.name == "Microphone"]
    assert (row.well, "muted" in row.value) == (False, True)
    assert "Microphone" not in [each.name for each in facts({"listening": True}, seen, reachable=True, celsius=None)]
    event = {"kind": "microphone_silent", "n": 3, "time": "2026-01-01T00:00:00", "reason": "muted"}
    assert line_of(event).tone == "trouble"
    assert "hears nobody" in line_of(event).headline
    assert "hears nobody" in explain(event)
    message = Teller(names=False).event(event)
    assert message is not None
    assert message.type == "microphone_silent"
