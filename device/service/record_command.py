"""``voicelatch record``: enrol somebody at the door's own microphone, and see who has how much."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from device.enrolment.progress import GOALS, Progress, Role, missing
from device.enrolment.prompts import SENTENCES, Prompt, prompts_for
from device.enrolment.takes import Judged, NoiseCutter, Take, TakeCutter, judge_noise, judge_take
from device.errors import ConfigError
from device.service.ears import Ears, add_arguments, opened
from device.service.record import Cutter, Display, Session
from device.service.record_view import JsonDisplay, TerminalDisplay
from device.service.recordings import Shelf, check_person, speech_marks
from device.service.where import enter_state
from device.settings import within
from device.sound.pcm import Samples
from device.sound.vad import VadSpec, WebRtcDetector
from device.terminal.bars import bar, printable
from device.terminal.screen import Screen, is_terminal

STATUS = "status"
LONGEST_SENTENCE = 300
EXIT_CODES = (
    "Exit codes: 0 enough for today, or ended by Ctrl-C; 1 the sound ended before that; 2 wrong command line, 65 a "
    "damaged recording, 66 not a name, 69 no microphone, or the daemon has it, 73 cannot write, 78 wrong configuration."
)
NAMES = {"allowed": "residents", "others": "others", "strangers": "strangers", "noise": "background of the door"}


class TakeStore(Protocol):
    """Where takes go: :class:`~device.service.recordings.Shelf`, or the running daemon's over its socket."""

    def of(self, role: Role, person: str) -> Progress: ...

    def keep(self, samples: Samples, role: Role, person: str, day: str) -> Path: ...


def make_session(
    ears: Ears,
    shelf: TakeStore,
    role: Role,
    person: str,
    display: Display,
    *,
    target_seconds: float,
    now: datetime,
    sentences: Sequence[str] = SENTENCES,
) -> Session:
    """A session for ``person`` (empty for noise) with the prompts that come next. Creates nothing yet."""
    today = f"{now:%Y-%m-%d}"
    before = shelf.of(role, person)
    prompts: Sequence[Prompt] = ()
    if role != "noise":
        prompts = prompts_for(sum(each.name != today for each in before.days), sentences)
    cutter: Cutter = NoiseCutter() if role == "noise" else TakeCutter()
    return Session(
        person=person, microphone=ears.microphone, detector=WebRtcDetector(VadSpec()), clock=ears.clock, cutter=cutter,
        prompts=prompts, judge=_judge, keep=lambda samples: shelf.keep(samples, role, person, today), display=display,
        before=before, today=today, target_seconds=target_seconds,
        number=next((each.takes for each in before.days if each.name == today), 0),
    )  # fmt: skip


def _judge(take: Take, prompt: Prompt | None) -> Judged:
    # Counted from a fresh start, as `record status` and training will: live, the detector had heard what was before.
    heard = Take(take.samples, speech_marks(take.samples))
    return judge_noise(heard) if prompt is None else judge_take(heard, prompt.manner)


def _command(arguments: argparse.Namespace) -> int:
    shelf = Shelf(enter_state(arguments.state_dir))
    if arguments.person == STATUS:
        return _status(shelf, as_json=arguments.json)
    role, person = _whom(arguments)
    target_seconds = arguments.seconds if arguments.seconds is not None else GOALS[role].seconds_a_day
    within("--seconds", target_seconds, 1.0, 3600.0)
    sentences = SENTENCES if arguments.sentences is None else read_sentences(arguments.sentences)
    screen = Screen(out=sys.stdout, live=is_terminal(sys.stdout) and not arguments.json)
    display: Display = JsonDisplay(screen) if arguments.json else TerminalDisplay(screen)
    session, interrupted = None, False
    try:
        with opened(arguments, hold=True) as ears:
            session = make_session(ears, shelf, role, person, display, target_seconds=target_seconds,
                                   now=ears.clock.wall_time(), sentences=sentences)  # fmt: skip
            if not arguments.json:
                print(f"{_title(role, person)}: {target_seconds:g} s for today, {session.today_seconds:.0f} s are "
                      f"there.\nMicrophone: {ears.name}\nRecordings: {shelf.folder}")  # fmt: skip
            session.hold()
    except KeyboardInterrupt:
        interrupted = True
    if session is not None:
        _tell_end(session, as_json=arguments.json)
    return 0 if interrupted or (session is not None and session.enough) else 1


def read_sentences(path: Path) -> tuple[str, ...]:
    """One a line; empty lines are left out. Raises :class:`ConfigError` for a file without any, or that is no text."""
    try:
        lines = [printable(line.strip()) for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cannot be read as text", where=str(path), received=error) from error
    found = tuple(line for line in lines if line)
    if not found or max(map(len, found)) > LONGEST_SENTENCE:
        raise ConfigError("not a list of sentences", where=str(path), received=f"{len(found)} lines",
                          allowed=f"one sentence a line, each of at most {LONGEST_SENTENCE} characters")  # fmt: skip
    return found


def _whom(arguments: argparse.Namespace) -> tuple[Role, str]:
    asked: dict[Role, str | None] = {
        "allowed": arguments.person,
        "others": arguments.others,
        "strangers": arguments.strangers,
        "noise": "" if arguments.room else None,
    }
    given: list[tuple[Role, str]] = [(role, name) for role, name in asked.items() if name is not None]
    if len(given) != 1:
        raise ConfigError(
            "whom to record is not clear", where="record", received=f"{len(given)} of them",
            allowed="one of PERSON, --others NAME, --strangers NAME, --room; or status",
        )  # fmt: skip
    role, name = given[0]
    return role, name if role == "noise" else check_person(name)


def _title(role: Role, person: str) -> str:
    return "The background of the door" if role == "noise" else f"{person} ({NAMES[role]})"


def _tell_end(session: Session, *, as_json: bool) -> None:
    progress = session.progress
    left = missing(progress, today=session.today)
    if as_json:
        print(json.dumps({"person": session.person, "kept_takes": session.kept, "refused_takes": session.refused,
                          "today_seconds": round(session.today_seconds, 1), "percent": progress.percent,
                          "missing": left}, ensure_ascii=False))  # fmt: skip
        return
    print(f"\nKept {counted(session.kept)}, refused {session.refused}; {session.today_seconds:.0f} s today, "
          f"{progress.percent} % of enough.")  # fmt: skip
    print(f"Missing yet: {left}." if left else "That is enough. Next, in the workshop: python -m training pull pi@door")


def _status(shelf: Shelf, *, as_json: bool) -> int:
    today = f"{datetime.now():%Y-%m-%d}"
    found = shelf.progress()
    if as_json:
        print(json.dumps([status_table(each, today=today) for each in found], indent=1, ensure_ascii=False))
        return 0
    if not found:
        print(f"Nothing was recorded here yet ({shelf.folder}). Begin with: voicelatch record NAME")
    for each in found:
        for line in status_lines(each, today=today):
            print(line)
    return 0


def status_lines(progress: Progress, *, today: str) -> list[str]:
    """One person for a terminal of 80 columns."""
    name = printable(progress.name or NAMES["noise"])
    days = "1 day" if len(progress.days) == 1 else f"{len(progress.days)} days"
    role = "" if progress.role in ("allowed", "noise") else f" ({progress.role})"
    lines = [f"{name + role:28.28s} [{bar(progress.enough_share, 20)}] {progress.percent:3d} %  "
             f"{progress.seconds:4.0f} s, {days}"]  # fmt: skip
    lines += [f"    {each.name}  {each.seconds:4.0f} s in {counted(each.takes)}" for each in progress.days]
    left = missing(progress, today=today)
    return [*lines, f"    missing: {left}" if left else "    enough"]


def counted(takes: int) -> str:
    return "1 take" if takes == 1 else f"{takes} takes"


def status_table(progress: Progress, *, today: str) -> dict[str, object]:
    """The same, ready for JSON."""
    return {
        "role": progress.role, "person": progress.name, "percent": progress.percent,
        "seconds": round(progress.seconds, 1), "missing": missing(progress, today=today),
        "days": [{"day": each.name, "takes": each.takes, "seconds": each.seconds} for each in progress.days],
    }  # fmt: skip


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``record`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = (
        "Record somebody at the door's own microphone, sentence by sentence: only net speech counts, and clipped or "
        "noisy takes are refused with the reason. `record status` says who has how much, and what is missing."
    )
    parser: argparse.ArgumentParser = commands.add_parser(
        "record", help="Enrol somebody at the door's own microphone; `record status` says who has how much.",
        description=text, epilog=f"Example: python -m device record Anna. {EXIT_CODES}",
    )  # fmt: skip
    parser.add_argument("person", nargs="?", default=None, metavar="PERSON", help="a resident's name; or: status")
    parser.add_argument("--others", default=None, metavar="NAME", help="a guest or neighbour: makes thresholds better")
    parser.add_argument("--strangers", default=None, metavar="NAME", help="somebody kept for the final test only")
    parser.add_argument("--room", action="store_true", help="the background of the door, while nobody speaks")
    parser.add_argument("--seconds", type=float, default=None,
                        help="of net speech for today (default: 60; 30 for others and strangers)")  # fmt: skip
    parser.add_argument("--sentences", type=Path, default=None, metavar="FILE",
                        help="what to say, one sentence a line, in your language (default: English ones)")  # fmt: skip
    add_arguments(parser)
    parser.add_argument("--state-dir", type=Path, default=None,
                        help="the daemon's state directory (default: systemd's)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object a take")
    parser.set_defaults(action=_command)
    return parser
