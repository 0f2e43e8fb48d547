"""The backbone artefact: the int8 network with all a refresh needs, so that a household is added without TensorFlow.

``model.tflite``; ``voices.npz``: a cohort (one embedding a training speaker) and every clip of the validation
strangers as an embedding; ``manifest.json``: specs, tensors, who was learnt from (hashed), where it comes from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError
from device.sound.logmel import FrontendSpec, LogMel
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.bundle import npz_arrays, npz_bytes, read_folder, write_folder
from device.verdict.interpreter import Embedding, Interpreter, unit_length
from device.verdict.scorer import clip_weight
from training.clips import SpokenClip
from training.corpus.index import Progress
from training.corpus.split import speaker_hash

FILES = ("model.tflite", "voices.npz", "manifest.json")


@dataclass(frozen=True, slots=True, eq=False)
class Voices:
    """Clips as the int8 network hears them: ``embeddings`` float32 ``(n, d)`` of length 1; ``weights`` ``(n,)`` of
    their evidence; ``speakers`` and ``sessions`` (any text, here hashes or names), in the order they were spoken."""

    embeddings: Embedding
    weights: NDArray[np.float64]
    speakers: tuple[str, ...]
    sessions: tuple[str, ...]

    def of(self, speaker: str) -> NDArray[np.int64]:
        """The rows of one speaker."""
        return np.flatnonzero(np.asarray(self.speakers) == speaker)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.speakers)))


@dataclass(frozen=True, slots=True, eq=False)
class BackboneArtefact:
    """A trained, quantized backbone: see the module's text."""

    model: bytes
    frontend: FrontendSpec
    vad: VadSpec
    segmenter: SegmenterSpec
    cohort: Embedding
    validation: Voices
    manifest: Mapping[str, Any]

    def embedder(self) -> Embedder:
        return Embedder(self.model, self.frontend)


class Embedder:
    """Clips through the device's own front-end and interpreter."""

    def __init__(self, model: bytes, frontend: FrontendSpec) -> None:
        self.log_mel, self.interpreter = LogMel(frontend), Interpreter(model)

    def voices(self, clips: Sequence[SpokenClip], *, progress: Progress, label: str) -> Voices:
        """The embeddings of all ``clips``, in order."""
        size = self.interpreter.output.shape[0]
        embeddings = np.zeros((len(clips), size), dtype=np.float32)
        for row, each in enumerate(clips):
            embeddings[row] = self.interpreter.embed(self.log_mel(each.clip.samples))
            progress(label, row + 1, len(clips))
        return Voices(
            embeddings,
            np.array([clip_weight(each.clip) for each in clips]),
            tuple(each.speaker for each in clips),
            tuple(each.session for each in clips),
        )


def write_voices(path: Path, voices: Voices) -> None:
    """Keep embeddings, so that a later run does not compute them again; exact, with names as they are."""
    fresh = path.with_suffix(".new")
    speakers, sessions = np.array(voices.speakers, dtype=np.str_), np.array(voices.sessions, dtype=np.str_)
    fresh.write_bytes(
        npz_bytes(embeddings=voices.embeddings, weights=voices.weights, speakers=speakers, sessions=sessions)
    )
    os.replace(fresh, path)


def read_voices(path: Path) -> Voices:
    """What :func:`write_voices` kept."""
    arrays = npz_arrays(path.read_bytes())
    speakers, sessions = (tuple(arrays[key].tolist()) for key in ("speakers", "sessions"))
    return Voices(arrays["embeddings"], arrays["weights"], speakers, sessions)


def cohort_of(voices: Voices) -> Embedding:
    """One embedding a speaker: the mean of theirs, of length 1, float32 ``(speakers, d)``."""
    means = np.stack([voices.embeddings[voices.of(name)].mean(axis=0) for name in voices.names])
    return unit_length(means)


def write_backbone(folder: Path, artefact: BackboneArtefact) -> None:
    """Write the artefact as a verified folder; speakers' names are hashed."""
    validation = artefact.validation
    voices = npz_bytes(
        cohort=artefact.cohort.astype(np.float16),
        embeddings=validation.embeddings.astype(np.float16),
        weights=validation.weights.astype(np.float32),
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
    validation = Voices(
        unit_length(arrays["embeddings"].astype(np.float32)),
        arrays["weights"].astype(np.float64),
        tuple(arrays["speakers"].tolist()),
        tuple(arrays["sessions"].tolist()),
    )
    cohort = unit_length(arrays["cohort"].astype(np.float32))
    return BackboneArtefact(
        contents["model.tflite"], made["frontend"], made["vad"], made["segmenter"], cohort, validation, manifest
    )
