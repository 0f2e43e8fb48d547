"""What a folder of recordings can carry, in figures: the values behind the survey's page, and its JSON.

Residents (``allowed/``) are told one by one; everybody else in sums. Duration, level, clipping, noise and net speech
come from the index, which measured them when it opened each file; pitch, spectra and look-alikes are taken from a few
clips a person, cut by the door's own detector and segmenter.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from device.sound.measures import CLIPPED_SHARE
from training.backbone import BackboneArtefact
from training.clips import Cutter, SpokenClip
from training.corpus.index import Index, Progress, Recording, Rejected, silent
from training.corpus.split import speaker_hash
from training.corpus.survey_likeness import Likeness, compare
from training.corpus.survey_voices import Spread, Voice, listen

CLIPS_PER_PERSON = 12
MOST_OTHERS = 200
# Spectra, pitch and spectrograms of so many residents; more make a page that nobody reads.
MOST_DETAILED = 12
GROUPS = ("others", "strangers", "crowd", "noise", "rir")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some recordings of one role: a person's, a session's or a whole group's. Never empty."""

    name: str
    role: str
    recordings: tuple[Recording, ...]

    @property
    def seconds(self) -> float:
        return sum(each.seconds for each in self.recordings)

    @property
    def speech_seconds(self) -> float:
        """Net speech: what is left when the door's detector has removed silence."""
        return sum(each.speech_seconds for each in self.recordings)

    @property
    def speech_ratio(self) -> float:
        """0..1."""
        return min(1.0, self.speech_seconds / self.seconds)

    @property
    def speech_ratios(self) -> Spread:
        """Of each recording, 0..1."""
        return Spread.of([min(1.0, each.speech_seconds / each.seconds) for each in self.recordings])

    @property
    def people(self) -> int:
        return len({each.speaker for each in self.recordings})

    @property
    def clipped(self) -> tuple[Recording, ...]:
        """Recordings with too many samples at full scale, the worst first."""
        bad = [each for each in self.recordings if each.clipped_share >= CLIPPED_SHARE]
        return tuple(sorted(bad, key=lambda each: -each.clipped_share))

    @property
    def sessions(self) -> tuple[Part, ...]:
        """One part a session, in the order of their names."""
        names = sorted({each.session for each in self.recordings})
        return tuple(
            Part(name=name, role=self.role, recordings=tuple(each for each in self.recordings if each.session == name))
            for name in names
        )

    def spread(self, field: str) -> Spread:
        """How a figure of :class:`Recording` is spread over the recordings."""
        return Spread.of([getattr(each, field) for each in self.recordings])


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Everything the page tells. ``voices`` are those of at most :data:`MOST_DETAILED` residents with a clip;
    ``others_known`` of the ``others_heard`` taught the network, which therefore confuses them less than strangers."""

    name: str
    residents: tuple[Part, ...]
    groups: tuple[Part, ...]
    voices: tuple[Voice, ...]
    likeness: Likeness
    rejected: tuple[Rejected, ...] = ()
    others_heard: int = 0
    others_known: int = 0

    def group(self, role: str) -> Part | None:
        return next((each for each in self.groups if each.role == role), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values: seconds, dBFS, dB, Hz; shares 0..1; cosines -1..1."""
        pitch = {each.person: asdict(each.pitch) if each.pitch else None for each in self.voices}
        spectra = {each.person: asdict(each.spectrum) for each in self.voices}
        return {
            "name": self.name,
            "residents": [
                {
                    **_told(each),
                    "clipped": {one.path: one.clipped_share for one in each.clipped},
                    "sessions": [_counts(session) for session in each.sessions],
                    "pitch": pitch.get(each.name),
                    "spectrum": spectra.get(each.name),
                }
                for each in self.residents
            ],
            "groups": [{**_told(each), "people": each.people, "clipped": len(each.clipped)} for each in self.groups],
            "likeness": asdict(self.likeness),
            "others_heard": self.others_heard,
            "others_known_to_the_network": self.others_known,
            "rejected": [asdict(each) for each in self.rejected],
        }


def measure(index: Index, backbone: BackboneArtefact, *, progress: Progress = silent) -> Survey:
    """Survey an indexed folder. Deterministic. Raises :class:`~device.errors.DataError` for a file that is gone."""
    cutter = Cutter(index.root, backbone.vad, backbone.segmenter)
    residents = people_of(index.of("allowed"))
    own = _some_clips(cutter, residents, "residents' clips", progress)
    drawn = sorted(people_of(index.of("others")), key=lambda each: speaker_hash(each.name))[:MOST_OTHERS]
    others = _some_clips(cutter, drawn, "others' clips", progress)

    detailed = [each.name for each in residents if any(clip.speaker == each.name for clip in own)][:MOST_DETAILED]
    voices = []
    for count, name in enumerate(detailed, start=1):
        voices.append(listen(name, [each for each in own if each.speaker == name], backbone.frontend))
        progress("pitch and spectra", count, len(detailed))

    embedder = backbone.embedder()
    heard = {each.speaker for each in others}
    taught = set(backbone.manifest.get("training_speakers", ()))
    groups = [(role, index.of(role)) for role in GROUPS]  # type: ignore[arg-type]
    return Survey(
        name=index.root.resolve().name,
        residents=residents,
        groups=tuple(Part(name=role, role=role, recordings=found) for role, found in groups if found),
        voices=tuple(voices),
        likeness=compare(
            embedder.voices(own, progress=progress, label="residents' voices"),
            embedder.voices(others, progress=progress, label="others' voices"),
            backbone.validation,
            clips_per_person=CLIPS_PER_PERSON,
        ),
        rejected=index.rejected,
        others_heard=len(heard),
        others_known=sum(speaker_hash(name) in taught for name in heard),
    )


def people_of(recordings: Iterable[Recording]) -> tuple[Part, ...]:
    """One part a person, by name."""
    found: dict[str, list[Recording]] = defaultdict(list)
    for each in recordings:
        found[each.speaker].append(each)
    return tuple(Part(name=name, role=mine[0].role, recordings=tuple(mine)) for name, mine in sorted(found.items()))


def enough_for(person: Part, *, speech_seconds: float) -> tuple[Recording, ...]:
    """The fewest first recordings of every session, in turn, that hold ``speech_seconds`` of speech together."""
    queues = [list(session.recordings) for session in person.sessions]
    chosen: list[Recording] = []
    while any(queues) and sum(each.speech_seconds for each in chosen) < speech_seconds:
        chosen += [queue.pop(0) for queue in queues if queue]
    return tuple(chosen)


def to_json(survey: Survey, advice: Sequence[Any]) -> str:
    """The survey and its advice (:class:`~training.corpus.survey_warnings.Advice`) as strict JSON."""
    content = {"advice": [asdict(each) for each in advice], **survey.to_dict()}
    # A figure that is not a number would make a file that strict readers refuse.
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def _some_clips(cutter: Cutter, people: Sequence[Part], label: str, progress: Progress) -> list[SpokenClip]:
    """Up to :data:`CLIPS_PER_PERSON` of each, evenly over what was cut, in the order spoken."""
    found: list[SpokenClip] = []
    for count, person in enumerate(people, start=1):
        # Clips need pauses and pre-rolls too, and a short utterance yields none: cut twice as much as is wanted.
        clips = cutter.cut(enough_for(person, speech_seconds=CLIPS_PER_PERSON * 6.0))
        wanted = min(CLIPS_PER_PERSON, len(clips))
        found += [clips[row] for row in np.linspace(0, len(clips) - 1, wanted).round().astype(int)] if clips else []
        progress(label, count, len(people))
    return found


def _counts(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "recordings": len(part.recordings),
        "seconds": round(part.seconds, 2),
        "speech_seconds": round(part.speech_seconds, 2),
        "speech_ratio": round(part.speech_ratio, 4),
    }


def _told(part: Part) -> dict[str, Any]:
    formats = sorted({PurePosixPath(each.path).suffix[1:].lower() for each in part.recordings})
    return {
        **_counts(part),
        "formats": formats,
        "sample_rates_hz": sorted({each.sample_rate_hz for each in part.recordings}),
        "spread": {
            field: asdict(part.spread(field)) for field in ("seconds", "speech_seconds", "level_dbfs", "snr_db")
        },
    }
