"""The second way in, a remote opening: when it is allowed, when it is not, and what of the rest still holds."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from device.errors import RelayError
from device.live.feed import Answered, LiveFeed, Opening
from device.service.canary import Canary
from device.service.daemon import Hardware, Wishes, serve
from device.service.events import FileEvents, as_table
from device.service.explain import explain, find_decision
from device.service.extras import Extras
from device.service.forget import forget_in_log
from device.service.hold import Hold
from device.service.log_files import LogFiles
from device.service.remote import MOST_REFUSALS_AN_HOUR, RemoteConfig, RemoteOpening
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.verdict.policy import PolicyState
from device.verdict.tries import Tries
from tests.doubles import Bench, gap, loud, quiet

ALLOWED = RemoteConfig(open=True)


class Porch(Bench):
    """A door with a remote opening, and the answers that were given."""

    def __init__(self, *sound: object, script: tuple[float, ...] = (), config: RemoteConfig = ALLOWED) -> None:
        super().__init__([*sound], script)  # type: ignore[list-item]
        self.feed = LiveFeed()
        self.feed.connect(lambda: None)
        self.remote = RemoteOpening(self.feed, config)

    def ask(self, *, fault: str = "", by: str = "web: Anna") -> str:
        """What the door answers; empty where it opened."""
        asked = self.feed.ask(Opening(by=by, uid=7, asked_at_seconds=self.clock.monotonic_seconds()))
        assert asked
        self.remote.heed(self.door, fault=fault)
        while (item := self.feed.take()) is not None:
            if isinstance(item, Answered):
                return item.reason
        raise AssertionError("the door did not answer")

    def opened(self) -> list[float]:
        return [at for at, on in self.relay.history if on]


def test_nobody_opens_from_elsewhere_unless_it_is_allowed() -> None:
    porch = Porch(config=RemoteConfig())
    assert "not allowed" in porch.ask()
    assert porch.opened() == []
    (event,) = porch.events.of("remote_refused")
    assert event.details["by"] == "web: Anna"
    assert event.details["uid"] == 7
    assert "not allowed" in str(event.details["reason"])


def test_an_allowed_opening_goes_through_the_same_relay_for_as_long_and_says_who() -> None:
    porch = Porch(quiet(4.0))
    assert porch.ask() == ""
    porch.hear()
    (on, off) = porch.relay.history
    assert off[0] - on[0] == pytest.approx(3.0, abs=0.03)
    assert porch.kinds() == ["remote_open", "relay_on", "relay_off"]
    assert porch.events.of("remote_open")[0].details == {"by": "web: Anna", "uid": 7, "open_seconds": 3.0}


def test_without_being_asked_nothing_happens() -> None:
    porch = Porch()
    porch.remote.heed(porch.door, fault="")
    assert porch.events.events == []
    assert porch.opened() == []


def test_a_door_with_a_fault_opens_to_nobody() -> None:
    porch = Porch()
    assert "head was flipped" in porch.ask(fault="the head was flipped")
    assert porch.opened() == []
    assert porch.events.of("remote_refused")


def test_a_second_opening_waits_for_the_cool_down_as_a_voice_does() -> None:
    porch = Porch()
    assert porch.ask() == ""
    porch.clock.advance(porch.door.policy.cool_down_seconds - 0.1)
    porch.door.end_pulse()
    assert "just opened" in porch.ask()
    porch.clock.advance(1.0)
    assert porch.ask() == ""
    assert len(porch.opened()) == 2


def test_a_voice_is_not_judged_just_after_a_remote_opening() -> None:
    porch = Porch(loud(3.0), quiet(1.0), script=(9.0,))
    assert porch.ask() == ""
    porch.hear()
    assert porch.outcomes == ["cooling_down"]
    assert len(porch.opened()) == 1


def test_a_wait_between_visits_does_not_stop_it_and_stays() -> None:
    porch = Porch()
    porch.door.state = PolicyState(tries=Tries(6.0, 16.0, 0.0), evidence=(("Anna", 4.0),), clips=1)
    assert porch.ask() == ""
    assert porch.door.state.tries == Tries(6.0, 16.0, 0.0)
    assert porch.door.state.evidence == ()


def test_asking_again_and_again_is_refused_and_does_not_fill_the_log() -> None:
    porch = Porch(config=RemoteConfig())
    for _ in range(20):
        porch.ask()
        porch.clock.advance(0.01)
    assert len(porch.events.of("remote_refused")) == 1
    porch.clock.advance(2.0)
    porch.ask()
    assert porch.events.of("remote_refused")[1].details["unreported"] == 19


def test_whoever_asks_all_day_long_in_vain_does_not_push_openings_out_of_the_log() -> None:
    porch = Porch(config=RemoteConfig())
    for _ in range(3 * 3600 // 10):
        porch.ask()
        porch.clock.advance(10.0)
    refused = porch.events.of("remote_refused")
    assert len(refused) == 3 * MOST_REFUSALS_AN_HOUR
    assert sum(int(str(each.details["unreported"])) for each in refused) >= 3600 // 10


def test_there_is_a_most_an_hour() -> None:
    porch = Porch(config=replace(ALLOWED, most_an_hour=2))
    answers = []
    for _ in range(3):
        answers.append(porch.ask())
        porch.clock.advance(60.0)
        porch.door.end_pulse()
    assert answers[:2] == ["", ""]
    assert "within an hour" in answers[2]
    porch.clock.advance(3600.0)
    assert porch.ask() == ""


def test_a_pulse_that_the_guardian_does_not_grant_is_a_refusal_and_the_door_goes_on() -> None:
    porch = Porch()
    calls = []

    class Refusing:
        is_on = False

        def pulse(self, *, open_seconds: float) -> None:
            raise RelayError("the guardian does not grant a pulse")

        def off(self) -> None:
            calls.append("off")

    porch.door.relay = Refusing()  # type: ignore[assignment]
    assert "does not grant" in porch.ask()
    assert calls == ["off"]
    assert porch.door.relay_off_due_seconds == math.inf
    assert porch.events.of("remote_open") == []
    assert porch.events.of("remote_refused")


def test_a_relay_that_does_not_confirm_off_ends_the_daemon() -> None:
    porch = Porch()

    class Dead:
        is_on = False

        def pulse(self, *, open_seconds: float) -> None:
            raise RelayError("no guardian")

        def off(self) -> None:
            raise RelayError("no guardian")

    porch.door.relay = Dead()  # type: ignore[assignment]
    porch.feed.ask(Opening(by="a", uid=0, asked_at_seconds=0.0))
    with pytest.raises(RelayError):
        porch.remote.heed(porch.door, fault="")


def test_why_it_opened_says_that_no_voice_did() -> None:
    porch = Porch(loud(3.0), quiet(1.0), script=(-9.0,))
    porch.hear()
    assert porch.ask() == ""
    told = [{"n": number, **as_table(each)} for number, each in enumerate(porch.events.events)]
    for kind in ("remote_open", "relay_on"):
        n = next(each["n"] for each in told if each["kind"] == kind)
        assert isinstance(n, int)
        found = find_decision(told, n)
        assert found is not None
        assert "opened from elsewhere, by web: Anna" in explain(found)
    porch.clock.advance(2.0)
    porch.ask(fault="the canary")
    assert "asked for it from elsewhere" in explain(as_table(porch.events.of("remote_refused")[0]))


def test_whoever_asked_from_elsewhere_can_be_forgotten(tmp_path: Path) -> None:
    porch, path = Porch(), tmp_path / "events.db"
    assert porch.ask(by="web: Anna") == ""
    log = FileEvents(path, max_bytes=1_000_000)
    for each in porch.events.events:
        log.record(each)
    log.close()
    assert forget_in_log(LogFiles(path), "Anna", "person-1", now=porch.clock.wall_time()) == 2
    assert b"Anna" not in path.read_bytes()


def live(porch: Porch, canary: Canary | None = None) -> None:
    """The daemon's own loop over the porch's sound."""
    hardware = Hardware(microphone=porch.door.microphone, relay=porch.relay, clock=porch.clock,
                        supervisor=RecordedSupervisor(), events=porch.events,
                        extras=Extras(remote=porch.remote))  # fmt: skip
    serve(porch.door, hardware, Wishes(), lambda: None, canary=canary)


def asks_at(porch: Porch, seconds: float) -> None:
    """Have an opening asked for once that much sound was heard."""
    read = porch.door.microphone.read

    class Ears:
        asked = False

        def read(self) -> object:
            item = read()
            if not self.asked and porch.clock.monotonic_seconds() >= seconds:
                self.asked = porch.feed.ask(Opening(by="a", uid=0, asked_at_seconds=porch.clock.monotonic_seconds()))
            return item

        def close(self) -> None:
            """Nothing is held."""

    porch.door.microphone = Ears()  # type: ignore[assignment]


def test_the_daemon_answers_while_it_listens() -> None:
    porch = Porch(quiet(5.0))
    asks_at(porch, 1.0)
    live(porch)
    assert porch.opened() == [pytest.approx(1.0, abs=0.03)]


def test_a_daemon_that_hears_nothing_does_not_open() -> None:
    porch = Porch(gap(), gap(), gap())
    asks_at(porch, 0.0)
    live(porch)
    assert porch.opened() == []
    assert "no sound arrives" in str(porch.events.of("remote_refused")[0].details["reason"])


def test_a_daemon_whose_canary_fails_does_not_open() -> None:
    class Unanswering(SimulatedRelay):
        def probe(self) -> bool:
            raise RelayError("the guardian cannot be reached")

    porch = Porch(quiet(5.0))
    porch.relay = porch.door.relay = Unanswering(porch.clock)
    asks_at(porch, 2.0)
    live(porch, Canary(porch.clock, every_seconds=1.0))
    assert porch.opened() == []
    assert "cannot be reached" in str(porch.events.of("remote_refused")[0].details["reason"])


def test_while_somebody_records_no_voice_opens_and_nobody_is_refused(tmp_path: Path) -> None:
    porch = Porch(loud(3.0), quiet(2.0), loud(3.0), quiet(2.0), script=(9.0, -9.0, 9.0))
    porch.door.guards = (Hold(porch.feed),)
    porch.feed.held = True
    porch.hear()
    assert porch.opened() == []
    assert set(porch.outcomes) == {"held"}
    assert porch.door.state.tries.failures == 0
    porch.feed.held = False
    assert Hold(porch.feed).look(porch.scorer.clips[0], None).objection is None  # type: ignore[arg-type]
