"""Who may ask the daemon what: one table, by the user of the process at the other end as the kernel names it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

# Questions that are answered from the daemon's files; what they take and give is said in this room's __init__.
READING = frozenset({"events", "event", "clips", "clip_audio", "recordings", "recording_of"})
CHANGING = frozenset({"label_clip", "delete_clip", "take_part", "save_take"})
QUESTIONS = READING | CHANGING
WATCHING = frozenset({"level", "event", "status"})


class Role(StrEnum):
    """What a peer is to the daemon."""

    OWNER = "owner"
    PAGE = "page"
    GATEWAY = "gateway"
    NOBODY = "nobody"


_ASK = "ask "


def question_right(name: str) -> str:
    """The right to ask a question: "ask event" is another one than the topic "event"."""
    return f"{_ASK}{name}"


_ALL_QUESTIONS = frozenset(question_right(name) for name in QUESTIONS)
# Rights are topics of a subscription, "hold", "open" and questions.
RIGHTS: Mapping[Role, frozenset[str]] = {
    Role.OWNER: WATCHING | _ALL_QUESTIONS | {"audio", "hold", "open"},
    # Never "open": whoever breaks into the page must not have the door.
    Role.PAGE: WATCHING | _ALL_QUESTIONS | {"audio", "hold"},
    Role.GATEWAY: WATCHING | {"open"},
    Role.NOBODY: frozenset(),
}
# Sound, and what keeps it: for the page, only while it holds the door.
_SOUND = frozenset({"audio", question_right("take_part"), question_right("save_take")})
# Connections at a time: neither page nor gateway can keep the others out.
MOST_PEERS: Mapping[Role, int] = {Role.OWNER: 16, Role.PAGE: 5, Role.GATEWAY: 5, Role.NOBODY: 0}
USERS: Mapping[str, Role] = {"voicelatch-web": Role.PAGE, "voicelatch-gateway": Role.GATEWAY}


@dataclass(frozen=True, slots=True)
class Access:
    """``roles`` by user id; whoever is not in it is nobody."""

    roles: Mapping[int, Role]

    def role_of(self, uid: int) -> Role:
        return self.roles.get(uid, Role.NOBODY)


def _uid_of(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


def access_of_this_machine(*, own_uid: int | None = None, uid_of: Callable[[str], int] = _uid_of) -> Access:
    """Root and the daemon's own user as owners, page and gateway where this machine has those users. The names are
    looked up once: a user that is made later is known after a restart."""
    roles: dict[int, Role] = {}
    for name, role in USERS.items():
        try:
            roles[uid_of(name)] = role
        except KeyError:
            # A checkout, or a door without a page.
            continue
    return Access({**roles, 0: Role.OWNER, os.geteuid() if own_uid is None else own_uid: Role.OWNER})


def missing_right(role: Role, asked: frozenset[str], *, held: bool) -> str:
    """Why ``role`` may not ask for all of ``asked`` (rights), in words; empty where it may. ``held``: its user
    holds the door, or is about to."""
    lacking = sorted(asked - RIGHTS[role])
    if lacking:
        return f"{', '.join(lacking)} is not for this user ({role.value})"
    if role is Role.PAGE and asked & _SOUND and not held:
        # Whoever listens at the door is seen to: the status says that it is held.
        return "the page has the door's sound, and saves it, only while it holds the door"
    return ""
