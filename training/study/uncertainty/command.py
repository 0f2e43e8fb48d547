"""``python -m training study uncertainty [RECIPE] --pack PACK``: does refusing what is uncertain keep strangers out?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from device.settings import within
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from training.atomic import write_text
from training.benchmark.command import describe
from training.benchmark.pack import Pack, read_pack
from training.benchmark.systems import Judged, read_judged
from training.classifier import read_classifier
from training.corpus.index import Progress
from training.progress import Bars
from training.study.households import add_households, trials_of
from training.study.trials import Trial
from training.study.uncertainty.carry_out import Sounds, all_draws, answers_in, sounds_of
from training.study.uncertainty.outsiders import NOISE, noise_clips, other_languages
from training.study.uncertainty.page import page
from training.study.uncertainty.product import product_answers
from training.study.uncertainty.summary import comparisons, groups, telling
from training.study.uncertainty.told import table

RECIPE = Path("training/recipes/studies.toml")
COMMAND = "python -m training study uncertainty"


def uncertainty(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """The whole study, ready for JSON, which is written after every draw. Raises a
    :class:`~device.errors.VoicelatchError`."""
    households = trials_of(arguments)
    recipe = read_classifier(arguments.recipe)
    judged = None if arguments.without_product else read_judged(arguments.model)
    pack = _pack(arguments.pack, judged, progress)
    outsiders = {NOISE: noise_clips(pack.noises)} if pack.noises else {}
    outsiders |= {
        f"language {name}": clips
        for name, clips in other_languages(arguments.pack, arguments.other_languages, progress).items()
    }
    sounds = sounds_of(pack, outsiders, recipe)
    trials = households.of_classifiers(pack)
    door = (
        product_answers(pack, trials, judged, folder=arguments.runs, seed=arguments.seed)
        if judged is not None
        else [{} for _ in trials]
    )
    logits: list[dict[str, Any]] = []
    told: dict[str, Any] = {}
    for count, made in enumerate(trials, start=1):
        asked = answers_in(sounds, made, recipe, members=arguments.members, seed=arguments.seed + 100 * count,
                           folder=arguments.runs, progress=progress)  # fmt: skip
        logits.append({**asked, **door[count - 1]})
        told = _told(pack, trials[:count], logits, sounds, arguments)
        write_text(arguments.json, json.dumps(told, indent=1, allow_nan=False))
        write_text(arguments.page, page(told))
        progress("draws", count, len(trials))
    return told


def _told(
    pack: Pack, trials: Sequence[Trial], logits: Sequence[Mapping[str, Any]], sounds: Sounds,
    arguments: argparse.Namespace,
) -> dict[str, Any]:  # fmt: skip
    drawn = all_draws(pack, trials, logits, seed=arguments.seed)
    return {
        "command": _command_line(arguments),
        "recipe": arguments.recipe.stem,
        "pack": {**describe(pack), **{name: len(rows) for name, rows in sounds.outsiders.items()}},
        "draws": len(trials),
        "residents": arguments.residents,
        "groups": groups(drawn, trials, sounds.outsiders),
        "telling": telling(drawn, trials),
        "comparisons": comparisons(drawn, seed=arguments.seed),
    }


def _command_line(arguments: argparse.Namespace) -> str:
    """The command that makes this again, the pack named as such."""
    folders = "".join(f" --other-languages {each.name}" for each in arguments.other_languages)
    return f"{COMMAND} {arguments.recipe} {trials_of(arguments).options()}{folders} --members {arguments.members}"


def add_parser(studies: Any) -> argparse.ArgumentParser:
    """Add ``uncertainty`` to the sub-parsers of ``study``; its ``action`` takes the parsed arguments."""
    text = "Does refusing what is uncertain keep strangers out? Dropout, an ensemble, and the door's own network."
    example = f"{COMMAND} --pack PACK"
    parser: argparse.ArgumentParser = studies.add_parser(
        "uncertainty", help=text, description=text, epilog=f"Example: {example}"
    )
    parser.add_argument("recipe", type=Path, nargs="?", default=RECIPE, help=f"a classifier (default: {RECIPE})")
    parser.add_argument(
        "--other-languages", type=Path, action="append", default=[], metavar="FOLDER",
        help="speech of another language, a folder a speaker; beside the pack's own rows of other languages",
    )  # fmt: skip
    parser.add_argument("--members", type=int, default=5, help="networks of the ensemble (default: 5)")
    parser.add_argument("--model", type=Path, default=Path("models/backbone"), help="the door's own network")
    parser.add_argument(
        "--without-product",
        action="store_true",
        help="do not ask the door's own network, which needs about fifty people",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where answers are kept (default: runs)")
    add_households(parser, study="uncertainty", draws=5)
    parser.set_defaults(action=_command)
    return parser


def _command(arguments: argparse.Namespace) -> int:
    within("--members", arguments.members, 2, 100)
    with Bars() as bars:
        told = uncertainty(arguments, bars)
    print(table(told))
    return 0


def _pack(folder: Path, judged: Judged | None, progress: Progress) -> Pack:
    """Cut as the door's network wants it, where that is asked."""
    vad, segmenter = (judged.vad, judged.segmenter) if judged else (VadSpec(), SegmenterSpec())
    return read_pack(folder, vad=vad, segmenter=segmenter, sounds_heard=(), file_hash={}, progress=progress)
