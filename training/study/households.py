"""The households that a study draws from a pack, and the options with which a command says which."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from device.settings import within
from training.benchmark.household import Draw, draw_households
from training.benchmark.pack import Pack
from training.study.trials import Trial, trial


@dataclass(frozen=True, slots=True)
class Trials:
    """How runs are judged: the pack of recordings, and random households drawn from it, enrolled on one session."""

    pack: Path
    draws: int = 10
    residents: int = 5
    enrol_seconds: float = 60.0
    seed: int = 7

    def drawn(self, pack: Pack, *, enrol_seconds: float | None = None) -> list[Draw]:
        """The households, of ``pack`` as it was read; ``enrol_seconds``: other than the study's own."""
        seconds = self.enrol_seconds if enrol_seconds is None else enrol_seconds
        return draw_households(pack, draws=self.draws, residents=self.residents, enrol_seconds=seconds,
                               enrol_sessions=1, seed=self.seed)  # fmt: skip

    def of_classifiers(self, pack: Pack, *, enrol_seconds: float | None = None) -> list[Trial]:
        """The trial of a classifier in each household."""
        draws = self.drawn(pack, enrol_seconds=enrol_seconds)
        return [trial(pack, draw, seed=self.seed + place) for place, draw in enumerate(draws)]

    def options(self) -> str:
        """What a command is given to draw the same again, the pack named as such."""
        return (
            f"--pack PACK --draws {self.draws} --residents {self.residents} --enrol-seconds {self.enrol_seconds:g} "
            f"--seed {self.seed}"
        )


def add_households(parser: argparse.ArgumentParser, *, study: str, draws: int) -> None:
    """The options of :class:`Trials`, and where the study leaves what it finds."""
    parser.add_argument("--pack", type=Path, required=True, help="a folder with manifest.csv")
    parser.add_argument("--draws", type=int, default=draws, help=f"households drawn (default: {draws})")
    parser.add_argument("--residents", type=int, default=5, help="residents of each (default: 5)")
    parser.add_argument("--enrol-seconds", type=float, default=60.0, help="enrolled of each resident (default: 60)")
    parser.add_argument("--seed", type=int, default=7, help="decides every draw and every network (default: 7)")
    for kind, text in (("json", "results, written as they come"), ("page", "the page")):
        place = Path("reports") / f"{study}.{'html' if kind == 'page' else kind}"
        parser.add_argument(f"--{kind}", type=Path, default=place, help=f"{text} (default: {place})")


def trials_of(arguments: argparse.Namespace, *, fewest_draws: int = 1) -> Trials:
    """The households asked for. Raises :class:`~device.errors.ConfigError` for too few."""
    within("--draws", arguments.draws, fewest_draws, 1000)
    return Trials(arguments.pack, draws=arguments.draws, residents=arguments.residents,
                  enrol_seconds=arguments.enrol_seconds, seed=arguments.seed)  # fmt: skip
