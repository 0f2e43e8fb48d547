"""How the door is, as a few rows for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.service.status import Sighting

_THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")
# A Raspberry Pi slows down at 80.
HOT_CELSIUS = 75.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """``well`` False: somebody should look at it."""

    name: str
    value: str
    well: bool = True


def facts(told: Mapping[str, Any], seen: Sighting, *, reachable: bool, celsius: float | None) -> list[Fact]:
    """``told`` is the live feed's last status (empty before the first), ``seen`` what the status file says."""
    listening = reachable and told.get("listening") is True
    rows = [Fact(name="Door", value="listening" if listening else _away(seen, reachable), well=listening)]
    if listening and told.get("microphone_silent") is True:
        problem = seen.status.microphone if seen.status is not None else ""
        rows.append(Fact(name="Microphone", value=f"delivers nothing: {problem or 'see the events'}", well=False))
    if told.get("held") is True:
        rows.append(Fact(name="Held", value="yes: somebody is being recorded, no voice opens the door"))
    if seen.status is not None and seen.status.bundle:
        status = seen.status
        rows.append(Fact(name="Bundle", value=f"{status.bundle} #{status.sequence}, since {_at(status.loaded_at)}"))
        last = status.last_reload
        if last.count:
            verdict = "accepted" if last.ok else f"refused: {last.reason}"
            rows.append(Fact(name="Last reload", value=f"{verdict} ({_at(last.at)})", well=last.ok))
    if listening:
        rows.append(Fact(name="Running for", value=_for(float(told.get("uptime_seconds", 0.0)))))
        rows.append(Fact(name="Memory", value=f"{int(told.get('memory_bytes', 0)) / 1e6:.0f} MB"))
        lost = int(told.get("lost", 0))
        rows.append(Fact(name="Lost on the way to this page", value=f"{lost} messages", well=lost == 0))
    if celsius is not None:
        rows.append(Fact(name="Temperature", value=f"{celsius:.0f} °C", well=celsius < HOT_CELSIUS))
    return rows


def read_celsius(path: Path = _THERMAL) -> float | None:
    """The processor's temperature; None on a machine that does not tell it."""
    try:
        return int(path.read_text()) / 1000.0
    except (OSError, ValueError):
        return None


def _away(seen: Sighting, reachable: bool) -> str:
    if seen.problem:
        return f"away: {seen.problem}"
    state = seen.status.state if seen.status is not None else "unknown"
    return f"not listening ({state})" if reachable else f"away (its last word was: {state})"


def _at(time: str) -> str:
    """An ISO time for a person, of the door's calendar."""
    return time[:16].replace("T", " ")


def _for(seconds: float) -> str:
    minutes = int(seconds // 60)
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
