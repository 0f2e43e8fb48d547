"""Who listens: anything that turns clips into embeddings, with the cohort it brings along."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError, DataError
from device.sound.logmel import FrontendSpec, LogMel
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.bundle import load_bundle
from device.verdict.interpreter import Embedding, Interpreter, unit_length
from training.atomic import write_array
from training.backbone import BackboneArtefact, read_backbone
from training.networks.weights import load_weights

Clips = NDArray[np.int16]
CLIPS_PER_TASK = 64


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """``embed``: int16 ``(n, 48000)`` to float32 ``(n, d)`` of length 1; ``cohort`` ``(c, d)`` or None; ``key`` names
    it by content, for what is kept on disk; ``met``: hashes of the people it has met."""

    name: str
    key: str
    embed: Callable[[Clips], Embedding]
    cohort: Embedding | None
    met: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What is on trial: the int8 network of a bundle or a backbone, with how it wants sound cut."""

    model: bytes
    frontend: FrontendSpec
    vad: VadSpec
    segmenter: SegmenterSpec
    cohort: Embedding
    manifest: dict[str, Any]


def read_judged(path: Path) -> Judged:
    """A backbone's folder, or a bundle's (or a models folder whose ``current`` names one). Raises BundleError."""
    if (path / "voices.npz").exists():
        backbone: BackboneArtefact = read_backbone(path)
        parts = backbone.frontend, backbone.vad, backbone.segmenter, backbone.cohort
        return Judged(backbone.model, *parts, dict(backbone.manifest))
    bundle = load_bundle(path)
    parts = bundle.frontend, bundle.vad, bundle.segmenter, bundle.head.cohort
    return Judged(bundle.model, *parts, dict(bundle.manifest))


def int8_system(judged: Judged) -> System:
    """The network as the door runs it: its front-end, its interpreter, one clip at a time."""
    workers = os.cpu_count() or 1

    def part(clips: Clips) -> Embedding:
        log_mel, interpreter = LogMel(judged.frontend), Interpreter(judged.model)
        return np.stack([interpreter.embed(log_mel(clip)) for clip in clips])

    def embed(clips: Clips) -> Embedding:
        tasks = [clips[start : start + CLIPS_PER_TASK] for start in range(0, len(clips), CLIPS_PER_TASK)]
        with ThreadPoolExecutor(max_workers=workers) as pool:
            return np.concatenate(list(pool.map(part, tasks)))

    key = hashlib.sha256(judged.model + judged.frontend.fingerprint().encode()).hexdigest()
    return System("int8", key, embed, judged.cohort, met_by(judged))


def float_system(judged: Judged, weights: Path) -> System:
    """The Keras network before quantization, from its ``weights`` and the network settings in the manifest."""
    from training.networks.backbone import build

    settings = judged.manifest.get("network")
    if settings is None:
        raise BundleError("the manifest does not say which network it is", next_step="give the backbone's folder")
    network = build(
        settings["network"], judged.frontend.shape, embedding_size=settings["embedding_size"], width=settings["width"]
    )
    load_weights(network, weights)

    def embed(clips: Clips) -> Embedding:
        log_mel = LogMel(judged.frontend)
        features = np.stack([log_mel(clip) for clip in clips])
        return unit_length(np.asarray(network.predict(features, batch_size=64, verbose=0), dtype=np.float32))

    key = hashlib.sha256(weights.read_bytes()).hexdigest()
    return System("float", key, embed, judged.cohort, met_by(judged))


def ge2e_system(scratch: Path) -> System:
    """GE2E as the workshop's teacher runs it, in its own environment. It brings no cohort."""
    from training.teacher import teach

    def embed(clips: Clips) -> Embedding:
        scratch.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(np.ascontiguousarray(clips).tobytes()).hexdigest()[:16]
        source, out = scratch / f"{name}.clips.npy", scratch / f"{name}.npy"
        np.save(source, clips)
        try:
            return unit_length(teach(source, out))
        finally:
            source.unlink()

    return System("ge2e", "resemblyzer-0.1.4", embed, None, frozenset())


def met_by(judged: Judged) -> frozenset[str]:
    return frozenset({*judged.manifest["training_speakers"], *judged.manifest["validation_speakers"]})


def refuse_familiar(system: System, speakers: Sequence[str], hash_of: Callable[[str], str]) -> None:
    """Raise :class:`DataError` when the pack holds people the system was learnt from or chosen by."""
    familiar = [name for name in speakers if hash_of(name) in system.met]
    if familiar:
        raise DataError(
            "the benchmark holds people whom the network has met",
            where=system.name,
            received=", ".join(familiar[:5]) + (f" and {len(familiar) - 5} more" if len(familiar) > 5 else ""),
            allowed="people it was neither learnt from nor chosen by",
            next_step="mark their rows with use = train in the pack's manifest",
        )


def kept_embeddings(system: System, clips: Clips, folder: Path) -> Embedding:
    """``system.embed``, computed once for these clips and kept in ``folder``."""
    digest = hashlib.sha256(system.key.encode() + np.ascontiguousarray(clips).tobytes()).hexdigest()[:24]
    path = folder / f"{system.name}-{digest}.npy"
    if not path.exists():
        write_array(path, system.embed(clips))
    found: Embedding = np.load(path)
    return found
