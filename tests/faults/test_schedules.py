"""Random schedules of faults. ``-s`` prints the figures; VOICELATCH_SCHEDULES=1000 runs that many."""

import logging
import os
from collections.abc import Callable, Iterator

import pytest

from device.service.event_table import EventTable
from device.service.events import FileEvents
from device.service.pipeline import Door
from device.service.remote import RemoteOpening
from tests.faults import life
from tests.faults.schedules import KINDS, run_many
from tests.faults.world import Pin

COUNT = int(os.environ.get("VOICELATCH_SCHEDULES", "150"))


def test_in_random_schedules_of_faults_the_door_never_opens_by_mistake_and_is_always_back() -> None:
    result = run_many(COUNT)
    print(f"\n{result.told()}")
    assert result.problems == []
    assert (result.wrong_openings, result.stuck_on, result.deaf, result.events_lost) == (0, 0, 0, 0)
    assert result.schedules == COUNT
    assert result.openings > COUNT, "the door must have opened, or nothing was shown"
    assert set(result.faults) == set(KINDS), "every kind of fault must have struck"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What the daemon would log of so many evenings helps nobody."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def forgets_gaps(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Door, "lose", lambda _door, _gap: None)


def stays_on(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pin, "pass_time", lambda _pin: None)
    patch.setattr(Door, "end_pulse", lambda _door: None)


def loses_events(patch: pytest.MonkeyPatch) -> None:
    append = FileEvents._append

    def forgetful(sink: FileEvents, table: EventTable, told: dict[str, object], *, durably: bool) -> None:
        if told["kind"] != "silence":
            append(sink, table, told, durably=durably)

    patch.setattr(FileEvents, "_append", forgetful)


def is_slow_to_start(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(life, "START_SECONDS", 9.0)


def opens_for_anybody_elsewhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RemoteOpening, "_against", lambda _remote, _door, _fault, _now: "")


@pytest.mark.parametrize(
    ("defect", "counted", "schedules"),
    [
        # Somebody must speak on both sides of a gap, and be accepted: that is rare.
        (forgets_gaps, "wrong_openings", 70),
        (stays_on, "stuck_on", 20),
        (loses_events, "events_lost", 20),
        (is_slow_to_start, "deaf", 20),
        (opens_for_anybody_elsewhere, "wrong_openings", 20),
    ],
)
def test_the_schedules_would_find_a_door_that(
    defect: Callable[[pytest.MonkeyPatch], None], counted: str, schedules: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    defect(monkeypatch)
    result = run_many(60)
    assert getattr(result, counted) > 0
    assert result.problems
