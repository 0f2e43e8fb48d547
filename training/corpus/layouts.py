"""Where recordings stand, and what that says of them: our own layout, and those in which public corpora come.

========== =================================================================================================
folder     ``allowed/<person>/[<session>/]*``, ``others/<speaker>/...``, ``strangers/...``, ``crowd/``, ``noise/``,
           ``rir/``; recordings directly below a person are session ``1``
librispeech ``.../<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac``; a chapter is a session
daps       ``<device>/<f1>_<script1>_<device>.wav``; a script is a session on whatever device it was played
noise, rir  any folder of sounds, or of room responses
========== =================================================================================================

Speakers of a public corpus are called after it (``librispeech-84``), since numbers repeat between corpora.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from device.errors import ConfigError, DataError
from device.names import normalise, person_name, repeated
from device.sound.content import SOUND_SUFFIXES, promised_kind
from training.corpus.names import is_readable, readable

_LOG = logging.getLogger(__name__)
Role = Literal["allowed", "others", "strangers", "crowd", "noise", "rir"]
ROLES: tuple[Role, ...] = get_args(Role)
# What public corpora come in. A household's files are known by their content.
SUFFIXES = (".wav", ".flac", ".ogg")
EVALUATE_ONLY = "evaluate-only"
LAYOUT = "allowed/<person>/[<session>/]*, others/<speaker>/..., noise/..., rir/..."

_LIBRISPEECH = re.compile(r"(?:^|/)(\d+)/(\d+)/\1-\2-\d+\.flac$")
_DAPS = re.compile(r"(?:^|/)[a-z0-9_]+/([fm]\d+)_(script\d+)_[a-z0-9_]+\.wav$")


@dataclass(frozen=True, slots=True)
class Place:
    """What a file's place says: ``speaker`` and ``session`` are empty for noise and rooms."""

    role: Role
    speaker: str
    session: str


@dataclass(frozen=True, slots=True)
class Source:
    """A folder of recordings and the layout it is in."""

    layout: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Found:
    """Sound files by name (relative to the household's folder, forward slashes), why others are left out, and whose
    folders stand in ``allowed/``, with or without a usable file."""

    places: dict[str, Place]
    left_out: dict[str, str]
    residents: frozenset[str] = frozenset()


def parse_source(text: str) -> Source:
    """``librispeech:corpora/LibriSpeech`` and the like. Raises :class:`ConfigError` for an unknown layout."""
    layout, colon, folder = text.partition(":")
    if not colon or layout not in LAYOUTS or not folder:
        raise ConfigError(
            "not a corpus",
            where="data.corpora",
            received=text,
            allowed=f"LAYOUT:FOLDER with one of {', '.join(LAYOUTS)}",
        )
    return Source(layout, Path(folder))


def find_recordings(source: Source, *, root: Path, allowed: Collection[str]) -> Found:
    """Every sound file of ``source``, with what its place says. ``allowed`` names the residents in layouts that do not.

    Raises :class:`DataError` when the folder is not there or, in our own layout, when a recording stands outside a
    speaker's folder.
    """
    folder = source.folder
    if not folder.is_dir():
        raise DataError(
            "no such folder of recordings",
            where=str(folder),
            next_step="mend data.folder or data.corpora in the recipe",
        )
    left_out: dict[str, str] = {}
    named = {normalise(each) for each in allowed}
    residents: frozenset[str] = frozenset()
    if source.layout == "folder":
        for each in sorted(folder.iterdir()):
            if each.is_dir() and each.name not in ROLES and not each.name.startswith((".", "_")):
                left_out[readable(each.name)] = f"not one of the folders {', '.join(ROLES)}"
        residents = folders_of(folder / "allowed")
        paths: list[Path] = [path for role in ROLES for path in _walk(folder / role)]
    else:
        paths = list(_walk(folder))
    places: dict[str, Place] = {}
    if source.layout == "folder":
        _say_twins(folder)
    for path in paths:
        # Relative also for a corpus beside the household, so that names do not depend on the machine.
        name = Path(os.path.relpath(path, root)).as_posix()
        inside = path.relative_to(folder).as_posix()
        # Hidden files are nobody's recordings; of a Mac's resource files somebody wants to hear.
        hidden = path.name.startswith(".") and path.suffix.lower() not in SUFFIXES
        if hidden or not (path.suffix.lower() in SOUND_SUFFIXES or promised_kind(path)):
            continue
        if not is_readable(name):
            left_out[readable(name)] = "its name is no UTF-8: rename it (convmv -f latin1 -t utf8 -r --notest FOLDER)"
        else:
            place = LAYOUTS[source.layout](inside)
            if isinstance(place, str):
                left_out[name] = place
            else:
                resident = place.role == "others" and place.speaker in named
                places[name] = Place("allowed", place.speaker, place.session) if resident else place
    return Found(places, left_out, residents)


def folders_of(folder: Path) -> frozenset[str]:
    """The people whose folders stand in ``folder``, by their one name."""
    if not folder.is_dir():
        return frozenset()
    names = [each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")]
    return frozenset(normalise(readable(name)) for name in names)


def _walk(folder: Path) -> Iterator[Path]:
    """All files below ``folder`` in path order. A link to a folder above itself is not followed: it never ends."""
    paths: list[Path] = []
    for base, folders, names in os.walk(folder, followlinks=True):
        here = Path(base).resolve()
        folders[:] = [name for name in folders if not here.is_relative_to(Path(base, name).resolve())]
        paths += [Path(base, name) for name in names]
    yield from sorted(paths)


def _household(name: str) -> Place:
    parts = name.split("/")[1:]
    role = next(each for each in ROLES if name.startswith(each + "/"))
    if role in ("noise", "rir"):
        return Place(role, "", "")
    if role == "crowd":
        return Place(role, "unknown", "1")
    if len(parts) == 1 and not parts[0].startswith("._"):
        raise DataError(
            "a recording must stand in its speaker's folder",
            where=name,
            allowed=LAYOUT,
            next_step=f"move it to {role}/<speaker>/",
        )
    speaker = person_name(parts[0], where=name) if role == "allowed" else normalise(parts[0])
    return Place(role, speaker, normalise("/".join(parts[1:-1])) or "1")


def _say_twins(folder: Path) -> None:
    """Two folders whose names differ in the composition of letters alone, as copies from two machines do, are one
    person's: that is said."""
    for role in ("allowed", "others", "strangers"):
        here = folder / role
        names = [path.name for path in here.iterdir() if path.is_dir()] if here.is_dir() else []
        for name in repeated(names):
            _LOG.warning("%s/%s: two folders of this name, with letters composed otherwise, are taken as one person's",
                         role, name)  # fmt: skip


def _librispeech(name: str) -> Place | str:
    found = _LIBRISPEECH.search(name)
    if found is None:
        return "not in LibriSpeech's layout <speaker>/<chapter>/<speaker>-<chapter>-<number>.flac"
    return Place("others", f"librispeech-{found[1]}", found[2])


def _daps(name: str) -> Place | str:
    found = _DAPS.search(name)
    if found is None:
        return "not in DAPS's layout <device>/<speaker>_<script>_<device>.wav"
    # One take, played through many devices and rooms: all of it is one session, or the split would leak.
    return Place("others", f"daps-{found[1]}", found[2])


LAYOUTS: dict[str, Callable[[str], Place | str]] = {
    "folder": _household,
    "librispeech": _librispeech,
    "daps": _daps,
    "noise": lambda _name: Place("noise", "", ""),
    "rir": lambda _name: Place("rir", "", ""),
}
