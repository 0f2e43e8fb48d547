"""``python -m training benchmark PACK``: the whole benchmark for one network, beside GE2E and an end-to-end CNN."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import DataError
from device.household.conditions import MOST_BYTES, strangers_from_npz
from device.verdict.interpreter import Embedding
from training.atomic import write_text
from training.benchmark.det import draw_det
from training.benchmark.doors import doors, shipped_conditions
from training.benchmark.household import CLEAN, COHORT_TOP, Draw, draw_households, household
from training.benchmark.one_door import one_door
from training.benchmark.pack import Pack, read_pack, read_rows
from training.benchmark.systems import (
    System,
    float_system,
    ge2e_system,
    int8_system,
    kept_embeddings,
    read_judged,
    refuse_familiar,
)
from training.benchmark.told import table
from training.benchmark.verification import verification
from training.clips import SpokenClip, stack
from training.conditions import conditions
from training.corpus.index import Progress
from training.corpus.split import speaker_hash
from training.door_copies import NOTHING_RECORDED, door_copies
from training.progress import Bars
from training.recipe import Augment


def benchmark(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Everything the arguments ask for, ready for JSON. Raises a :class:`~device.errors.VoicelatchError`."""
    judged = read_judged(arguments.model)
    hashes = {
        row.path: hashlib.sha256(row.path.read_bytes()).hexdigest()[:16]
        for row in read_rows(arguments.pack)
        if row.kind != "speech"
    }
    heard = judged.manifest.get("training_sounds", ())
    pack = read_pack(
        arguments.pack,
        vad=judged.vad,
        segmenter=judged.segmenter,
        sounds_heard=heard,
        file_hash=hashes,
        progress=progress,
    )
    systems = [int8_system(judged)]
    if arguments.float_weights:
        systems.append(float_system(judged, arguments.float_weights))
    if arguments.ge2e:
        systems.append(ge2e_system(arguments.runs / "benchmark"))
    for each in systems:
        refuse_familiar(each, pack.speakers, speaker_hash)
    draws = draw_households(
        pack, draws=arguments.draws, residents=arguments.residents, enrol_seconds=arguments.enrol_seconds,
        enrol_sessions=arguments.enrol_sessions, seed=arguments.seed,
    )  # fmt: skip
    changed = changed_clips(pack, seed=arguments.seed)
    told: dict[str, Any] = {each.name: judge(each, pack, changed, draws, arguments, progress) for each in systems}
    if arguments.baseline == "cnn":
        from training.benchmark.cnn import cnn_household

        told["cnn"] = {"household": cnn_household(pack, changed, draws, seed=arguments.seed, progress=progress)}
    return {
        "pack": describe(pack),
        "settings": {key: getattr(arguments, key) for key in SETTINGS},
        "model": {"sha256": hashlib.sha256(judged.model).hexdigest(), "bytes": len(judged.model)},
        "sounds_kept_from_training_known": "training_sounds" in judged.manifest,
        "systems": told,
    }


SETTINGS = (
    "draws",
    "residents",
    "enrol_seconds",
    "enrol_sessions",
    "enrol_as_recorded",
    "cohort_top",
    "seed",
)


def changed_clips(pack: Pack, *, seed: int) -> dict[str, Sequence[SpokenClip]]:
    """The pack's clips in every condition, the same for all systems."""
    found: dict[str, Sequence[SpokenClip]] = {CLEAN: pack.clips}
    for name, change in conditions(pack.noises, pack.rooms).items():
        rng = np.random.default_rng(seed)
        found[name] = [change(each, rng) for each in pack.clips]
    return found


def judge(
    system: System,
    pack: Pack,
    changed: dict[str, Sequence[SpokenClip]],
    draws: Sequence[Draw],
    arguments: argparse.Namespace,
    progress: Progress,
) -> dict[str, Any]:
    """One system in every trial."""
    embeddings = {}
    for count, (name, clips) in enumerate(changed.items(), start=1):
        embeddings[name] = kept_embeddings(system, stack(clips), arguments.runs / "benchmark")
        progress(f"{system.name} listens", count, len(changed))
    copies = None
    if not arguments.enrol_as_recorded:
        copies = enrolment_copies(system, pack, arguments.runs / "benchmark", seed=arguments.seed)
    door_figures = {"one_door": at_one_door(system, pack, draws, arguments, progress)} if arguments.one_door else {}
    return {
        **door_figures,
        "verification": verification(pack, embeddings[CLEAN], seed=arguments.seed),
        "household": household(
            pack, embeddings, changed, system.cohort, draws, copies, cohort_top=arguments.cohort_top
        ),
    }


def at_one_door(
    system: System, pack: Pack, draws: Sequence[Draw], arguments: argparse.Namespace, progress: Progress
) -> dict[str, Any]:
    """Everybody through the same door, at sixteen of them. Every second room and noise of the pack is a door's, the
    others are those of the conditions in which strangers are at hand."""
    everywhere = doors(pack.rooms[::2], pack.noises[::2])
    conditions_at_hand = shipped_conditions(pack.rooms[1::2], pack.noises[1::2])
    found: dict[str, Embedding] = {}
    count = len(everywhere) + len(conditions_at_hand)
    for number, door in enumerate((*conditions_at_hand.values(), *everywhere), start=1):
        clips = stack(door.heard(pack.clips, seed=arguments.seed))
        found[door.name] = kept_embeddings(system, clips, arguments.runs / "benchmark")
        progress(f"{system.name} at one door", number, count)
    shipped = strangers_from_npz(read_bounded(arguments.strangers)) if arguments.strangers else None
    return one_door(pack, found, {name: found[name] for name in conditions_at_hand}, everywhere, draws, shipped=shipped)


def read_bounded(path: Path) -> bytes:
    """A file of strangers by condition. Raises :class:`DataError` where it is not there or far too large."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise OSError(f"more than {MOST_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            "the strangers cannot be read",
            where=str(path),
            received=error,
            allowed=f"a file of at most {MOST_BYTES} bytes",
            next_step="give the file that was made with this network",
        ) from error


def enrolment_copies(system: System, pack: Pack, folder: Path, *, seed: int) -> Embedding:
    """All clips as they are enrolled beside themselves, float32 ``(k, clips, d)``. Noises and rooms are made up: those
    of the pack are for the trials."""
    heard = door_copies(pack.clips, NOTHING_RECORDED, Augment(), np.random.default_rng(seed))
    return np.stack([kept_embeddings(system, stack(each), folder) for each in heard])


def describe(pack: Pack) -> dict[str, Any]:
    """What the figures rest on."""
    return {
        "speakers": len(pack.speakers),
        "clips": len(pack.clips),
        "with_two_sessions": sum(len(pack.sessions(name)) > 1 for name in pack.speakers),
        "noises": len(pack.noises),
        "rooms": len(pack.rooms),
    }


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``benchmark`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "Judge a network: verification and random households, on people it has never met."
    example = "python -m training benchmark PACK --draws 10 --residents 5 --enrol-seconds 60 --seed 7 --json out.json"
    parser: argparse.ArgumentParser = commands.add_parser(
        "benchmark", help=text, description=text, epilog=f"Example: {example}"
    )
    parser.add_argument("pack", type=Path, help="a folder with manifest.csv")
    parser.add_argument("--model", type=Path, default=Path("models/backbone"), help="a backbone's or a bundle's folder")
    parser.add_argument("--float-weights", type=Path, default=None, help="Keras weights of the same network")
    parser.add_argument("--ge2e", action="store_true", help="also GE2E (needs the teacher's environment)")
    parser.add_argument(
        "--baseline", choices=["cnn"], default=None, help="also an end-to-end binary CNN, each draw anew"
    )
    parser.add_argument("--draws", type=int, default=10, help="households drawn (default: 10)")
    parser.add_argument("--residents", type=int, default=5, help="residents of each (default: 5)")
    parser.add_argument("--enrol-seconds", type=float, default=60.0, help="enrolled of each resident (default: 60)")
    parser.add_argument("--enrol-sessions", type=int, default=1, help="from so many sessions (default: 1)")
    parser.add_argument(
        "--enrol-as-recorded", action="store_true", help="enrol no copies in noise, in a room and through a door phone"
    )
    parser.add_argument(
        "--cohort-top",
        type=int,
        default=COHORT_TOP,
        help=f"nearest of the cohort looked at (default: {COHORT_TOP})",
    )
    parser.add_argument(
        "--one-door", action="store_true", help="also everybody through the same door, at sixteen doors"
    )
    parser.add_argument(
        "--strangers", type=Path, default=None, help="strangers by condition (.npz) of this network for --one-door"
    )
    parser.add_argument("--seed", type=int, default=7, help="decides every draw (default: 7)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where embeddings are kept (default: runs)")
    parser.add_argument("--json", type=Path, default=None, help="write everything here")
    parser.add_argument("--det", type=Path, default=None, help="draw the systems' DET curves here (.svg or .png)")
    parser.set_defaults(action=_command)
    return parser


def _command(arguments: argparse.Namespace) -> int:
    with Bars() as bars:
        result = benchmark(arguments, bars)
    print(table(result))
    if arguments.json:
        write_text(arguments.json, json.dumps(result, indent=1, allow_nan=False, default=str))
    if arguments.det:
        draw_det(result["systems"], arguments.det)
    return 0
