"""Bundles beside the one in service that still know a person: what ``forget`` finds, and removes where it is asked to.

Such a folder holds the person's voice print. It may be damaged or of an older format: only the names in its manifest
are read, without following any link, since root may run this in a folder that somebody else can write. The bundle in
service is never removed.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from device.errors import BundleError, StateError
from device.names import same_name
from device.terminal.bars import printable
from device.verdict.bundle import MANIFEST_BYTES, POINTER, read_pointer
from device.verdict.safe_files import is_folder, open_folder, read_regular

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class OlderBundles:
    """The folders ``names`` below ``models`` that know the person; ``problem``: what could not be looked at."""

    models: Path
    names: tuple[str, ...] = ()
    problem: str = ""


def bundles_that_know(person: str, bundle: Path) -> OlderBundles:
    """Those beside the configured ``bundle`` (a models folder, its ``current`` file, or a bundle's folder) that are not
    in service and know ``person``."""
    models = bundle.parent if (bundle / MANIFEST).is_file() or bundle.name == POINTER else bundle
    try:
        in_service = bundle.name if models != bundle and bundle.name != POINTER else read_pointer(models / POINTER)
        if not in_service:
            raise BundleError("no bundle is in service", where=str(models))
        with open_folder(models, follow=True) as folder:
            beside = [each for each in sorted(os.listdir(folder)) if each != in_service and is_folder(folder, each)]
            known = {name: _knows(folder, name, person) for name in beside}
    except BundleError as error:
        return OlderBundles(models, problem=f"which bundle is in service is not known ({error.what})")
    except OSError as error:
        return OlderBundles(models, problem=f"{models} cannot be read: {error.strerror}")
    unread = ", ".join(name for name, knows in known.items() if knows is None)
    return OlderBundles(models, tuple(name for name, knows in known.items() if knows),
                        problem=f"{unread} cannot be looked at" if unread else "")  # fmt: skip


def remove_bundles(known: OlderBundles) -> tuple[str, ...]:
    """Remove these folders; returns their paths. Raises :class:`StateError` when one cannot be removed, or is in
    service by now; those before it are gone then."""
    removed = list[str]()
    for name in known.names:
        path = known.models / name
        try:
            with open_folder(known.models, follow=True) as folder:
                if read_pointer(known.models / POINTER) == name:
                    raise StateError("this bundle is in service by now", where=str(path), next_step="look again")
                if not is_folder(folder, name):
                    raise StateError("this is no folder any more", where=str(path), next_step="look who changed it")
                # It neither follows links within nor leaves the open folder.
                shutil.rmtree(name, dir_fd=folder)
        except StateError:
            raise
        except OSError as error:
            raise StateError("a bundle cannot be removed", where=str(path), received=error.strerror,
                             next_step="as root: sudo voicelatch forget NAME --older-bundles") from error  # fmt: skip
        removed.append(str(path))
    return tuple(removed)


def offer_to_remove(known: OlderBundles, person: str) -> tuple[str, ...]:
    """Name the folders; on a terminal ask whether to remove them, elsewhere say the command that does. Returns the
    paths that were removed. Raises :class:`StateError` as :func:`remove_bundles`."""
    say_what_remains(known)
    if not known.names:
        return ()
    # Whoever deploys names these folders, and root reads them on a terminal.
    names = printable(", ".join(known.names))
    print(f"remains: older bundles in {known.models} know this voice: {names}", file=sys.stderr)
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        command = shlex.join(["sudo", "voicelatch", "forget", person, "--older-bundles"])
        print(f"next: {command} removes them; the one in service stays", file=sys.stderr)
        return ()
    print("Remove them? There is no way back to them then. [y/N] ", end="", file=sys.stderr, flush=True)
    return remove_bundles(known) if sys.stdin.readline().strip().lower() in ("y", "yes") else ()


def say_what_remains(known: OlderBundles) -> None:
    """Say what could not be looked at, where there is something."""
    if known.problem:
        print(f"remains: further bundles may know this voice: {printable(known.problem)}", file=sys.stderr)


def _knows(models: int, name: str, person: str) -> bool | None:
    """Whether the bundle's manifest names the person; None where that cannot be read."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=models)
        try:
            manifest = json.loads(read_regular(descriptor, MANIFEST, max_bytes=MANIFEST_BYTES))
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        # A folder without a manifest is no bundle.
        return False
    except (OSError, ValueError, RecursionError):
        return None
    residents = manifest.get("residents") if isinstance(manifest, dict) else None
    return isinstance(residents, list) and any(same_name(each, person) for each in residents if isinstance(each, str))
