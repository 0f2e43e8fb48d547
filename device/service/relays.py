"""The relay that the configuration asks for: behind the guardian, or on a pin of the daemon's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import ConfigError
from device.ports import Clock, Relay
from device.service.config import RelayConfig

if TYPE_CHECKING:
    from device.hardware.relay import GpioRelay

TEST_SECONDS = 1.0
# Until a program claims it, a pin is an input: BCM 0 to 8 pulled up, 9 to 27 pulled down.
LAST_PULLED_UP = 8


def make_relay(config: RelayConfig) -> Relay:
    """The relay, off. Raises :class:`~device.errors.RelayError` where guardian or pin are not to be had."""
    if config.guardian:
        from device.hardware.guardian_relay import GuardianRelay

        return GuardianRelay(Path(config.guardian))
    return _own_pin(config)


def _own_pin(config: RelayConfig) -> GpioRelay:
    from device.hardware.relay import GpioRelay

    return GpioRelay(config.pin, active_high=config.active_high, pin_factory=config.pin_factory,
                     chip_label=config.chip_label)  # fmt: skip


def release(config: RelayConfig) -> None:
    """Off and away, after a death of the daemon."""
    if config.guardian:
        from device.hardware.guardian_relay import ask_off

        # Also when no daemon is known to have died: the guardian says what the pin reads.
        ask_off(Path(config.guardian))
    else:
        make_relay(config).close()


def describe(config: RelayConfig) -> str:
    """What ``check`` says of it; the relay is claimed or asked for, and off."""
    if config.pin_factory == "mock":
        raise ConfigError(
            "the mock backend moves nothing",
            where="relay.pin_factory",
            received="mock",
            allowed="lgpio or native at a real door",
            next_step="set it to lgpio",
        )
    if config.guardian:
        from device.hardware.guardian_relay import ask_chip, probe

        path = Path(config.guardian)
        chip, is_on = ask_chip(path), probe(path)
        told = f"the guardian at {path} answers: pin {config.pin} of {chip} is {'on' if is_on else 'off'}"
        return told + at_boot(config)
    relay = _own_pin(config)
    try:
        return f"pin {config.pin} of {relay.chip} claimed, off" + at_boot(config)
    finally:
        relay.close()


def at_boot(config: RelayConfig) -> str:
    """A warning where the Pi itself pulls the pin to the level that opens until a program holds it; else empty."""
    pulled_up = config.pin <= LAST_PULLED_UP
    if pulled_up != config.active_high:
        return ""
    level, resistor = ("up", "down to ground") if pulled_up else ("down", "up to 3.3 V")
    return (
        f"; CAREFUL: a Pi that starts pulls pin {config.pin} {level}, which is this relay's ON: take another pin or "
        f"relay board, or pull it {resistor} with 10 kOhm"
    )


def click(config: RelayConfig, clock: Clock) -> bool:
    """``relay test``: one pulse, with a person who agrees before and says afterwards whether it clicked."""
    way = f"the guardian at {config.guardian}" if config.guardian else f"pin {config.pin}"
    print(f"The relay will be on for {TEST_SECONDS:g} s through {way}: the door will open. Be where you hear it.")
    if not _agreed("Go ahead?"):
        return False
    relay = make_relay(config)
    try:
        relay.pulse(open_seconds=TEST_SECONDS)
        clock.sleep(TEST_SECONDS)
        relay.off()
    finally:
        relay.close()
    return _agreed("Did it click on and off, and is the door shut again?")


def _agreed(question: str) -> bool:
    print(f"{question} [y/N] ", end="", flush=True)
    # The end of the input is nobody's consent.
    return sys.stdin.readline().strip().lower() in ("y", "yes")
