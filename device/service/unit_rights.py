"""Whether the daemon's systemd unit, as installed, may reach the GPIO pins: a button or a light needs that.

The files are read, not systemd asked: that needs no bus, and the daemon's own user may run ``check``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from device.errors import ConfigError

UNIT = "voicelatch.service"
# systemd's own order: a unit in an earlier folder hides those of the same name in later ones.
FOLDERS = (Path("/etc/systemd/system"), Path("/run/systemd/system"), Path("/usr/lib/systemd/system"))
# What each setting must name.
NEEDED = {"SupplementaryGroups": "gpio", "DeviceAllow": "char-gpiochip"}


def pins_within_reach(folders: Sequence[Path] = FOLDERS) -> str:
    """What ``check`` says. Raises :class:`ConfigError` where the unit lacks group gpio or the device."""
    files = _files(folders)
    if not files:
        return f"{UNIT} is not installed here; its rights were not looked at"
    settings = _settings(files)
    lacking = [f"{key}={name}" for key, name in NEEDED.items() if name not in settings[key]]
    if lacking:
        raise ConfigError(
            "the daemon's unit may not reach the pins of a button or a light",
            where=str(files[0]),
            received=f"no {' and no '.join(lacking)}",
            next_step="run systemd/install.sh again: it adds voicelatch.service.d/pins.conf where the configuration "
            "asks for one",
        )
    return f"{UNIT} may reach the pins"


def _files(folders: Sequence[Path]) -> list[Path]:
    """The unit and its drop-ins in the order in which systemd reads them."""
    unit = next((folder / UNIT for folder in folders if (folder / UNIT).is_file()), None)
    if unit is None:
        return []
    drop_ins: dict[str, Path] = {}
    for folder in reversed(folders):
        drop_ins |= {path.name: path for path in (folder / f"{UNIT}.d").glob("*.conf")}
    return [unit, *(drop_ins[name] for name in sorted(drop_ins))]


def _settings(files: Iterable[Path]) -> dict[str, list[str]]:
    """The words of each needed setting; lines add up, an empty one begins anew."""
    found: dict[str, list[str]] = {key: [] for key in NEEDED}
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            key, separator, value = line.partition("=")
            if separator and key.strip() in found:
                found[key.strip()] = [*found[key.strip()], *value.split()] if value.strip() else []
    return found
