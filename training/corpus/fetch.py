"""Public corpora onto this machine: downloaded, checked, unpacked, and judged file by file.

    TO/<corpus>/                what the archive holds, less what is rejected
    TO/<corpus>/LICENCE.txt     licence, credit and source
    TO/<corpus>/rejected.csv    files that were not kept, and why
    TO/<corpus>/fetched.json    what was downloaded; its presence says that all the rest is complete
    TO/.downloads/<corpus>/     archives and parts of them, until the corpus is complete

A corpus stands under its name only when it is complete: it grows beside it and is renamed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from device.errors import DataError, StateError
from training.corpus.catalogue import CORPORA, Archive, Corpus, find_corpus
from training.corpus.download import Patience, download, part_of
from training.corpus.layouts import SUFFIXES
from training.corpus.unpack import Limits, unpack
from training.progress import Bars

MARKER = "fetched.json"
Progress = Callable[[str, int, int], None]
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete corpus. ``rejected`` is path -> reason; ``fresh`` is False when it was there already."""

    folder: Path
    files: int
    rejected: dict[str, str]
    fresh: bool


def fetch(
    corpus: Corpus,
    to: Path,
    *,
    progress: Progress = lambda _label, _done, _total: None,
    say: Callable[[str], None] = print,
    patience: Patience | None = None,
) -> Fetched:
    """Bring ``corpus`` into ``to/<its name>``; a complete one is left alone without asking the network.

    Interrupted at any point, the next call goes on. Raises :class:`RuntimeMissingError` when the network fails,
    :class:`DataError` for wrong sums, refusing servers, hostile or damaged archives and a folder of that name that
    ``fetch`` did not make, :class:`StateError` when there is no room or another ``fetch`` is at it.
    """
    final = to / corpus.name
    known = _already(corpus, final)
    if known is not None:
        return known
    say(licence_text(corpus))
    downloads = to / ".downloads" / corpus.name
    unpacking = to / f".{corpus.name}.unpacking"
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        with _alone(downloads):
            known = _already(corpus, final)
            if known is not None:
                return known
            # Left by a run that was killed.
            shutil.rmtree(unpacking, ignore_errors=True)
            _check_room(corpus, to, downloads)
            archives = [_download(each, downloads, patience or Patience(), progress) for each in corpus.archives]
            try:
                made = _complete(corpus, archives, unpacking, progress, say)
                os.replace(unpacking, final)
            finally:
                shutil.rmtree(unpacking, ignore_errors=True)
            shutil.rmtree(downloads, ignore_errors=True)
        with suppress(OSError):
            # Other corpora may be on their way.
            downloads.parent.rmdir()
    except OSError as error:
        if isinstance(error, StateError):
            raise
        raise StateError("the corpus cannot be written", where=str(to), received=error) from error
    return Fetched(final, *made, fresh=True)


def licence_text(corpus: Corpus) -> str:
    """What is shown before the download and written beside the data."""
    return (
        f"{corpus.name}\nLicence: {corpus.licence}\n         {corpus.licence_url}\nCredit:  {corpus.credit}\n"
        f"Source:  {corpus.page}\n" + "".join(f"         {each.urls[0]}\n" for each in corpus.archives)
    )


def _already(corpus: Corpus, final: Path) -> Fetched | None:
    if not os.path.lexists(final):
        return None
    try:
        told = json.loads((final / MARKER).read_text(encoding="utf-8"))
        sums = [each["checksum"] for each in told["archives"]]
        known = Fetched(final, int(told["files"]), dict(told["rejected"]), fresh=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            "something else stands where the corpus should go",
            where=str(final),
            received=error,
            next_step="move it away, or give another folder with --to",
        ) from error
    if sums != [each.checksum for each in corpus.archives]:
        raise DataError(
            "an older release of this corpus is here",
            where=str(final),
            received=", ".join(sums),
            allowed=", ".join(each.checksum for each in corpus.archives),
            next_step="remove the folder to fetch it again",
        )
    return known


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two runs at once would write the same files. Where there is no ``flock`` (Windows) that is the user's care."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateError(
                "another run is fetching this corpus", where=str(folder), next_step="wait for it, or stop it"
            ) from error
        yield


def _check_room(corpus: Corpus, to: Path, downloads: Path) -> None:
    here = 0
    for archive in corpus.archives:
        whole, part = downloads / archive.file, part_of(archive, downloads)
        here += max(each.stat().st_size if each.exists() else 0 for each in (whole, part))
    needed = max(0, corpus.size_bytes - here) + corpus.unpacked_bytes
    free = shutil.disk_usage(to).free
    if free < needed:
        raise StateError(
            "not enough room on the disk",
            where=str(to),
            received=f"{size_text(free)} free",
            allowed=f"{size_text(needed)} or more: the archive and what it unpacks to",
            next_step="make room, or give a folder on another disk with --to",
        )


def _download(archive: Archive, downloads: Path, patience: Patience, progress: Progress) -> Path:
    def report(done: int, total: int) -> None:
        progress(f"{archive.file} (MB)", done // _MB, total // _MB)

    return download(archive, downloads, patience=patience, progress=report)


def _complete(
    corpus: Corpus, archives: Sequence[Path], folder: Path, progress: Progress, say: Callable[[str], None]
) -> tuple[int, dict[str, str]]:
    """Everything that belongs to the corpus, in ``folder``: how many files of it, and what was rejected."""
    folder.mkdir()
    limits = Limits(max_bytes=4 * (corpus.size_bytes + corpus.unpacked_bytes))
    rejected: dict[str, str] = {}
    received = []
    for archive, path in zip(corpus.archives, archives, strict=True):
        total = path.stat().st_size
        received.append(
            {"url": archive.urls[0], "checksum": archive.checksum, "size_bytes": total} | _sum(archive, path)
        )
        if not archive.checksum:
            say(f"warning: nobody publishes a checksum of {archive.file}; received sha256:{received[-1]['sha256']}")

        def report(at_bytes: int, total: int = total) -> None:
            progress(f"unpack {corpus.name} (MB)", at_bytes // _MB, total // _MB)

        try:
            rejected |= unpack(path, folder, limits=limits, only=corpus.only, progress=report).left_out
        except DataError:
            # It would be refused again: the next run has to download anew.
            path.unlink()
            raise
    files, unusable = reject_unusable(folder, progress)
    rejected |= unusable
    if not files:
        raise DataError("the corpus holds no files", where=corpus.name, received=f"{len(rejected)} rejected")
    (folder / "LICENCE.txt").write_text(licence_text(corpus), encoding="utf-8")
    with (folder / "rejected.csv").open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        csv.writer(file).writerows([("path", "reason"), *sorted(rejected.items())])
    told = {"corpus": corpus.name, "archives": received, "files": files, "rejected": rejected}
    (folder / MARKER).write_text(json.dumps(told, indent=1), encoding="utf-8")
    return files, rejected


def _sum(archive: Archive, path: Path) -> dict[str, str]:
    if archive.checksum:
        return {}
    import pooch

    return {"sha256": pooch.file_hash(str(path), alg="sha256")}


def reject_unusable(folder: Path, progress: Progress) -> tuple[int, dict[str, str]]:
    """Remove macOS resource files and sound files that cannot be opened; how many files stay, and why others did not.

    Only the beginning of a sound file is read. What can be opened but not used is found when it is indexed.
    """
    paths = sorted(Path(base, name) for base, _, names in os.walk(folder) for name in names)
    rejected: dict[str, str] = {}
    for count, path in enumerate(paths, start=1):
        reason = _why_not(path)
        if reason:
            rejected[path.relative_to(folder).as_posix()] = reason
            path.unlink()
        progress(f"check {folder.name.strip('.').removesuffix('.unpacking')}", count, len(paths))
    return len(paths) - len(rejected), rejected


def _why_not(path: Path) -> str:
    if path.name.startswith("._"):
        return "a macOS resource file, not a recording"
    if path.suffix.lower() not in SUFFIXES:
        return ""
    try:
        with path.open("rb") as file:
            frames = soundfile.info(file).frames
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        return f"cannot be opened: {getattr(error, 'error_string', error)}"
    return "" if frames > 0 else "holds no sound"


def size_text(size_bytes: int) -> str:
    """``338 MB``, ``16.1 GB``."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


def add_parser(commands: Any, corpora: Sequence[Corpus] = CORPORA) -> argparse.ArgumentParser:
    """Add the command ``fetch`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "Download public corpora, check and unpack them; a broken-off run goes on."
    example = "python -m training fetch librispeech-dev-clean --to corpora"
    parser: argparse.ArgumentParser = commands.add_parser(
        "fetch", help=text, description=text, epilog=f"Example: {example}"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="corpora by name; see --list")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="each becomes a folder in here")
    parser.add_argument("--list", action="store_true", help="name, size and licence of each, and nothing else")

    def action(arguments: argparse.Namespace) -> int:
        if arguments.list:
            _list(corpora)
            return 0
        if not arguments.names or arguments.to is None:
            parser.error("give one NAME or more and --to FOLDER, or --list")
        return _command([find_corpus(each, corpora) for each in dict.fromkeys(arguments.names)], arguments.to)

    parser.set_defaults(action=action)
    return parser


def _list(corpora: Sequence[Corpus]) -> None:
    print(f"{'name':28s} {'download':>9s} {'on disk':>9s}  licence")
    for each in corpora:
        print(f"{each.name:28s} {size_text(each.size_bytes):>9s} {size_text(each.unpacked_bytes):>9s}  {each.licence}")


def _command(corpora: Sequence[Corpus], to: Path) -> int:
    for corpus in corpora:
        try:
            with Bars() as bars:
                done = fetch(corpus, to, progress=bars)
        except KeyboardInterrupt:
            print(f"\n{corpus.name}: stopped; the same command goes on from here", file=sys.stderr)
            return 130
        if not done.fresh:
            print(f"{done.folder}: complete already ({done.files} files), nothing to do")
            continue
        print(f"{done.folder}: {done.files} files, {len(done.rejected)} rejected (see rejected.csv)")
        for source in corpus.sources:
            layout, _, inside = source.partition(":")
            print(f"  for a recipe's data.corpora: {layout}:{(done.folder / inside).as_posix()}")
    return 0
