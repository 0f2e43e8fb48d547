"""Kept clips that nobody has looked at yet, and what becomes of them once somebody has: for the terminal and the page.

A clip is labelled by a person alone. It then moves from ``clips`` to the recordings, where the next training finds it,
with a file beside it that says who is heard and when that was said; quota and age concern it no longer. Its new name
holds nobody's name: it was kept under that of the resident it was most like, who may ask to be forgotten.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from device.errors import DataError, StateError, VoicelatchError
from device.names import normalise
from device.ownership import give_to_owner_of_folder
from device.service.config import Config
from device.service.privacy import CLIPS, RECORDINGS, make_private, safe
from device.service.recordings import check_person, folder_of
from device.sound.pcm import SAMPLE_RATE_HZ
from device.verdict.bundle import load_bundle, resolve_current

_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6})-(\d+)-([^-/]*)-([a-z_]+)\.wav")
_WAV_HEADER_BYTES = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptClip:
    """A clip on disk. ``heard_at`` is the door's calendar, without a zone; ``nearest`` the resident it was most like
    (as its file's name has it, where that is nobody's known), ``outcome`` what was decided, ``seconds`` its length."""

    name: str
    heard_at: datetime
    nearest: str
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Label:
    """Who is heard: a resident (``allowed``), or somebody else (``others``), whose ``person`` may be empty."""

    role: Literal["allowed", "others"]
    person: str = ""


def list_clips(state: Path, people: Iterable[str] = ()) -> tuple[KeptClip, ...]:
    """The clips below the state directory that wait for a label, oldest first. Raises :class:`StateError` where the
    folder may not be read."""
    folder, names = state / CLIPS, {safe(each): each for each in people}
    try:
        entries = sorted(os.scandir(folder), key=lambda each: each.name)
        sizes = [(each.name, each.stat().st_size) for each in entries if each.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StateError("kept clips cannot be read", where=str(folder), received=error,
                         next_step="ask as the daemon's user or as root") from error  # fmt: skip
    found = []
    for name, size in sizes:
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        try:
            heard_at = datetime.strptime(match[1], "%Y%m%dT%H%M%S.%f")
        except ValueError:
            continue
        seconds = max(0, size - _WAV_HEADER_BYTES) / 2 / SAMPLE_RATE_HZ
        found.append(KeptClip(name=name, heard_at=heard_at, nearest=names.get(match[3], match[3]), outcome=match[4],
                              seconds=round(seconds, 2)))  # fmt: skip
    return tuple(found)


def people_of(config: Config, state: Path) -> tuple[str, ...]:
    """Whom a clip may be said to be: the bundle's residents, and who has recordings as one. A bundle that cannot be
    used knows nobody here; the daemon says what is wrong with it."""
    found = recorded_residents(state)
    try:
        found |= set(load_bundle(resolve_current(Path(config.model.bundle))).residents)
    except VoicelatchError:
        return tuple(sorted(found))
    return tuple(sorted(found))


def recorded_residents(state: Path) -> set[str]:
    """Who has recordings as a resident."""
    folder = state / RECORDINGS / "allowed"
    return {normalise(path.name) for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()


def clip_path(state: Path, name: str) -> Path:
    """Where the clip is, to play it. Raises :class:`DataError` for what is no clip's name, or for one that is gone."""
    path = state / CLIPS / name
    if _NAME.fullmatch(name) is None or path.is_symlink() or not path.is_file():
        raise DataError(
            "there is no such clip", where=str(state / CLIPS), received=repr(name)[:200],
            next_step="look again: the oldest go when there are too many",
        )  # fmt: skip
    return path


def label_clip(state: Path, name: str, label: Label, *, people: Sequence[str], now: datetime) -> Path:
    """Say who is heard in clip ``name``, at ``now``; where it is now.

    Somebody without a name gets that of the minute in which they were heard, so that one visit is one voice. Raises
    :class:`DataError` for a clip that is not there and for a resident who is not one of ``people`` (a new one begins
    with `device record`), :class:`StateError` when it cannot be moved; then it is where it was.
    """
    path = clip_path(state, name)
    (clip,) = (each for each in list_clips(state, people) if each.name == name)
    person = _person(clip, label, people)
    day = clip.heard_at.strftime("%Y-%m-%d")
    folders = [state / RECORDINGS, state / RECORDINGS / label.role]
    folders += [folder_of(folders[-1], person), folder_of(folders[-1], person) / day]
    count = name.split("-")[1]
    kept = folders[-1] / f"door-{clip.heard_at:%Y%m%dT%H%M%S.%f}-{count}.wav"
    told = {"role": label.role, "person": person, "heard": clip.heard_at.isoformat(), "outcome": clip.outcome,
            "labelled": now.isoformat(timespec="seconds"), "by": "a person, after listening"}  # fmt: skip
    try:
        for folder in folders:
            if not folder.exists():
                make_private(folder)
                give_to_owner_of_folder(folder)
        if kept.exists():
            raise DataError("a clip of this moment has been labelled already", where=str(kept))
        # First what it is, then the clip: a label without a clip harms nobody.
        _write(kept.with_suffix(".json"), json.dumps(told, ensure_ascii=False, indent=1) + "\n")
        os.replace(path, kept)
    except OSError as error:
        raise StateError("the clip cannot be labelled", where=str(folders[-1]), received=error,
                         next_step="run as the daemon's user or as root; or look at the disk") from error  # fmt: skip
    return kept


def delete_clip(state: Path, name: str) -> None:
    """Remove the clip. Raises :class:`DataError` where there is none, :class:`StateError` where it cannot be."""
    path = clip_path(state, name)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StateError("the clip cannot be removed", where=str(path), received=error) from error


def _person(clip: KeptClip, label: Label, people: Sequence[str]) -> str:
    if label.role == "allowed":
        person = normalise(label.person)
        if person not in people:
            raise DataError(
                "not a resident", where=clip.name, received=repr(label.person),
                allowed=", ".join(people) or "nobody yet",
                next_step="record a new resident first: voicelatch record NAME",
            )  # fmt: skip
        return person
    person = check_person(label.person) if label.person.strip() else f"visitor-{clip.heard_at:%Y%m%dT%H%M}"
    if person in people:
        raise DataError("a resident is no stranger", where=clip.name, received=person,
                        next_step="label the clip as the resident's, or give another name")  # fmt: skip
    return person


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    give_to_owner_of_folder(fresh)
    os.replace(fresh, path)
