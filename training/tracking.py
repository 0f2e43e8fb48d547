"""Who follows a run: JSON lines always, TensorBoard and Weights & Biases where the recipe asks for them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from device.errors import RuntimeMissingError, StateError
from training.recipe import Tracking

Figures = Mapping[str, float | int | str | bool]


class Tracker(Protocol):
    """Somebody who wants to know. ``kind`` says what happened (``epoch``, ``stage``, ``result``), ``step`` when in the
    course of it (an epoch's number), where there is a course."""

    def tell(self, kind: str, figures: Figures, *, step: int | None = None) -> None: ...

    def close(self) -> None: ...


class JsonLines:
    """One JSON object a line, appended to ``path`` as it happens. Raises :class:`StateError` when it cannot be."""

    def __init__(self, path: Path, *, now_seconds: Callable[[], float] = time.time) -> None:
        self._path, self._now = path, now_seconds

    def tell(self, kind: str, figures: Figures, *, step: int | None = None) -> None:
        row = {"at": round(self._now(), 3), "kind": kind, **({} if step is None else {"step": step}), **figures}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise StateError("the run's log cannot be written", where=str(self._path), received=error) from error

    def close(self) -> None:
        """Nothing is held open between lines."""


class TensorBoard:
    """Event files below ``folder`` for ``tensorboard --logdir``. Curves only: words stand in the JSON lines."""

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboard.summary import Writer
        except ImportError as error:
            raise RuntimeMissingError(
                "TensorBoard is not installed",
                where="tracking.tensorboard",
                next_step="pip install tensorboard, or set it to false",
            ) from error
        self._writer: Any = Writer(str(folder))

    def tell(self, kind: str, figures: Figures, *, step: int | None = None) -> None:
        for name, value in figures.items():
            if not isinstance(value, str):
                self._writer.add_scalar(f"{kind}/{name}", float(value), step or 0)

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases below ``folder``; ``offline`` writes to disk and calls nobody."""

    def __init__(self, folder: Path, *, mode: str, project: str, name: str) -> None:
        try:
            import wandb
        except ImportError as error:
            raise RuntimeMissingError(
                "Weights & Biases is not installed",
                where="tracking.wandb",
                next_step="pip install wandb, or set it off",
            ) from error
        folder.mkdir(parents=True, exist_ok=True)
        self._run: Any = wandb.init(
            dir=str(folder),
            mode=cast("Any", mode),
            project=project,
            name=name,
            settings=wandb.Settings(silent=True, console="off"),
        )

    def tell(self, kind: str, figures: Figures, *, step: int | None = None) -> None:
        row = {f"{kind}/{name}": value for name, value in figures.items()}
        self._run.log(row if step is None else {**row, f"{kind}/step": step})

    def close(self) -> None:
        self._run.finish()


class Followers:
    """All who follow one run; each is told everything, and closed whatever happens to the others."""

    def __init__(self, followers: Sequence[Tracker]) -> None:
        self._followers = tuple(followers)

    def tell(self, kind: str, figures: Figures, *, step: int | None = None) -> None:
        for each in self._followers:
            each.tell(kind, figures, step=step)

    def close(self) -> None:
        failed: list[Exception] = []
        for each in self._followers:
            try:
                each.close()
            except Exception as error:
                failed.append(error)
        if failed:
            raise failed[0]


def followers(settings: Tracking, folder: Path, *, name: str) -> Followers:
    """Those whom a recipe asks for. Raises :class:`RuntimeMissingError` for one that is not installed."""
    found: list[Tracker] = [JsonLines(folder / "log.jsonl")]
    if settings.tensorboard:
        found.append(TensorBoard(folder / "tensorboard"))
    if settings.wandb != "off":
        found.append(WeightsAndBiases(folder, mode=settings.wandb, project=settings.wandb_project, name=name))
    return Followers(found)
