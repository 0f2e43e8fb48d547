"""The backbone artefact: the int8 network with all a refresh needs, so that a household is added without TensorFlow.

``model.tflite``; ``voices.npz``: a cohort (one embedding a training speaker) and every clip of the validation
strangers as an embedding, as recorded, in the conditions of a door, and with little speech; ``manifest.json``: specs,
tensors, who was learnt from (hashed), where it comes from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import BundleError
from device.sound.logmel import FrontendSpec
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.bundle import npz_arrays, npz_bytes, read_folder, write_folder
from device.verdict.interpreter import Embedding, unit_length
from training.corpus.split import speaker_hash
from training.voices import Embedder, Voices

FILES = ("model.tflite", "voices.npz", "manifest.json")


@dataclass(frozen=True, slots=True, eq=False)
class BackboneArtefact:
    """A trained, quantized backbone: see the module's text. ``validation`` has copies (:mod:`training.door_copies`)."""

    model: bytes
    frontend: FrontendSpec
    vad: VadSpec
    segmenter: SegmenterSpec
    cohort: Embedding
    validation: Voices
    validation_short: Voices
    manifest: Mapping[str, Any]

    def embedder(self) -> Embedder:
        return Embedder(self.model, self.frontend)


def write_backbone(folder: Path, artefact: BackboneArtefact) -> None:
    """Write the artefact as a verified folder; speakers' names are hashed."""
    validation, short = artefact.validation, artefact.validation_short
    voices = npz_bytes(
        cohort=artefact.cohort.astype(np.float16),
        embeddings=validation.embeddings.astype(np.float16),
        copies=np.asarray(validation.copies, dtype=np.float16),
        shares=validation.shares.astype(np.float32),
        short_embeddings=short.embeddings.astype(np.float16),
        short_shares=short.shares.astype(np.float32),
        speakers=np.array([speaker_hash(name) for name in validation.speakers]),
        sessions=np.array(validation.sessions),
    )
    manifest = {
        **artefact.manifest,
        "frontend": {"spec": asdict(artefact.frontend), "fingerprint": artefact.frontend.fingerprint()},
        "vad": {"spec": asdict(artefact.vad), "fingerprint": artefact.vad.fingerprint()},
        "segmenter": {"spec": asdict(artefact.segmenter), "fingerprint": artefact.segmenter.fingerprint()},
    }
    content = json.dumps(manifest, indent=1, sort_keys=True).encode()
    write_folder(folder, {"model.tflite": artefact.model, "voices.npz": voices, "manifest.json": content})


def read_backbone(folder: Path) -> BackboneArtefact:
    """Read and verify. Raises :class:`BundleError` when a file is missing, altered, or of another front-end."""
    contents = read_folder(folder, FILES)
    manifest = json.loads(contents["manifest.json"])
    specs = {"frontend": FrontendSpec, "vad": VadSpec, "segmenter": SegmenterSpec}
    made: dict[str, Any] = {key: kind(**manifest[key]["spec"]) for key, kind in specs.items()}
    for key, spec in made.items():
        if spec.fingerprint() != manifest[key]["fingerprint"]:
            raise BundleError(
                f"this backbone was made with another {key}",
                where=str(folder / "manifest.json"),
                received=manifest[key]["fingerprint"],
                allowed=spec.fingerprint(),
                next_step="train the backbone again with this version",
            )
    arrays = npz_arrays(contents["voices.npz"])
    if "copies" not in arrays:
        raise BundleError(
            "this backbone was made before people were enrolled in the conditions of a door",
            where=str(folder / "voices.npz"),
            received=", ".join(arrays),
            next_step="train the backbone again with this version",
        )
    who = tuple(arrays["speakers"].tolist()), tuple(arrays["sessions"].tolist())
    heard = [
        Voices(
            unit_length(arrays[f"{kind}embeddings"].astype(np.float32)),
            arrays[f"{kind}shares"].astype(np.float64),
            *who,
            unit_length(arrays["copies"].astype(np.float32)) if not kind else None,
        )
        for kind in ("", "short_")
    ]
    cohort = unit_length(arrays["cohort"].astype(np.float32))
    return BackboneArtefact(
        contents["model.tflite"], made["frontend"], made["vad"], made["segmenter"], cohort, heard[0], heard[1], manifest
    )
