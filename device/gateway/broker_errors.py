"""Why a broker cannot be reached, in words that say what to look at."""

from __future__ import annotations

import errno
import socket
import ssl


def reason_of(error: BaseException | None) -> str:
    """One sentence for what opening a connection raised; it names the kind of fault, never a secret."""
    match error:
        case None:
            return "the connection ended before the broker answered"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted: {error.verify_message or 'it cannot be verified'}"
        case ssl.SSLError():
            return f"no TLS connection came about ({error.reason or 'unknown reason'}): does that port speak TLS?"
        case socket.gaierror():
            return "no machine of that name is known: is mqtt.host spelt right?"
        case ConnectionRefusedError():
            return "nothing listens at that port: is the broker running, and mqtt.port right?"
        case TimeoutError():
            return "no answer came in time: is the machine switched on, and in this network?"
        case OSError() if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
            return "there is no way to that machine: is the network up?"
        case _:
            return f"{type(error).__name__}: {error}"
