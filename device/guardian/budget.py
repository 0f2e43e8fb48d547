"""How long the relay may be on within an hour, whoever asks and however often: rules as pure functions, and their file.

Time is CLOCK_BOOTTIME in seconds: no calendar moves it, and it goes on while the machine sleeps. A pulse is charged in
full before it begins, and with what it really took after its end: a guardian that dies in between has charged too much,
never too little. The file is in the runtime directory, which a restart of the guardian keeps and a boot empties.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from device.guardian.errors import SettingsError, SocketError

HOUR_SECONDS = 3600.0
LEAST_SECONDS, MOST_SECONDS = 10.0, 900.0
NAME = "budget.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """``charges``: (when it began, how many seconds) of each pulse, oldest first; at most ``max_on_seconds`` of them in
    any hour. Raises :class:`SettingsError` for a limit out of range."""

    max_on_seconds: float = 60.0
    charges: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if not LEAST_SECONDS <= self.max_on_seconds <= MOST_SECONDS:
            raise SettingsError(
                f"relay.max_on_seconds_an_hour is out of range ({LEAST_SECONDS:g} to {MOST_SECONDS:g})",
                received=self.max_on_seconds,
            )


def is_left(budget: Budget, *, seconds: float, now_seconds: float) -> bool:
    """Whether a pulse of ``seconds`` may begin now. A charge of the future counts: a clock that runs back frees
    nothing."""
    used = sum(spent for at, spent in budget.charges if not now_seconds - at >= HOUR_SECONDS)
    # The sum of many milliseconds is not exact.
    return used + seconds <= budget.max_on_seconds + 1e-6


def charged(budget: Budget, *, seconds: float, now_seconds: float) -> Budget:
    """With a pulse that begins now, and without those that an hour has freed."""
    recent = tuple((at, spent) for at, spent in budget.charges if not now_seconds - at >= HOUR_SECONDS)
    return replace(budget, charges=(*recent, (now_seconds, seconds)))


def settled(budget: Budget, *, now_seconds: float) -> Budget:
    """The last pulse has ended now: it is charged with what it took."""
    if not budget.charges:
        return budget
    *before, (at, granted) = budget.charges
    took = now_seconds - at
    return replace(budget, charges=(*before, (at, took if took >= 0.0 else granted)))


def spent(budget: Budget, *, now_seconds: float) -> Budget:
    """Nothing is left for an hour: what a guardian assumes that cannot know."""
    return replace(budget, charges=((now_seconds, budget.max_on_seconds),))


class BudgetFile:
    """Keeps a :class:`Budget` in ``$RUNTIME_DIRECTORY``; nowhere where systemd did not set one."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        folder = environment.get("RUNTIME_DIRECTORY")
        self._path = Path(folder) / NAME if folder else None

    def load(self, budget: Budget, *, now_seconds: float) -> tuple[Budget, str]:
        """``budget`` with the charges of the file. No file: a boot, nothing is charged. A file that is damaged, or of
        another clock: everything is, and the text says what is wrong with it."""
        if self._path is None:
            return budget, ""
        try:
            table = json.loads(self._path.read_bytes())
            charges = tuple((_number(at), _number(seconds)) for at, seconds in table)
        except FileNotFoundError:
            return budget, ""
        except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
            return spent(budget, now_seconds=now_seconds), f"{type(error).__name__}: {error}"
        if any(not (0.0 <= at <= now_seconds and 0.0 <= seconds <= HOUR_SECONDS) for at, seconds in charges):
            return spent(budget, now_seconds=now_seconds), "it holds times that cannot be"
        return replace(budget, charges=charges), ""

    def save(self, budget: Budget) -> None:
        """Raises :class:`SocketError` when it cannot be written: what is not charged must not be granted."""
        if self._path is None:
            return
        fresh = self._path.with_name(f"{NAME}.new")
        try:
            fresh.write_text(json.dumps(budget.charges), encoding="utf-8")
            os.replace(fresh, self._path)
        except OSError as error:
            raise SocketError(
                f"{self._path} cannot be written", received=error, next_step="check RuntimeDirectory="
            ) from error


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"not a number: {value!r}")
    return float(value)
