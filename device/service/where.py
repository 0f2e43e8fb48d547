"""Where the daemon's files are: its configuration, the state directory, and the event log in it."""

from __future__ import annotations

from pathlib import Path

from device.live.server import SOCKET
from device.ownership import become_owner_of
from device.service.config import EventsConfig
from device.service.status import DEFAULT_FOLDER
from device.service.trust import DEFAULT_STATE, state_folder

EVENTS = "events.db"
# Where install.sh puts it: who stands at the door does not want to type it.
DEFAULT_CONFIG = Path("/etc/voicelatch/voicelatch.toml")
LIVE_FOLDER = Path("/run/voicelatch-live")
# The page's own state: the hash of its password.
PAGE_STATE = Path("/var/lib/voicelatch-web")


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


def live_socket(runtime: Path) -> Path:
    """The live feed's socket of the daemon whose runtime folder this is. The installed one's is in a folder of its own
    (tmpfiles.d), whose group, voicelatch-live, may reach it: no reader needs the group of the daemon's files."""
    return (LIVE_FOLDER if runtime == DEFAULT_FOLDER else runtime) / SOCKET
