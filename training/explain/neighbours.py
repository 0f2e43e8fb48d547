"""Whose recordings sound nearest to a clip, by the int8 network: the residents' own, and strangers'."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.sound.pcm import Samples
from device.verdict.bundle import Bundle
from device.verdict.interpreter import Embedding
from training.clips import Cutter
from training.corpus.index import Index, Progress, Recording, index_folder
from training.corpus.inspection import inspect_file
from training.stages import Stages
from training.voices import Embedder, Voices, read_voices, write_voices

NEAREST = 3


@dataclass(frozen=True, slots=True, eq=False)
class Neighbour:
    """A clip of somebody's session that sounds near: which of that session's clips (from 0), its cosine, and its
    sound."""

    speaker: str
    session: str
    place: int
    cosine: float
    samples: Samples


@dataclass(frozen=True, slots=True, eq=False)
class Surrounding:
    """A household's recordings as the network hears them; made once, asked for each clip."""

    index: Index
    cutter: Cutter
    residents: Voices
    strangers: Voices

    def nearest_residents(self, embedding: Embedding, clip_path: Path) -> list[Neighbour]:
        """The nearest clips of residents, from sessions that the explained recording does not belong to."""
        own = {(each.speaker, each.session) for each in self._same_sound(clip_path)}
        voices = self.residents
        foreign = [(who, when) not in own for who, when in zip(voices.speakers, voices.sessions, strict=True)]
        return self._nearest(voices, embedding, np.array(foreign, dtype=bool))

    def nearest_strangers(self, embedding: Embedding, clip_path: Path) -> list[Neighbour]:
        """The nearest clips of strangers, each of another person, and not of the explained one."""
        own = {each.speaker for each in self._same_sound(clip_path)}
        foreign = np.array([who not in own for who in self.strangers.speakers], dtype=bool)
        return self._nearest(self.strangers, embedding, foreign, one_a_person=True)

    def _same_sound(self, clip_path: Path) -> list[Recording]:
        sound = inspect_file(clip_path).sound_sha256
        return [each for each in self.index.recordings if each.sound_sha256 == sound]

    def _nearest(
        self, voices: Voices, embedding: Embedding, usable: NDArray[np.bool_], *, one_a_person: bool = False
    ) -> list[Neighbour]:
        cosines = np.where(usable, voices.embeddings @ embedding, -np.inf)
        found: list[Neighbour] = []
        for row in np.argsort(-cosines, kind="stable"):
            taken = one_a_person and any(each.speaker == voices.speakers[row] for each in found)
            if len(found) == NEAREST or not usable[row]:
                break
            if not taken:
                found.append(self._neighbour(voices, int(row), float(cosines[row])))
        return found

    def _neighbour(self, voices: Voices, row: int, cosine: float) -> Neighbour:
        """Cut its session again, as it was cut when it was embedded."""
        speaker, session = voices.speakers[row], voices.sessions[row]
        rows = [place for place in voices.of(speaker) if voices.sessions[place] == session]
        theirs = [each for each in self.index.recordings if (each.speaker, each.session) == (speaker, session)]
        place = rows.index(row)
        return Neighbour(speaker, session, place, cosine, self.cutter.cut(theirs)[place].clip.samples)


def surrounding(folder: Path, bundle: Bundle, stages: Stages, *, cache: Path, progress: Progress) -> Surrounding:
    """Every clip of ``folder`` (the household's layout) through the bundle's network; kept in ``stages``, so that a
    second explanation is quick. Raises :class:`~device.errors.DataError` when it is no household's folder."""
    index = index_folder(folder, cache=cache, progress=progress)
    cutter = Cutter(index.root, bundle.vad, bundle.segmenter)

    def heard(recordings: tuple[Recording, ...], label: str) -> Voices:
        # In this order, since the recordings of a session are cut as one.
        spoken = [[each.speaker, each.session, each.sha256] for each in recordings]
        specs = [asdict(bundle.frontend), asdict(bundle.vad), asdict(bundle.segmenter)]
        with stages.kept("near", hashlib.sha256(bundle.model).hexdigest(), specs, spoken) as stage:
            path = stage.folder / "voices.npz"
            if not stage.complete:
                clips = cutter.cut(recordings, progress=progress, label=f"{label}: clips")
                embedder = Embedder(bundle.model, bundle.frontend)
                write_voices(path, embedder.voices(clips, progress=progress, label=f"{label}: voices"))
            return read_voices(path)

    residents = heard(index.of("allowed"), "residents")
    return Surrounding(index, cutter, residents, heard((*index.of("others"), *index.of("strangers")), "strangers"))
