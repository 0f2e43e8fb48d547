"""An accepted voice opens only what the relay's guardian would grant: asked before, so that a refusal is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from device.ports import Relay
from device.sound.pcm import Clip
from device.verdict.guards import Finding
from device.verdict.values import Decision, Outcome


@runtime_checkable
class Refusing(Protocol):
    """A relay that can be asked why it would not grant a pulse now, in words; empty where it would."""

    def refusal(self, *, open_seconds: float) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayAllowance:
    """A :class:`~device.verdict.guards.Guard`: objects where the relay would refuse ``open_seconds``.

    Raises :class:`~device.errors.RelayError` where the relay does not answer: the door stays shut.
    """

    relay: Relay
    open_seconds: float

    def look(self, _clip: Clip, decision: Decision) -> Finding:
        if not decision.opens or not isinstance(self.relay, Refusing):
            return Finding()
        reason = self.relay.refusal(open_seconds=self.open_seconds)
        return Finding(objection=Outcome.RELAY_REFUSED, reason=reason) if reason else Finding()
