"""How far a command has come: bars where somebody watches, a line now and then in a log."""

from __future__ import annotations

import sys
import time


class Bars:
    """Progress bars where somebody watches; a line now and then in a log."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._watched = sys.stderr.isatty()
        columns = (TextColumn("{task.description:22s}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, disable=not self._watched)
        self._tasks: dict[str, object] = {}
        self._said = 0.0

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, label: str, done: int, total: int) -> None:
        if not self._watched:
            if done == total or time.monotonic() - self._said > 30:
                self._said = time.monotonic()
                print(f"{label}: {done}/{total}", file=sys.stderr, flush=True)
            return
        if label not in self._tasks:
            self._tasks[label] = self._bars.add_task(label, total=total)
        self._bars.update(self._tasks[label], completed=done, total=total)  # type: ignore[arg-type]
