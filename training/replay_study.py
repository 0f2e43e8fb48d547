"""How often the door recognises a recording, and how often it takes a person for one: ``replay-study PACK``.

The threshold is chosen on the pack's ``train`` speakers (``chosen``), the figures are of its ``evaluate`` speakers
(``reported``), with other rooms and other noises. The pack holds no sentence that one person said twice, so a second
take is made of the first (``replay_paths.said_again``).
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import AudioFormatError, DataError
from device.replay.guard import ReplayDetector
from device.replay.memory import ReplayMemory
from device.replay.prints import Print
from device.sound.pcm import SAMPLE_RATE_HZ, Clip
from training.atomic import write_text
from training.corpus.audio_file import read_audio
from training.effects import Sound, to_sound
from training.metrics import clopper_pearson_upper, threshold_at_far
from training.replay_paths import Place, at_the_door, played_again, said_again

FAR = 0.01
MEMORY = 150
LONGEST_SECONDS, SHORTEST_SECONDS = 7.0, 1.5
# Words of the same label by different people, this many joined to a sentence.
WORDS_A_SENTENCE = 5
# Kinds of trial that must not match, in the order of the report.
FALSE_ALARMS = ("said again", "another sentence", "the same sentence by somebody else")
# Of recordings in the reported half. None lies on the grid that the door searches.
SPEEDS = (0.94, 0.97, 1.005, 1.02, 1.06)

Row = dict[str, str]
Scores = dict[str, list[float]]


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """One sentence of one person; ``text`` is equal where two people said the same."""

    speaker: str
    text: str
    sound: Sound


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """One half of the pack: what is said, where, and what the second pass hears instead of the first one's noise."""

    spoken: Sequence[Spoken]
    first: Place
    later: Place
    replayed: Place


def study(pack: Path, *, seed: int, each: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The whole measurement as figures; ``each`` is how many sentences a speaker gives at most."""
    rows = _rows(pack)
    half = _half(pack, rows, "train", each=each, seed=seed)
    chosen = _scores(half, np.random.default_rng([seed, 0]), say, speeds=())
    kinds = {kind: threshold_at_far(chosen[kind], FAR) for kind in FALSE_ALARMS if chosen[kind]}
    threshold = max(kinds.values())
    # There are fewer people in this half, so that each says more.
    half = _half(pack, rows, "evaluate", each=2 * each, seed=seed)
    reported = _scores(half, np.random.default_rng([seed, 1]), say, speeds=SPEEDS)
    return {
        "threshold": threshold,
        "threshold_of_each_kind": kinds,
        "target_false_alarm_rate": FAR,
        "memory_utterances": MEMORY,
        "chosen": _figures(chosen, threshold),
        "reported": _figures(reported, threshold),
        # Where the threshold would be if it were chosen on the reported half itself: to compare, not to quote.
        "reported_own_threshold": max(threshold_at_far(reported[kind], FAR) for kind in FALSE_ALARMS if reported[kind]),
    }


def _rows(pack: Path) -> list[Row]:
    try:
        with (pack / "manifest.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise DataError("the pack has no manifest", where=str(pack), received=error) from error


def _half(pack: Path, rows: Sequence[Row], use: str, *, each: int, seed: int) -> Half:
    rng = np.random.default_rng([seed, 7, use == "train"])
    spoken = _sentences(pack, rows, use, each=each, rng=rng)
    shared, own = _rooms(pack, rows, "both"), _rooms(pack, rows, use)
    noises = [_load(pack, row) for row in rows if row["kind"] == "noise"]
    # A quarter of the files each for the first and the later hearing of either half: a noise heard twice would match.
    mine = int(use == "evaluate")
    rooms, early, late = shared[mine::2] + own, noises[mine::4], noises[mine + 2 :: 4]
    if not spoken or not rooms or not early or not late:
        raise DataError("the pack lacks speech, rooms or noise", where=str(pack), received=f"use {use}")
    return Half(spoken, Place(rooms, early, 20.0, 30.0), Place(rooms, late, 20.0, 30.0), Place(rooms, late, 15.0, 25.0))


def _rooms(pack: Path, rows: Sequence[Row], use: str) -> list[list[Sound]]:
    """Room responses by room: files that differ in their channel alone are of one room."""
    found: dict[str, list[Sound]] = defaultdict(list)
    for row in rows:
        if row["kind"] == "rir" and row["use"] == use:
            found[row["path"].split("-ch")[0]].append(_load(pack, row))
    return [found[name] for name in sorted(found)]


def _sentences(pack: Path, rows: Sequence[Row], use: str, *, each: int, rng: np.random.Generator) -> list[Spoken]:
    by_speaker: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["kind"] == "speech" and row["use"] == use and row["speaker"] not in ("", "unlabelled"):
            by_speaker[row["corpus"], row["speaker"]].append(row)
    found = []
    for (corpus, speaker), mine in sorted(by_speaker.items()):
        name = f"{corpus}-{speaker}"
        if all(row["label"] for row in mine):
            found += _joined_words(pack, name, mine, each=each, rng=rng)
            continue
        long = [row for row in mine if float(row["seconds"]) >= SHORTEST_SECONDS]
        # Speakers of one corpus who read the same sentences (VCTK) have them under the same number.
        first = sorted(long, key=lambda row: row["path"])[: 2 * each]
        for place in sorted(rng.choice(len(first), min(each, len(first)), replace=False).tolist()):
            text = f"{corpus}-{Path(first[place]['path']).stem.split('_')[-1]}" if corpus == "vctk" else ""
            sound = _load(pack, first[place])[: int(LONGEST_SECONDS * SAMPLE_RATE_HZ)]
            found.append(Spoken(name, text, sound))
    return found


def _joined_words(pack: Path, name: str, rows: Sequence[Row], *, each: int, rng: np.random.Generator) -> list[Spoken]:
    """Single words joined to sentences of the same words for everybody, with pauses of a person's own: the files are
    all of one length, and their edges would match otherwise."""

    def joined(group: Sequence[Row]) -> Sound:
        return np.concatenate([_load(pack, row)[int(rng.uniform(0.0, 0.15) * SAMPLE_RATE_HZ) :] for row in group])

    words = sorted(rows, key=lambda row: row["label"])
    groups = [words[start : start + WORDS_A_SENTENCE] for start in range(0, len(words), WORDS_A_SENTENCE)][:each]
    return [Spoken(name, " ".join(row["label"] for row in group), joined(group)) for group in groups]


def _scores(half: Half, rng: np.random.Generator, say: Callable[[str], None], *, speeds: Sequence[float]) -> Scores:
    """The best match in a memory of utterances, of every trial, by kind. A sentence, whatever becomes of it, meets one
    door: the room is the same each time, the response another where there are several."""
    rooms = rng.integers(len(half.first.rooms), size=len(half.spoken)).tolist()
    stored = [
        at_the_door(each.sound, half.first, rng, room=room) for each, room in zip(half.spoken, rooms, strict=True)
    ]
    prints = [_remembered(clips) for clips in stored]
    replays = (("replayed", 1.0), *((f"replayed at {speed:g} times the speed", speed) for speed in speeds))
    scores: Scores = {kind: [] for kind in (*FALSE_ALARMS, *(kind for kind, _ in replays))}
    for index, each in enumerate(half.spoken):
        if not prints[index]:
            continue
        memory = _memory(half.spoken, prints, index, rng)
        # Without this sentence: the room it leaves is not filled, which is one utterance less in 150.
        others = memory[len(prints[index]) :]
        again = at_the_door(said_again(each.sound, rng), half.later, rng, room=rooms[index])
        once = at_the_door(each.sound, half.later, rng, room=rooms[index])
        _add(scores["said again"], again, memory)
        _add(scores["another sentence"], once, others)
        same_text = [
            one
            for other, heard in zip(half.spoken, prints, strict=True)
            if each.text and other.text == each.text and other.speaker != each.speaker
            for one in heard
        ]
        if same_text:
            _add(scores["the same sentence by somebody else"], once, same_text[:MEMORY])
        for kind, speed in replays:
            sound = played_again(each.sound, half.replayed, rng, speed=speed)
            _add(scores[kind], at_the_door(sound, half.replayed, rng, room=rooms[index]), memory)
        if index % 50 == 0:
            say(f"{index} of {len(half.spoken)} sentences")
    return scores


def _memory(
    spoken: Sequence[Spoken], prints: Sequence[list[Print]], index: int, rng: np.random.Generator
) -> list[Print]:
    """What the door remembers: this sentence first, the same person's others, and whoever else until it is full."""
    near = [i for i, other in enumerate(spoken) if other.speaker == spoken[index].speaker and i != index]
    far = [i for i, other in enumerate(spoken) if other.speaker != spoken[index].speaker]
    order = [index, *near, *rng.permutation(far).tolist()]
    return [one for i in order for one in prints[i]][:MEMORY]


def _detector(memory: Sequence[Print]) -> ReplayDetector:
    detector = ReplayDetector(memory=ReplayMemory(keep_seconds=3600.0, most_utterances=MEMORY + 10))
    for one in memory:
        detector.memory.add(one, now_seconds=0.0)
    return detector


def _remembered(clips: Sequence[Clip]) -> list[Print]:
    """What the door's own detector keeps of these clips."""
    detector = _detector([])
    for clip in clips:
        detector.hear(clip, now_seconds=0.0)
    return detector.memory.prints(now_seconds=0.0)


def _add(scores: list[float], clips: Sequence[Clip], memory: Sequence[Print]) -> None:
    """A visit is taken for a replay when any of its clips is; one in which the door hears no clip is no trial."""
    if clips:
        detector = _detector(memory)
        scores.append(max(detector.hear(clip, now_seconds=0.0).likeness for clip in clips))


def _figures(scores: Scores, threshold: float) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for kind, values in scores.items():
        if not values:
            continue
        matched = int(np.sum(np.asarray(values) >= threshold))
        told[kind] = {
            "visits": len(values),
            "matched": matched,
            "share": matched / len(values),
            "upper_bound": clopper_pearson_upper(matched, len(values)),
            "quantiles": {f"{q:g}": float(np.quantile(values, q)) for q in (0.01, 0.05, 0.1, 0.5, 0.9, 0.95, 0.99)},
        }
    return told


def _load(pack: Path, row: Row) -> Sound:
    try:
        return to_sound(read_audio(pack / row["path"]))
    except AudioFormatError as error:
        raise DataError(
            "cannot be read", where=str(pack / row["path"]), received=error.received or error.what
        ) from error


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``replay-study`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "Measure the replay guard: recordings recognised, people taken for recordings."
    example = "python -m training replay-study PACK --json replay.json"
    parser: argparse.ArgumentParser = commands.add_parser(
        "replay-study", help=text, description=text, epilog=f"Example: {example}"
    )
    parser.add_argument("pack", type=Path, help="a folder with manifest.csv")
    parser.add_argument(
        "--sentences",
        type=int,
        default=2,
        help="of each speaker, at most; twice that in the reported half (default: 2)",
    )
    parser.add_argument("--seed", type=int, default=7, help="decides every draw (default: 7)")
    parser.add_argument("--json", type=Path, default=None, help="also write the figures here")
    parser.set_defaults(action=_command)
    return parser


def _command(arguments: argparse.Namespace) -> int:
    told = study(arguments.pack, seed=arguments.seed, each=arguments.sentences, say=print)
    print(f"threshold {told['threshold']:.2f}, chosen for at most {FAR:.0%} of visits by people to match")
    for kind, each in told["reported"].items():
        print(
            f"{kind:36s} {each['matched']:4d} of {each['visits']:4d} visits matched ({each['share']:.1%}), "
            f"95 % bound {each['upper_bound']:.1%}"
        )
    if arguments.json:
        write_text(arguments.json, json.dumps(told, indent=1))
    return 0
