"""Files and folders through a scan: what is finished is not heard again, what cannot be read is said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from device.errors import AudioFormatError, DataError
from device.service.scan import ScanSpec, Totals, per_hour, scan
from device.service.scan_folder import Recording, ScanFolder, identity
from device.service.scan_progress import Progress
from device.service.verified import Verified
from device.sound.pcm import SAMPLE_RATE_HZ, Samples
from device.sound.segmenter import Segmenter
from device.sound.vad import WebRtcDetector
from device.sound.wavblocks import WavBlocks, open_wav

NOT_WAV = frozenset({".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".aiff", ".aif", ".wma", ".w64", ".rf64"})


@dataclass(frozen=True, slots=True)
class Inputs:
    """WAV files in order, each once, and sound in folders that cannot be read here."""

    files: tuple[Path, ...]
    left_out: tuple[Path, ...]


def find_inputs(named: Sequence[Path]) -> Inputs:
    """Files as named; folders with all below them, hidden files left out. Raises :class:`DataError` for none."""
    files: dict[Path, Path] = {}
    left_out: list[Path] = []
    for path in named:
        below = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        for each in below:
            hidden = any(part.startswith(".") for part in each.relative_to(path).parts)
            if each == path or (each.suffix.lower() == ".wav" and not hidden):
                files.setdefault(each.resolve(), each)
            elif each.suffix.lower() in NOT_WAV and not hidden:
                left_out.append(each)
    if not files:
        raise DataError(
            "nothing to scan", where=", ".join(map(str, named)),
            received=f"{len(left_out)} recordings of another form" if left_out else "no WAV file",
            allowed="WAV files (16-bit PCM, one channel, 8 to 192 kHz), or folders with such files in them",
            next_step="check the path" if not left_out else "convert them: sox INPUT -r 16000 -c 1 -b 16 OUTPUT.wav",
        )  # fmt: skip
    return Inputs(tuple(files.values()), tuple(left_out))


@dataclass(slots=True)
class Scanned:
    """What became of the files: those finished now or before, in order, and those that could not be read, with why."""

    finished: list[Recording] = field(default_factory=list)
    scanned: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def scan_all(files: Sequence[Path], verified: Verified, spec: ScanSpec, folder: ScanFolder,
             progress: Progress) -> Scanned:  # fmt: skip
    """Scan what is not finished. A file that cannot be read is said and passed over."""
    done = Scanned()
    for path in files:
        file = str(path)
        try:
            if not folder.is_finished(path):
                _scan_one(path, verified, spec, folder, progress)
                done.scanned += 1
            done.finished.append(folder.finished[file])
        except AudioFormatError as error:
            done.failed[file] = str(error)
            progress.screen.say(f"left out: {error}")
    progress.clear()
    return done


def _scan_one(path: Path, verified: Verified, spec: ScanSpec, folder: ScanFolder, progress: Progress) -> None:
    wav = open_wav(path)
    size_bytes, modified_ns = identity(path)
    bundle, totals = verified.bundle, Totals()
    with folder.rows(str(path), threshold_llr=spec.policy.open_llr) as rows:
        blocks = _watched(wav, progress)
        for found in scan(blocks, spec, WebRtcDetector(bundle.vad), Segmenter(bundle.segmenter), totals):
            rows.add(found)
        events = sum(totals.events.values())
        rows.publish(Recording(
            file=str(path), size_bytes=size_bytes, modified_ns=modified_ns, seconds=round(totals.seconds, 2),
            clips=totals.clips, too_short=totals.too_short, openings=totals.openings, events=events,
            events_per_hour=per_hour(events, totals.seconds),
            residents=json.dumps(dict(sorted(totals.events.items())), ensure_ascii=False),
        ))  # fmt: skip


def _watched(wav: WavBlocks, progress: Progress) -> Iterator[Samples]:
    for block in wav.blocks():
        yield block
        progress.heard(len(block) / SAMPLE_RATE_HZ, str(wav.path))


def seconds_to_do(files: Sequence[Path], folder: ScanFolder) -> float:
    """How much of the recordings is still to be heard."""
    seconds = 0.0
    for path in files:
        try:
            seconds += 0.0 if folder.is_finished(path) else open_wav(path).seconds
        except AudioFormatError:
            # Said when its turn comes.
            continue
    return seconds
