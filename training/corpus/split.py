"""Who may meet whom: speakers, sessions and recordings into parts that never overlap.

A speaker's part follows from a hash of the name and the seed, so that adding people moves nobody. Residents appear in
``enrol`` and, with another session, in ``resident_test``; everybody else appears in exactly one part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

from device.errors import DataError
from training.corpus.index import Index, Recording

Recordings = tuple[Recording, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """``backbone``: speakers to learn from; ``validation``: strangers for early stopping and thresholds; ``test``:
    strangers for the figures; ``enrol`` and ``resident_test``: the household's sessions; ``crowd``: unknown people."""

    backbone: Recordings
    validation: Recordings
    test: Recordings
    enrol: Recordings
    resident_test: Recordings
    crowd: Recordings
    train_noise: Recordings
    train_rir: Recordings
    test_noise: Recordings
    test_rir: Recordings


def speaker_hash(speaker: str) -> str:
    """16 hexadecimal digits that name a speaker in a bundle without naming the person."""
    return hashlib.sha256(speaker.encode()).hexdigest()[:16]


def split(index: Index, *, seed: int, validation_fraction: float, test_fraction: float, enrol_sessions: str) -> Split:
    """Divide ``index``. ``enrol_sessions`` is ``first`` (later sessions are the test) or ``all`` (no test session).

    Test strangers are ``strangers/`` where there are any, else ``test_fraction`` of the others.
    Raises :class:`DataError` through :func:`guard`, and when a part that is needed is empty.
    """
    others, strangers, allowed = index.of("others"), index.of("strangers"), index.of("allowed")
    test_below = 0.0 if strangers else test_fraction
    test = strangers or tuple(each for each in others if _draw(each.speaker, seed) < test_below)
    validation = tuple(
        each for each in others if test_below <= _draw(each.speaker, seed) < test_below + validation_fraction
    )
    backbone = tuple(each for each in others if _draw(each.speaker, seed) >= test_below + validation_fraction)
    first = {
        person: min(each.session for each in allowed if each.speaker == person)
        for person in {each.speaker for each in allowed}
    }
    enrol = tuple(each for each in allowed if enrol_sessions == "all" or each.session == first[each.speaker])
    noise, rir = index.of("noise"), index.of("rir")
    result = Split(
        backbone=backbone,
        validation=validation,
        test=test,
        enrol=enrol,
        resident_test=tuple(each for each in allowed if each not in set(enrol)),
        crowd=index.of("crowd"),
        train_noise=_training_side(noise, seed),
        test_noise=_test_side(noise, seed),
        train_rir=_training_side(rir, seed),
        test_rir=_test_side(rir, seed),
    )
    guard(result)
    return result


def guard(parts: Split) -> None:
    """Raise :class:`DataError` naming the first speaker, session or recording that stands in two parts."""
    strangers = {"backbone": parts.backbone, "validation": parts.validation, "test": parts.test}
    household = {"enrol": parts.enrol, "resident_test": parts.resident_test}
    sounds = {
        "crowd": parts.crowd,
        "train_noise": parts.train_noise,
        "test_noise": parts.test_noise,
        "train_rir": parts.train_rir,
        "test_rir": parts.test_rir,
    }
    everybody = {**strangers, "allowed": parts.enrol + parts.resident_test}
    _disjoint(everybody, lambda each: each.speaker, "speaker")
    _disjoint(household, lambda each: f"{each.speaker}, session {each.session}", "session")
    _disjoint({**strangers, **household, **sounds}, lambda each: each.sha256, "recording")


def _disjoint(parts: Mapping[str, Recordings], key: Callable[[Recording], str], what: str) -> None:
    for (left_name, left), (right_name, right) in combinations(parts.items(), 2):
        shared = sorted({key(each) for each in left} & {key(each) for each in right})
        if shared:
            raise DataError(
                f"a {what} stands on both sides of a split",
                where=f"{left_name} and {right_name}",
                received=", ".join(shared[:5]),
                allowed=f"each {what} in one part",
                next_step="remove it from one of the folders",
            )


def _draw(name: str, seed: int) -> float:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _training_side(sounds: Recordings, seed: int) -> Recordings:
    return tuple(each for each in sounds if not _kept_for_test(each, seed))


def _test_side(sounds: Recordings, seed: int) -> Recordings:
    return tuple(each for each in sounds if _kept_for_test(each, seed))


def _kept_for_test(sound: Recording, seed: int) -> bool:
    return sound.evaluate_only or _draw(sound.path, seed) < 0.3
