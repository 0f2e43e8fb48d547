"""Which pin the running daemon drives, remembered outside the configuration.

A configuration can be edited, or broken, while the daemon runs. If the daemon then dies in mid-pulse, ``relay-off``
must still know the pin that is on. systemd keeps the runtime directory until ``ExecStopPost`` has run.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from device.errors import StateError
from device.service.config import RelayConfig
from device.settings import settings_from, why_unreadable

_LOG = logging.getLogger(__name__)
NAME = "relay.json"


def remember_pin(relay: RelayConfig, environment: Mapping[str, str] = os.environ) -> None:
    """Write ``relay`` into ``$RUNTIME_DIRECTORY``; nothing where systemd did not set one.

    To be called before the pin can be driven. Raises :class:`StateError` when it cannot be written: a pin that could
    not be released after a death must not be driven at all.
    """
    folder = environment.get("RUNTIME_DIRECTORY")
    if not folder:
        return
    path = Path(folder) / NAME
    fresh = path.with_name(f"{NAME}.new")
    try:
        fresh.write_text(json.dumps(asdict(relay)), encoding="utf-8")
        os.replace(fresh, path)
    except OSError as error:
        raise StateError(
            "the pin in use cannot be remembered", where=str(path), received=error, next_step="check RuntimeDirectory="
        ) from error


def recall_pin(environment: Mapping[str, str] = os.environ) -> RelayConfig | None:
    """The pin a daemon remembered, or None where there was none or what is there cannot be used (logged)."""
    folder = environment.get("RUNTIME_DIRECTORY")
    path = Path(folder) / NAME if folder else None
    if path is None or not path.exists():
        return None
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(table, dict):
            raise ValueError("not a table")
        return settings_from(table, RelayConfig, where=str(path))
    except (OSError, ValueError, RecursionError) as error:
        _LOG.error(
            "the remembered pin cannot be used, the configuration's is driven off instead: %s", why_unreadable(error)
        )
        return None
