"""Files and folders through a scan: what is finished is not heard again, what cannot be read is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from device.errors import AudioFormatError, DataError
from device.service.scan import ScanSpec, Totals, per_hour, scan
from device.service.scan_folder import Recording, ScanFolder, identity
from device.service.scan_progress import Progress
from device.service.verified import Verified
from device.sound.content import promised_kind
from device.sound.pcm import SAMPLE_RATE_HZ, Samples
from device.sound.segmenter import Segmenter
from device.sound.vad import WebRtcDetector
from device.sound.wavblocks import open_wav
from device.sound.wavform import CONVERT
from device.terminal.bars import printable


class SoundFile(Protocol):
    """A recording that was looked at: ``seconds`` long by its header; ``note``: what is to be known of how it is read,
    mostly nothing. ``blocks`` reads it, int16 ``(n,)`` at 16 kHz, and raises :class:`AudioFormatError` when that cannot
    be done to its end."""

    @property
    def seconds(self) -> float: ...

    @property
    def note(self) -> str: ...

    def blocks(self) -> Iterator[Samples]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What forms of recordings can be read, and how: those whose content is of these ``kinds``
    (:mod:`device.sound.content`), or that are named so (``suffixes``), in words ``forms``. ``open`` raises
    :class:`AudioFormatError` for one that is not fit, ``convert`` is the command that makes one that is."""

    kinds: frozenset[str]
    suffixes: frozenset[str]
    forms: str
    open: Callable[[Path], SoundFile]
    convert: str = CONVERT


WAV = Reader(kinds=frozenset({"wav"}), suffixes=frozenset({".wav", ".wave"}), open=open_wav,
             forms="WAV files: PCM or float, any channels, 8 to 192 kHz, below 4 GB")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inputs:
    """Recordings in order, each once, and those in folders whose form cannot be read."""

    files: tuple[Path, ...]
    left_out: tuple[Path, ...]


def find_inputs(named: Sequence[Path], reader: Reader = WAV) -> Inputs:
    """Files as named; folders with all below them, hidden files left out. Raises :class:`DataError` for none."""
    files: dict[Path, Path] = {}
    left_out: list[Path] = []
    for path in named:
        below = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        for each in below:
            hidden = any(part.startswith(".") for part in each.relative_to(path).parts)
            if each == path:
                files.setdefault(each.resolve(), each)
            elif not hidden and (kind := promised_kind(each)):
                # A name that can be read is tried whatever is in the file, so that the reason is told.
                if kind in reader.kinds or each.suffix.lower() in reader.suffixes:
                    files.setdefault(each.resolve(), each)
                else:
                    left_out.append(each)
    if not files:
        raise DataError(
            "nothing to scan", where=", ".join(map(str, named)),
            received=f"{len(left_out)} recordings of another form" if left_out else "no recordings",
            allowed=f"{reader.forms}; or folders with such files in them",
            next_step=f"convert them: {reader.convert}" if left_out else "check the path",
        )  # fmt: skip
    return Inputs(tuple(files.values()), tuple(left_out))


@dataclass(slots=True)
class Scanned:
    """What became of the files: those finished now or before, in order, and those that could not be read, with why."""

    finished: list[Recording] = field(default_factory=list)
    scanned: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def scan_all(files: Sequence[Path], reader: Reader, verified: Verified, spec: ScanSpec, folder: ScanFolder,
             progress: Progress) -> Scanned:  # fmt: skip
    """Scan what is not finished. A file that cannot be read is said and passed over."""
    done = Scanned()
    for path in files:
        file = str(path)
        try:
            if not folder.is_finished(path):
                _scan_one(path, reader, verified, spec, folder, progress)
                done.scanned += 1
            done.finished.append(folder.finished[file])
        except AudioFormatError as error:
            done.failed[file] = str(error)
            progress.screen.say(f"left out: {error}")
    progress.clear()
    return done


def _scan_one(path: Path, reader: Reader, verified: Verified, spec: ScanSpec, folder: ScanFolder,
              progress: Progress) -> None:  # fmt: skip
    sound = reader.open(path)
    if sound.note:
        progress.screen.say(f"{printable(str(path))}: {sound.note}")
    size_bytes, modified_ns = identity(path)
    bundle, totals = verified.bundle, Totals()
    with folder.rows(str(path), threshold_llr=spec.policy.open_llr) as rows:
        blocks = _watched(sound, str(path), progress)
        for found in scan(blocks, spec, WebRtcDetector(bundle.vad), Segmenter(bundle.segmenter), totals):
            rows.add(found)
        events = sum(totals.events.values())
        rows.publish(Recording(
            file=str(path), size_bytes=size_bytes, modified_ns=modified_ns, seconds=round(totals.seconds, 2),
            clips=totals.clips, too_short=totals.too_short, openings=totals.openings, events=events,
            events_per_hour=per_hour(events, totals.seconds),
            residents=json.dumps(dict(sorted(totals.events.items())), ensure_ascii=False),
        ))  # fmt: skip


def _watched(sound: SoundFile, file: str, progress: Progress) -> Iterator[Samples]:
    for block in sound.blocks():
        yield block
        progress.heard(len(block) / SAMPLE_RATE_HZ, file)


def seconds_to_do(files: Sequence[Path], reader: Reader, folder: ScanFolder) -> float:
    """How much of the recordings is still to be heard."""
    seconds = 0.0
    for path in files:
        try:
            seconds += 0.0 if folder.is_finished(path) else reader.open(path).seconds
        except AudioFormatError:
            # Said when its turn comes.
            continue
    return seconds
