"""A bundle believed: sums and golden vectors right on this machine, and the digest that says which bundle it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from device.errors import BundleError
from device.names import same_name
from device.service.known_people import PeopleChange
from device.service.trust import Trust, allow_older
from device.verdict.bundle import POINTER, REPUBLISH, Bundle, load_bundle, point_current, read_pointer, resolve_current
from device.verdict.files import read_seal
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
# For a workshop, a checkout's own bundles, and whatever else opens nothing.
UNSIGNED = Trust(allow_unsigned=True)


def verify(path: Path, *, trust: Trust, runtime: str = "auto") -> Verified:
    """Load a bundle, or what a models folder's ``current`` names, reproduce its golden vectors, and try it with noise.

    Raises :class:`BundleError` when it is not fit, not trusted, or was replaced while it was read;
    :class:`~device.errors.RuntimeMissingError` when nothing here can run it.
    """
    folder = resolve_current(path)
    digest = bundle_digest(folder)
    bundle = trust.load(folder, digest=digest)
    scorer = Scorer(bundle, runtime=runtime)
    if bundle_digest(folder) != digest:
        raise BundleError("the bundle was replaced while it was read", where=str(folder), next_step="try again")
    return Verified(bundle, scorer, digest)


def bundle_digest(folder: Path) -> str:
    """SHA-256 (hex) of ``folder/SHA256SUMS``. Raises :class:`BundleError` when it cannot be read."""
    return read_seal(folder).digest


def use_bundle(models: Path, name: str, *, trust: Trust = UNSIGNED, downgrade_in: Path | None = None) -> Used:
    """Make ``models/current`` name ``models/name`` once that has been verified; else the pointer stays.

    ``downgrade_in``: the daemon's state directory, where it is noted that an operator lets this bundle in though it
    may be older than the last accepted one. Raises :class:`BundleError` for a name that is not one folder or a bundle
    that is not fit or not trusted, :class:`StateError` when the pointer or the note cannot be written.
    """
    if not name or Path(name).name != name or name in (".", ".."):
        raise BundleError("not the name of a folder", where=str(models), received=repr(name), allowed="one folder name")
    name = next((path.name for path in sorted(models.glob("*/")) if same_name(path.name, name)), name)
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
    previous = _previous(models / POINTER)
    before = _residents_of(models, previous)
    # The daemon's user may note a decision without being allowed to write here.
    if downgrade_in is None or previous != name:
        point_current(models, name)
    change = PeopleChange.between(before, verified.bundle.residents)
    return Used(previous, name, digest, change.lost if before else (), change.new if before else ())


def _previous(pointer: Path) -> str:
    """What the pointer named; empty where that is nothing to return to, and never what it holds otherwise."""
    try:
        return read_pointer(pointer) or ""
    except BundleError:
        return ""


def _residents_of(models: Path, name: str) -> tuple[str, ...]:
    """Whom a bundle knows; nobody where it cannot be had any more."""
    try:
        return load_bundle(models / name).residents if name and Path(name).name == name else ()
    except BundleError as error:
        _LOG.warning("whom the bundle before knew is not known: %s", error.what)
        return ()
