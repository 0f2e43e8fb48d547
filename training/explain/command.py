"""``python -m training explain CLIP...`` and ``explain network``: why it opened, and what the network is made of."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from device.errors import ConfigError
from training.explain.keras_side import Weights

MASKS = 2000
FEWEST_MASKS = 10
OUT = Path("reports/explain")
# What belongs to one of the two; given with the other it is a mistake that should not pass in silence.
CLIP_ONLY = ("recordings", "number", "resident", "masks")
NETWORK_ONLY = ("clip",)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``explain`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "Why a clip opened the door or did not, or what a network is made of: one page."
    examples = (
        "python -m training explain visit.wav --recordings recordings/household; python -m training explain network "
        "--bundle models/backbone --weights models/backbone.weights.h5 --clip visit.wav"
    )
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain", help=text, description=text, epilog=f"Examples: {examples}"
    )
    parser.add_argument(
        "what", nargs="+", metavar="CLIP | network",
        help="recordings, each of which gets a page and all together a summary; or the word network",
    )  # fmt: skip
    parser.add_argument("--bundle", type=Path, default=Path("models"),
                        help="a bundle, or a models folder for its current one (default: models); for a network also a "
                        "backbone's folder")  # fmt: skip
    parser.add_argument("--weights", type=Path, default=None,
                        help="Keras weights of the bundle's network, for maps from gradients")  # fmt: skip
    parser.add_argument("--network", default="", help="which network they are of (default: as the manifest says)")
    parser.add_argument("--width", type=int, default=0, help="and how wide (default: as the manifest says)")
    parser.add_argument("--out", type=Path, default=None,
                        help=f"the page's folder (default: {OUT}/NAME); with several clips the folder of "
                        "such folders")  # fmt: skip
    clip = parser.add_argument_group("a clip")
    clip.add_argument("--recordings", type=Path, default=None,
                      help="the household's recordings (allowed/, others/, ...), to find who sounds near")  # fmt: skip
    clip.add_argument("--number", type=int, default=None,
                      help="which clip of the recording, from 1 (default: the one that settled it)")  # fmt: skip
    clip.add_argument("--resident", default=None,
                      help="whose score is explained (default: of whom the clip sounds most like)")  # fmt: skip
    clip.add_argument("--masks", type=int, default=None, help=f"random masks for LIME (default: {MASKS})")
    network = parser.add_argument_group("a network")
    network.add_argument("--clip", type=Path, default=None, help="a recording whose first clip each layer is shown on")
    parser.add_argument("--seed", type=int, default=7, help="decides every draw (default: 7)")
    parser.add_argument("--runs", type=Path, default=Path("runs"),
                        help="where what was heard of the recordings is kept (default: runs)")  # fmt: skip
    parser.set_defaults(action=_command)
    return parser


def _command(arguments: argparse.Namespace) -> int:
    if arguments.what[0] == "network":
        _refuse_further(arguments.what[1:], after="network")
        _refuse(arguments, CLIP_ONLY, of="a clip")
        return _network(arguments)
    named = arguments.what[1:] if arguments.what[0] == "clip" else arguments.what
    if not named:
        raise ConfigError("which clip?", where="explain clip", next_step="name a recording: explain clip visit.wav")
    _refuse(arguments, NETWORK_ONLY, of="a network")
    return _clips(arguments, [Path(each) for each in named])


def _clips(arguments: argparse.Namespace, paths: Sequence[Path]) -> int:
    from training.explain.clips_run import Asked, explain_all
    from training.progress import Bars

    masks = MASKS if arguments.masks is None else arguments.masks
    if masks < FEWEST_MASKS:
        raise ConfigError("too few to learn from", where="--masks", received=masks, allowed=f"{FEWEST_MASKS} or more")
    asked = Asked(
        bundle=arguments.bundle,
        weights=_weights(arguments),
        recordings=arguments.recordings,
        number=arguments.number,
        resident=arguments.resident,
        masks=masks,
        seed=arguments.seed,
        runs=arguments.runs,
    )
    with Bars() as bars:
        explain_all(
            list(zip(paths, names_of(paths), strict=True)),
            asked,
            out=arguments.out or (OUT if len(paths) > 1 else OUT / names_of(paths)[0]),
            command=_as_typed(arguments),
            progress=bars,
            say=print,
        )
    return 0


def _network(arguments: argparse.Namespace) -> int:
    from training.explain.network_run import explain_network
    from training.progress import Bars

    with Bars() as bars:
        explain_network(
            arguments.bundle,
            _weights(arguments),
            clip=arguments.clip,
            out=arguments.out or OUT / "network",
            command=_as_typed(arguments),
            progress=bars,
            say=print,
        )
    return 0


def names_of(paths: Sequence[Path]) -> list[str]:
    """A name for each recording, fit for a folder: its own, or with its folder's where two have the same. Raises
    :class:`ConfigError` where even that is the same."""
    stems = Counter(each.stem for each in paths)
    names = [each.stem if stems[each.stem] == 1 else f"{each.parent.name}-{each.stem}" for each in paths]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigError(
            "two recordings would have the same page",
            where="explain",
            received=", ".join(twice),
            next_step="explain them one after the other, each with its own --out",
        )
    return names


def _weights(arguments: argparse.Namespace) -> Weights | None:
    if arguments.weights is None:
        if arguments.network or arguments.width:
            raise ConfigError(
                "--network and --width say what --weights are of",
                where="explain",
                received="no --weights",
                next_step="add --weights models/backbone.weights.h5, or leave them out",
            )
        return None
    return Weights(arguments.weights, arguments.network, arguments.width)


def _refuse(arguments: argparse.Namespace, names: Sequence[str], *, of: str) -> None:
    given = [f"--{name}" for name in names if getattr(arguments, name) is not None]
    if given:
        raise ConfigError(f"only for {of}", where="explain", received=", ".join(given), next_step="leave it out")


def _refuse_further(further: Sequence[str], *, after: str) -> None:
    if further:
        raise ConfigError(
            "nothing else is explained beside it",
            where=f"explain {after}",
            received=" ".join(further),
            next_step="name a recording with --clip",
        )


def _as_typed(arguments: argparse.Namespace) -> str:
    """The command that makes the page again."""
    words = ["python", "-m", "training", "explain", *arguments.what]
    for name in ("bundle", "weights", "network", "width", "out", *CLIP_ONLY, *NETWORK_ONLY, "seed", "runs"):
        value = getattr(arguments, name)
        if value not in (None, "", 0):
            words += [f"--{name}", str(value)]
    return shlex.join(words)
