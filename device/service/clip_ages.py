"""How old kept clips are, whatever the calendar says: by the time the door has run since, in a file of its own."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from device.service.elapsed import Moment, elapsed_seconds

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class ClipAges:
    """The ages of clips, kept in the file at ``path``. It holds times and numbers of clips, nobody's name.

    A clip that is not in it (or all of them, where it cannot be read) is new from the moment it is first seen.
    """

    path: Path
    _last: Moment | None = field(default=None, init=False)
    _run_seconds: float = field(default=0.0, init=False)
    _since: dict[str, float] = field(default_factory=dict, init=False)

    def ages_of(self, names: Iterable[str], now: Moment) -> dict[str, float]:
        """The age in seconds of each clip by its file's name; what is not named any more is dropped from the file."""
        if self._last is None:
            self._read()
        self._run_seconds += elapsed_seconds(self._last, now) if self._last is not None else 0.0
        self._last = now
        keys = {name: _key(name) for name in names}
        self._since = {key: self._since.get(key, self._run_seconds) for key in keys.values()}
        self._write()
        return {name: self._run_seconds - self._since[key] for name, key in keys.items()}

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            last = Moment(float(content["at_seconds"]), float(content["unix_seconds"]))
            run_seconds = float(content["run_seconds"])
            since = {str(key): float(value) for key, value in content["clips"].items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            _LOG.error("the ages of kept clips in %s cannot be used and begin anew: %s", self.path, error)
            return
        self._last, self._run_seconds = last, run_seconds
        self._since = {key: min(value, run_seconds) for key, value in since.items()}

    def _write(self) -> None:
        if self._last is None:
            return
        content = {"at_seconds": self._last.at_seconds, "unix_seconds": self._last.unix_seconds,
                   "run_seconds": self._run_seconds, "clips": self._since}  # fmt: skip
        fresh = self.path.with_name(f"{self.path.name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.replace(fresh, self.path)


def _key(name: str) -> str:
    """Time and number of the clip, without whose voice it was like."""
    return "-".join(name.split("-")[:2])
