"""A bundle believed: sums and golden vectors right on this machine, and the digest that says which bundle it is."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from device.errors import BundleError, StateError
from device.service.known_people import PeopleChange
from device.service.trust import Trust, allow_older
from device.verdict.bundle import REPUBLISH, SUMS, Bundle, load_bundle, point_current, resolve_current
from device.verdict.scorer import Scorer


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """``digest``: SHA-256 (hex) of the bundle's SHA256SUMS, and so of everything in it."""

    bundle: Bundle
    scorer: Scorer
    digest: str


@dataclass(frozen=True, slots=True)
class Used:
    """The pointer was moved: the folder ``previous`` (empty where there was none) -> ``current``, and its digest; whom
    the door will no longer know, and whom it will know anew."""

    previous: str
    current: str
    digest: str
    no_longer_known: tuple[str, ...] = ()
    newly_known: tuple[str, ...] = ()


_LOG = logging.getLogger(__name__)
NO_KEYS = Trust()


def verify(path: Path, *, runtime: str = "auto", trust: Trust = NO_KEYS) -> Verified:
    """Load a bundle, or what a models folder's ``current`` names, and reproduce its golden vectors.

    Raises :class:`BundleError` when it is not fit, not trusted, or was replaced while it was read;
    :class:`~device.errors.RuntimeMissingError` when nothing here can run it.
    """
    folder = resolve_current(path)
    digest = bundle_digest(folder)
    bundle = load_bundle(folder, keys=trust.keys)
    trust.refuse_older(bundle, digest=digest)
    scorer = Scorer(bundle, runtime=runtime)
    if bundle_digest(folder) != digest:
        raise BundleError("the bundle was replaced while it was read", where=str(folder), next_step="try again")
    return Verified(bundle, scorer, digest)


def bundle_digest(folder: Path) -> str:
    """SHA-256 (hex) of ``folder/SHA256SUMS``. Raises :class:`BundleError` when it cannot be read."""
    path = folder / SUMS
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BundleError("the bundle is incomplete", where=str(path), received=error, next_step=REPUBLISH) from error


def use_bundle(models: Path, name: str, *, trust: Trust = NO_KEYS, downgrade_in: Path | None = None) -> Used:
    """Make ``models/current`` name ``models/name`` once that has been verified; else the pointer stays.

    ``downgrade_in``: the daemon's state directory, where it is noted that an operator lets this bundle in though it
    may be older than the last accepted one. Raises :class:`BundleError` for a name that is not one folder or a bundle
    that is not fit or not trusted, :class:`StateError` when the pointer or the note cannot be written.
    """
    if not name or Path(name).name != name or name in (".", ".."):
        raise BundleError("not the name of a folder", where=str(models), received=repr(name), allowed="one folder name")
    if not (models / name / "manifest.json").is_file():
        there = sorted(path.parent.name for path in models.glob("*/golden.npz"))
        raise BundleError("there is no bundle of this name", where=str(models), received=name,
                          allowed=", ".join(there) or "none: there is no bundle here", next_step=REPUBLISH)  # fmt: skip
    verified = verify(
        models / name, trust=replace(trust, allow_downgrade=trust.allow_downgrade or downgrade_in is not None)
    )
    digest = verified.digest
    if downgrade_in is not None:
        # First the note: a daemon that reloads in between must not meet the bundle without it.
        allow_older(downgrade_in, verified.bundle, digest=digest)
    pointer = models / "current"
    try:
        previous = pointer.read_text(encoding="utf-8").strip() if pointer.exists() else ""
        before = _residents_of(models, previous)
        # The daemon's user may note a decision without being allowed to write here.
        if downgrade_in is None or previous != name:
            point_current(models, name)
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(
            "the pointer cannot be moved",
            where=str(pointer),
            received=error,
            next_step="make the models folder writable for this user",
        ) from error
    change = PeopleChange.between(before, verified.bundle.residents)
    return Used(previous, name, digest, change.lost if before else (), change.new if before else ())


def _residents_of(models: Path, name: str) -> tuple[str, ...]:
    """Whom a bundle knows; nobody where it cannot be had any more."""
    try:
        return load_bundle(models / name).residents if name and Path(name).name == name else ()
    except BundleError as error:
        _LOG.warning("whom the bundle before knew is not known: %s", error.what)
        return ()
