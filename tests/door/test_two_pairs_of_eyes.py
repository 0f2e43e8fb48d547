"""The pulse has two ends: the relay's own deadline, and the door's. Either alone is enough."""

import pytest

from device.simulated.relay import SimulatedRelay
from device.verdict.policy import PolicySpec
from tests.doubles import Bench, loud, quiet


class ForgetfulRelay(SimulatedRelay):
    """Its own deadline never comes: what a dead timer thread looks like."""

    def _expire(self) -> None:
        """Never."""


def test_a_relay_that_forgets_its_deadline_is_put_off_by_the_door() -> None:
    bench = Bench([loud(3.2), quiet(10)], [9.0])
    relay = ForgetfulRelay(bench.clock)
    bench.door.relay = relay
    bench.hear()
    (on, off) = relay.history
    assert (on[1], off[1]) == (True, False)
    assert off[0] - on[0] == pytest.approx(3.0, abs=0.021)


@pytest.mark.parametrize("relay_kind", [SimulatedRelay, ForgetfulRelay])
def test_a_second_opening_during_the_first_does_not_lengthen_it(relay_kind: type[SimulatedRelay]) -> None:
    policy = PolicySpec(open_llr=5.0, refuse_llr=-2.0, cool_down_seconds=0.0)
    bench = Bench([loud(6.5), quiet(20)], [9.0, 9.0, -9.0], policy=policy, open_seconds=8.0)
    relay = relay_kind(bench.clock)
    bench.door.relay = relay
    bench.hear()
    assert bench.outcomes[:2] == ["open", "open"]
    (on, off) = relay.history
    assert off[0] - on[0] == pytest.approx(8.0, abs=0.021)
    (told,) = bench.events.of("relay_off")
    assert told.at_seconds == pytest.approx(off[0], abs=0.021)
