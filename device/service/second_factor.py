"""A button that must be pressed as well: who opens by voice must also stand where the button is."""

from __future__ import annotations

from dataclasses import dataclass

from device.ports import Button, Clock
from device.sound.pcm import Clip
from device.verdict.guards import Finding
from device.verdict.values import Decision, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactor:
    """A :class:`~device.verdict.guards.Guard`: an accepted voice opens only ``within_seconds`` after a press."""

    button: Button
    clock: Clock
    within_seconds: float

    def look(self, _clip: Clip, decision: Decision) -> Finding:
        if not decision.opens:
            return Finding()
        pressed = self.button.pressed_at_seconds()
        ago = None if pressed is None else self.clock.monotonic_seconds() - pressed
        told = {"button_seconds_ago": None if ago is None else round(ago, 2)}
        if ago is not None and 0.0 <= ago <= self.within_seconds:
            return Finding(told=told)
        since = "never" if ago is None else f"{ago:.0f} s ago"
        return Finding(
            told=told,
            objection=Outcome.SECOND_FACTOR_MISSING,
            reason=f"the button was pressed {since}, and it takes a press within {self.within_seconds:g} s",
        )
