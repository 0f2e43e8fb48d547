"""How old a command from the broker may be at most, whatever stalled on its way.

An MQTT message does not say when it was sent, and a network, a broker or this process that stood still delivers what it
held all at once. So the gateway sends itself a numbered message through the broker, again and again. The broker hands
messages on in the order in which they came: a command that arrives after number N reached the broker after N was sent.
The time since N was sent is therefore a bound on the time that the command spent at the broker and behind it. What a
sender held back before the broker had it nobody here can know.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict

# A stretch of silence this long means that nothing on the way can be relied on; old probes are forgotten.
MOST_UNANSWERED = 64


class EchoProbe:
    """Remembers which numbered messages were sent and which came back. Times are monotonic, in seconds.

    Not for two threads at once: the caller has a lock.
    """

    def __init__(self) -> None:
        self._sent: OrderedDict[str, float] = OrderedDict()
        self._bound_seconds: float | None = None

    def next_payload(self, *, now_seconds: float) -> str:
        """A payload that nobody can guess, to be published now."""
        payload = secrets.token_hex(8)
        self._sent[payload] = now_seconds
        while len(self._sent) > MOST_UNANSWERED:
            self._sent.popitem(last=False)
        return payload

    def echo(self, payload: str) -> None:
        """A numbered message came back. One that is unknown, or came back before, says nothing."""
        sent_at_seconds = self._sent.pop(payload, None)
        if sent_at_seconds is None:
            return
        # Whatever was sent before this one is older: it can no longer make a command look fresher.
        for earlier in [key for key, at_seconds in self._sent.items() if at_seconds <= sent_at_seconds]:
            del self._sent[earlier]
        self._bound_seconds = max(sent_at_seconds, self._bound_seconds or sent_at_seconds)

    def forget(self) -> None:
        """A new connection: nothing is known until a message came back through it."""
        self._sent.clear()
        self._bound_seconds = None

    def oldest_seconds(self) -> float | None:
        """The earliest time at which a command that arrives now can have reached the broker; None: not known."""
        return self._bound_seconds
