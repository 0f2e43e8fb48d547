"""Further conditions of an opening, asked after the policy: was it a recording, the button pressed, is it the hour?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from device.sound.pcm import Clip
from device.verdict.policy import Standing
from device.verdict.tries import Tries
from device.verdict.values import Decision, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a guard found of one clip: ``told`` goes into the decision's event, ready for JSON. Where it objects,
    ``objection`` is what the decision becomes and ``reason`` says why in words."""

    told: Mapping[str, object] = field(default_factory=dict)
    objection: Outcome | None = None
    reason: str = ""


class Guard(Protocol):
    """Looks at every clip that was scored, whatever was decided of it. A door without guards has none: ``()``.

    It objects only to decisions that were judged (open, say more, refuse). What it raises keeps the door shut.
    """

    def look(self, clip: Clip, decision: Decision) -> Finding: ...


JUDGED = frozenset({Outcome.OPEN, Outcome.SAY_MORE, Outcome.REFUSE})


class Keeper(Protocol):
    """Keeps a judged clip if anybody asked for that; returns its name, empty where it is not kept. Never raises."""

    def keep(self, clip: Clip, decision: Decision) -> str: ...


class KeepsNothing:
    """:class:`Keeper` of a door that was not asked to keep audio."""

    def keep(self, _clip: Clip, _decision: Decision) -> str:
        return ""


class VisitMemory(Protocol):
    """Keeps what visits have cost where a restart does not forget it. Returns at once and never raises."""

    def remember(self, tries: Tries, standing: Standing) -> None: ...


class RemembersNothing:
    """:class:`VisitMemory` of a door whose count of visits ends with its process."""

    def remember(self, _tries: Tries, _standing: Standing) -> None:
        return
