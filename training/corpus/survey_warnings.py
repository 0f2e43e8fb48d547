"""What a person can do about the recordings: figures in, sentences out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from device.enrolment.progress import ENOUGH_SPEECH_SECONDS
from device.enrolment.prompts import NOISY_SNR_DB, QUIET_DBFS
from training.corpus.index import Recording
from training.corpus.survey import Part, Survey
from training.recipe import Enrol

# What training refuses to enrol below.
ENROL_SPEECH_SECONDS = Enrol().min_speech_seconds
LOW_SPEECH_RATIO = 0.3
LOWEST_GOOD_RATE_HZ = 16_000
# Below it, thresholds rest on the people the network brings along and hardly on those around this door.
ENOUGH_OTHERS = 20
NAMED_FILES = 3
NAMED_PAIRS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One sentence or two: what is wrong and what to do. ``urgent``: the door will suffer from it, or training refuse.

    ``person`` is empty where it concerns nobody alone.
    """

    kind: str
    urgent: bool
    person: str
    sentence: str


def advise(survey: Survey) -> tuple[Advice, ...]:
    """Everything worth doing, urgent things first, then by person."""
    found = [
        *(each for person in survey.residents for each in (*_speech(person), *_sound(person))),
        *_two_places(survey),
        *_look_alikes(survey),
        *_others(survey),
        *_left_out(survey),
    ]
    return tuple(sorted(found, key=lambda each: (not each.urgent, each.person == "", each.person)))


def _speech(person: Part) -> Iterator[Advice]:
    """Too little of it, or all of it on one day."""
    sessions, name = person.sessions, person.name

    def urgent(kind: str, sentence: str) -> Advice:
        return Advice(kind=kind, urgent=True, person=name, sentence=sentence)

    # Rounded down: what is called 60 s must not be too little.
    has = f"{name} has {int(person.speech_seconds)} s of speech in "
    has += "one session" if len(sessions) == 1 else f"{len(sessions)} sessions"
    more = f"record {math.ceil((ENOUGH_SPEECH_SECONDS - person.speech_seconds) / 10.0) * 10} s more"
    more += " on another day" if len(sessions) == 1 else ""
    if person.speech_seconds < ENROL_SPEECH_SECONDS:
        yield urgent("speech", f"{has}, too little to enrol ({ENROL_SPEECH_SECONDS:.0f} s): {more}.")
    elif person.speech_seconds < ENOUGH_SPEECH_SECONDS:
        yield urgent("speech", f"{has}: {more}.")
    elif len(sessions) == 1:
        yield urgent("session", f"{has}. Another day is another voice: record a minute on another day.")
    if len(sessions) > 1 and sessions[0].speech_seconds < ENROL_SPEECH_SECONDS <= person.speech_seconds:
        text = f"{name}'s first session, {sessions[0].name}, has only {int(sessions[0].speech_seconds)} s of speech"
        remedy = 'set sessions = "all" under [enrol] in the recipe, or let a longer session come first'
        yield urgent("first session", f"{text}, too little to enrol alone: {remedy}.")


def _sound(person: Part) -> Iterator[Advice]:
    """What the microphone, its distance and the room did."""

    def advice(kind: str, sentence: str, *, urgent: bool = False) -> Advice:
        return Advice(kind=kind, urgent=urgent, person=person.name, sentence=sentence)

    whose = f"of {len(person.recordings)} recordings of {person.name}"
    if person.clipped:
        named = _files(person.clipped, lambda each: f"{each.clipped_share:.1%}")
        text = f"{len(person.clipped)} {whose} {_is(person.clipped)} clipped: {named}"
        yield advice("clipped", f"{text}. Record again with less gain, or further away.", urgent=True)
    quiet = sorted(
        (each for each in person.recordings if each.level_dbfs < QUIET_DBFS), key=lambda each: each.level_dbfs
    )
    if quiet:
        named = _files(quiet, lambda each: f"{each.level_dbfs:.0f} dBFS")
        text = f"{len(quiet)} {whose} {_is(quiet)} quiet: {named}"
        yield advice("quiet", f"{text}. Speak nearer to the microphone, or turn it up.")
    snr_db = median(each.snr_db for each in person.recordings)
    if snr_db < NOISY_SNR_DB:
        text = f"{person.name}'s recordings are noisy: speech is typically {snr_db:.0f} dB above the noise"
        yield advice("noisy", f"{text}. Record nearer to the microphone, or where it is quieter.", urgent=True)
    if 0.0 < person.speech_ratio < LOW_SPEECH_RATIO:
        text = f"Only {person.speech_ratio:.0%} of {person.name}'s recordings is speech"
        yield advice("pauses", f"{text}: make shorter pauses, or check that the voice is loud enough to be heard.")
    narrow = sorted({each.sample_rate_hz for each in person.recordings if each.sample_rate_hz < LOWEST_GOOD_RATE_HZ})
    if narrow:
        rates = _and([str(each) for each in narrow])
        text = f"{person.name} was recorded at {rates} Hz, which cuts off the top of a voice"
        yield advice("narrow", f"{text}: record at {LOWEST_GOOD_RATE_HZ} Hz or more.")


def _two_places(survey: Survey) -> Iterator[Advice]:
    names = {each.name for each in survey.residents}
    for group in survey.groups:
        for name in sorted(names & {each.speaker for each in group.recordings}):
            text = (
                f"{name} stands in allowed/ and in {group.role}/: training refuses that. Remove one of the two folders."
            )
            yield Advice(kind="two places", urgent=True, person=name, sentence=text)


def _look_alikes(survey: Survey) -> Iterator[Advice]:
    likeness = survey.likeness
    alike = [
        f"{pair.first} and {pair.second} ({pair.cosine:.2f})"
        for pair in likeness.residents
        if pair.cosine >= likeness.look_alike_cosine
    ]
    if alike:
        several = "; ".join([*alike[:NAMED_PAIRS], *_more(alike, NAMED_PAIRS)])
        text = f"These residents sound alike to the network: {several}. The door opens to either, but may note the "
        text += "wrong name: more recordings of both help."
        yield Advice(kind="look-alikes", urgent=False, person="", sentence=text)
    for each in likeness.surroundings:
        own, nearest = each.own_other_session, each.nearest[:1]
        if own is not None and nearest and nearest[0].cosine >= own:
            text = f"To the network {nearest[0].second} from others/ sounds as much like {each.person} "
            text += (
                f"({nearest[0].cosine:.2f}) as {each.person} on another day ({own:.2f}): record more of {each.person}, "
            )
            text += "and after training read in the report who is let in."
            yield Advice(kind="look-alike outside", urgent=True, person=each.person, sentence=text)


def _others(survey: Survey) -> Iterator[Advice]:
    others = survey.group("others")
    count = others.people if others else 0
    if count < ENOUGH_OTHERS:
        who = {0: "nobody", 1: "one person"}.get(count, f"{count} people")
        text = f"others/ holds {who}, so the thresholds rest almost wholly on people that the network brings along. "
        text += f"Record {ENOUGH_OTHERS} guests or neighbours, best at your own door, and they will fit it better."
        yield Advice(kind="others", urgent=False, person="", sentence=text)
    for group in survey.groups:
        if group.clipped and group.role in ("others", "strangers"):
            text = f"{len(group.clipped)} of {len(group.recordings)} recordings in {group.role}/ {_is(group.clipped)} "
            text += f"clipped: {_files(group.clipped, lambda each: f'{each.clipped_share:.1%}')}. Leave them out."
            yield Advice(kind="clipped", urgent=False, person="", sentence=text)


def _left_out(survey: Survey) -> Iterator[Advice]:
    if not survey.rejected:
        return
    # What was meant as a resident's recording matters most.
    rejected = sorted(survey.rejected, key=lambda each: not each.path.startswith("allowed/"))
    named = _and([*(f"{each.path} ({each.reason})" for each in rejected[:NAMED_FILES]), *_more(rejected)])
    text = f"{len(rejected)} {'was' if len(rejected) == 1 else 'were'} left out: {named}."
    yield Advice(kind="left out", urgent=rejected[0].path.startswith("allowed/"), person="", sentence=text)


def _files(recordings: Sequence[Recording], figure: Callable[[Recording], str]) -> str:
    """The first few files, each with its figure."""
    return _and([*(f"{each.path} ({figure(each)})" for each in recordings[:NAMED_FILES]), *_more(recordings)])


def _more(everything: Sequence[object], named: int = NAMED_FILES) -> list[str]:
    return [f"{len(everything) - named} more"] if len(everything) > named else []


def _is(several: Sequence[object]) -> str:
    return "is" if len(several) == 1 else "are"


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
