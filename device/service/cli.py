"""The door's commands, such as ``voicelatch run``; ``voicelatch --help`` lists them all."""

from __future__ import annotations

import argparse
import io
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from device.errors import ConfigError, StateError, VoicelatchError
from device.missing_library import EXIT_CODE, INSTALL, describe_import_error
from device.ports import Clock, EventSink, Microphone, Relay
from device.service import demo
from device.service.config import Config, EventsConfig, load_config, read_config
from device.service.config_command import add_parser as add_config_command
from device.service.events_command import add_parser as add_events
from device.service.forget import add_parser as add_forget
from device.service.gateway_command import add_parser as add_gateway
from device.service.key_command import add_parser as add_key
from device.service.levels_command import add_parser as add_levels
from device.service.listen_command import add_parser as add_listen
from device.service.record_command import add_parser as add_record
from device.service.recordings_command import add_parser as add_recordings
from device.service.scan_command import add_parser as add_scan
from device.service.use_command import add_parser as add_use
from device.service.web_command import add_parser as add_web
from device.service.where import DEFAULT_CONFIG
from device.terminal.bars import printable
from device.terminal.output import reader_is_gone, run_quietly
from device.verdict.safe_files import open_folder, replace_file

EXIT_CODES = (
    "Exit codes: 0 done, 1 not as expected, 2 wrong command line, 65 unusable bundle or sound, "
    "69 hardware, a library or the daemon is missing, 70 a defect, 73 cannot write, 78 wrong configuration, "
    "130 Ctrl-C, 141 nobody reads the output any more."
)
# What shells give for Ctrl-C.
INTERRUPTED = 130
CONFIG_HELP = "a TOML file; see systemd/voicelatch.toml"
_LOG = logging.getLogger(__name__)


def _events(config: EventsConfig, state: Path | None) -> EventSink:
    from device.service.events import FileEvents, StreamEvents
    from device.service.where import events_path

    if not config.path and state is None:
        return StreamEvents()
    # Where no path is named the journal has everything as well: it cannot be rewritten with the daemon's rights.
    copy = None if config.path else StreamEvents()
    path = events_path(config, state or Path())
    return FileEvents(path, max_bytes=round(config.max_megabytes * 1_000_000), keep_days=config.keep_days, copy=copy)


def _run(arguments: argparse.Namespace) -> int:
    from device.hardware.clock import SystemClock
    from device.hardware.supervisor import SystemdSupervisor
    from device.live.feed import Announced
    from device.service.clock_watch import ClockWatch, newest_unix_seconds
    from device.service.daemon import Hardware, Wishes, build_door, reload_door, serve, shut
    from device.service.extras import make_extras
    from device.service.signals import signalled
    from device.service.status import StatusFile, runtime_folder
    from device.service.trust import state_folder
    from device.service.where import events_path

    loaded, state = load_config(arguments.config), state_folder(None)
    config, clock = loaded.config, SystemClock()
    wishes = Wishes()
    wishes.install()
    runtime = runtime_folder(arguments.runtime_dir)
    status = StatusFile(runtime)
    extras = make_extras(config, clock, state=state, simulate=arguments.simulate, runtime=runtime, status=status)
    try:
        microphone, relay = _simulated(arguments.wav, clock) if arguments.simulate else _real(config, clock)
    except BaseException:
        # Nobody was judged: a start without a microphone, which systemd repeats, must not count as a failed visit.
        if extras.tries is not None:
            extras.tries.close()
        raise
    # Read before the log is opened for writing: closing a second connection may drop the first one's locks.
    logged = state is not None or bool(config.events.path)
    newest = newest_unix_seconds(events_path(config.events, state or Path())) if logged else None
    shown = signalled(_events(config.events, state), config.signals, clock, simulate=arguments.simulate,
                      chip_label=config.relay.chip_label)  # fmt: skip
    events = ClockWatch(Announced(shown, extras.feed), newest)
    hardware = Hardware(microphone=microphone, relay=relay, clock=clock,
                        supervisor=SystemdSupervisor.from_environment(), events=events,
                        status=status, extras=extras)  # fmt: skip
    try:
        hardware.status.starting()
        door = build_door(config, hardware)
    except BaseException:
        shut(hardware)
        raise
    serve(door, hardware, wishes, lambda: reload_door(door, arguments.config, hardware),
          problems=loaded.problems)  # fmt: skip
    return 0


def _real(config: Config, clock: Clock) -> tuple[Microphone, Relay]:
    from device.hardware.microphone import SounddeviceMicrophone
    from device.service.pin_in_use import remember_pin
    from device.service.relays import make_relay

    # The relay first: its pin is claimed and off before anything else can go wrong.
    remember_pin(config.relay)
    relay = make_relay(config.relay)
    try:
        return SounddeviceMicrophone(config.microphone.device or None, clock=clock), relay
    except BaseException:
        relay.close()
        raise


def _simulated(wavs: Sequence[Path], clock: Clock) -> tuple[Microphone, Relay]:
    from device.simulated.microphone import Segment, SimulatedMicrophone, silence
    from device.simulated.relay import SimulatedRelay

    segments: list[Segment] = [part for path in wavs for part in (path, silence(2.0))] or [silence(3600.0)]
    return SimulatedMicrophone(segments, clock=clock), SimulatedRelay(clock)


def _check(arguments: argparse.Namespace) -> int:
    from device.service.as_service import check_as_service
    from device.service.check import check_all, check_bundle
    from device.service.status import DEFAULT_FOLDER, look

    if arguments.as_service and (arguments.bundle is not None or arguments.simulate):
        raise ConfigError("the service checks its configuration and its hardware", where="--as-service",
                          next_step="leave --bundle and --simulate away")  # fmt: skip
    if arguments.as_service:
        findings = check_as_service(arguments.config.resolve() if arguments.config is not None else None)
    elif arguments.bundle is not None:
        findings = check_bundle(arguments.bundle)
    else:
        findings = check_all(arguments.config or DEFAULT_CONFIG, simulate=arguments.simulate)
    if arguments.json:
        print(json.dumps([asdict(each) for each in findings], indent=1))
    else:
        for each in findings:
            print(_printable(f"{'ok    ' if each.ok else 'FAILED'} {each.part}: {each.text}"))
    deaf = any(each.part == "microphone" and not each.ok for each in findings)
    if deaf and look(DEFAULT_FOLDER).listening:
        print(
            "note: the daemon listens and may have the microphone to itself: stop it, check, start it", file=sys.stderr
        )
    return max((each.exit_code for each in findings), default=0)


def _status(arguments: argparse.Namespace) -> int:
    from device.hardware.clock import SystemClock
    from device.service.clock_state import SystemClockState
    from device.service.status import DEFAULT_FOLDER, look, runtime_folder

    seen = look(runtime_folder(arguments.runtime_dir) or DEFAULT_FOLDER)
    clock = SystemClockState().problem(SystemClock().wall_time())
    print(json.dumps({**seen.as_table(), "clock": clock}, indent=1) if arguments.json
          else seen.as_text(now=datetime.now().astimezone()))  # fmt: skip
    if clock and not arguments.json:
        print(f"note: {clock}; whoever has hours may have to stay outside")
    return 0 if seen.listening else 69


def _bench(arguments: argparse.Namespace) -> int:
    from device.service.bench import bench

    told = bench(arguments.bundle, wav=arguments.wav)
    for name, value in told.items():
        print(f"{name:22s} {value:10.3f}")
    if arguments.json:
        try:
            with open_folder(arguments.json.parent, follow=True) as folder:
                replace_file(folder, arguments.json.name, json.dumps(told, indent=1).encode(), mode=0o644)
        except OSError as error:
            raise StateError("cannot be written", where=str(arguments.json), received=error) from error
    return 0


def _microphones(arguments: argparse.Namespace) -> int:
    from device.hardware.microphone import list_microphones

    found = list_microphones()
    if arguments.listen is not None:
        return _listen([each.name for each in found], arguments.listen, pick=arguments.pick)
    for each in found:
        print(f"{each.name}  ({each.channels} channels, {each.rate_hz} Hz)")
    if not found:
        print("no microphone; plug one in, and check that you are in group audio", file=sys.stderr)
    return 0 if found else 69


def _listen(names: Sequence[str], seconds: float, *, pick: bool) -> int:
    from device.hardware.clock import SystemClock
    from device.hardware.microphone import SounddeviceMicrophone
    from device.service.microphone_choice import choose, listen

    clock = SystemClock()
    print(f"Please speak: each of {len(names)} inputs is heard for {seconds:g} s.", file=sys.stderr)
    found = listen(names, seconds, clock, lambda name: SounddeviceMicrophone(name, clock=clock))
    for each in found:
        told = each.problem or f"{each.quiet_dbfs:.0f} to {each.loud_dbfs:.0f} dBFS"
        print(f"{each.name}  {told}", file=sys.stderr if pick else sys.stdout)
    if pick:
        print(choose(found).name)
    return 0 if any(not each.problem for each in found) else 69


def _relay_off(arguments: argparse.Namespace) -> int:
    from device.service.pin_in_use import recall_pin
    from device.service.relays import release

    release(recall_pin() or read_config(arguments.config).relay)
    return 0


def _relay(arguments: argparse.Namespace) -> int:
    from device.hardware.clock import SystemClock
    from device.service.relays import click

    return 0 if click(read_config(arguments.config).relay, SystemClock()) else 1


class Parser(argparse.ArgumentParser):
    """Its example, and those of its commands, can be typed as they stand: they name the program as it was called."""

    def __init__(self, *, epilog: str | None = None, **further: Any) -> None:
        super().__init__(epilog=epilog and epilog.replace("python -m device", _called()), **further)


def build_parser() -> argparse.ArgumentParser:
    """All commands of the door."""
    parser = Parser(prog=_called(), description="Opens the door for the voices it knows.",
                                     epilog=EXIT_CODES)  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, action: Callable[[argparse.Namespace], int], text: str, example: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, epilog=f"Example: {example}. {EXIT_CODES}")
        made.set_defaults(action=action)
        return made

    def add_config(made: argparse.ArgumentParser, default: Path | None = None) -> None:
        told = CONFIG_HELP if default is None else f"a TOML file (default: {default})"
        made.add_argument("--config", type=Path, required=default is None, default=default, help=told)

    def add_runtime_dir(made: argparse.ArgumentParser) -> None:
        made.add_argument("--runtime-dir", type=Path, default=None,
                          help="folder of the daemon's status.json (default: systemd's)")  # fmt: skip

    runner = add("run", _run, "Listen and drive the relay until stopped.",
                 "python -m device run --config systemd/voicelatch.toml")  # fmt: skip
    add_config(runner)
    runner.add_argument("--simulate", action="store_true", help="no hardware: play --wav, or silence, in real time")
    runner.add_argument("--wav", type=Path, nargs="*", default=[], help="what the simulated microphone hears")
    add_runtime_dir(runner)
    check = add("check", _check, "Verify configuration, bundle, runtime, microphone and relay; or one bundle alone.",
                "python -m device check --bundle models/household")  # fmt: skip
    what = check.add_mutually_exclusive_group()
    what.add_argument("--config", type=Path, help=f"a TOML file (default: {DEFAULT_CONFIG})")
    what.add_argument("--bundle", type=Path, help="a bundle's folder, or a models folder")
    check.add_argument("--simulate", action="store_true", help="leave microphone and relay out")
    check.add_argument("--as-service", action="store_true",
                       help="in the installed unit's sandbox, as its user (run as root; stop the daemon)")  # fmt: skip
    check.add_argument("--json", action="store_true", help="print JSON")
    state = add("status", _status, "Say whether the daemon listens, and with which bundle.",
                "python -m device status --json")  # fmt: skip
    add_runtime_dir(state)
    state.add_argument("--json", action="store_true", help="print JSON")
    demo.add_arguments(add("demo", demo.run, "Play a recorded evening through the door.", "python -m device demo"))
    measure = add("bench", _bench, "Time every stage on this machine.", "python -m device bench --json bench.json")
    measure.add_argument("--bundle", type=Path, default=Path("models"))
    measure.add_argument("--wav", type=Path, default=demo.EVENING.parent / "anna.wav", help="speech to measure with")
    measure.add_argument("--json", type=Path, default=None, help="also write the figures here")
    ears = add("microphones", _microphones, "List what can record, or listen to each and pick one.",
               "voicelatch microphones --listen 5 --pick")  # fmt: skip
    ears.add_argument("--listen", type=float, default=None, metavar="SECONDS", help="listen to each input that long")
    ears.add_argument("--pick", action="store_true", help="with --listen: print the name that heard speech best")
    relay = add("relay", _relay, "Click the relay, with a person who looks on.",
                "python -m device relay test")  # fmt: skip
    relay.add_argument("what", choices=("test",))
    add_config(relay, DEFAULT_CONFIG)
    add_config(add("relay-off", _relay_off, "Drive the pin off; run after any death of the daemon.",
                   "python -m device relay-off --config /etc/voicelatch/voicelatch.toml"))  # fmt: skip
    add_config_command(commands, _check)
    add_events(commands)
    add_forget(commands)
    add_gateway(commands)
    add_key(commands)
    add_levels(commands)
    add_listen(commands)
    add_record(commands)
    add_recordings(commands)
    add_scan(commands)
    add_use(commands)
    add_web(commands)
    return parser


def _called() -> str:
    """How this program was called, so that the usage can be typed again."""
    return "python -m device" if Path(sys.argv[0]).name == "__main__.py" else "voicelatch"


def _printable(text: str) -> str:
    """Lines in which the name of a file cannot move the cursor."""
    return "\n".join(map(printable, text.split("\n")))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    return run_quietly(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name, or a quotation mark, that this terminal cannot show is no reason to end.
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        return int(arguments.action(arguments))
    except VoicelatchError as error:
        print(_printable(f"error: {error}"), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        sentence = describe_import_error(error, install=INSTALL) if isinstance(error, ImportError) else None
        if sentence is not None:
            print(sentence, file=sys.stderr)
            return EXIT_CODE
        if isinstance(error, BrokenPipeError) and reader_is_gone():
            raise
        # The last line of defence: the relay was put off on the way here; systemd restarts us.
        _LOG.exception("a defect; please report it")
        return 70
