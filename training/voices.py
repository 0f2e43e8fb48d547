"""Clips as the int8 network hears them: embeddings with whose they are, and how much of each clip is speech."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.sound.logmel import FrontendSpec, LogMel
from device.sound.pcm import Samples
from device.verdict.bundle import npz_arrays, npz_bytes
from device.verdict.interpreter import Embedding, Interpreter, unit_length
from device.verdict.scorer import speech_share
from training.atomic import write_atomically
from training.clips import SpokenClip
from training.corpus.index import Progress


@dataclass(frozen=True, slots=True, eq=False)
class Voices:
    """``embeddings`` float32 ``(n, d)`` of length 1; ``shares`` ``(n,)``, 0..1, how much of each clip is speech;
    ``speakers`` and ``sessions`` (any text, here hashes or names), in the order they were spoken; ``copies`` float32
    ``(k, n, d)``, the same clips in ``k`` further conditions of a door, for enrolment, or None."""

    embeddings: Embedding
    shares: NDArray[np.float64]
    speakers: tuple[str, ...]
    sessions: tuple[str, ...]
    copies: Embedding | None = None

    def of(self, speaker: str) -> NDArray[np.int64]:
        """The rows of one speaker."""
        return np.flatnonzero(np.asarray(self.speakers) == speaker)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.speakers)))


class Embedder:
    """Clips through the device's own front-end and interpreter."""

    def __init__(self, model: bytes, frontend: FrontendSpec) -> None:
        self.log_mel, self.interpreter = LogMel(frontend), Interpreter(model)

    def embed_one(self, samples: Samples) -> Embedding:
        """int16 ``(48000,)`` to an embedding of length 1, float32 ``(d,)``."""
        return self.interpreter.embed(self.log_mel(samples))

    def voices(
        self,
        clips: Sequence[SpokenClip],
        *,
        progress: Progress,
        label: str,
        copies: Sequence[Sequence[SpokenClip]] = (),
    ) -> Voices:
        """The embeddings of all ``clips``, in order, and of their ``copies`` (:mod:`training.door_copies`)."""
        size = self.interpreter.output.shape[0]
        embeddings = np.zeros((1 + len(copies), len(clips), size), dtype=np.float32)
        for condition, heard in enumerate((clips, *copies)):
            for row, each in enumerate(heard):
                embeddings[condition, row] = self.interpreter.embed(self.log_mel(each.clip.samples))
                progress(label, condition * len(clips) + row + 1, len(clips) * len(embeddings))
        return Voices(
            embeddings[0],
            np.array([speech_share(each.clip) for each in clips]),
            tuple(each.speaker for each in clips),
            tuple(each.session for each in clips),
            embeddings[1:] if copies else None,
        )

    def cohort(self, groups: Iterable[Sequence[SpokenClip]]) -> Embedding:
        """One embedding a speaker, float32 ``(speakers, d)``: the mean of theirs over all ``groups``, of length 1.

        A group is one speaker's session; nothing but a sum for each speaker is held in memory.
        """
        sums: dict[str, Embedding] = {}
        for clips in groups:
            for each in clips:
                embedding = self.interpreter.embed(self.log_mel(each.clip.samples))
                sums[each.speaker] = sums.get(each.speaker, np.zeros_like(embedding)) + embedding
        return unit_length(np.stack([sums[name] for name in sorted(sums)]))


def chosen(voices: Voices, rows: NDArray[np.int64]) -> Voices:
    """Some rows of ``voices``, in that order."""
    return Voices(
        voices.embeddings[rows],
        voices.shares[rows],
        tuple(voices.speakers[row] for row in rows),
        tuple(voices.sessions[row] for row in rows),
        None if voices.copies is None else voices.copies[:, rows],
    )


def joined(first: Voices, second: Voices) -> Voices:
    """Both, in this order; copies are kept where both have them."""
    copies = None
    if first.copies is not None and second.copies is not None:
        copies = np.concatenate([first.copies, second.copies], axis=1)
    return Voices(
        np.concatenate([first.embeddings, second.embeddings]),
        np.concatenate([first.shares, second.shares]),
        (*first.speakers, *second.speakers),
        (*first.sessions, *second.sessions),
        copies,
    )


def write_voices(path: Path, voices: Voices) -> None:
    """Keep embeddings, so that a later run does not compute them again; exact, with names as they are. Copies are not
    kept: nobody who is kept here is enrolled."""
    speakers, sessions = np.array(voices.speakers, dtype=np.str_), np.array(voices.sessions, dtype=np.str_)
    content = npz_bytes(embeddings=voices.embeddings, shares=voices.shares, speakers=speakers, sessions=sessions)
    write_atomically(path, lambda file: file.write(content))


def read_voices(path: Path) -> Voices:
    """What :func:`write_voices` kept."""
    arrays = npz_arrays(path.read_bytes())
    speakers, sessions = (tuple(arrays[key].tolist()) for key in ("speakers", "sessions"))
    return Voices(arrays["embeddings"], arrays["shares"], speakers, sessions)


def cohort_of(voices: Voices) -> Embedding:
    """One embedding a speaker: the mean of theirs, of length 1, float32 ``(speakers, d)``."""
    means = np.stack([voices.embeddings[voices.of(name)].mean(axis=0) for name in voices.names])
    return unit_length(means)
