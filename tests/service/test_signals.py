"""What a visitor is shown, and that an indicator that fails or hangs never reaches the door."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.errors import ConfigError, IndicatorError
from device.ports import Clock, Event, Signal
from device.service import cli
from device.service.config import Config, ModelConfig, RelayConfig
from device.service.guard_settings import ButtonConfig
from device.service.signals import Shown, Signalling, SignalsConfig, signal_of, signalled
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.indicator import SimulatedIndicator
from device.sound.wavfile import write_wav
from tests.doubles import Bench, loud, quiet


def event(kind: str, **details: object) -> Event:
    return Event(kind=kind, at_seconds=1.0, wall_time=datetime(2026, 1, 1, tzinfo=UTC), details=details)


@pytest.mark.parametrize(
    ("happened", "shown"),
    [
        (event("started"), Signal.LISTENING),
        (event("speech"), Signal.LISTENING),
        (event("decision", outcome="open"), Signal.GRANTED),
        (event("decision", outcome="refuse"), Signal.REFUSED),
        (event("decision", outcome="locked_out"), Signal.REFUSED),
        (event("decision", outcome="say_more"), Signal.SAY_MORE),
        (event("decision", outcome="cooling_down"), None),
        (event("decision", outcome="held"), None),
        (event("remote_open"), Signal.GRANTED),
        (event("remote_refused"), None),
        (event("gap"), None),
    ],
)
def test_an_event_is_shown_as(happened: Event, shown: Signal | None) -> None:
    assert signal_of(happened) is shown


def test_a_visit_is_shown_on_every_indicator_and_recorded_first() -> None:
    bench = Bench([loud(6.0), quiet(1.0)], [2.0, 9.0])
    light, speaker = SimulatedIndicator(bench.clock), SimulatedIndicator(bench.clock, audible=True)
    bench.door.events = Signalling(bench.events, [light, speaker])
    while bench.door.step() is not None:
        # The indicators' threads are as quick as a light's.
        settle(bench.door.events)
    bench.door.events.close()
    assert [signal for _, signal in light.history] == [Signal.LISTENING, Signal.SAY_MORE, Signal.GRANTED]
    assert [signal for _, signal in speaker.history] == [Signal.SAY_MORE, Signal.GRANTED], "no tone within speech"
    assert light.closed
    assert speaker.closed
    assert bench.events.closed


def settle(sink: object) -> None:
    assert isinstance(sink, Signalling)
    for each in sink._shown:
        while not each._waiting.empty():
            time.sleep(0.001)


class Hanging:
    """A sound system that is frozen: it never returns until let go."""

    audible = True

    def __init__(self) -> None:
        self.entered, self.free = threading.Event(), threading.Event()

    def show(self, signal: Signal) -> None:
        self.entered.set()
        self.free.wait(60.0)

    def close(self) -> None:
        raise AssertionError("nothing may wait for it")


def test_an_indicator_that_hangs_costs_signals_and_not_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.service.signals.CLOSE_SECONDS", 0.01)
    bench = Bench([loud(3.0), quiet(1.0)] * 6, [-9.0] * 6)
    hanging = Hanging()
    sink = Signalling(bench.events, [hanging])
    bench.door.events = sink
    bench.hear()
    assert hanging.entered.wait(60.0)
    assert len(bench.events.of("decision")) == 6
    assert sink._shown[0].missed >= 3
    sink.close()
    assert bench.events.closed
    hanging.free.set()


def test_an_indicator_that_fails_is_tried_again_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        audible = False
        tried = 0

        def show(self, signal: Signal) -> None:
            self.tried += 1
            raise IndicatorError("the light is broken")

        def close(self) -> None:
            """Nothing is held."""

    failing = Failing()
    shown = Shown(failing)
    for _ in range(2):
        shown.put(Signal.GRANTED)
    shown.close()
    assert failing.tried == shown.missed == 2
    assert caplog.text.count("the light is broken") == 1


def test_without_an_indicator_nothing_is_between_the_door_and_its_log() -> None:
    sink = RecordedEvents()
    assert signalled(sink, SignalsConfig(), ManualClock(), simulate=False) is sink


def test_a_light_that_cannot_be_had_is_said_and_the_door_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    sink = RecordedEvents()
    config = SignalsConfig(led=True, pin_factory="native")
    assert signalled(sink, config, ManualClock(), simulate=False) is sink
    assert "without signals.led" in caplog.text


def test_a_simulated_door_has_simulated_indicators() -> None:
    made = signalled(RecordedEvents(), SignalsConfig(led=True, sound=True), ManualClock(), simulate=True)
    assert isinstance(made, Signalling)
    assert [each.audible for each in made._shown] == [False, True]
    made.close()


def test_the_command_shows_what_its_configuration_asks_for(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[SimulatedIndicator] = []

    def make(kind: str, _config: SignalsConfig, clock: Clock, *, simulate: bool, chip_label: str) -> SimulatedIndicator:
        assert (simulate, chip_label) == (True, "")
        made.append(SimulatedIndicator(clock, audible=kind == "sound"))
        return made[-1]

    monkeypatch.setattr("device.service.signals._make", make)
    config, wav = tmp_path / "voicelatch.toml", tmp_path / "short.wav"
    config.write_text(f'[relay]\npin = 17\n[model]\nbundle = "{models / "demo"}"\n[signals]\nled = true\n')
    write_wav(wav, quiet(0.1))
    assert cli.main(["run", "--config", str(config), "--simulate", "--wav", str(wav)]) == 0
    (light,) = made
    assert [signal for _, signal in light.history] == [Signal.LISTENING]
    assert light.closed


@pytest.mark.parametrize("pin", [17, 27])
def test_the_light_has_a_pin_of_its_own(pin: int) -> None:
    with pytest.raises(ConfigError, match="led_pin"):
        Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle="models"), button=ButtonConfig(enabled=True),
               signals=SignalsConfig(led=True, led_pin=pin))  # fmt: skip


@pytest.mark.parametrize("wrong", [{"volume": 1.5}, {"led_pin": 40}, {"pin_factory": "rpigpio"}])
def test_a_wrong_table_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SignalsConfig(**wrong)  # type: ignore[arg-type]
