"""``python -m training study spectrogram [RECIPE] --pack PACK``: bands, scale, length of a clip, silence, pitch."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from device.settings import within
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from training.atomic import write_text
from training.benchmark.command import describe
from training.benchmark.pack import Pack, read_pack
from training.classifier import ClassifierRecipe, read_classifier
from training.corpus.index import Progress
from training.progress import Bars
from training.study.households import Trials, add_households, trials_of
from training.study.spectrogram.band_means import band_means
from training.study.spectrogram.carry_out import Run, carry_out, told_of, trials_in
from training.study.spectrogram.cuts import cut
from training.study.spectrogram.page import page
from training.study.spectrogram.pitch import alone, people, pitch_hz, speaker_share
from training.study.spectrogram.settings import settings
from training.study.spectrogram.told import table

RECIPE = Path("training/recipes/studies.toml")
COMMAND = "python -m training study spectrogram"
SEXES = {"f": "women", "m": "men"}


def spectrogram(arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """The whole study, ready for JSON, which is written as settings end. Raises a
    :class:`~device.errors.VoicelatchError`."""
    recipe = read_classifier(arguments.recipe)
    households = trials_of(arguments)
    pack = read_pack(arguments.pack, vad=VadSpec(), segmenter=SegmenterSpec(), sounds_heard=(), file_hash={},
                     progress=progress)  # fmt: skip
    told: dict[str, Any] = {
        "command": _command_line(arguments),
        "recipe": arguments.recipe.stem,
        "pack": describe(pack),
        "draws": arguments.draws,
        "residents": arguments.residents,
        "settings": [],
        "band_means": band_means(pack, recipe.frontend),
        "pitch": None,
    }

    def ended(runs: Sequence[Run]) -> None:
        told["settings"] = told_of(runs, seed=arguments.seed)
        _write(told, arguments)

    _write(told, arguments)
    carry_out(settings(recipe.frontend), pack, recipe, households, runs=arguments.runs,
              progress=progress, ended=ended)  # fmt: skip
    if arguments.pitch_clips:
        told["pitch"] = _pitch(pack, recipe, households, arguments, progress)
        _write(told, arguments)
    return told


def _pitch(
    pack: Pack, recipe: ClassifierRecipe, households: Trials, arguments: argparse.Namespace, progress: Progress
) -> dict[str, Any]:
    hz = pitch_hz(pack, clips_a_session=arguments.pitch_clips, runs=arguments.runs, progress=progress)
    shipped = settings(recipe.frontend)[0]
    trials = trials_in(cut(shipped, pack, arguments.pack), shipped.seconds, households)
    found = people(pack, hz)
    shares = {"of all people": speaker_share(found)}
    shares |= {f"among {words}": speaker_share(found, sex) for sex, words in SEXES.items()}
    return {"people": found, "share": shares, "alone": alone(pack, hz, trials)}


def _write(told: dict[str, Any], arguments: argparse.Namespace) -> None:
    write_text(arguments.json, json.dumps(told, indent=1, allow_nan=False))
    if any(row["against"] for row in told["settings"]):
        write_text(arguments.page, page(told))


def _command_line(arguments: argparse.Namespace) -> str:
    """The command that makes this again, the pack named as such."""
    return f"{COMMAND} {arguments.recipe} {trials_of(arguments).options()} --pitch-clips {arguments.pitch_clips}"


def add_parser(studies: Any) -> argparse.ArgumentParser:
    """Add ``spectrogram`` to the sub-parsers of ``study``; its ``action`` takes the parsed arguments."""
    text = "Linear against mel, bands, length of a clip, silence, the bands' means, pitch: what each is worth."
    example = f"{COMMAND} --pack PACK"
    parser: argparse.ArgumentParser = studies.add_parser(
        "spectrogram", help=text, description=text,
        epilog=f"A killed study goes on: what was learnt is kept in --runs. Example: {example}",
    )  # fmt: skip
    parser.add_argument("recipe", type=Path, nargs="?", default=RECIPE, help=f"a classifier (default: {RECIPE})")
    parser.add_argument(
        "--pitch-clips", type=int, default=3, help="clips of each day whose pitch is followed; 0: none (default: 3)"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where scores are kept (default: runs)")
    add_households(parser, study="spectrogram", draws=5)
    parser.set_defaults(action=_command)
    return parser


def _command(arguments: argparse.Namespace) -> int:
    within("--pitch-clips", arguments.pitch_clips, 0, 1000)
    with Bars() as bars:
        told = spectrogram(arguments, bars)
    print(table(told))
    return 0
