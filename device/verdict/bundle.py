"""The bundle: everything the door knows, in one folder, verified before it is believed.

``model.tflite``, ``head.npz`` (prototypes, owners, cohort), ``golden.npz`` (clips with the features and outputs they
must give), ``manifest.json``, the report, ``SHA256SUMS`` over all of them and, where the workshop has a key, a
``SIGNATURE``. ``models/README.md`` describes every field. Writing happens in a temporary folder that is renamed when
complete, so a half-written bundle cannot have a bundle's name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError
from device.sound.logmel import FrontendSpec
from device.sound.pcm import CLIP_SAMPLES
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.files import REPUBLISH, SUMS, as_text, read_bytes, read_folder, read_listed, read_seal, write_folder
from device.verdict.golden import Golden
from device.verdict.head import Head
from device.verdict.interpreter import TensorSpec
from device.verdict.manifest import SCHEMA, Manifest, Thresholds, parse_manifest
from device.verdict.npz import npz_arrays, npz_bytes
from device.verdict.signature import PublicKey, verify_seal

__all__ = [
    "REPUBLISH", "REQUIRED", "SCHEMA", "SUMS", "Bundle", "Golden", "Thresholds", "load_bundle", "npz_arrays",
    "npz_bytes", "point_current", "read_folder", "resolve_current", "write_bundle", "write_folder",
]  # fmt: skip

REQUIRED = ("model.tflite", "head.npz", "golden.npz", "manifest.json")
# A door has little memory. The shipped bundle is 3 MB, 8 MB unpacked.
BUNDLE_BYTES = 64 << 20
MANIFEST_BYTES = 4 << 20
POINTER_BYTES = 1 << 10
# The cohort as every prototype hears it is computed once, when the bundle is loaded: numbers of that table.
MAX_HEARD = 10_000_000
MAX_GOLDEN = 32


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
    """The bundle's folder: ``path`` itself, or for a models folder (or its ``current`` file) the one it names."""
    try:
        is_bundle = path.is_dir() and (path / "manifest.json").exists()
        pointer = path / "current" if path.is_dir() and not is_bundle else path
        points = pointer.is_file()
    except OSError as error:
        raise BundleError(
            "may not be looked at",
            where=str(path),
            received=error,
            next_step="put it where the daemon's user can read it; it sees no home directories",
        ) from error
    if not points:
        if is_bundle:
            return path
        raise BundleError(
            "there is no bundle here",
            where=str(path),
            allowed="a bundle's folder, or a models folder with a 'current' file",
            next_step=REPUBLISH,
        )
    name = as_text(read_bytes(pointer, max_bytes=POINTER_BYTES), str(pointer)).strip()
    if not name or not name.isprintable() or Path(name).name != name or name in (".", ".."):
        raise BundleError(
            "the pointer does not name a folder beside it",
            where=str(pointer),
            received=repr(name),
            allowed="one folder name",
            next_step=REPUBLISH,
        )
    return pointer.parent / name


def load_bundle(path: Path, *, keys: Sequence[PublicKey] = ()) -> Bundle:
    """Read and verify a bundle (or what a models folder's ``current`` names).

    Where ``keys`` are given, one of them must have signed it, and nothing but the sums is looked at before that is
    known. Raises :class:`BundleError` naming the file when anything is missing, altered, foreign, of another schema,
    or disagrees with the front-end, detector or segmenter of this program. The model's outputs are verified by the
    scorer.
    """
    folder = resolve_current(path)
    seal = read_seal(folder)
    signed_by = verify_seal(seal, keys, where=str(folder)).id if keys else ""
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
    lengths = np.linalg.norm(np.concatenate([prototypes, cohort]).astype(np.float64), axis=1)
    # Not "> 0.01": NaN must not pass.
    if not np.all(np.abs(lengths - 1.0) <= 0.01):
        raise _unfit(where, "a vector of another length, or no number", "vectors of length 1")
    owners = _array(arrays, "owners", "int64", (len(prototypes),), where)
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
    """Make ``models/current`` name the bundle ``name``, atomically."""
    fresh = models / ".current.new"
    fresh.write_text(f"{name}\n", encoding="utf-8")
    os.replace(fresh, models / "current")
