"""Every number of a manifest and a head has a range, and a value outside it is refused with its place."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

from device.errors import BundleError
from device.sound.fingerprint import fingerprint
from device.sound.logmel import FrontendSpec
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.bundle import MAX_PROTOTYPES, REQUIRED, Thresholds, load_bundle, npz_arrays, npz_bytes, write_bundle
from device.verdict.head import Calibration
from device.verdict.limits import LIMITS
from device.verdict.manifest import parse_manifest

TABLES: dict[str, Any] = {"calibration": Calibration, "thresholds": Thresholds, "frontend.spec": FrontendSpec,
                          "vad.spec": VadSpec, "segmenter.spec": SegmenterSpec}  # fmt: skip
NUMBERS = [
    f"{table}.{field.name}"
    for table, kind in TABLES.items()
    for field in dataclasses.fields(kind)
    if get_type_hints(kind)[field.name] in (int, float)
]
SINGLE = ["sequence", "tensors.input.scale", "tensors.output.scale", "tensors.input.zero_point",
          "tensors.output.zero_point", "golden.tolerance_steps.ai-edge-litert"]  # fmt: skip
KINDS = {"frontend": "logmel-1", "vad": "webrtcvad-1", "segmenter": "segmenter-1"}


@pytest.fixture
def shipped(models: Path) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((models / "demo/manifest.json").read_text())
    return table


@pytest.fixture
def files(models: Path) -> dict[str, bytes]:
    return {name: (models / "demo" / name).read_bytes() for name in REQUIRED}


def with_value(table: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    """The manifest with another value, and fingerprints that fit it, as somebody makes them who does it on purpose."""
    made: dict[str, Any] = json.loads(json.dumps(table))
    inner, *rest = made, *place.split(".")
    for key in rest[:-1]:
        inner = inner[key]
    inner[rest[-1]] = value
    for key, kind in KINDS.items():
        if place.startswith(f"{key}."):
            unused = {"decibels": True, "centred": False, "lift_to_dbfs": 0.0, "scale": "mel"}
            spec = {
                name: each for name, each in made[key]["spec"].items() if key != "frontend" or unused.get(name) != each
            }
            made[key]["fingerprint"] = fingerprint(kind, spec)
    return made


def range_of(place: str) -> Any:
    parts = place.split(".")
    if parts[0] == "tensors":
        return LIMITS[f"tensors.{parts[2]}"]
    return LIMITS[".".join(parts[:2]) if parts[0] == "golden" else place]


@pytest.mark.parametrize("place", NUMBERS)
def test_every_number_has_a_range_of_its_own(place: str) -> None:
    assert place in LIMITS
    assert -1e9 < LIMITS[place].low < LIMITS[place].high < 1e9


@pytest.mark.parametrize("far", [1.0, 1e3, 1e8, 1e12, 10**400, -(10**400)])
@pytest.mark.parametrize("place", [*NUMBERS, *SINGLE])
def test_a_number_beyond_its_range_is_refused_with_its_place(shipped: dict[str, Any], place: str, far: float) -> None:
    limit = range_of(place)
    for value in (limit.high + far, limit.low - far) if abs(far) < 2**64 else (far,):
        exact = int(value) if float(limit.high).is_integer() and isinstance(value, float) else value
        with pytest.raises(BundleError, match="missing or not acceptable") as caught:
            parse_manifest(json.dumps(with_value(shipped, place, exact)).encode(), where="m")
        assert place.rsplit(".ai-edge", 1)[0] in caught.value.where
        assert caught.value.allowed
        assert caught.value.received is not None


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("place", [*NUMBERS, *SINGLE])
def test_what_is_no_number_is_refused(shipped: dict[str, Any], place: str, word: str) -> None:
    text = json.dumps(with_value(shipped, place, "@")).replace('"@"', word)
    with pytest.raises(BundleError, match="is not a number"):
        parse_manifest(text.encode(), where="m")


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize("length", [0, -1, 10**6 + 1, 10**12])
def test_a_tensor_has_no_absurd_length(shipped: dict[str, Any], side: str, length: int) -> None:
    with pytest.raises(BundleError, match=f"tensors.{side}.shape"):
        parse_manifest(json.dumps(with_value(shipped, f"tensors.{side}.shape", [length, 64])).encode(), where="m")


def test_the_attack_that_opened_to_white_noise_is_refused_by_either_of_its_numbers(shipped: dict[str, Any]) -> None:
    for place, value in (("calibration.intercept", 1e9), ("thresholds.open_llr", -1e8)):
        with pytest.raises(BundleError, match=place):
            parse_manifest(json.dumps(with_value(shipped, place, value)).encode(), where="m")


def head_with(files: dict[str, bytes], **changed: np.ndarray) -> dict[str, bytes]:
    return {**files, "head.npz": npz_bytes(**{**npz_arrays(files["head.npz"]), **changed})}


def with_row(array: np.ndarray, row: np.ndarray | float) -> np.ndarray:
    made = array.copy()
    made[3] = row
    return made


EQUAL = np.full(256, 1 / 16, np.float32)


@pytest.mark.parametrize("name", ["prototypes", "cohort"])
@pytest.mark.parametrize(
    ("row", "said"),
    [
        (np.nan, "no finite number"),
        (np.inf, "no finite number"),
        (-np.inf, "no finite number"),
        (0.0, "length 0"),
        (1e30, "length"),
        (EQUAL * 2, "length 2"),
        (EQUAL, "nearly equal"),
        (-EQUAL, "nearly equal"),
    ],
)
def test_a_vector_that_is_no_voice_is_refused(
    tmp_path: Path, files: dict[str, bytes], name: str, row: np.ndarray | float, said: str
) -> None:
    array = npz_arrays(files["head.npz"])[name]
    write_bundle(tmp_path / "b", head_with(files, **{name: with_row(array, row)}))
    with pytest.raises(BundleError, match=rf"{name}: arrays that do not fit[\s\S]*{said}"):
        load_bundle(tmp_path / "b")


def test_a_cohort_of_one_voice_and_a_resident_with_thousands_of_prototypes_are_refused(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    arrays = npz_arrays(files["head.npz"])
    write_bundle(tmp_path / "b", head_with(files, cohort=np.repeat(arrays["cohort"][:1], 100, axis=0)))
    with pytest.raises(BundleError, match="nearly the same"):
        load_bundle(tmp_path / "b")
    many = np.concatenate([arrays["prototypes"], np.repeat(arrays["prototypes"][:1], MAX_PROTOTYPES, axis=0)])
    owners = np.concatenate([arrays["owners"], np.zeros(MAX_PROTOTYPES, np.int64)])
    write_bundle(tmp_path / "b", head_with(files, prototypes=many, owners=owners))
    with pytest.raises(BundleError, match="prototypes of one resident"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("owner", [-1, 4, 2**40])
def test_a_prototype_of_nobody_is_refused(tmp_path: Path, files: dict[str, bytes], owner: int) -> None:
    owners = npz_arrays(files["head.npz"])["owners"].copy()
    owners[0] = owner
    write_bundle(tmp_path / "b", head_with(files, owners=owners))
    with pytest.raises(BundleError):
        load_bundle(tmp_path / "b")


def test_a_fingerprint_is_repeated_only_where_it_has_the_form_of_one(shipped: dict[str, Any]) -> None:
    digest = hashlib.sha256(b"").hexdigest()[:16]
    for value, said in ((f"vad-1:{digest}", True), ("hunter2", False), (["hunter2"], False)):
        with pytest.raises(BundleError) as caught:
            parse_manifest(json.dumps({**shipped, "vad": {**shipped["vad"], "fingerprint": value}}).encode(), where="m")
        assert (digest in str(caught.value)) is said
        assert "hunter2" not in str(caught.value)
