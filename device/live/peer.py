"""One reader of the live feed, as the server sees it; and the socket that readers come to."""

from __future__ import annotations

import math
import os
import socket
import struct
from collections import deque
from pathlib import Path

from device.errors import LiveError
from device.live.access import RIGHTS, Role, question_right
from device.live.answering import Asker
from device.live.requests import MAX_LINE_BYTES, MAX_QUESTION_BYTES, Subscription

# About half a minute of levels and events, beyond what the kernel holds. Whoever is further behind is dropped.
MAX_BEHIND_BYTES = 1 << 18
BACKLOG = 16
MOST_A_SECOND = 20
READ_BYTES = 1 << 16


class Peer:
    """A connection: what it asked for, what it has not taken yet. Nothing blocks."""

    def __init__(self, connection: socket.socket, role: Role) -> None:
        connection.setblocking(False)
        self.connection, self.role = connection, role
        self.uid = uid_of(connection)
        self.asker = Asker(role=role, uid=self.uid)
        # A question is being answered: the next one waits for its end, at the other side.
        self.waits = False
        self.subscription = Subscription(topics=Subscription().topics & RIGHTS[role])
        self._inbox = b""
        # Who has no question to ask has no long line to send.
        self._most_line_bytes = MAX_QUESTION_BYTES if question_right("events") in RIGHTS[role] else MAX_LINE_BYTES
        self._outbox: deque[bytes] = deque()
        self._behind_bytes = 0
        self._since_seconds, self._asked = -math.inf, 0

    @property
    def behind(self) -> bool:
        """Whether something waits that the other end has not taken."""
        return bool(self._outbox)

    def put(self, line: bytes) -> None:
        """Have a line sent by the next :meth:`flush`."""
        self._outbox.append(line)
        self._behind_bytes += len(line)

    def flush(self) -> bool:
        """Send what the other end takes now; False where it is gone, or too far behind."""
        try:
            while self._outbox:
                sent = self.connection.send(self._outbox[0], socket.MSG_NOSIGNAL)
                self._behind_bytes -= sent
                if sent < len(self._outbox[0]):
                    self._outbox[0] = self._outbox[0][sent:]
                else:
                    self._outbox.popleft()
        except BlockingIOError:
            return self._behind_bytes <= MAX_BEHIND_BYTES
        except OSError:
            return False
        return True

    def may_ask(self, requests: int, *, now_seconds: float) -> bool:
        """Whether so many more requests are no more than anybody has a use for."""
        if now_seconds - self._since_seconds >= 1.0:
            self._since_seconds, self._asked = now_seconds, 0
        self._asked += requests
        return self._asked <= MOST_A_SECOND

    def receive(self) -> tuple[list[bytes], bool]:
        """The whole lines that have come in, and whether the other end is gone.

        At most a few lines at a time, so that nobody keeps the thread busy. Raises :class:`LiveError` nowhere: a line
        that does not end is handed on as it is, too long to be a request.
        """
        try:
            more = self.connection.recv(min(READ_BYTES, 4 * self._most_line_bytes))
        except BlockingIOError:
            return [], False
        except OSError:
            return [], True
        *lines, self._inbox = (self._inbox + more).split(b"\n")
        if len(self._inbox) > self._most_line_bytes:
            lines.append(self._inbox)
            self._inbox = b""
        return [line for line in lines if line.strip()], not more


def listen(path: Path) -> socket.socket:
    """A listening socket at ``path``, for its owner and group. Raises :class:`LiveError`.

    One that a dead daemon left behind is replaced; any other file, or a daemon that answers, is left alone.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        if path.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(0.5)
                if probe.connect_ex(str(path)) == 0:
                    raise LiveError("another daemon answers there", where=str(path))
            path.unlink()
        before = os.umask(0o117)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except LiveError:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        raise LiveError("the live feed's socket cannot be made", where=str(path), received=error,
                        next_step="is its folder there, and writable?") from error  # fmt: skip
    return listener


def uid_of(connection: socket.socket) -> int:
    """The user id of the process at the other end, by the kernel."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", told)[1])
