"""What libsndfile cannot decode (m4a, aac, phone videos), through ffmpeg where that is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.errors import AudioFormatError
from device.sound.channels import Sound

PROBE_SECONDS = 60.0
# A container's length is that of its longest track, rounded: so much less sound is no file that was cut.
_SHORTER_SECONDS, _SHORTER_SHARE = 2.0, 0.05
# ffmpeg names its objects by their address, which is another one in every run.
_ADDRESS = re.compile(r"\[[^\]]* @ 0x[0-9a-f]+\] ?")
SUFFIXES = frozenset({".m4a", ".aac", ".mp4", ".mov", ".3gp", ".amr", ".wma", ".webm", ".mkv"})


def is_installed() -> bool:
    """Whether both of its programs are found."""
    return shutil.which("ffmpeg") is not None and shutil.which("ffprobe") is not None


def convert_all(folder: str) -> str:
    """The one command that makes a FLAC file beside every such recording below ``folder``."""
    names = " -o ".join(f"-iname '*{suffix}'" for suffix in sorted(SUFFIXES))
    return f"find {folder} -type f \\( {names} \\) -exec ffmpeg -n -i {{}} -vn {{}}.flac \\;"


def missing(path: Path, kind: str) -> AudioFormatError:
    """What to raise where a file needs it and it is not installed."""
    return AudioFormatError(
        "only ffmpeg can read it, which is not installed", where=str(path), received=kind,
        next_step=f"install it (sudo apt install ffmpeg), or where it is: {convert_all('FOLDER')}",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FfmpegDecoder:
    """One file's first sound track. ``seconds`` is what its header says, 0 where it says nothing."""

    path: Path
    rate_hz: int
    channels: int
    seconds: float

    def blocks(self, frames: int) -> Iterator[Sound]:
        """float32 ``(n, channels)``, ``frames`` at a time. Raises :class:`AudioFormatError` when it ends early."""
        command = ["ffmpeg", "-nostdin", "-v", "error", "-i", _argument(self.path), "-map", "0:a:0", "-f", "f32le",
                   "-ac", str(self.channels), "-ar", str(self.rate_hz), "-"]  # fmt: skip
        size, count = frames * self.channels * 4, 0
        with tempfile.TemporaryFile() as told:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told)
            try:
                if process.stdout is None:
                    raise AudioFormatError("ffmpeg gives no sound", where=str(self.path))
                while content := process.stdout.read(size):
                    whole = len(content) // (4 * self.channels)
                    count += whole
                    flat = np.frombuffer(content[: whole * self.channels * 4], dtype="<f4")
                    yield flat.reshape(-1, self.channels)
                code = process.wait()
            finally:
                # Also where nobody wanted the rest.
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()
            told.seek(0)
            reason = _sentence(told.read().decode("utf-8", "replace"), self.path)
        if code != 0:
            raise unreadable(self.path, reason)
        there = count / self.rate_hz
        if there < self.seconds - max(_SHORTER_SECONDS, _SHORTER_SHARE * self.seconds):
            raise AudioFormatError("the file was cut short", where=str(self.path),
                                   received=f"{there:.1f} s of sound, its header names {self.seconds:.1f} s",
                                   next_step="copy it again")  # fmt: skip


def open_ffmpeg(path: Path) -> FfmpegDecoder:
    """Look at a file's header. Raises :class:`AudioFormatError` for one without a sound track."""
    command = ["ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries",
               "stream=sample_rate,channels:format=duration,format_name", "-of", "json", _argument(path)]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=PROBE_SECONDS, check=False
        )
        told = json.loads(done.stdout or b"{}")
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise unreadable(path, f"ffprobe gives no answer ({type(error).__name__})") from error
    if done.returncode != 0:
        raise unreadable(path, _sentence(done.stderr.decode("utf-8", "replace"), path))
    streams = told.get("streams", [])
    if not streams:
        raise AudioFormatError("holds no sound track", where=str(path), next_step="delete it, or record it again")
    form = told.get("format", {})
    # A stream without a container has no length: what is named then is a guess from the bit rate.
    guessed = str(form.get("format_name")) in ("aac", "amr", "mpeg")
    return FfmpegDecoder(path=path, rate_hz=int(streams[0]["sample_rate"]), channels=int(streams[0]["channels"]),
                         seconds=0.0 if guessed else float(form.get("duration", 0.0)))  # fmt: skip


def _argument(path: Path) -> str:
    # A name that begins with a dash, or looks like an address of a network, is a file all the same.
    return f"file:{os.path.abspath(path)}"


def _sentence(told: str, path: Path) -> str:
    lines = [_ADDRESS.sub("", line).replace(f"{_argument(path)}: ", "").strip() for line in told.splitlines()]
    return "; ".join(dict.fromkeys(line for line in lines if line)) or "ffmpeg does not say why"


def unreadable(path: Path, reason: str) -> AudioFormatError:
    """What to raise for a file that cannot be decoded."""
    return AudioFormatError("cannot be decoded", where=str(path), received=reason,
                            next_step="convert it, or copy it again")  # fmt: skip


def needs_it(reasons: Iterable[str]) -> int:
    """How many of these reasons ask for ffmpeg."""
    return sum("only ffmpeg can read it" in reason for reason in reasons)
