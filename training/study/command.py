"""``python -m training study STUDY``: the studies by name."""

from __future__ import annotations

from typing import Any

from training.study.compare import add_parser as add_compare
from training.study.grid import add_parser as add_grid
from training.study.layers.command import add_parser as add_layers
from training.study.plan_command import add_parser as add_plan
from training.study.seeds import add_parser as add_seeds
from training.study.spectrogram.command import add_parser as add_spectrogram
from training.study.uncertainty.command import add_parser as add_uncertainty


def add_parser(commands: Any) -> None:
    """Add the command ``study`` to the sub-parsers ``commands``, with a command of its own for each study."""
    text = "What an idea, a network or a setting is worth: each study on the same people and trials."
    parser = commands.add_parser("study", help=text, description=text)
    studies = parser.add_subparsers(dest="study", required=True)
    add_plan(studies)
    add_seeds(studies)
    add_grid(studies)
    add_layers(studies)
    add_uncertainty(studies)
    add_compare(studies)
    add_spectrogram(studies)
