"""One file over HTTP that goes on where it broke off. ``pooch`` checks the sum and gives the file its final name."""

from __future__ import annotations

import errno
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import DataError, RuntimeMissingError, StateError, VoicelatchError
from training.corpus.catalogue import Archive

if TYPE_CHECKING:
    from requests import Response, Session

CHUNK_BYTES = 1 << 20
# Servers ask programs to say who they are.
AGENT = "voicelatch-training/0.1"
TRY_LATER = (408, 425, 429, 500, 502, 503, 504)
_LOG = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """``tries`` in a row without one more byte, with pauses of 1, 2, 4, ... seconds between them.

    ``silence_seconds`` is how long a server may say nothing; ``sleep`` takes seconds.
    """

    tries: int = 4
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 60.0
    silence_seconds: float = 60.0
    sleep: Callable[[float], None] = time.sleep


def download(
    archive: Archive,
    folder: Path,
    *,
    patience: Patience,
    progress: Progress = lambda _done, _total: None,
) -> Path:
    """The archive's file in ``folder``, downloaded unless it is there already with the right sum.

    What has arrived stays as ``<file>.part`` and the next call goes on from it; a file with a wrong sum is removed.
    All ``urls`` are tried before the first one's error is raised: :class:`RuntimeMissingError` without a network or
    when the connection breaks off again and again, :class:`DataError` for an answer such as 404 or a wrong sum. A file
    that cannot be written is a :class:`StateError` at once.
    """
    errors: list[VoicelatchError] = []
    for url in archive.urls:
        try:
            return _from_one_place(url, archive, folder, patience, progress)
        except (DataError, RuntimeMissingError) as error:
            errors.append(error)
            if url != archive.urls[-1]:
                _LOG.warning("%s\ntrying another place", error)
    raise errors[0]


def part_of(archive: Archive, folder: Path) -> Path:
    """Where the file grows."""
    return folder / (archive.file + ".part")


def _from_one_place(url: str, archive: Archive, folder: Path, patience: Patience, progress: Progress) -> Path:
    try:
        import pooch
        import requests
    except ImportError as error:
        raise RuntimeMissingError(
            "downloads need a library that is not installed",
            received=error,
            next_step="pip install -r requirements-train.txt",
        ) from error
    pooch.get_logger().setLevel(logging.WARNING)
    part = part_of(archive, folder)
    with requests.Session() as session:
        session.headers.update({"User-Agent": AGENT, "Accept-Encoding": "identity"})
        resuming = _Resuming(session, part, patience, progress, about_bytes=archive.size_bytes)
        try:
            path = Path(
                pooch.retrieve(
                    url,
                    known_hash=archive.checksum or None,
                    fname=archive.file,
                    path=folder,
                    downloader=resuming,
                )
            )
        except VoicelatchError:
            raise
        except ValueError as error:
            part.unlink(missing_ok=True)
            found = re.search(r"but got (\w+)", str(error))
            algorithm = archive.checksum.partition(":")[0]
            raise DataError(
                "the download has the wrong checksum and was removed: truncated, altered, or another file",
                where=url,
                received=f"{algorithm}:{found[1] if found else error} of {resuming.received_bytes} bytes",
                allowed=f"{archive.checksum} of about {archive.size_bytes} bytes",
                next_step="run the same command again; if it stays, the publisher has changed the file",
            ) from error
        except OSError as error:
            raise _cannot_write(part, error) from error
    part.unlink(missing_ok=True)
    return path


class _BrokenOffError(Exception):
    """Worth another try, after so many seconds if the server says."""

    def __init__(self, reason: object, *, wait_seconds: float = 0.0) -> None:
        super().__init__(str(reason))
        self.wait_seconds = wait_seconds


class _Resuming:
    """A downloader for pooch: fills ``part`` over as many connections as it takes."""

    def __init__(
        self, session: Session, part: Path, patience: Patience, progress: Progress, *, about_bytes: int
    ) -> None:
        self._session, self._part, self._patience, self._progress = session, part, patience, progress
        self._about_bytes = about_bytes
        # Sizes are about right; a file twice as long is not what was meant, and could fill the disk.
        self._most_bytes = 2 * about_bytes + CHUNK_BYTES
        self.received_bytes = 0

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        failures, furthest = 0, _size(self._part)
        while True:
            try:
                self._once(url)
                break
            except _BrokenOffError as error:
                failures = failures + 1 if _size(self._part) <= furthest else 1
                furthest = max(furthest, _size(self._part))
                if failures >= self._patience.tries:
                    raise RuntimeMissingError(
                        "the file cannot be had from there now: no network, or the connection broke off",
                        where=url,
                        received=f"{error} ({failures} times in a row)",
                        next_step=f"run the same command again: it goes on after {_size(self._part)} bytes",
                    ) from error
                pause_seconds = self._patience.first_pause_seconds * 2 ** (failures - 1)
                wait_seconds = max(pause_seconds, error.wait_seconds)
                _LOG.warning("%s: %s; trying again after %d bytes", url, error, _size(self._part))
                self._patience.sleep(min(wait_seconds, self._patience.longest_pause_seconds))
        self.received_bytes = _size(self._part)
        # A second name, so that the part is still there if the check of a large file is interrupted.
        os.unlink(output_file)
        try:
            os.link(self._part, output_file)
        except OSError:
            # Not every file system has hard links.
            os.replace(self._part, output_file)

    def _once(self, url: str) -> None:
        import requests
        import urllib3

        have = _size(self._part)
        headers = {"Range": f"bytes={have}-"} if have else {}
        try:
            with self._session.get(
                url, headers=headers, stream=True, timeout=self._patience.silence_seconds
            ) as response:
                start = self._where_it_starts(response, url, have)
                if start is not None:
                    self._take(response, url, start)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise _BrokenOffError(_plainly(error)) from error

    def _where_it_starts(self, response: Response, url: str, have: int) -> int | None:
        """At which byte the answer begins; None when nothing is left to send."""
        status, sent = response.status_code, response.headers.get("Content-Range", "")
        if status == 416 and have:
            if sent == f"bytes */{have}":
                return None
            self._part.unlink()
            raise _BrokenOffError("the file there is shorter than what had arrived; from the start")
        if status in TRY_LATER:
            wait = response.headers.get("Retry-After", "")
            raise _BrokenOffError(f"the server answers {status}", wait_seconds=float(wait) if wait.isdecimal() else 0.0)
        if status == 206 and have:
            if sent.startswith(f"bytes {have}-"):
                return have
            self._part.unlink()
            raise _BrokenOffError(f"the server sent another piece ({sent or 'unnamed'}); from the start")
        if status != 200:
            raise DataError(
                "the file is not to be had there",
                where=url,
                received=f"HTTP {status} {response.reason}",
                next_step="see the corpus's page; the address may have changed",
            )
        # Asked to go on and sent the whole: this server does not resume.
        return 0

    def _take(self, response: Response, url: str, start: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else self._about_bytes
        have = start
        try:
            with self._part.open("ab" if start else "wb") as file:
                # Undecoded: some servers call a .tar.gz a compressed answer, and unpacking it would change its sum.
                for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
                    have += len(chunk)
                    if max(have, total) > self._most_bytes:
                        raise DataError(
                            "the file is much longer than it should be",
                            where=url,
                            received=f"{max(have, total)} bytes",
                            allowed=f"about {self._about_bytes} bytes",
                            next_step="see the corpus's page; the address may have changed",
                        )
                    file.write(chunk)
                    self._progress(have, max(have, total))
        except VoicelatchError:
            raise
        except OSError as error:
            if error.errno is None:
                # Errors of requests are OSErrors too, without a number.
                raise
            raise _cannot_write(self._part, error) from error


def _plainly(error: Exception) -> str:
    """The innermost reason of an error of the network, without the names of Python objects."""
    cause = error.args[0] if error.args else error
    reason = str(getattr(cause, "reason", None) or cause)
    return re.sub(r"^<?\w+\(.*?\)>?: ", "", reason)


def _cannot_write(path: Path, error: OSError) -> StateError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return StateError(
        "the disk is full" if full else "the download cannot be written",
        where=str(path),
        received=error,
        next_step="make room, then run the same command again: it goes on from what has arrived" if full else "",
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
