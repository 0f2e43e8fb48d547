"""One verified bundle, or none: manifest, golden vectors, report; written, and verified in a fresh process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

import device
from device.errors import BundleError
from device.sound.logmel import FrontendSpec, LogMel
from device.sound.pcm import CLIP_SAMPLES, SAMPLE_RATE_HZ
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.bundle import SCHEMA, Bundle, Thresholds, load_bundle, npz_bytes, write_bundle
from device.verdict.golden import golden_output
from device.verdict.head import Head
from device.verdict.interpreter import Interpreter
from training.backbone import BackboneArtefact
from training.keys import Signer

# Steps of int8 by which a runtime may differ from the one that made the golden vectors. ai-edge-litert gives the same
# integers on x86-64 and Arm; tflite-runtime 2.14 was seen to differ by one.
TOLERANCE_STEPS = {"ai-edge-litert": 1, "tflite-runtime": 2}
# A network that answers in float, by its conversion: cosine and largest difference of embeddings of length 1.
# Activations that are quantised as they come fall to either side of a step with the processor's last digit: of CAM++
# x86-64 and emulated Arm (Cortex-A72, A76) were up to 0.0005 of cosine and 0.008 apart; another conversion of the same
# weights is 0.0015 to 0.004 away, the second runtime further. float16 has no such steps: 3e-7 apart there.
TOLERANCE: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "dynamic": {"ai-edge-litert": {"least_cosine": 0.999, "largest_difference": 0.015}},
    "float16": {
        "ai-edge-litert": {"least_cosine": 0.999999, "largest_difference": 2e-5},
        "tflite-runtime": {"least_cosine": 0.99999, "largest_difference": 1e-3},
    },
}
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


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A bundle before it is written. ``extra`` joins the manifest: where it comes from."""

    artefact: BackboneArtefact
    head: Head
    thresholds: Thresholds
    name: str
    sequence: int
    extra: Mapping[str, Any]

    def files(self, reports: Mapping[str, bytes]) -> dict[str, bytes]:
        """Everything that goes into the folder, with ``reports`` beside it."""
        interpreter, log_mel = Interpreter(self.artefact.model), LogMel(self.artefact.frontend)
        if interpreter.runtime_name != "ai-edge-litert":
            raise BundleError(
                "golden vectors are made with ai-edge-litert",
                received=interpreter.runtime_name,
                next_step="pip install ai-edge-litert",
            )
        clips = golden_clips()
        features = np.stack([log_mel(clip) for clip in clips])
        outputs = np.stack([golden_output(interpreter, each) for each in features])
        head, artefact = self.head, self.artefact
        specs: dict[str, FrontendSpec | VadSpec | SegmenterSpec] = {
            "frontend": artefact.frontend,
            "vad": artefact.vad,
            "segmenter": artefact.segmenter,
        }
        manifest = {
            **self.extra,
            "schema": SCHEMA,
            "name": self.name,
            "sequence": self.sequence,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            **{key: {"spec": asdict(spec), "fingerprint": spec.fingerprint()} for key, spec in specs.items()},
            "tensors": {"input": asdict(interpreter.input), "output": asdict(interpreter.output)},
            "residents": list(head.residents),
            "calibration": asdict(head.calibration),
            "thresholds": asdict(self.thresholds),
            "golden": tolerance_of(interpreter, artefact.manifest),
            "libraries": library_versions(),
        }
        cohort = head.cohort.astype(np.float32)
        return {
            "model.tflite": artefact.model,
            "head.npz": npz_bytes(prototypes=head.prototypes, owners=head.owners, cohort=cohort),
            "golden.npz": npz_bytes(clips=clips, features=features, outputs=outputs),
            "manifest.json": json.dumps(manifest, indent=1, sort_keys=True).encode(),
            **reports,
        }


def tolerance_of(interpreter: Interpreter, backbone: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest's ``golden``: how far each runtime may be from what is stored, by how the network was converted."""
    if interpreter.output.dtype == "int8":
        return {"tolerance_steps": TOLERANCE_STEPS}
    conversion = backbone["network"].get("conversion", "float16")
    return {"tolerance": {name: dict(limits) for name, limits in TOLERANCE[conversion].items()}}


def write_verified(folder: Path, files: Mapping[str, bytes], *, signer: Signer | None = None) -> Bundle:
    """Write a bundle beside its place, let a fresh process verify it as the door will, then put it in its place,
    signed where there is a ``signer``.

    Raises :class:`BundleError` when it does not pass; what stood at ``folder`` before is untouched then.
    """
    fresh = folder.with_name(f".{folder.name}.new")
    write_bundle(fresh, files)
    try:
        verify_in_a_fresh_process(fresh)
        write_bundle(folder, files, sign=signer.sign if signer is not None else None)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return load_bundle(folder, keys=(signer.public,) if signer is not None else ())


def verify_in_a_fresh_process(folder: Path) -> None:
    """``python -m device check --bundle`` on ``folder``, so that nothing loaded here can hide a fault.

    Raises :class:`BundleError` with what it said.
    """
    command = [sys.executable, "-m", "device", "check", "--bundle", str(folder.resolve())]
    home = Path(device.__file__).resolve().parent.parent
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BundleError(
            "the bundle does not pass its own verification",
            where=str(folder),
            received=(done.stdout + done.stderr).strip(),
            next_step="train again; what was published before stays",
        )


def library_versions() -> dict[str, str]:
    """The installed versions of what shaped the bundle."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
