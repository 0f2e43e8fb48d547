"""Who sounds like whom to the network: cosines between people's mean embeddings, and what such a cosine means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.verdict.interpreter import Embedding, unit_length
from training.corpus.survey_voices import Spread
from training.voices import Voices

# This share of the pairs of people that the network never learnt from is less alike than a look-alike pair.
LOOK_ALIKE_SHARE = 0.99
NEAREST = 3
FEWEST_OWN_CLIPS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two people: ``cosine`` -1..1; ``rank`` 0..1 is the share of reference pairs that are less alike."""

    first: str
    second: str
    cosine: float
    rank: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """One resident among the others: how alike all of them are (None without others), the nearest few, and how alike
    this resident is to the same person in another session (None with one session)."""

    person: str
    others: Spread | None
    nearest: tuple[Pair, ...]
    own_other_session: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """``residents`` are all pairs of residents, the most alike first. ``reference`` is how alike pairs of people are
    that the network never learnt from; at ``look_alike_cosine`` only one such pair in a hundred is closer."""

    residents: tuple[Pair, ...]
    surroundings: tuple[Surroundings, ...]
    reference: Spread
    look_alike_cosine: float


def compare(residents: Voices, others: Voices, reference: Voices, *, clips_per_person: int) -> Likeness:
    """Compare everybody by at most ``clips_per_person`` clips each (a mean of more is less noisy, so more alike).

    ``residents`` and ``others`` may be empty; ``reference`` holds two people or more.
    """
    known = pairs_of(_means(reference, clips_per_person))
    own, strangers = _means(residents, clips_per_person), _means(others, clips_per_person)
    names = residents.names

    def pair(first: str, second: str, cosine: float) -> Pair:
        return Pair(first=first, second=second, cosine=round(cosine, 4), rank=round(float(np.mean(known < cosine)), 4))

    among = [
        pair(names[row], names[column], float(own[row] @ own[column]))
        for row in range(len(names))
        for column in range(row + 1, len(names))
    ]
    surroundings = []
    for row, name in enumerate(names):
        cosines = strangers @ own[row]
        nearest = [pair(name, others.names[each], float(cosines[each])) for each in np.argsort(-cosines)[:NEAREST]]
        surroundings.append(
            Surroundings(
                person=name,
                others=Spread.of(cosines) if len(cosines) else None,
                nearest=tuple(nearest),
                own_other_session=_own(residents, name),
            )
        )
    return Likeness(
        residents=tuple(sorted(among, key=lambda each: -each.cosine)),
        surroundings=tuple(surroundings),
        reference=Spread.of(known),
        look_alike_cosine=round(float(np.quantile(known, LOOK_ALIKE_SHARE)), 4),
    )


def pairs_of(means: Embedding) -> NDArray[np.float64]:
    """The cosines of all pairs of rows, float64 ``(n (n - 1) / 2,)``."""
    return (means @ means.T)[np.triu_indices(len(means), 1)].astype(np.float64)


def _means(voices: Voices, most: int) -> Embedding:
    """One unit-length row a person, in the order of ``voices.names``."""
    if not voices.names:
        return np.zeros((0, voices.embeddings.shape[1]), dtype=np.float32)
    return unit_length(np.stack([voices.embeddings[voices.of(name)[:most]].mean(axis=0) for name in voices.names]))


def _own(voices: Voices, name: str) -> float | None:
    """The first session against the others, each as its mean. None unless both have clips enough."""
    rows = voices.of(name)
    sessions = np.array([voices.sessions[row] for row in rows])
    first = sessions == min(sessions)
    if min(first.sum(), (~first).sum()) < FEWEST_OWN_CLIPS:
        return None
    halves = unit_length(np.stack([voices.embeddings[rows[half]].mean(axis=0) for half in (first, ~first)]))
    return round(float(halves[0] @ halves[1]), 4)
