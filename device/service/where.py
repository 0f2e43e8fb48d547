"""Where the daemon's files are: its configuration, the state directory, and the event log in it."""

from __future__ import annotations

from pathlib import Path

from device.ownership import become_owner_of
from device.service.config import EventsConfig
from device.service.trust import DEFAULT_STATE, state_folder

EVENTS = "events.db"
# Where install.sh puts it: who stands at the door does not want to type it.
DEFAULT_CONFIG = Path("/etc/voicelatch/voicelatch.toml")


def state_or_default(asked: Path | None) -> Path:
    """The folder asked for, systemd's, or where the shipped unit has it: for whoever looks from outside."""
    return state_folder(asked) or DEFAULT_STATE


def enter_state(asked: Path | None) -> Path:
    """The same for a command that works in it: root becomes the user whose folder it is, here and for good."""
    state = state_or_default(asked)
    become_owner_of(state)
    return state


def events_path(config: EventsConfig, state: Path) -> Path:
    """The event log that the daemon writes with this configuration and state directory."""
    return Path(config.path) if config.path else state / EVENTS
