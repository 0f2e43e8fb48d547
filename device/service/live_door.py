"""Puts the live feed beside the door: its socket in the runtime directory, its status from what the daemon knows."""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Mapping
from pathlib import Path

from device.errors import LiveError
from device.live.answering import Answerer
from device.live.server import LiveServer
from device.ports import Clock
from device.service.remote import RemoteOpening
from device.service.status import StatusFile
from device.service.where import live_socket

_LOG = logging.getLogger(__name__)
_STATM = Path("/proc/self/statm")


def serve_live(folder: Path | None, remote: RemoteOpening, clock: Clock, status: StatusFile,
               answerer: Answerer) -> LiveServer | None:  # fmt: skip
    """Serve the feed of ``remote`` until closed, for the daemon whose runtime ``folder`` this is, and have ``answerer``
    answer questions. None without a folder, or where it cannot be made: the door does without."""
    if folder is None:
        return None
    started = clock.monotonic_seconds()

    def tell() -> Mapping[str, object]:
        now = status.status
        return {
            "state": now.state, "listening": now.state == "listening", "bundle": now.bundle,
            "bundle_sequence": now.sequence, "bundle_digest": now.digest, "loaded_at": now.loaded_at,
            "last_reload_ok": now.last_reload.ok, "uptime_seconds": round(clock.monotonic_seconds() - started, 1),
            "memory_bytes": memory_bytes(), "remote_open": remote.config.open,
            "microphone_silent": bool(now.microphone),
        }  # fmt: skip

    server = None
    try:
        server = LiveServer(live_socket(folder), remote.feed, clock=clock, status=tell, answerer=answerer)
        server.start()
    except (LiveError, RuntimeError) as error:
        _LOG.error("there is no live feed, the door goes on: %s", error)
        if server is not None:
            # A thread that was started before another one could not be had must not serve on without an owner.
            server.close()
        return None
    return server


def memory_bytes() -> int:
    """What this process has in memory now; where that is not told, the most it ever had."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
