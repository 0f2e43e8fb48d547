"""From a door to the workshop: recordings and reviewed clips that are not here yet. Nothing here is ever overwritten.

The door lists what it has, by content; what is missing is sent as tar archives of bounded size, checked against the
list, and put in its place complete or not at all. A file of the same name and other content, as from a second door,
gets a further name that its content decides, so that it is not fetched twice. What a door says is not trusted: a name
that is not of the layout is refused and told.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from device.enrolment.progress import ROLES
from device.errors import AudioFormatError, StateError
from device.service.recordings import net_speech_seconds
from device.sound.pcm import SAMPLE_RATE_HZ
from device.sound.wavfile import parse_wav
from training.deploy.door import OUTDATED, Door
from training.deploy.remote import DoorError

MOST_BYTES, MOST_FILES = 32 << 20, 500
# More than two hours of sound in one file, and more files than a household records in years: not a door's answer.
MOST_LISTED, LARGEST_BYTES = 100_000, 256 << 20
NEXT_STEP = "on the door, `sudo systemd/install.sh --deployer USER` lets this user read its recordings"


@dataclass(frozen=True, slots=True)
class Listed:
    """A recording at a door: ``path`` in the layout, relative; ``sha256`` in hex."""

    path: str
    size_bytes: int
    sha256: str

    @property
    def whose(self) -> str:
        """``allowed/Anna``, or ``noise``."""
        parts = self.path.split("/")
        return parts[0] if parts[0] == "noise" else "/".join(parts[:2])

    @property
    def session(self) -> str:
        """The folder that holds it, ``1`` directly below a person."""
        parts = self.path.split("/")[1 if self.whose == "noise" else 2 : -1]
        return "/".join(parts) or "1"


@dataclass(frozen=True, slots=True)
class Plan:
    """``new`` are to be fetched, each to its place below the recordings; ``here`` is how many are here already;
    ``refused`` are names that are not of the layout."""

    new: dict[str, Listed]
    here: int
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What is new of one person: ``seconds`` of net speech (of noise: of sound), in these ``sessions``."""

    whose: str
    files: int
    seconds: float
    sessions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """One door's line: what ``arrived`` (or, in a dry run, would), what was ``here``, what was ``refused`` and why;
    ``problem`` says why it went no further."""

    door: str
    arrived: tuple[Arrived, ...] = ()
    here: int = 0
    refused: tuple[str, ...] = ()
    problem: str = ""

    @property
    def ok(self) -> bool:
        return not self.problem and not self.refused


def list_door(door: Door, state: str) -> list[Listed]:
    """What the door has. Raises :class:`DoorError` without an answer, or for one that makes no sense."""
    said = door.list_recordings(state)
    try:
        told = json.loads(said)
        found = [Listed(str(each["path"]), int(each["size_bytes"]), str(each["sha256"])) for each in told]
    except (KeyError, TypeError, ValueError) as error:
        raise DoorError(
            "the answer makes no sense", where=door.name, received=repr(said[:200]), next_step=OUTDATED
        ) from error
    if len(found) > MOST_LISTED:
        raise DoorError("more recordings than a door has", where=door.name, received=len(found),
                        allowed=str(MOST_LISTED))  # fmt: skip
    return found


def plan(listed: Sequence[Listed], into: Path) -> Plan:
    """What is to be fetched. Looks at what is here; changes nothing."""
    new: dict[str, Listed] = {}
    refused, here = [], 0
    for each in listed:
        problem = why_not(each)
        if problem:
            refused.append(f"{each.path!r}: {problem}")
            continue
        place = each.path if not (into / each.path).exists() else _further_name(each)
        if _is(into / each.path, each.sha256) or (into / place).exists():
            here += 1
        elif place not in new:
            new[place] = each
    return Plan(new, here, tuple(refused))


def why_not(each: Listed) -> str:
    """Why this name is not taken from a door; empty where it is."""
    parts = PurePosixPath(each.path).parts
    if (
        not parts
        or "/".join(parts) != each.path
        or not each.path.isprintable()
        or "\\" in each.path
        or ":" in each.path
    ):
        return "not a plain relative path"
    if parts[0] not in ROLES or any(part[0] in ".~" for part in parts):
        return f"not below one of {', '.join(ROLES)}"
    fewest = 2 if parts[0] == "noise" else 3
    if not fewest <= len(parts) <= 6 or not each.path.endswith(".wav"):
        return "not in the layout <role>/<person>/<date>/NN.wav"
    return "" if 0 < each.size_bytes <= LARGEST_BYTES else f"{each.size_bytes} bytes"


def fetch(door: Door, wanted: Plan, into: Path, state: str) -> Iterator[tuple[str, float]]:
    """Bring them here: each one's place and what it adds, in seconds, once it is there. What arrived before an error
    stays. Raises :class:`DoorError` and :class:`StateError`."""
    for batch in batches(wanted.new):
        names = "".join(f"{each.path}\0" for each in batch.values()).encode()
        content = door.send_recordings(state, names)
        for place, sound in unpack(content, batch, door.name):
            _put(into, place, sound)
            yield place, _seconds(batch[place], sound)


def by_person(new: Mapping[str, Listed], seconds: Mapping[str, float]) -> tuple[Arrived, ...]:
    """The recordings at the places that ``seconds`` names, in order of people."""
    groups: dict[str, list[str]] = {}
    for place in seconds:
        groups.setdefault(new[place].whose, []).append(place)
    return tuple(
        Arrived(whose=whose, files=len(places), seconds=round(sum(seconds[place] for place in places), 1),
                sessions=tuple(sorted({new[place].session for place in places})))
        for whose, places in sorted(groups.items())
    )  # fmt: skip


def batches(new: dict[str, Listed]) -> Iterator[dict[str, Listed]]:
    """In the order given, each of bounded size; a single large file is one of its own."""
    batch: dict[str, Listed] = {}
    for place, each in new.items():
        if batch and (
            len(batch) >= MOST_FILES or sum(one.size_bytes for one in batch.values()) + each.size_bytes > MOST_BYTES
        ):
            yield batch
            batch = {}
        batch[place] = each
    if batch:
        yield batch


def unpack(content: bytes, batch: dict[str, Listed], door: str) -> Iterator[tuple[str, bytes]]:
    """The files of an archive by their place, each as listed. Raises :class:`DoorError` where one is missing, was not
    asked for or is not what was listed."""
    places = {each.path: place for place, each in batch.items()}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for entry in archive:
                place = places.pop(entry.name, None)
                file = archive.extractfile(entry) if entry.isreg() and place is not None else None
                if file is None or place is None:
                    raise _wrong(door, entry.name, "it was not asked for")
                sound = file.read()
                if hashlib.sha256(sound).hexdigest() != batch[place].sha256:
                    raise _wrong(door, entry.name, "it is not what the door had listed")
                yield place, sound
    except tarfile.TarError as error:
        raise _wrong(door, "the archive", str(error)) from error
    if places:
        raise _wrong(door, next(iter(places)), "it did not arrive")


def _wrong(door: str, name: str, why: str) -> DoorError:
    return DoorError("a recording did not arrive as it should", where=door, received=f"{name!r}: {why}",
                     next_step="pull again")  # fmt: skip


def _put(into: Path, place: str, sound: bytes) -> None:
    """Complete or not at all, and only where nothing is."""
    path = into / place
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(sound)
        try:
            # A link, not a rename: it fails where somebody else was faster.
            os.link(fresh, path)
        finally:
            fresh.unlink()
    except OSError as error:
        raise StateError("a recording cannot be put here", where=str(path), received=error,
                         next_step="look at the disk and its permissions, then pull again") from error  # fmt: skip


def _seconds(each: Listed, sound: bytes) -> float:
    """What it adds. A file that is no sound is here nevertheless: training says why it leaves it out."""
    try:
        samples = parse_wav(io.BytesIO(sound), size=len(sound), where=each.path)
    except AudioFormatError:
        return 0.0
    return len(samples) / SAMPLE_RATE_HZ if each.whose == "noise" else net_speech_seconds(samples)


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _further_name(each: Listed) -> str:
    return f"{each.path.removesuffix('.wav')}-{each.sha256[:8]}.wav"
