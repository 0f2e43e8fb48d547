"""A run's stages: each kept on disk under a name made of what it depends on, timed, and told to those who follow.

A stage whose folder holds the mark ``complete`` is not done again; one that was interrupted goes on in the same folder.
So a changed threshold trains nothing, and a changed augmentation cuts no clip anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from training.recipe import digest
from training.tracking import Tracker

COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Stage:
    """``key`` names it and all it depends on; ``folder`` is its own; ``complete`` says that nothing is left to do."""

    name: str
    key: str
    folder: Path
    complete: bool


@dataclass(frozen=True, slots=True)
class Took:
    """One line of the table at a run's end; ``kept`` where the stage was complete before."""

    name: str
    seconds: float
    kept: bool


class Stages:
    """The stages of one run below ``runs``. ``seconds`` is the clock they are timed by."""

    def __init__(self, runs: Path, tracker: Tracker, *, seconds: Callable[[], float] = time.perf_counter) -> None:
        self._runs, self._tracker, self._seconds = runs, tracker, seconds
        self.took: list[Took] = []

    @contextmanager
    def kept(self, name: str, *depends_on: object) -> Iterator[Stage]:
        """A stage that is kept: the body does what is missing in ``stage.folder``, and is marked complete after it."""
        key = digest([name, *depends_on])
        folder = self._runs / f"{name}-{key[:12]}"
        mark = folder / COMPLETE
        stage = Stage(name, key, folder, mark.exists())
        folder.mkdir(parents=True, exist_ok=True)
        with self._timed(name, kept=stage.complete):
            yield stage
            mark.touch()

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """A stage that is always done."""
        with self._timed(name, kept=False):
            yield

    @contextmanager
    def _timed(self, name: str, *, kept: bool) -> Iterator[None]:
        started = self._seconds()
        yield
        took = Took(name, self._seconds() - started, kept)
        self.took.append(took)
        self._tracker.tell("stage", {"name": name, "seconds": round(took.seconds, 3), "kept": kept})

    def table(self) -> list[str]:
        """One line a stage, and the sum."""
        lines = [f"{each.name:14s} {each.seconds:8.1f} s{'  (kept)' if each.kept else ''}" for each in self.took]
        return [*lines, f"{'in all':14s} {sum(each.seconds for each in self.took):8.1f} s"]
