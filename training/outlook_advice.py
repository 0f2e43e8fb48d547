"""What to record more of, and how much the figures carry: an outlook's row in, sentences out. Pure."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from device.enrolment.progress import ENOUGH_SPEECH_SECONDS

# Fewer visits than this are a hint, not a rate.
FEWEST_VISITS = 10
# Refused more often than this on a day left out, a resident will be annoyed.
HIGH_FRR = 0.2
# Above so many times the target, a resident's strangers are a matter of this voice, not of chance.
FAR_FACTOR = 3.0


def advise(told: Mapping[str, Any], *, target_far: float) -> list[str]:
    """For one resident's row of the outlook; the most useful first, empty where there is nothing to do."""
    name = str(told["person"])
    return [*_amount(name, told), *_refused(name, told["left_out"]), *_mistaken(name, told["nearest_resident"]),
            *_strangers(name, told["nearest_stranger"], target_far)]  # fmt: skip


def _amount(name: str, told: Mapping[str, Any]) -> list[str]:
    seconds, days = float(told["speech_seconds"]), int(told["sessions"])
    wanted = 2 * ENOUGH_SPEECH_SECONDS
    if days == 1:
        return [f"record {name} on another day ({ENOUGH_SPEECH_SECONDS:.0f} s): one day's voice is all that is known"]
    if seconds < wanted:
        more = math.ceil((wanted - seconds) / 10.0) * 10
        return [f"record {more} s more of {name}: {int(seconds)} s over {days} days is little"]
    return []


def _refused(name: str, told: Mapping[str, Any]) -> list[str]:
    if told["kind"] != "session" or told["frr"] is None or told["frr"] <= HIGH_FRR:
        return []
    worst = max(told["by_session"], key=lambda each: (each["refused"] / each["visits"], each["visits"]))
    return [
        f"record {name} on a further day, and in more manners (quiet, loud, far): with a day left out, "
        f"{told['refused']} of {told['visits']} visits were refused, most on {worst['session']} "
        f"({worst['refused']} of {worst['visits']})"
    ]


def _mistaken(name: str, told: Mapping[str, Any] | None) -> list[str]:
    if told is None or not told["taken_for"]:
        return []
    return [
        f"record more of {name} and {told['name']}: {told['taken_for']} of {told['visits']} visits by {name} would "
        f"also open as {told['name']}; the door opens either way, but hours and events may go by the wrong name"
    ]


def _strangers(name: str, told: Mapping[str, Any] | None, target_far: float) -> list[str]:
    if told is None or told["all_let_in"] <= FAR_FACTOR * target_far * told["all_visits"] or told["all_let_in"] < 2:
        return []
    return [
        f"record more of {name}, on another day: {told['all_let_in']} of {told['all_visits']} visits by strangers "
        f"would open as {name}; until then a [policy] extra_llr_margin makes the door stricter"
    ]


def carries(told: Mapping[str, Any]) -> str:
    """How far ``left_out`` can be believed, in words."""
    visits = int(told["visits"])
    if told["kind"] == "none" or not visits:
        return "too little was recorded to leave any of it out: nothing can be said"
    few = visits < FEWEST_VISITS
    # A bound of 78 % from two visits is a number, not knowledge.
    words = [] if few else [f"at most {told['upper_bound']:.0%} with 95 % confidence"]
    if told["kind"] == "group":
        words.append("same day, which flatters by far")
    if few:
        words.append(f"{visits} visits are a hint only: too few to say how many it would be of a hundred")
    return "; ".join(words)


def terminal_lines(outlook: Mapping[str, Any], *, width: int = 79) -> list[str]:
    """The outlook as the last lines of a run: a few lines a resident."""
    lines = ["each resident, with a day left out in turn and enrolled on the others:"]
    for told in outlook["residents"]:
        left = told["left_out"]
        lines.append(f"  {told['person']}: {left['refused']} of {left['visits']} visits refused ({carries(left)})")
        lines += [f"    nearest {each}" for each in (_resident(told), _stranger(told)) if each]
        lines += [f"    -> {each}" for each in told["advice"]]
    lines.append(f"  (strangers: {outlook['strangers']})")
    return [part for line in lines for part in _folded(line, width)]


def _resident(told: Mapping[str, Any]) -> str:
    near = told["nearest_resident"]
    return f"resident: {near['name']}, mean score {near['mean_llr']:+.1f}" if near is not None else ""


def _stranger(told: Mapping[str, Any]) -> str:
    near = told["nearest_stranger"]
    if near is None:
        return ""
    return (f"stranger: {near['name']}, {near['let_in']} of {near['visits']} visits let in; "
            f"all: {near['all_let_in']} of {near['all_visits']} (at most {near['upper_bound']:.1%})")  # fmt: skip


def _folded(line: str, width: int) -> Sequence[str]:
    indent = len(line) - len(line.lstrip())
    return textwrap.wrap(line, width, subsequent_indent=" " * (indent + 3), break_on_hyphens=False) or [line]
