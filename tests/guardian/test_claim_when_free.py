"""Releasing the pin after a death, while the dead guardian's second process drives it off as well."""

import math

import pytest

from device.guardian.errors import PinBusyError
from device.guardian.watchdog import claim_when_free


def test_the_pin_is_released_though_the_second_process_of_a_dead_guardian_holds_it_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments, released = [0.0], list[bool]()

    class Released:
        chip = "mock mock"

        def drive(self, on: bool) -> None: ...

        def read(self) -> bool:
            return False

        def close(self) -> None:
            released.append(True)

    def claim() -> Released:
        if moments[0] < until_seconds:
            raise PinBusyError("pin 17 cannot be claimed")
        return Released()

    def wait(seconds: float) -> None:
        moments[0] += seconds

    monkeypatch.setattr("device.guardian.watchdog.time.sleep", wait)
    until_seconds = 0.4
    claim_when_free(claim, lambda: moments[0]).close()
    assert released == [True]
    assert moments[0] == pytest.approx(0.4, abs=0.01)
    until_seconds = math.inf
    with pytest.raises(PinBusyError):
        claim_when_free(claim, lambda: moments[0])
