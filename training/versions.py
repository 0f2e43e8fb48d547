"""The bundles in a models folder: which is current, which came before, which may go."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from device.errors import BundleError
from device.verdict.bundle import load_bundle, point_current, resolve_current


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A bundle by its ``sequence`` number, which only grows; ``folder`` is its folder's name."""

    sequence: int
    name: str
    folder: str


def versions(models: Path) -> list[Version]:
    """All bundles in ``models``, oldest first. Folders that are not bundles (a backbone) are not among them."""
    found = []
    for path in models.glob("*/manifest.json"):
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            if "sequence" in manifest:
                found.append(Version(int(manifest["sequence"]), str(manifest["name"]), path.parent.name))
        except (OSError, ValueError, TypeError) as error:
            raise BundleError(
                "a manifest cannot be read",
                where=str(path),
                received=error,
                next_step="remove that folder, or restore it",
            ) from error
    return sorted(found)


def next_sequence(models: Path) -> int:
    """One more than the highest sequence number of any bundle in ``models``: a refresh is always newer."""
    return max((each.sequence for each in versions(models)), default=0) + 1


def current_folder(models: Path) -> Path | None:
    """The bundle that ``current`` names, or None where nothing was published yet."""
    return resolve_current(models) if (models / "current").exists() else None


def roll_back(models: Path) -> tuple[str, str]:
    """Let ``current`` name the version before; returns the folders (from, to). The bundle left stays where it is.

    Raises :class:`BundleError` when there is no earlier version of the same name, or when it is not whole.
    """
    now = resolve_current(models).name
    found = versions(models)
    here = next((each for each in found if each.folder == now), None)
    earlier = [each for each in found if here and each.name == here.name and each.sequence < here.sequence]
    if not earlier:
        raise BundleError(
            "there is no earlier version to go back to",
            where=str(models),
            received=now,
            allowed=", ".join(each.folder for each in found),
            next_step="publish.keep says how many stay",
        )
    load_bundle(models / earlier[-1].folder)
    point_current(models, earlier[-1].folder)
    return now, earlier[-1].folder


def prune(models: Path, name: str, *, keep: int) -> list[str]:
    """Remove all but the newest ``keep`` versions of ``name``, never the one ``current`` names; returns what went."""
    current = current_folder(models)
    mine = [each for each in versions(models) if each.name == name]
    old = [each.folder for each in mine[: max(0, len(mine) - keep)] if current is None or each.folder != current.name]
    for folder in old:
        shutil.rmtree(models / folder)
    return old
