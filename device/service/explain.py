"""One event in words: why the door opened, or why it did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Told = Mapping[str, Any]
# Events that only repeat what the decision just before them said.
OF_A_DECISION = ("relay_on", "replay", "second_factor_missing", "outside_schedule", "held", "relay_refused")
HEADLINES = {
    "open": "The door was opened for {resident}.",
    "refuse": "The door stayed shut: the voice was like no resident's.",
    "say_more": "Nothing was decided yet: more speech was needed.",
    "cooling_down": "Nothing was judged: the door had just been opened.",
    "locked_out": "Nothing was judged: too many visits in a short time. The door judges again in {locked_seconds} s.",
    "replay": "The door stayed shut: it had heard this very recording before.",
    "second_factor_missing": "The door stayed shut: the voice was accepted, but the button had not been pressed.",
    "outside_schedule": "The door stayed shut: the voice was accepted, but not at this hour.",
    "held": "The door stayed shut: somebody was recording sentences at it.",
    "relay_refused": "The door stayed shut: the voice was accepted, but the relay may not be switched on now.",
}

# What is told of the door itself.
OWN = {
    "microphone_silent": "The microphone delivers nothing, so the door hears nobody.",
    "microphone_back": "The microphone delivers sound again.",
}
# What is told of somebody who is not at the door.
REMOTE = {
    "remote_open": "The door was opened from elsewhere, by {by}: no voice was judged.",
    "relay_on": "The door was opened from elsewhere, by {by}: no voice was judged.",
    "remote_refused": "The door stayed shut: {by} asked for it from elsewhere.",
}


def find_decision(events: Sequence[Told], n: int) -> Told | None:
    """The event of number ``n``, or, for one that followed from a decision, that decision. None where there is none."""
    place = next((place for place, each in enumerate(events) if each.get("n") == n), None)
    if place is None:
        return None
    # A relay that was switched on for somebody elsewhere follows from no voice.
    if events[place].get("kind") in OF_A_DECISION and "by" not in events[place]:
        before = [each for each in events[:place] if each.get("kind") == "decision"]
        return before[-1] if before else events[place]
    return events[place]


def explain(told: Told) -> str:
    """The event as a few lines for a person."""
    head = f"{told.get('time')}  event {told.get('n')}, {told.get('kind')}"
    if told.get("kind") != "decision":
        skipped = ("n", "time", "kind", "at_seconds", "previous", "hash")
        kind = str(told.get("kind"))
        headline = REMOTE.get(kind, "").format_map(_Blank(told)) if "by" in told else OWN.get(kind, "")
        return "\n".join(
            [
                head,
                *([headline] if headline else []),
                *(f"  {key}: {value}" for key, value in told.items() if key not in skipped),
            ]
        )
    headline = HEADLINES.get(str(told.get("outcome")), "An outcome of another version: {outcome}.")
    return "\n".join([head, headline.format_map(_Blank(told)), f"  {told.get('reason')}", *_evidence(told),
                      *_guards(told), *_served(told)])  # fmt: skip


def _evidence(told: Told) -> list[str]:
    scores, cosines = told.get("scores", {}), told.get("cosines", {})
    lines = ["evidence of this clip (log-likelihood ratio; raw similarity):"]
    for name, llr in sorted(scores.items(), key=lambda item: -item[1]):
        lines.append(f"  {name:16s} {llr:+8.3f}  {cosines.get(name, float('nan')):+.3f}")
    evidence, threshold = told.get("evidence"), told.get("open_llr")
    if isinstance(evidence, int | float) and isinstance(threshold, int | float):
        lines.append(
            f"sum over {told.get('clips')} clips: {evidence:+.3f} for {told.get('resident')}; it takes "
            f"{threshold:+.3f} to open (margin {evidence - threshold:+.3f}), {told.get('refuse_llr'):+.3f} refuses"
        )
    filled = ", repeated to fill 3 s" if told.get("filled") else ""
    lines.append(f"heard: {told.get('speech_seconds')} s of speech{filled}, level {told.get('level_dbfs')} dBFS")
    if told.get("kept_clip"):
        lines.append(f"kept as {told['kept_clip']}")
    return lines


def _guards(told: Told) -> list[str]:
    lines = []
    if "replay_likeness" in told:
        lines.append(
            f"replay: {told['replay_likeness']} alike to the nearest of {told['replay_compared']} utterances heard "
            f"lately; {told['replay_threshold']} is a recording"
        )
    else:
        lines.append("replay: not guarded against")
    if "button_seconds_ago" in told:
        ago = told["button_seconds_ago"]
        lines.append("button: never pressed" if ago is None else f"button: pressed {ago} s before")
    if "schedule" in told:
        lines.append(f"schedule: {told['schedule']}")
    lines.append(_visits(told))
    return lines


def _visits(told: Told) -> str:
    """How the door stood to whoever came next."""
    failed, locked, strict = (_number(told, key) for key in ("failed_visits", "locked_seconds", "strict_seconds"))
    line = f"failed visits that still count: {failed:g}"
    if strict:
        line += f"; if nobody fails meanwhile the threshold is the usual one again in {strict / 60:.0f} min"
    return line + (f"; the next visit is judged in {locked:g} s" if locked else "; the next visit is judged at once")


def _number(told: Told, key: str) -> float:
    value = told.get(key)
    return value if isinstance(value, int | float) else 0.0


def _served(told: Told) -> list[str]:
    return [
        f"bundle: {told.get('bundle', 'not told')} #{told.get('bundle_sequence', '?')}, digest "
        f"{told.get('bundle_digest', 'not told')}",
        f"configuration: digest {told.get('config_digest', 'not told')}",
    ]


class _Blank(dict[str, Any]):
    """What is missing is shown as such: an old log is no reason to fail."""

    def __missing__(self, key: str) -> str:
        return f"({key} not told)"
