"""What a scan tells at its end, as data and as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from device.service.scan import per_hour
from device.service.scan_files import Inputs, Scanned
from device.terminal.bars import printable


def summary(
    done: Scanned, inputs: Inputs, made_with: Mapping[str, object], out: Path, *, speed: float
) -> dict[str, Any]:
    """All that is told at the end, ready for JSON; ``speed`` in times real time."""
    seconds, events = sum(each.seconds for each in done.finished), sum(each.events for each in done.finished)
    hidden = ("size_bytes", "modified_ns")
    files = [{key: value for key, value in asdict(each).items() if key not in hidden} for each in done.finished]
    return {
        "results": str(out / "results.csv"), **made_with, "seconds": round(seconds, 2), "events": events,
        "events_per_hour": per_hour(events, seconds), "scanned": done.scanned,
        "finished_before": len(done.finished) - done.scanned, "times_real_time": round(speed, 1),
        "files": [{**each, "residents": json.loads(each["residents"])} for each in files],
        "failed": done.failed, "left_out": [str(each) for each in inputs.left_out],
    }  # fmt: skip


def text(told: Mapping[str, Any]) -> str:
    """The summary for people: a line a recording, and all of them together."""
    lines = [f"{'recording':40s} {'hours':>7s} {'events':>6s} {'an hour':>7s}  by resident"]
    for row in told["files"]:
        people = ", ".join(f"{name} {count}" for name, count in row["residents"].items()) or "-"
        name = printable(row["file"])
        lines.append(_line(name if len(name) <= 40 else "…" + name[-39:], row) + f"  {people}")
    lines.append(_line("together", told))
    end = [f"{told['scanned']} scanned"]
    end[0] += f" at {told['times_real_time']:.0f} x real time" if told["scanned"] else ""
    end += [f"{told['finished_before']} finished before"] if told["finished_before"] else []
    end += [f"{len(told['failed'])} could not be read"] if told["failed"] else []
    gap = f"An event ends after {told['gap_seconds']:g} s without its resident."
    return "\n".join([*lines, ", ".join(end), f"{gap} Every stretch: {told['results']}"])


def _line(name: str, row: Mapping[str, Any]) -> str:
    return f"{name:40s} {row['seconds'] / 3600:7.3f} {row['events']:6d} {row['events_per_hour']:7.2f}"
