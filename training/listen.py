"""Every transform of a recipe as a sound to listen to: ``python -m training augment --listen clip.wav out/``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import AudioFormatError, StateError
from device.sound.pcm import CLIP_SAMPLES, Samples
from device.sound.segmenter import SegmenterSpec, cut_clips
from device.sound.vad import VadSpec
from device.sound.wavfile import write_wav
from training.augment import CHAIN, Surroundings, augment
from training.corpus.audio_file import read_audio
from training.effects import Sound, at_level, to_int16, to_sound
from training.recipe import Augment, read_recipe

DRAWS = 3


def read_clip(path: Path) -> Samples:
    """The first clip that the door would cut from a recording, int16 ``(48000,)``. Raises AudioFormatError."""
    clips = cut_clips(read_audio(path), VadSpec(), SegmenterSpec())
    if not clips:
        raise AudioFormatError("the door hears no speech in it", where=str(path), next_step="choose another recording")
    return clips[0].samples


def write_examples(
    clip: Samples,
    out: Path,
    *,
    spec: Augment,
    surroundings: Surroundings,
    seed: int,
    say: Callable[[str], None],
) -> list[Path]:
    """Three draws of every transform alone, and of the whole chain as training draws it; returns what was written."""
    made: list[Path] = []

    def keep(name: str, samples: Samples) -> None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_wav(out / name, samples)
        except OSError as error:
            raise StateError("the sound cannot be written", where=str(out / name), received=error) from error
        made.append(out / name)

    keep("0-clean.wav", clip)
    for number, each in enumerate(CHAIN, start=1):
        for draw in range(DRAWS):
            rng = np.random.default_rng([seed, number, draw])
            changed = each.apply(to_sound(clip), surroundings, spec, rng)
            keep(f"{number}-{each.name}-{draw + 1}.wav", to_int16(at_level(changed, gain_db=0.0)))
        say(f"{each.name:9s} {each.chance(spec):4.0%} of clips  {each.told(spec)}")
    for draw in range(DRAWS):
        keep(
            f"{len(CHAIN) + 1}-all-{draw + 1}.wav",
            augment(clip, surroundings, spec, np.random.default_rng([seed, draw])),
        )
    return made


def _sounds(paths: Sequence[Path]) -> list[Sound]:
    return [to_sound(read_audio(path)) for path in paths]


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``augment`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "Hear what training does to a clip: each transform alone, then all together."
    example = "python -m training augment --listen clip.wav out/ --recipe training/recipes/backbone.toml"
    parser: argparse.ArgumentParser = commands.add_parser(
        "augment", help=text, description=text, epilog=f"Example: {example}"
    )
    parser.add_argument("--listen", nargs=2, type=Path, required=True, metavar=("CLIP", "OUT"),
                        help="a recording, and the folder to write to")  # fmt: skip
    parser.add_argument("--recipe", type=Path, default=None, help="whose ranges to use (default: the built-in ones)")
    parser.add_argument("--noise", type=Path, nargs="*", default=[], help="recorded noises to mix in")
    parser.add_argument("--room", type=Path, nargs="*", default=[], help="measured room responses")
    parser.add_argument("--seed", type=int, default=7, help="decides every draw (default: 7)")
    parser.set_defaults(action=_command)
    return parser


def _command(arguments: argparse.Namespace) -> int:
    clip_path, out = arguments.listen
    spec = read_recipe(arguments.recipe).augment if arguments.recipe else Augment()
    nobody = np.zeros((0, CLIP_SAMPLES), dtype=np.int16)
    surroundings = Surroundings(_sounds(arguments.noise), _sounds(arguments.room), nobody)
    made = write_examples(
        read_clip(clip_path), out, spec=spec, surroundings=surroundings, seed=arguments.seed, say=print
    )
    print(f"{out}: {len(made)} sounds; 0-clean.wav is the clip as recorded")
    return 0
