"""What is seen of a listening door: level, the clip in progress, each resident's score against the threshold. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from device.service.levels_view import level_line
from device.sound.meter import Levels
from device.sound.pcm import CLIP_SECONDS
from device.terminal.bars import bar, fitted, folded

MOST_RESIDENTS = 12
# The least that the scores' bars span to either side of 0; the threshold is always in view.
LEAST_SPAN_LLR = 10.0
WORDS = {
    "open": "OPENS", "refuse": "refuses", "say_more": "wants to hear more", "cooling_down": "rests",
    "locked_out": "LOCKED OUT", "replay": "refuses a REPLAY", "held": "held for a recording",
    "second_factor_missing": "waits for the button", "outside_schedule": "closed at this hour",
    "relay_refused": "the relay has been on enough",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """``forming_seconds`` (0..3) of the clip in progress; ``decision``: the details of the last ``decision`` event,
    None before the first; ``decisions`` and ``openings`` so far."""

    levels: Levels
    forming_seconds: float = 0.0
    decision: Mapping[str, Any] | None = None
    decisions: int = 0
    openings: int = 0


def listening_lines(seen: Listening, width: int) -> list[str]:
    """The whole view, each line at most ``width`` characters."""
    share = seen.forming_seconds / CLIP_SECONDS
    lines = [
        level_line(seen.levels),
        f"clip [{bar(share, 30)}] {seen.forming_seconds:3.1f} of {CLIP_SECONDS:g} s",
        "",
    ]
    if seen.decision is None:
        lines.append("nothing was judged yet; say a sentence")
    else:
        lines += decision_lines(seen.decision, width)
    return [*lines, "", f"{seen.decisions} decisions, {seen.openings} openings; Ctrl-C ends"]


def decision_lines(told: Mapping[str, Any], width: int) -> list[str]:
    """The last decision: a bar a resident, ``|`` where it opens, and the reason in words."""
    opens_at = float(told.get("open_llr", 0.0))
    span = max(LEAST_SPAN_LLR, 1.25 * abs(opens_at))
    scores = sorted(dict(told.get("scores", {})).items(), key=lambda each: -float(each[1]))
    lines = []
    for name, llr in scores[:MOST_RESIDENTS]:
        drawn = bar(_share(float(llr), span), 40, mark=_share(opens_at, span))
        lines.append(f"{fitted(name, 16):16s} [{drawn}] {float(llr):+6.1f}")
    if len(scores) > MOST_RESIDENTS:
        lines.append(f"and {len(scores) - MOST_RESIDENTS} more, all below these")
    return [*lines, *folded(decision_line(told), width)]


def decision_line(told: Mapping[str, Any]) -> str:
    """The same in a sentence."""
    outcome = str(told.get("outcome", "?"))
    clips = int(told.get("clips", 0))
    over = f" ({clips} clip{'s' if clips != 1 else ''})" if clips else ""
    return f"{WORDS.get(outcome, outcome)}: {told.get('reason', 'no reason given')}{over}"


def _share(llr: float, span: float) -> float:
    return (llr + span) / (2.0 * span)
