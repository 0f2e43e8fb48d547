"""The bundle: everything the door knows, in one folder, verified before it is believed.

``model.tflite``, ``head.npz`` (prototypes, owners, cohort), ``golden.npz`` (clips with the features and outputs they
must give), ``manifest.json``, the report, ``SHA256SUMS`` over all of them and, where the workshop has a key, a
``SIGNATURE``. ``models/README.md`` describes every field. Writing happens in a temporary folder that is renamed when
complete, so a half-written bundle cannot have a bundle's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError, StateError
from device.sound.logmel import FrontendSpec
from device.sound.pcm import CLIP_SAMPLES
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.files import (
    REPUBLISH,
    SUMS,
    as_text,
    opened,
    read_file,
    read_folder,
    read_listed,
    read_seal,
    write_folder,
)
from device.verdict.golden import Golden
from device.verdict.head import Head, why_no_voices
from device.verdict.interpreter import TensorSpec
from device.verdict.manifest import SCHEMA, Manifest, Thresholds, parse_manifest
from device.verdict.npz import npz_arrays, npz_bytes
from device.verdict.safe_files import exists, is_folder, open_folder, replace_file
from device.verdict.signature import PublicKey, verify_seal

__all__ = [
    "REPUBLISH", "REQUIRED", "SCHEMA", "SUMS", "Bundle", "Golden", "Thresholds", "load_bundle", "npz_arrays",
    "npz_bytes", "point_current", "read_folder", "resolve_current", "write_bundle", "write_folder",
]  # fmt: skip

REQUIRED = ("model.tflite", "head.npz", "golden.npz", "manifest.json")
# A door has little memory. The shipped bundle is 3 MB, 8 MB unpacked.
BUNDLE_BYTES = 64 << 20
MANIFEST_BYTES = 4 << 20
POINTER, POINTER_BYTES = "current", 1 << 10
# The cohort as every prototype hears it is computed once, when the bundle is loaded: numbers of that table.
MAX_HEARD = 10_000_000
MAX_GOLDEN = 32
# Enrolment makes at most 50 of a resident, and half as many in each of three further conditions. Whoever has thousands
# is near to everybody.
MAX_PROTOTYPES = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A verified bundle. Obtain one from :func:`load_bundle`."""

    path: Path
    name: str
    sequence: int
    frontend: FrontendSpec
    vad: VadSpec
    segmenter: SegmenterSpec
    model: bytes
    input: TensorSpec
    output: TensorSpec
    head: Head
    thresholds: Thresholds
    golden: Golden
    manifest: Mapping[str, Any]
    # The id of the trusted key that signed it; empty where no key was asked for.
    signed_by: str = ""

    @property
    def residents(self) -> tuple[str, ...]:
        return self.head.residents


def resolve_current(path: Path) -> Path:
    """The bundle's folder: ``path`` itself, or for a models folder (or its ``current`` file) the one it names.

    The models folder may be reached by a link; ``current`` and what it names are no links. Raises
    :class:`BundleError`, and never repeats what ``current`` holds where that names no folder.
    """
    try:
        is_folder_here, manifest = path.is_dir(), path / "manifest.json"
        if is_folder_here and (manifest.exists() or manifest.is_symlink()):
            return path
        pointer = path / POINTER if is_folder_here else path
        name = read_pointer(pointer) if pointer.exists() or pointer.is_symlink() else None
    except OSError as error:
        raise BundleError(
            "may not be looked at",
            where=str(path),
            received=error,
            next_step="put it where the daemon's user can read it; it sees no home directories",
        ) from error
    if name is None:
        raise BundleError(
            "there is no bundle here",
            where=str(path),
            allowed=f"a bundle's folder, or a models folder with a '{POINTER}' file",
            next_step=REPUBLISH,
        )
    return pointer.parent / name


def read_pointer(pointer: Path) -> str | None:
    """The name of the folder beside it that ``pointer`` names; None where there is no such file. Raises
    :class:`BundleError` where it is no regular file, or does not name a folder beside it."""
    with opened(pointer.parent, follow=True) as models:
        if not exists(models, pointer.name):
            return None
        content = read_file(models, pointer.name, folder=pointer.parent, max_bytes=POINTER_BYTES)
        name = as_text(content, str(pointer)).strip()
        plain = name.isprintable() and Path(name).name == name and name not in ("", ".", "..")
        if plain and len(name.encode()) <= 255 and is_folder(models, name):
            return name
    raise BundleError(
        "the pointer does not name a folder beside it",
        where=str(pointer),
        received=f"{len(content)} bytes",
        allowed="the name of one folder in the same folder, which is no symbolic link",
        next_step=REPUBLISH,
    )


def load_bundle(path: Path, *, keys: Sequence[PublicKey] = (), allow_unsigned: bool = False) -> Bundle:
    """Read and verify a bundle (or what a models folder's ``current`` names).

    Where ``keys`` are given, one of them must have signed it (or, with ``allow_unsigned``, nobody), and nothing but the
    sums is looked at before that is known. Without ``keys`` signatures are not verified: whether a door accepts that is
    for ``device/service/trust.py``. Raises :class:`BundleError` naming the file when anything is missing, altered,
    foreign, of another schema, or disagrees with the front-end, detector or segmenter of this program. The model's
    outputs are verified by the scorer.
    """
    folder = resolve_current(path)
    seal = read_seal(folder)
    verified = bool(keys) and not (allow_unsigned and seal.signature is None)
    signed_by = verify_seal(seal, keys, where=str(folder)).id if verified else ""
    contents = read_listed(folder, seal, REQUIRED, max_bytes=BUNDLE_BYTES)
    where = str(folder / "manifest.json")
    if len(contents["manifest.json"]) > MANIFEST_BYTES:
        raise BundleError("the file is too large", where=where, received=f"{len(contents['manifest.json'])} bytes",
                          allowed=f"{MANIFEST_BYTES} bytes", next_step=REPUBLISH)  # fmt: skip
    manifest = parse_manifest(contents["manifest.json"], where=where)
    return Bundle(
        path=folder,
        name=manifest.name,
        sequence=manifest.sequence,
        frontend=manifest.frontend,
        vad=manifest.vad,
        segmenter=manifest.segmenter,
        model=contents["model.tflite"],
        input=manifest.input,
        output=manifest.output,
        head=_head(contents["head.npz"], manifest, where=str(folder / "head.npz")),
        thresholds=manifest.thresholds,
        golden=_golden(contents["golden.npz"], manifest, where=str(folder / "golden.npz")),
        manifest=manifest.raw,
        signed_by=signed_by,
    )


def _head(content: bytes, manifest: Manifest, *, where: str) -> Head:
    arrays = _arrays(content, where)
    (dimensions,) = manifest.output.shape if len(manifest.output.shape) == 1 else (0,)
    prototypes = _array(arrays, "prototypes", "float32", (None, dimensions), where)
    cohort = _array(arrays, "cohort", "float32", (None, dimensions), where)
    if len(prototypes) * len(cohort) > MAX_HEARD:
        raise _unfit(where, f"{len(prototypes)} prototypes and {len(cohort)} of a cohort", f"a product to {MAX_HEARD}")
    owners = _array(arrays, "owners", "int64", (len(prototypes),), where)
    for name, vectors in (("prototypes", prototypes), ("cohort", cohort)):
        problem = why_no_voices(vectors, of_many=name == "cohort")
        if problem:
            raise _unfit(f"{where}: {name}", problem, "vectors of length 1 that differ as voices do")
    most = int(np.unique(owners, return_counts=True)[1].max(initial=0))
    if most > MAX_PROTOTYPES:
        raise _unfit(f"{where}: owners", f"{most} prototypes of one resident", f"1 to {MAX_PROTOTYPES}")
    return Head(manifest.residents, prototypes, owners, cohort, manifest.calibration)


def _golden(content: bytes, manifest: Manifest, *, where: str) -> Golden:
    arrays = _arrays(content, where)
    clips = _array(arrays, "clips", "int16", (None, CLIP_SAMPLES), where)
    if not 1 <= len(clips) <= MAX_GOLDEN:
        raise _unfit(where, f"{len(clips)} clips", f"1 to {MAX_GOLDEN}")
    features = _array(arrays, "features", "float32", (len(clips), *manifest.input.shape), where)
    outputs = _array(arrays, "outputs", manifest.output.dtype, (len(clips), *manifest.output.shape), where)
    return Golden(clips, features, outputs, manifest.tolerances)


def _arrays(content: bytes, where: str) -> dict[str, NDArray[Any]]:
    try:
        return npz_arrays(content, max_bytes=BUNDLE_BYTES)
    except ValueError as error:
        raise _unfit(where, error, "arrays of numbers in a .npz") from error


def _array(
    arrays: Mapping[str, NDArray[Any]], name: str, dtype: str, shape: tuple[int | None, ...], where: str
) -> NDArray[Any]:
    found = arrays.get(name)
    fits = found is not None and found.dtype == np.dtype(dtype) and len(found.shape) == len(shape)
    if found is None or not fits or any(b not in (None, a) for a, b in zip(found.shape, shape, strict=True)):
        told = f"{found.dtype}{list(found.shape)}" if found is not None else "nothing"
        raise _unfit(f"{where}: {name}", told, f"{dtype}{['any' if each is None else each for each in shape]}")
    return found


def _unfit(where: str, received: object, allowed: str) -> BundleError:
    return BundleError("arrays that do not fit", where=where, received=received, allowed=allowed, next_step=REPUBLISH)


def write_bundle(folder: Path, files: Mapping[str, bytes], *, sign: Callable[[bytes], bytes] | None = None) -> None:
    """Write a bundle of ``files`` as ``folder``, signed where ``sign`` is given (:func:`write_folder`);
    :class:`BundleError` when a required file is not among them."""
    missing = [name for name in REQUIRED if name not in files]
    if missing:
        raise BundleError("a bundle needs more files", where=str(folder), received=f"without {', '.join(missing)}")
    write_folder(folder, files, sign=sign)


def point_current(models: Path, name: str) -> None:
    """Make ``models/current`` name the bundle ``name``, atomically; a link of that name is replaced, not followed.
    Raises :class:`StateError` when it cannot be written."""
    try:
        with open_folder(models, follow=True) as folder:
            replace_file(folder, POINTER, f"{name}\n".encode(), mode=0o644)
    except OSError as error:
        raise StateError(
            "the pointer cannot be moved",
            where=str(models / POINTER),
            received=error,
            next_step="make the models folder writable for this user",
        ) from error
