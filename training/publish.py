"""One verified bundle, or none: manifest, golden vectors, report; written, read back, self-tested, named current."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from device.errors import BundleError
from device.sound.logmel import FrontendSpec, LogMel
from device.sound.pcm import CLIP_SAMPLES, SAMPLE_RATE_HZ
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.bundle import SCHEMA, Bundle, Thresholds, load_bundle, npz_bytes, point_current, write_bundle
from device.verdict.head import Head
from device.verdict.interpreter import Interpreter
from device.verdict.scorer import Scorer
from training.backbone import BackboneArtefact

# Steps of int8 by which a runtime may differ from the one that made the golden vectors. ai-edge-litert gives the same
# integers on x86-64 and Arm; tflite-runtime 2.14 was seen to differ by one.
TOLERANCE_STEPS = {"ai-edge-litert": 1, "tflite-runtime": 2}
LIBRARIES = ("numpy", "ai-edge-litert", "tensorflow-cpu", "tensorflow", "keras", "webrtcvad-wheels", "soxr")


def golden_clips() -> NDArray[np.int16]:
    """Three made-up voices, int16 ``(3, 48000)``: a pulse train through moving resonances, with breath. Nobody's."""
    rng = np.random.default_rng(2026)
    clips = np.zeros((3, CLIP_SAMPLES), dtype=np.int16)
    times = np.arange(CLIP_SAMPLES) / SAMPLE_RATE_HZ
    for row, (pitch_hz, formants_hz) in enumerate(
        ((110.0, (700, 1200, 2600)), (190.0, (400, 2000, 2900)), (260.0, (600, 1000, 3200)))
    ):
        phase = np.cumsum(pitch_hz * (1 + 0.1 * np.sin(2 * np.pi * 1.3 * times))) / SAMPLE_RATE_HZ
        source = (np.diff(np.floor(phase), prepend=0.0) > 0) + 0.01 * rng.standard_normal(CLIP_SAMPLES)
        for centre_hz in formants_hz:
            b, a = signal.iirpeak(centre_hz, 8.0, fs=SAMPLE_RATE_HZ)
            source = source + 4 * signal.lfilter(b, a, source)
        source *= 0.55 + 0.45 * np.sin(2 * np.pi * 3.1 * times)
        clips[row] = np.rint(9000 * source / np.abs(source).max()).astype(np.int16)
    return clips


def publish(
    artefact: BackboneArtefact,
    head: Head,
    thresholds: Thresholds,
    *,
    models: Path,
    name: str,
    extra: Mapping[str, Any],
    reports: Mapping[str, bytes],
    make_current: bool,
) -> Bundle:
    """Write ``models/name`` and verify it as the door will. ``extra`` joins the manifest; ``reports`` are more files.

    Raises :class:`BundleError` when the bundle does not pass its own self-test; ``current`` is untouched then.
    """
    interpreter, log_mel = Interpreter(artefact.model), LogMel(artefact.frontend)
    if interpreter.runtime_name != "ai-edge-litert":
        raise BundleError(
            "golden vectors are made with ai-edge-litert",
            received=interpreter.runtime_name,
            next_step="pip install ai-edge-litert",
        )
    clips = golden_clips()
    features = np.stack([log_mel(clip) for clip in clips])
    outputs = np.stack([interpreter.run(each) for each in features])
    specs: dict[str, FrontendSpec | VadSpec | SegmenterSpec] = {
        "frontend": artefact.frontend,
        "vad": artefact.vad,
        "segmenter": artefact.segmenter,
    }
    tensors = {"input": interpreter.input, "output": interpreter.output}
    manifest = {
        **extra,
        "schema": SCHEMA,
        "name": name,
        "sequence": next_sequence(models),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **{key: {"spec": asdict(spec), "fingerprint": spec.fingerprint()} for key, spec in specs.items()},
        "tensors": {key: asdict(spec) for key, spec in tensors.items()},
        "residents": list(head.residents),
        "calibration": asdict(head.calibration),
        "thresholds": asdict(thresholds),
        "golden": {"tolerance_steps": TOLERANCE_STEPS},
        "libraries": library_versions(),
    }
    files = {
        "model.tflite": artefact.model,
        "head.npz": npz_bytes(prototypes=head.prototypes, owners=head.owners, cohort=head.cohort.astype(np.float32)),
        "golden.npz": npz_bytes(clips=clips, features=features, outputs=outputs),
        "manifest.json": json.dumps(manifest, indent=1, sort_keys=True).encode(),
        **reports,
    }
    write_bundle(models / name, files)
    bundle = load_bundle(models / name)
    Scorer(bundle)
    if make_current:
        point_current(models, name)
    return bundle


def next_sequence(models: Path) -> int:
    """One more than the highest sequence number of any bundle in ``models``: a refresh is always newer."""
    highest = 0
    for path in models.glob("*/manifest.json"):
        highest = max(highest, int(json.loads(path.read_text(encoding="utf-8")).get("sequence", 0)))
    return highest + 1


def library_versions() -> dict[str, str]:
    """The installed versions of what shaped the bundle."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
