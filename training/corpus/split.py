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
from training.corpus.names import natural_order

Recordings = tuple[Recording, ...]
TEST_SOUNDS_FRACTION = 0.3
ENROL_SESSIONS = ("first", "all", "but_last")


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


def split(index: Index, *, seed: int, validation_fraction: float, test_fraction: float, enrol_sessions: str,
          least_speech_seconds: float = 0.0) -> Split:  # fmt: skip
    """Divide ``index``. ``enrol_sessions`` is ``first`` (later sessions are the test), ``all`` (no test session) or
    ``but_last`` (the last session is the test of whom the others hold ``least_speech_seconds``).

    Test strangers are ``strangers/`` where there are any, else ``test_fraction`` of the others. Noises and rooms are
    divided by file; those below a folder ``evaluate-only`` are never trained with. Any part but ``enrol`` may be
    empty: the stages that need people say so themselves.
    Raises :class:`DataError` through :func:`guard`, and for arguments out of range.
    """
    _check(validation_fraction, test_fraction, enrol_sessions)
    others, strangers, allowed = index.of("others"), index.of("strangers"), index.of("allowed")
    test_below = 0.0 if strangers else test_fraction
    validation_below = test_below + validation_fraction
    drawn = {speaker: _draw(speaker, seed) for speaker in {each.speaker for each in others}}
    tested = _tested_sessions(allowed, enrol_sessions, least_speech_seconds)

    def enrolled(each: Recording) -> bool:
        return each.session not in tested[each.speaker]

    noise, rir = index.of("noise"), index.of("rir")
    result = Split(
        backbone=_where(others, lambda each: drawn[each.speaker] >= validation_below),
        validation=_where(others, lambda each: test_below <= drawn[each.speaker] < validation_below),
        test=strangers or _where(others, lambda each: drawn[each.speaker] < test_below),
        enrol=_where(allowed, enrolled),
        resident_test=_where(allowed, lambda each: not enrolled(each)),
        crowd=index.of("crowd"),
        train_noise=_where(noise, lambda each: not _kept_for_test(each, seed)),
        test_noise=_where(noise, lambda each: _kept_for_test(each, seed)),
        train_rir=_where(rir, lambda each: not _kept_for_test(each, seed)),
        test_rir=_where(rir, lambda each: _kept_for_test(each, seed)),
    )
    guard(result)
    return result


def guard(parts: Split) -> None:
    """Raise :class:`DataError` naming every speaker, session or recording that stands in two parts."""
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
    everything = {**strangers, **household, **sounds}
    leaks = [
        *_shared(everybody, lambda each: each.speaker, "speaker"),
        *_shared(household, lambda each: f"{each.speaker}, session {each.session}", "session"),
        *_shared(everything, lambda each: each.sound_sha256, "recording"),
        *_forbidden(parts.train_noise + parts.train_rir),
    ]
    if leaks:
        raise DataError(
            f"a {leaks[0].split()[0]} stands on both sides of a split",
            received="; ".join(leaks),
            allowed="each speaker, session and recording in one part",
            next_step="remove what is named from one of its folders",
        )


def _shared(parts: Mapping[str, Recordings], key: Callable[[Recording], str], what: str) -> list[str]:
    """One sentence for each thing that stands in two of ``parts``, with a file of either side."""
    leaks = []
    for (left_name, left), (right_name, right) in combinations(parts.items(), 2):
        on_the_left = {key(each): each for each in left}
        on_the_right = {key(each): each for each in right}
        for shared in sorted(on_the_left.keys() & on_the_right.keys()):
            files = f"{on_the_left[shared].path} and {on_the_right[shared].path}"
            name = f"{what} {shared}" if what != "recording" else what
            leaks.append(f"{name} in {left_name} and {right_name} ({files})")
    return leaks


def _forbidden(sounds: Recordings) -> list[str]:
    return [f"recording kept for evaluation in training ({each.path})" for each in sounds if each.evaluate_only]


def _tested_sessions(allowed: Recordings, enrol_sessions: str, least_speech_seconds: float) -> dict[str, set[str]]:
    """Which sessions of each resident are the test, in natural order: ``9`` comes before ``10``."""
    found: dict[str, set[str]] = {}
    for person in {each.speaker for each in allowed}:
        mine = [each for each in allowed if each.speaker == person]
        days = sorted({each.session for each in mine}, key=natural_order)
        test = {"first": days[1:], "all": [], "but_last": days[-1:] if len(days) > 1 else []}[enrol_sessions]
        rest = sum(each.speech_seconds for each in mine if each.session not in test)
        found[person] = set(test) if enrol_sessions == "first" or rest >= least_speech_seconds else set()
    return found


def _check(validation_fraction: float, test_fraction: float, enrol_sessions: str) -> None:
    good_fractions = validation_fraction >= 0.0 and test_fraction >= 0.0 and validation_fraction + test_fraction < 1.0
    if not good_fractions or enrol_sessions not in ENROL_SESSIONS:
        raise DataError(
            "cannot split like this",
            received=f"validation {validation_fraction}, test {test_fraction}, enrol sessions {enrol_sessions!r}",
            allowed=f"fractions from 0 that leave some to learn from; {' or '.join(ENROL_SESSIONS)}",
        )


def _where(recordings: Recordings, wanted: Callable[[Recording], bool]) -> Recordings:
    return tuple(each for each in recordings if wanted(each))


def _draw(name: str, seed: int) -> float:
    """A number from 0 to 1 that only the name and the seed decide."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _kept_for_test(sound: Recording, seed: int) -> bool:
    return sound.evaluate_only or _draw(sound.path, seed) < TEST_SOUNDS_FRACTION
