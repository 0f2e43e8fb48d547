"""An event as the page says it: in a few words, why, and how good or bad that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from device.service.explain import HEADLINES

Told = Mapping[str, Any]
Tone = Literal["opened", "refused", "trouble", "plain"]

VISITS = ("decision", "too_short", "remote_open", "remote_refused")
TROUBLE = ("gap", "stale", "fault", "canary_failed", "reload_refused", "chain_cut", "config_problem", "visits_unknown",
           "replay_memory_lost", "microphone_silent", "clock_not_set", "clock_set", "request_refused",
           "file_damaged", "events_lost")  # fmt: skip
# What somebody who looks on wants to see go by.
_SHOWN = (*VISITS, *TROUBLE, "started", "stopped", "reloaded", "microphone_back", "residents_changed")
_SAID: dict[str, tuple[Tone, str]] = {
    "too_short": ("plain", "Somebody spoke, but too little to judge."),
    "remote_open": ("opened", "The door was opened from elsewhere, by {by}."),
    "remote_refused": ("refused", "{by} asked for the door from elsewhere, and it stayed shut."),
    "relay_on": ("opened", "The latch was released."),
    "relay_off": ("plain", "The latch holds again."),
    "speech": ("plain", "Somebody began to speak."),
    "silence": ("plain", "It became silent."),
    "gap": ("trouble", "Sound was missing: what had been heard was dropped."),
    "stale": ("trouble", "A clip was judged too late to count."),
    "started": ("plain", "The door began to listen."),
    "stopped": ("plain", "The door stopped listening."),
    "fault": ("trouble", "The door stopped by a fault."),
    "reloaded": ("plain", "Configuration and bundle were read again."),
    "reload_refused": ("trouble", "A new configuration or bundle was refused; the old one stays in service."),
    "config_problem": (
        "trouble",
        "A part beside the door is wrongly configured: [{table}]. The door goes on without it.",
    ),
    "canary_failed": ("trouble", "The hourly check of the door's own judgement failed."),
    "canary_passed": ("plain", "The hourly check passed."),
    "request_refused": ("trouble", "A program of this machine asked the door for what it may not have: {asked}."),
    "visits_unknown": ("trouble", "How many visits failed before is not known: the door begins as after many."),
    "replay_memory_lost": ("trouble", "What was heard before the start is not known: a recording of it may pass."),
    "microphone_silent": ("trouble", "The microphone delivers nothing: the door hears nobody."),
    "microphone_back": ("plain", "The microphone delivers sound again."),
    "relay_refused": ("refused", "The relay may not be switched on now."),
    "clock_set": ("plain", "The clock was set."),
    "clock_not_set": ("trouble", "The clock has not been set since the start: hours cannot be relied on."),
    "chain_cut": ("trouble", "The event log was altered or cut."),
    "file_damaged": ("trouble", "The event log's file was damaged: it was set aside, and a new one begun."),
    "events_lost": ("trouble", "Events are missing here: for a while the log could not be written."),
    "log_shortened": ("plain", "The oldest events went, for their age or the log's size."),
    "forgotten": ("plain", "Somebody's name was taken out of the log, as they had asked."),
}
_SHORT: dict[str, str] = {"open": "opened", "refuse": "stayed shut", "say_more": "undecided"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event in a list: its number (0: none), ``clock`` (HH:MM:SS), what happened, why, the clip kept of it."""

    n: int
    time: str
    clock: str
    tone: Tone
    headline: str
    reason: str
    clip: str


def line_of(told: Told) -> Line:
    """Whatever the event is; one of another version is named as it stands."""
    kind, time, n = str(told.get("kind")), str(told.get("time", "")), told.get("n")
    tone, headline = _headline(kind, told)
    return Line(
        n=n if isinstance(n, int) else 0, time=time, clock=time[11:19], tone=tone, headline=headline,
        reason=str(told.get("reason") or ""), clip=str(told.get("kept_clip") or ""),
    )  # fmt: skip


def messages_of(told: Told) -> Iterator[Mapping[str, Any]]:
    """What a browser is told of an event as it happens: that it ``happened``, and a ``decision`` with its scores."""
    line = line_of(told)
    if told.get("kind") in _SHOWN:
        yield {"kind": "happened", "tone": line.tone, "time": line.time, "clock": line.clock, "headline": line.headline}
    if told.get("kind") == "decision":
        figures = {key: told.get(key) for key in ("scores", "open_llr", "refuse_llr")}
        yield {"kind": "decision", "headline": line.headline, "reason": line.reason, **figures}


def outcome_in_words(outcome: str) -> str:
    """Of a decision or a kept clip, in two words."""
    return _SHORT.get(outcome, outcome.replace("_", " "))


def _headline(kind: str, told: Told) -> tuple[Tone, str]:
    if kind == "residents_changed":
        loss: Tone = "trouble" if told.get("no_longer_known") else "plain"
        return loss, str(told.get("reason") or "Others are known now.")
    if kind != "decision":
        tone, said = _SAID.get(kind, ("plain", f"{kind.replace('_', ' ').capitalize()}."))
        words = {"{by}": told.get("by", "somebody"), "{asked}": told.get("asked", "something"),
                 "{table}": told.get("table")}  # fmt: skip
        for place, word in words.items():
            said = said.replace(place, str(word))
        return tone, said
    outcome = str(told.get("outcome"))
    said = HEADLINES.get(outcome, f"{outcome.replace('_', ' ').capitalize()}.")
    tones: dict[str, Tone] = {"open": "opened", "say_more": "plain", "cooling_down": "plain", "held": "plain"}
    facts = {
        "resident": str(told.get("resident", "somebody")),
        "locked_seconds": str(told.get("locked_seconds", "some")),
    }
    for name, fact in facts.items():
        said = said.replace(f"{{{name}}}", fact)
    return tones.get(outcome, "refused"), said
