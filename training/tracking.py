"""Who follows a run: JSON lines always, TensorBoard and Weights & Biases where the recipe asks for them."""

from __future__ import annotations

import json
import logging
import netrc
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from device.errors import RuntimeMissingError, StateError
from training.recipe import Tracking

_LOG = logging.getLogger(__name__)
REACH_SECONDS = 5.0
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
    """A run of Weights & Biases below ``folder``; ``offline`` writes to disk and calls nobody.

    Raises :class:`RuntimeMissingError` when it is not installed, :class:`StateError` when it cannot begin.
    """

    def __init__(self, folder: Path, *, mode: str, project: str, name: str) -> None:
        try:
            import wandb
        except ImportError as error:
            raise RuntimeMissingError(
                "Weights & Biases is not installed",
                where="tracking.wandb",
                next_step="pip install wandb, or set it off",
            ) from error
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._run: Any = wandb.init(
                dir=str(folder),
                mode=cast("Any", mode),
                project=project,
                name=name,
                settings=wandb.Settings(silent=True, console="off", init_timeout=30),
            )
        # Whatever that library meets, it is not the run's business.
        except Exception as error:
            raise StateError("Weights & Biases cannot begin", where="tracking.wandb", received=_first_line(error),
                             next_step="set it to offline, or off") from error  # fmt: skip

    def tell(self, kind: str, figures: Figures, *, step: int | None = None) -> None:
        row = {f"{kind}/{name}": value for name, value in figures.items()}
        self._run.log(row if step is None else {**row, f"{kind}/step": step})

    def close(self) -> None:
        self._run.finish()


class Followers:
    """All who follow one run; each is told everything. One that fails is said once and told nothing more: no follower
    ends a run."""

    def __init__(self, followers: Sequence[Tracker], *, say: Callable[[str], None] = _LOG.warning) -> None:
        self._followers, self._say = list(followers), say

    def tell(self, kind: str, figures: Figures, *, step: int | None = None) -> None:
        for each in tuple(self._followers):
            try:
                each.tell(kind, figures, step=step)
            except Exception as error:
                self._drop(each, error)

    def close(self) -> None:
        for each in tuple(self._followers):
            try:
                each.close()
            except Exception as error:
                self._drop(each, error)
        self._followers = []

    def _drop(self, follower: Tracker, error: Exception) -> None:
        self._followers.remove(follower)
        self._say(f"{type(follower).__name__} follows no longer, the run goes on: {_first_line(error)}")
        _LOG.debug("a follower failed", exc_info=error)


def followers(
    settings: Tracking, folder: Path, *, name: str, say: Callable[[str], None] = _LOG.warning,
    why_not_online: Callable[[], str] | None = None,
) -> Followers:  # fmt: skip
    """Those whom a recipe asks for. Raises :class:`RuntimeMissingError` for one that is not installed.

    ``online`` without a key or a network is told now, before hours of work, and becomes ``offline``.
    """
    found: list[Tracker] = [JsonLines(folder / "log.jsonl")]
    if settings.tensorboard:
        found.append(TensorBoard(folder / "tensorboard"))
    if settings.wandb != "off":
        found += _weights_and_biases(settings, folder, name, say, why_not_online or why_wandb_is_out_of_reach)
    return Followers(found, say=say)


def _weights_and_biases(
    settings: Tracking, folder: Path, name: str, say: Callable[[str], None], why_not_online: Callable[[], str]
) -> list[Tracker]:
    def begin(mode: str) -> Tracker:
        return WeightsAndBiases(folder, mode=mode, project=settings.wandb_project, name=name)

    mode = settings.wandb
    reason = why_not_online() if mode == "online" else ""
    try:
        if not reason:
            return [begin(mode)]
    except StateError as error:
        reason = str(error.received)
    if mode == "online":
        say(f"Weights & Biases: {reason}; this run is written to {folder / 'wandb'}, for wandb sync later")
        try:
            return [begin("offline")]
        except StateError as error:
            reason = str(error.received)
    say(f"Weights & Biases does not follow this run: {reason}")
    return []


def why_wandb_is_out_of_reach(environment: Mapping[str, str] = os.environ) -> str:
    """Why nothing can be sent to Weights & Biases from here; empty where it can. Asks nobody for a key: a run that
    waits at a prompt has not begun."""
    address = urlsplit(environment.get("WANDB_BASE_URL", "https://api.wandb.ai"))
    host, port = address.hostname or "api.wandb.ai", address.port or (80 if address.scheme == "http" else 443)
    if not environment.get("WANDB_API_KEY") and not _has_netrc(host, environment):
        return f"there is no key for {host} (wandb login, or WANDB_API_KEY)"
    try:
        socket.create_connection((host, port), timeout=REACH_SECONDS).close()
    except OSError as error:
        return f"{host} cannot be reached ({error.strerror or error})"
    return ""


def _has_netrc(host: str, environment: Mapping[str, str]) -> bool:
    path = Path(environment.get("NETRC") or Path.home() / ".netrc")
    try:
        return netrc.netrc(path).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError, ValueError):
        return False


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
