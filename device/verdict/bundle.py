"""The bundle: everything the door knows, in one folder, verified before it is believed.

``model.tflite``, ``head.npz`` (prototypes, owners, cohort), ``golden.npz`` (clips with the features and int8 outputs
they must give), ``manifest.json``, the report, and ``SHA256SUMS`` over all of them. ``models/README.md`` describes
every field. Writing happens in a temporary folder that is renamed when complete, so a half-written bundle cannot have
a bundle's name.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError, StateError, VoicelatchError
from device.sound.logmel import FrontendSpec
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.head import Calibration, Head
from device.verdict.interpreter import TensorSpec

SCHEMA = 1
SUMS = "SHA256SUMS"
REQUIRED = ("model.tflite", "head.npz", "golden.npz", "manifest.json")
REPUBLISH = "copy the bundle again from the workstation, or publish a new one with the training pipeline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Natural-log likelihood ratios, and where they come from: the false accept rate aimed at on validation
    strangers, its 95 % upper bound there, and how many speakers and visits that rests on."""

    open_llr: float
    refuse_llr: float
    max_clips: int
    target_far: float
    far_upper_bound: float
    validation_speakers: int
    validation_visits: int


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """``clips`` int16 ``(g, 48000)``; ``features`` float32 ``(g, frames, bands)``; ``outputs`` int8 ``(g, d)``;
    ``tolerance_steps``: by runtime, how many int8 steps an output may differ."""

    clips: NDArray[np.int16]
    features: NDArray[np.float32]
    outputs: NDArray[np.int8]
    tolerance_steps: Mapping[str, int]


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

    @property
    def residents(self) -> tuple[str, ...]:
        return self.head.residents


def resolve_current(path: Path) -> Path:
    """The bundle's folder: ``path`` itself, or for a models folder (or its ``current`` file) the one it names."""
    pointer = path / "current" if path.is_dir() and not (path / "manifest.json").exists() else path
    if not pointer.is_file():
        if path.is_dir() and (path / "manifest.json").exists():
            return path
        raise BundleError(
            "there is no bundle here",
            where=str(path),
            allowed="a bundle's folder, or a models folder with a 'current' file",
            next_step=REPUBLISH,
        )
    name = _text(pointer.name, _bytes(pointer), str(pointer)).strip()
    if not name or Path(name).name != name or name in (".", ".."):
        raise BundleError(
            "the pointer does not name a folder beside it",
            where=str(pointer),
            received=repr(name),
            allowed="one folder name",
            next_step=REPUBLISH,
        )
    return pointer.parent / name


def load_bundle(path: Path) -> Bundle:
    """Read and verify a bundle (or what a models folder's ``current`` names).

    Raises :class:`BundleError` naming the file when anything is missing, altered, of another schema, or disagrees
    with the front-end, detector or segmenter of this program. The model's outputs are verified by the scorer.
    """
    folder = resolve_current(path)
    contents = read_folder(folder, REQUIRED)
    where = str(folder / "manifest.json")
    try:
        manifest = json.loads(contents["manifest.json"])
        if manifest["schema"] != SCHEMA:
            raise BundleError(
                "another format",
                where=f"{where}: schema",
                received=manifest["schema"],
                allowed=str(SCHEMA),
                next_step="update the program or publish again",
            )
        frontend = FrontendSpec(**manifest["frontend"]["spec"])
        vad = VadSpec(**manifest["vad"]["spec"])
        segmenter = SegmenterSpec(**manifest["segmenter"]["spec"])
        for key, here in (("frontend", frontend), ("vad", vad), ("segmenter", segmenter)):
            _check_fingerprint(where, key, manifest[key]["fingerprint"], here.fingerprint())
        arrays, golden = npz_arrays(contents["head.npz"]), npz_arrays(contents["golden.npz"])
        tensors = {key: _tensor(manifest["tensors"][key]) for key in ("input", "output")}
        if tensors["input"].shape != frontend.shape:
            raise BundleError(
                "the model is of another front-end",
                where=f"{where}: tensors.input.shape",
                received=list(tensors["input"].shape),
                allowed=str(list(frontend.shape)),
                next_step=REPUBLISH,
            )
        return Bundle(
            path=folder,
            name=str(manifest["name"]),
            sequence=int(manifest["sequence"]),
            frontend=frontend,
            vad=vad,
            segmenter=segmenter,
            model=contents["model.tflite"],
            input=tensors["input"],
            output=tensors["output"],
            head=Head(
                tuple(manifest["residents"]),
                arrays["prototypes"],
                arrays["owners"],
                arrays["cohort"],
                Calibration(**manifest["calibration"]),
            ),
            thresholds=Thresholds(**manifest["thresholds"]),
            golden=Golden(
                golden["clips"], golden["features"], golden["outputs"], manifest["golden"]["tolerance_steps"]
            ),
            manifest=manifest,
        )
    except BundleError:
        raise
    except (KeyError, TypeError, ValueError, VoicelatchError) as error:
        raise BundleError(
            "a field is missing or not acceptable",
            where=where,
            next_step=REPUBLISH,
            received=f"{type(error).__name__}: {error}",
        ) from error


def write_bundle(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a bundle of ``files`` as ``folder``; :class:`BundleError` when a required file is not among them."""
    missing = [name for name in REQUIRED if name not in files]
    if missing:
        raise BundleError("a bundle needs more files", where=str(folder), received=f"without {', '.join(missing)}")
    write_folder(folder, files)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write ``files`` and their ``SHA256SUMS`` as the new folder ``folder``: complete or not at all.

    An existing folder is replaced only once the new one is whole. Raises :class:`StateError` when writing fails.
    """
    sums = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            fresh = Path(scratch) / "new"
            fresh.mkdir()
            for name, content in {**files, SUMS: sums.encode()}.items():
                with (fresh / name).open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            if folder.exists():
                os.replace(folder, Path(scratch) / "old")
            os.replace(fresh, folder)
    except OSError as error:
        raise StateError(
            "cannot be written",
            where=str(folder),
            received=error,
            next_step="check free space and permissions; what was there before is kept",
        ) from error


def point_current(models: Path, name: str) -> None:
    """Make ``models/current`` name the bundle ``name``, atomically."""
    fresh = models / ".current.new"
    fresh.write_text(f"{name}\n", encoding="utf-8")
    os.replace(fresh, models / "current")


def npz_bytes(**arrays: NDArray[Any]) -> bytes:
    """The arrays as the bytes of a compressed ``.npz``."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_folder(folder: Path, required: Sequence[str]) -> dict[str, bytes]:
    """The files of a folder made by :func:`write_folder`, each verified. Raises :class:`BundleError`."""
    sums_path = folder / SUMS
    if not sums_path.is_file():
        raise BundleError("the bundle is incomplete", where=str(folder), received=f"no {SUMS}", next_step=REPUBLISH)
    contents: dict[str, bytes] = {}
    for line in _text(SUMS, _bytes(sums_path), str(sums_path)).splitlines():
        expected, _, name = line.partition("  ")
        path = folder / name
        if not name or Path(name).name != name or not path.is_file():
            raise BundleError("a listed file is missing", where=str(sums_path), received=line, next_step=REPUBLISH)
        contents[name] = _bytes(path)
        actual = hashlib.sha256(contents[name]).hexdigest()
        if actual != expected:
            raise BundleError(
                "the file was altered or cut short",
                where=str(path),
                received=f"sha256 {actual[:16]}...",
                allowed=f"sha256 {expected[:16]}...",
                next_step=REPUBLISH,
            )
    missing = [name for name in required if name not in contents]
    if missing:
        raise BundleError(
            "the bundle is incomplete", where=str(folder), received=f"no {', '.join(missing)}", next_step=REPUBLISH
        )
    return contents


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(
            "the file cannot be read",
            where=str(path),
            received=error,
            next_step="make it readable for the user that runs the door, or " + REPUBLISH,
        ) from error


def _text(name: str, content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{name} is not text", where=where, received=error, next_step=REPUBLISH) from error


def npz_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of a ``.npz``. Raises ValueError for anything else: damaged, another format, pickled objects."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (AttributeError, EOFError, OSError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        # An array alone (.npy) has no names; the others are what the zip reader says of damage.
        raise ValueError(f"not a readable .npz: {type(error).__name__}: {error}") from error


def _tensor(fields: Mapping[str, Any]) -> TensorSpec:
    return TensorSpec(tuple(fields["shape"]), float(fields["scale"]), int(fields["zero_point"]))


def _check_fingerprint(where: str, key: str, bundled: str, here: str) -> None:
    if bundled != here:
        raise BundleError(
            f"the model was made with another {key} than this program has",
            where=f"{where}: {key}.fingerprint",
            received=bundled,
            allowed=here,
            next_step="publish the bundle with the same version of the program as on the device",
        )
