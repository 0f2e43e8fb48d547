"""The watchdog is fed while frames arrive and the canary sings, and by nothing else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from device.errors import MicrophoneError, RelayError
from device.service.canary import EVERY_SECONDS, Canary
from device.service.config import Config, ModelConfig, RelayConfig
from device.service.daemon import Hardware, Wishes, build_door, serve
from device.service.pipeline import Door
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone, silence
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.sound.pcm import Gap
from device.verdict.scorer import Scorer


class Bench:
    """The daemon with the shipped bundle; the canary sings every ten seconds."""

    def __init__(self, models: Path, seconds: float = 30.0) -> None:
        self.clock, self.events, self.supervisor = ManualClock(), RecordedEvents(), RecordedSupervisor()
        self.relay = SimulatedRelay(self.clock)
        self.microphone = SimulatedMicrophone([silence(seconds)], clock=self.clock)
        self.hardware = Hardware(microphone=self.microphone, relay=self.relay, clock=self.clock,
                                 supervisor=self.supervisor, events=self.events)  # fmt: skip
        self.door: Door = build_door(
            Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle=str(models), allow_unsigned=True)), self.hardware
        )
        self.wishes = Wishes()
        self.fed: list[float] = []
        self.supervisor.alive = lambda: self.fed.append(self.clock.monotonic_seconds())  # type: ignore[method-assign]

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something once that much time has passed."""
        read, acts = self.microphone.read, [act]

        def read_and_act() -> object:
            if acts and self.clock.monotonic_seconds() >= seconds:
                acts.pop()()
            return read()

        self.microphone.read = read_and_act  # type: ignore[method-assign, assignment]

    def serve(self) -> None:
        serve(self.door, self.hardware, self.wishes, lambda: None, canary=Canary(self.clock, every_seconds=10.0))

    @property
    def scorer(self) -> Scorer:
        assert isinstance(self.door.scorer, Scorer)
        return self.door.scorer


@pytest.fixture
def bench(models: Path) -> Bench:
    return Bench(models)


def test_a_fit_door_feeds_the_watchdog_all_the_time_and_its_canary_moves_nothing(bench: Bench) -> None:
    bench.serve()
    assert len(bench.fed) >= 29
    assert bench.relay.history == []
    assert [each for each in bench.events.events if "canary" in each.kind] == []


def starves(bench: Bench, *, because: str) -> None:
    bench.serve()
    assert max(bench.fed) <= 10.6, "fed until the canary's hour, not after"
    (event,) = bench.events.of("canary_failed")
    assert because in str(event.details["reason"])
    assert event.at_seconds == pytest.approx(10.5, abs=0.6)


def test_flipped_bits_in_the_head_starve_the_watchdog(bench: Bench) -> None:
    def flip() -> None:
        bench.scorer.bundle.head.prototypes.view(np.uint8)[:, 2] ^= 0x80

    bench.at(5.0, flip)
    starves(bench, because="no longer have the scores")


def test_a_reload_that_is_refused_does_not_make_flipped_bits_right(bench: Bench) -> None:
    def flip_and_reload() -> None:
        bench.scorer.bundle.head.prototypes.view(np.uint8)[:, 2] ^= 0x80
        bench.wishes.reload = True

    bench.at(5.0, flip_and_reload)
    starves(bench, because="no longer have the scores")


def test_features_that_changed_starve_the_watchdog(bench: Bench) -> None:
    def change() -> None:
        log_mel = bench.scorer._log_mel
        bench.scorer._log_mel = lambda samples: log_mel(samples) + 1.0  # type: ignore[assignment]

    bench.at(5.0, change)
    starves(bench, because="golden features")


def test_a_runtime_that_answers_otherwise_starves_the_watchdog(bench: Bench) -> None:
    def change() -> None:
        run = bench.scorer._interpreter.run
        bench.scorer._interpreter.run = lambda features: run(features)[::-1]  # type: ignore[method-assign]

    bench.at(5.0, change)
    starves(bench, because="golden outputs")


def test_a_relay_that_does_not_answer_starves_the_watchdog(bench: Bench) -> None:
    def probe() -> bool:
        raise RelayError("the relay's guardian cannot be reached")

    bench.relay.probe = probe  # type: ignore[attr-defined]
    starves(bench, because="cannot be reached")


def test_a_relay_that_is_on_unasked_is_put_off_and_told(bench: Bench) -> None:
    bench.at(9.9, lambda: bench.relay.pulse(open_seconds=25.0))
    bench.serve()
    (event,) = bench.events.of("canary_failed")
    assert "nothing had opened it" in str(event.details["reason"])
    (_, on), (off, is_on) = bench.relay.history
    assert (on, is_on) == (True, False)
    assert off == pytest.approx(10.5, abs=0.6)
    assert bench.events.of("canary_passed"), "off again, it sings a second later"
    assert max(bench.fed) > 28.0


def test_a_relay_that_is_on_because_the_door_opened_is_fit(bench: Bench) -> None:
    def opened() -> None:
        bench.relay.pulse(open_seconds=3.0)
        bench.door.relay_off_due_seconds = bench.clock.monotonic_seconds() + 3.0

    bench.at(9.0, opened)
    bench.serve()
    assert len(bench.fed) >= 29


def test_it_sings_again_after_a_second_once_the_cause_is_gone(bench: Bench) -> None:
    away = iter([True] * 3)

    def probe() -> bool:
        if next(away, False):
            raise RelayError("away")
        return False

    bench.relay.probe = probe  # type: ignore[attr-defined]
    bench.serve()
    (failed,), (passed,) = bench.events.of("canary_failed"), bench.events.of("canary_passed")
    assert passed.at_seconds - failed.at_seconds == pytest.approx(3.0, abs=0.1)
    assert max(bench.fed) > 28.0


def test_a_new_bundle_is_learnt_at_reload(models: Path) -> None:
    bench = Bench(models)
    canary = Canary(bench.clock, every_seconds=10.0)
    canary.learn(bench.scorer)
    bench.clock.advance(11.0)
    fresh = Bench(models).scorer
    fresh.bundle.head.prototypes.view(np.uint8)[:, 2] ^= 0x80
    canary.learn(fresh)
    bench.clock.advance(11.0)
    assert canary.sings(bench.relay, in_pulse=False, tell=bench.door.tell), "what it is, not what another one was"


def test_it_sings_once_an_hour(models: Path) -> None:
    bench, asked = Bench(models), []
    canary = Canary(bench.clock)
    canary.learn(bench.scorer)
    bench.relay.probe = lambda: bool(asked.append(bench.clock.monotonic_seconds()))  # type: ignore[attr-defined]
    for _ in range(4 * 60):
        bench.clock.advance(60.0)
        assert canary.sings(bench.relay, in_pulse=False, tell=bench.door.tell)
    assert asked == [EVERY_SECONDS * hour for hour in (1, 2, 3, 4)]


def test_a_door_that_hears_nothing_leaves_with_a_code_and_says_why(models: Path) -> None:
    bench = Bench(models, seconds=5.0)
    read = bench.microphone.read

    def then_nothing() -> object:
        item = read()
        if item is None:
            bench.clock.advance(0.5)
            item = Gap("no sound arrived", bench.clock.monotonic_seconds(), 0.5)
        return item

    bench.microphone.read = then_nothing  # type: ignore[method-assign, assignment]
    with pytest.raises(MicrophoneError, match="no sound arrives") as caught:
        bench.serve()
    assert caught.value.exit_code == 69
    assert bench.clock.monotonic_seconds() == pytest.approx(15.5, abs=0.6)
    (event,) = bench.events.of("fault")
    assert event.details["error"] == "MicrophoneError"
    assert max(bench.fed) <= 5.1
    assert bench.relay.closed
    assert bench.microphone.closed
