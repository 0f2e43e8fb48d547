"""The guardian's socket: where it is, who is at the other end, what has come in."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

from device.guardian.errors import SocketError
from device.guardian.protocol import MAX_LINE_BYTES

# Those that wait to be turned away must not keep the daemon from connecting.
MAX_CONNECTIONS, BACKLOG = 4, 16


def listen(path: Path) -> socket.socket:
    """The listening socket at ``path``, for its owner and group only. Raises :class:`SocketError`.

    A socket left behind by a dead guardian is replaced; any other file, or a guardian that answers, is left alone.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        if path.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(0.5)
                if probe.connect_ex(str(path)) == 0:
                    raise SocketError(f"another guardian answers at {path}", next_step="is the service running?")
            path.unlink()
        before = os.umask(0o117)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise SocketError(f"{path} cannot be listened on", received=error, next_step="is its folder there?") from error
    except SocketError:
        listener.close()
        raise
    return listener


def peer_uid(connection: socket.socket) -> int:
    """The user id of the process that connected, by the kernel."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", told)[1])


def receive(connection: socket.socket) -> tuple[bytes, bool]:
    """What has come in, at most a little more than two lines, and whether the other end is gone; never blocks."""
    received = b""
    while len(received) <= 2 * MAX_LINE_BYTES:
        try:
            more = connection.recv(MAX_LINE_BYTES)
        except BlockingIOError:
            return received, False
        except OSError:
            # Reset by the other end: as gone as a clean end.
            return received, True
        if not more:
            return received, True
        received += more
    return received, False
