"""``python -m device.guardian run | off | test``."""

from __future__ import annotations

import argparse
import logging
import math
import pwd
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from device.guardian.budget import BudgetFile
from device.guardian.entrance import listen
from device.guardian.errors import GuardianError, SettingsError
from device.guardian.notify import Notify
from device.guardian.pin import GpioPin, Pin, load_backend
from device.guardian.server import Server
from device.guardian.settings import GuardianSettings, PinSettings, pin_to_release, read_settings, remember_pin
from device.guardian.watchdog import PulseWatchdog, claim_when_free, start_watchdog

EXIT_CODES = (
    "Exit codes: 0 done, 1 nobody saw it click, 2 wrong command line, 69 the pin, 70 a defect, 71 the second process, "
    "73 the socket, 78 wrong configuration."
)
DEFAULT_CONFIG = Path("/etc/voicelatch/voicelatch.toml")
TEST_SECONDS = 1.0
_LOG = logging.getLogger("device.guardian")

MakePin = Callable[[PinSettings], Pin]
Prepare = Callable[[PinSettings], None]


def claim(settings: PinSettings) -> Pin:
    """The real pin, off."""
    return GpioPin(settings.pin, active_high=settings.active_high, backend=settings.pin_factory,
                   chip_label=settings.chip_label)  # fmt: skip


def load(settings: PinSettings) -> None:
    """The real pin's library."""
    load_backend(settings.pin_factory)


def _run(arguments: argparse.Namespace, make_pin: MakePin, prepare: Prepare) -> int:
    stop: list[int] = []
    wake, waker = socket.socketpair()
    for each in (wake, waker):
        each.setblocking(False)
    # Before the pin is claimed: a signal that comes in any later ends in the loop's `finally`.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: stop.append(received))
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    settings = read_settings(arguments.config)
    daemon_uid = uid_of(arguments.user)
    remember_pin(settings.pin)
    # First, since a process with threads, as lgpio makes them, does not fork well.
    watchdog = start_watchdog(claim=lambda: make_pin(settings.pin), prepare=lambda: prepare(settings.pin),
                              clock=time.monotonic)  # fmt: skip
    try:
        _serve(settings, make_pin(settings.pin), watchdog, daemon_uid, wake, stop)
    finally:
        watchdog.close()
    _LOG.info("stopped by signal %d", stop[0])
    return 0


def _serve(settings: GuardianSettings, pin: Pin, watchdog: PulseWatchdog, daemon_uid: int, wake: socket.socket,
           stop: list[int]) -> None:  # fmt: skip
    try:
        listener = listen(settings.socket)
        with listener:
            Server(
                listener=listener, wake=wake, pin=pin, limits=settings.limits, budget=settings.budget,
                budget_file=BudgetFile(), daemon_uid=daemon_uid, notify=Notify(), watchdog=watchdog,
                clock=time.monotonic, boot_clock=lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
            ).run(lambda: bool(stop))  # fmt: skip
        watchdog.renew(math.inf)
    finally:
        pin.close()


def _off(arguments: argparse.Namespace, make_pin: MakePin, _prepare: Prepare) -> int:
    settings = pin_to_release(arguments.config)
    # The guardian's second process may be driving it off just now.
    pin = claim_when_free(lambda: make_pin(settings), time.monotonic)
    try:
        is_on = pin.read()
    finally:
        pin.close()
    if is_on:
        raise GuardianError(f"pin {settings.pin} does not go off", next_step="cut the relay's power")
    _LOG.info("pin %d is off", settings.pin)
    return 0


def _test(arguments: argparse.Namespace, make_pin: MakePin, _prepare: Prepare) -> int:
    settings = read_settings(arguments.config)
    print(
        f"Pin {settings.pin.pin} will be on for {TEST_SECONDS:g} s: the door will open. Stand where you hear the relay."
    )
    if not _agreed("Go ahead?"):
        return 1
    pin = make_pin(settings.pin)
    try:
        pin.drive(True)
        time.sleep(TEST_SECONDS)
    finally:
        pin.close()
    return 0 if _agreed("Did it click on and off, and is the door shut again?") else 1


def _agreed(question: str) -> bool:
    print(f"{question} [y/N] ", end="", flush=True)
    # The end of the input is nobody's consent.
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def uid_of(user: str) -> int:
    """The id of a user by name or number. Raises :class:`SettingsError` for an unknown name."""
    if user.isascii() and user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError as error:
        raise SettingsError("there is no such user", received=user, next_step="systemd/install.sh makes it") from error


def build_parser() -> argparse.ArgumentParser:
    """The guardian's three commands."""
    parser = argparse.ArgumentParser(
        prog="python -m device.guardian", description="Owns the relay's pin.", epilog=EXIT_CODES
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, action, text in (
        ("run", _run, "Guard the pin until stopped."),
        ("off", _off, "Drive the pin off and leave; run after any death of the guardian."),
        ("test", _test, "Click the relay, with a person who looks on. The guardian must be stopped meanwhile."),
    ):
        example = f"python -m device.guardian {name} --config {DEFAULT_CONFIG}"
        made = commands.add_parser(name, help=text, description=text, epilog=f"Example: {example}. {EXIT_CODES}")
        made.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the daemon's configuration")
        made.set_defaults(action=action)
        if name == "run":
            made.add_argument("--user", default="voicelatch", help="whose process may ask (name or number)")
    return parser


def main(argv: Sequence[str] | None = None, *, make_pin: MakePin = claim, prepare: Prepare = load) -> int:
    """Run one command; return its exit code. ``prepare`` loads what ``make_pin`` needs."""
    arguments = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        return int(arguments.action(arguments, make_pin, prepare))
    except GuardianError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except Exception:
        # The pin was driven off on the way here; systemd starts us again.
        _LOG.exception("a defect; please report it")
        return 70


if __name__ == "__main__":
    sys.exit(main())
