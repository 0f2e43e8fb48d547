"""``voicelatch events review``: listen to kept clips and say who it was. Nothing is ever labelled by itself."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Protocol

from device.errors import RuntimeMissingError, VoicelatchError
from device.service.config import read_config
from device.service.kept_clips import KeptClip, Label, clip_path, delete_clip, label_clip, list_clips, people_of
from device.service.where import enter_state
from device.sound.pcm import Samples
from device.sound.wavfile import read_wav
from device.terminal.bars import printable

HELP = (
    "  number: that resident   s: a stranger   s NAME: a stranger you know   p: again   k: skip   d: delete   q: quit"
)


class Player(Protocol):
    """Plays int16 ``(n,)`` at 16 kHz; raises :class:`RuntimeMissingError` where it cannot."""

    def play(self, samples: Samples) -> None: ...


def review(
    state: Path, people: Sequence[str], *, player: Player | None, ask: Callable[[str], str], now: Callable[[], datetime]
) -> dict[str, int]:
    """Walk through the clips below ``state``; how many were ``labelled``, ``skipped`` and ``deleted``, and how many are
    ``left``. ``ask`` shows its text and returns a line; it raises EOFError at the end of the input."""
    done = {"labelled": 0, "skipped": 0, "deleted": 0}
    clips = list_clips(state, people)
    for number, clip in enumerate(clips, start=1):
        print(f"\n{number} of {len(clips)}  {_told(clip)}")
        outcome = _one(state, clip, people, player=player, ask=ask, now=now)
        if outcome == "quit":
            break
        done[outcome] += 1
    return {**done, "left": len(list_clips(state))}


def _one(
    state: Path,
    clip: KeptClip,
    people: Sequence[str],
    *,
    player: Player | None,
    ask: Callable[[str], str],
    now: Callable[[], datetime],
) -> str:
    """What became of one clip: ``labelled``, ``skipped``, ``deleted``; or ``quit``."""
    shown = "   ".join(f"{place} {printable(name)}" for place, name in enumerate(people, start=1))
    _play(state, clip, player)
    while True:
        try:
            answer = ask(f"  {shown}\n{HELP}\n> ").strip()
        except EOFError:
            return "quit"
        try:
            match answer.split(maxsplit=1):
                case ["q"]:
                    return "quit"
                case ["k"]:
                    return "skipped"
                case ["p"]:
                    _play(state, clip, player)
                case ["d"]:
                    delete_clip(state, clip.name)
                    return "deleted"
                case ["s", *name]:
                    return _label(state, clip, Label("others", name[0] if name else ""), people, now())
                case [number] if number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= len(people):
                    return _label(state, clip, Label("allowed", people[int(number[:9]) - 1]), people, now())
                case _:
                    print("  not an answer")
        except VoicelatchError as error:
            print(f"  {error}")


def _label(state: Path, clip: KeptClip, label: Label, people: Sequence[str], now: datetime) -> str:
    print(f"  now {label_clip(state, clip.name, label, people=people, now=now)}")
    return "labelled"


def _play(state: Path, clip: KeptClip, player: Player | None) -> None:
    try:
        path = clip_path(state, clip.name)
        print(f"  {path}")
        if player is not None:
            player.play(read_wav(path))
    except VoicelatchError as error:
        print(f"  {error}")


def _told(clip: KeptClip) -> str:
    return (
        f"{clip.heard_at:%Y-%m-%d %H:%M:%S}  {clip.seconds:.1f} s, most like {clip.nearest}, the door said: "
        f"{clip.outcome.replace('_', ' ')}"
    )


def _player() -> Player | None:
    from device.hardware.loudspeaker import Loudspeaker

    try:
        return Loudspeaker()
    except RuntimeMissingError as error:
        print(f"{error}\nClips are named instead of played.")
        return None


def _review(arguments: argparse.Namespace) -> int:
    config, state = read_config(arguments.config), enter_state(arguments.state_dir)
    people = people_of(config, state)
    if arguments.list:
        for clip in list_clips(state, people):
            told = {**asdict(clip), "heard_at": clip.heard_at.isoformat(), "path": str(clip_path(state, clip.name))}
            print(json.dumps(told, ensure_ascii=False) if arguments.json else f"{_told(clip)}  {clip.name}")
        return 0
    if not list_clips(state, people):
        kept = "" if config.privacy.keep_clips else "; [privacy] keep_clips is off, so that none are kept"
        print(f"no clip waits to be looked at{kept}")
        return 0
    try:
        done = review(state, people, player=None if arguments.silent else _player(), ask=input,
                      now=lambda: datetime.now().astimezone())  # fmt: skip
    except KeyboardInterrupt:
        print("\nwhat was labelled stays labelled")
        return 0
    print(", ".join(f"{count} {what}" for what, count in done.items()))
    return 0


def add_parser(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``review`` to the commands of ``events``; ``add`` makes one of these."""
    made = add(
        "review", _review, "Listen to kept clips and say who it was; the next training learns from it.", "review"
    )
    made.add_argument("--list", action="store_true", help="only name the clips that wait")
    made.add_argument("--json", action="store_true", help="with --list: one JSON object a clip")
    made.add_argument("--silent", action="store_true", help="name the files instead of playing them")
