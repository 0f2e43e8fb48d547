"""A manifest's wrong value is found when it is read, with its place."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from device.errors import BundleError
from device.sound.logmel import FrontendSpec
from device.verdict.manifest import parse_manifest

HUGE = 10**400


@pytest.fixture
def shipped(models: Path) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((models / "demo/manifest.json").read_text())
    return table


def parse(table: object) -> Any:
    return parse_manifest(json.dumps(table).encode(), where="m")


def changed(table: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(table))
    inner, *rest = made, *place.split(".")
    for key in rest[:-1]:
        inner = inner[key]
    inner[rest[-1]] = value
    return made


def test_the_shipped_manifest_is_read(shipped: dict[str, Any]) -> None:
    made = parse(shipped)
    assert made.residents == ("Anna", "Bruno", "Clara", "David")
    assert made.thresholds.open_llr == shipped["thresholds"]["open_llr"]
    assert made.raw == shipped


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("thresholds.open_llr", "12.5"),
        ("thresholds.open_llr", None),
        ("thresholds.open_llr", True),
        ("thresholds.open_llr", HUGE),
        ("thresholds.open_llr", -2.5),
        ("thresholds.refuse_llr", 99.5),
        ("thresholds.max_clips", 0),
        ("thresholds.max_clips", 3.0),
        ("thresholds.max_clips", True),
        ("thresholds.max_clips", 10_000),
        ("thresholds.target_far", 1.5),
        ("thresholds.far_upper_bound", -0.1),
        ("thresholds.validation_visits", -1),
        ("thresholds.validation_visits", "many"),
        ("thresholds", {}),
        ("thresholds", []),
        ("thresholds.more", 1),
        ("calibration.slope", "2"),
        ("calibration.slope", 1e300),
        ("calibration.cohort_top", 50.5),
        ("calibration", None),
        ("residents", []),
        ("residents", "Anna"),
        ("residents", ["Anna", 7]),
        ("residents", ["Anna", ""]),
        ("residents", ["Anna\n{}"]),
        ("residents", ["\ud800"]),
        ("residents", ["Anna\u202e"]),
        ("residents", ["x" * 101]),
        ("residents", ["x"] * 1001),
        ("name", None),
        ("name", ["demo"]),
        ("name", "de\x1b[2Jmo"),
        ("sequence", "20"),
        ("sequence", -1),
        ("sequence", 20.5),
        ("sequence", HUGE),
        ("frontend.spec.mel_bands", "64"),
        ("frontend.spec.mel_bands", 10**8),
        ("frontend.spec.hop_samples", 0),
        ("frontend.spec.remove_band_mean", 1),
        ("calibration", {"slope": 2.0}),
        ("frontend.spec.unheard_of", 1),
        ("frontend", "logmel"),
        ("vad.spec.mode", 7),
        ("vad.spec.mode", [2]),
        ("segmenter.spec.onset_frames", 6.5),
        ("segmenter.spec.min_speech_seconds", 99.0),
        ("tensors", []),
        ("tensors.input.shape", [297, "64"]),
        ("tensors.input.shape", []),
        ("tensors.output.shape", [0]),
        ("tensors.output.scale", 0.0),
        ("tensors.output.scale", "small"),
        ("tensors.output.zero_point", 200),
        ("golden", {}),
        ("golden.tolerance_steps", [1]),
        ("golden.tolerance_steps", {"ai-edge-litert": 255}),
        ("golden.tolerance_steps", {"ai-edge-litert": "1"}),
        ("golden.tolerance", [1]),
        ("golden.tolerance", {"ai-edge-litert": 1}),
        ("golden.tolerance", {"ai-edge-litert": {"least_cosine": 0.9999}}),
        ("golden.tolerance", {"ai-edge-litert": {"least_cosine": 0.5, "largest_difference": 0.001}}),
        ("golden.tolerance", {"ai-edge-litert": {"least_cosine": 0.9999, "largest_difference": 0.5}}),
        ("golden.tolerance", {"ai-edge-litert": {"least_cosine": 2, "largest_difference": 0.001}}),
        ("golden.tolerance", {"ai-edge-litert": {"least_cosine": 0.9999, "largest_difference": -1}}),
    ],
)
def test_a_value_of_the_wrong_kind_is_found_and_its_place_named(
    shipped: dict[str, Any], place: str, value: object
) -> None:
    # A front-end that is none of ours is found by its fingerprint before its limits are looked at.
    with pytest.raises(BundleError, match=r"missing or not acceptable|than this program has") as caught:
        parse(changed(shipped, place, value))
    assert place.split(".")[0] in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize("key", ["name", "sequence", "frontend", "vad", "segmenter", "tensors", "residents",
                                 "calibration", "thresholds", "golden"])  # fmt: skip
def test_a_missing_field_is_named(shipped: dict[str, Any], key: str) -> None:
    del shipped[key]
    with pytest.raises(BundleError, match=f"no {key}"):
        parse(shipped)


@pytest.mark.parametrize("spec", [FrontendSpec(mel_bands=10**8), FrontendSpec(fft_samples=24_000, hop_samples=1)])
def test_a_front_end_that_would_fill_the_memory_is_refused_before_it_is_made(
    shipped: dict[str, Any], spec: FrontendSpec
) -> None:
    with pytest.raises(BundleError, match=r"values of a spectrum|1 to 1024"):
        parse({**shipped, "frontend": {"spec": asdict(spec), "fingerprint": spec.fingerprint()}})


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"7", b"null", b"{", b"\xff", b"[" * 200_000, b'{"a":' * 50_000, b'{"schema": NaN}',
     b'{"schema": 1, "schema": 1}', b'{"schema": ' + b"9" * 5000 + b"}"],
)  # fmt: skip
def test_what_is_no_table_in_json_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError):
        parse_manifest(content, where="m")


@pytest.mark.parametrize("schema", [1, "2", True, None, [1]])
def test_another_schema_is_another_format(shipped: dict[str, Any], schema: object) -> None:
    with pytest.raises(BundleError, match="another format"):
        parse({**shipped, "schema": schema})


def test_numbers_that_make_the_same_float_are_the_same(shipped: dict[str, Any]) -> None:
    assert parse(changed(shipped, "thresholds.open_llr", 13)).thresholds.open_llr == 13.0


def test_names_from_other_scripts_are_names(shipped: dict[str, Any]) -> None:
    names = ["Zoë", "محمد\u200cرضا", "김민준", "O’Neil 2"]
    assert parse({**shipped, "residents": names}).residents == tuple(names)
