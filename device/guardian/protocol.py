"""Requests and answers between the daemon and the guardian: ASCII, one line each, at most 64 bytes, one spelling each.

    pulse TOKEN SECONDS    free TOKEN SECONDS    alive TOKEN    off TOKEN    status TOKEN    chip TOKEN
    on TOKEN SECONDS       off TOKEN REASON      refused TOKEN REASON    fault TOKEN REASON    chip TOKEN NAME LABEL

TOKEN is 8 hexadecimal digits chosen by the asker and repeated in the answer, so that a late answer is never taken for
the next one's. SECONDS always has three decimals: granted for a pulse, left for a status. ``free`` asks whether such
a pulse would be granted now, and moves nothing. ``alive`` has no answer. NAME and LABEL are the GPIO chip's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from device.guardian.errors import ProtocolError

MAX_LINE_BYTES = 64
DEFAULT_SOCKET = "/run/voicelatch-guardian/relay.sock"

_TOKEN = r"(?P<token>[0-9a-f]{8})"
_SECONDS = r"(?P<seconds>(?:0|[1-9][0-9]?)\.[0-9]{3})"
_REQUEST = re.compile(rf"(?:(?P<verb>alive|off|status|chip) {_TOKEN})|"
                      rf"(?:(?P<timed>pulse|free) (?P<token2>[0-9a-f]{{8}}) {_SECONDS})")  # fmt: skip
_ANSWER = re.compile(
    rf"(?:on {_TOKEN} {_SECONDS})|(?:(?P<word>off|refused|fault) (?P<token2>[0-9a-f]{{8}}) (?P<reason>[a-z-]{{1,32}}))"
    r"|(?:chip (?P<token3>[0-9a-f]{8}) (?P<chip>[!-~]{1,16} [!-~]{1,31}))"
)


@dataclass(frozen=True, slots=True)
class Request:
    """``verb`` is pulse, free, alive, off, status or chip; ``seconds``: 0.000 to 99.999 of pulse and free, else 0."""

    verb: str
    token: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """``word`` is on, off, refused, fault or chip; ``seconds`` belongs to on, ``reason`` to the others: the chip's name
    and label for chip."""

    word: str
    token: str
    seconds: float = 0.0
    reason: str = ""


def parse_request(line: bytes) -> Request:
    """One line without its end. Raises :class:`ProtocolError` for anything that the protocol does not spell so."""
    found = _REQUEST.fullmatch(_text(line))
    if found is None:
        raise ProtocolError("not a request", received=line[:MAX_LINE_BYTES])
    if found["verb"]:
        return Request(found["verb"], found["token"])
    return Request(found["timed"], found["token2"], float(found["seconds"]))


def parse_answer(line: bytes) -> Answer:
    """One line without its end. Raises :class:`ProtocolError`."""
    found = _ANSWER.fullmatch(_text(line))
    if found is None:
        raise ProtocolError("not an answer", received=line[:MAX_LINE_BYTES])
    if found["word"]:
        return Answer(found["word"], found["token2"], reason=found["reason"])
    if found["chip"]:
        return Answer("chip", found["token3"], reason=found["chip"])
    return Answer("on", found["token"], float(found["seconds"]))


def format_request(request: Request) -> bytes:
    """The line with its end. Raises :class:`ProtocolError` for values that the protocol cannot spell."""
    more = f" {request.seconds:.3f}" if request.verb in ("pulse", "free") else ""
    line = f"{request.verb} {request.token}{more}".encode("ascii", "replace")
    parse_request(line)
    return line + b"\n"


def format_answer(answer: Answer) -> bytes:
    """The line with its end. Raises :class:`ProtocolError` for values that the protocol cannot spell."""
    more = f"{answer.seconds:.3f}" if answer.word == "on" else answer.reason
    line = f"{answer.word} {answer.token} {more}".encode("ascii", "replace")
    parse_answer(line)
    return line + b"\n"


class Lines:
    """Cuts a stream of bytes into lines, holding never more than one unfinished line."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, received: bytes) -> list[bytes]:
        """The lines that are complete, without their ends. Raises :class:`ProtocolError` for too long a line."""
        *whole, self._held = (self._held + received).split(b"\n")
        if any(len(line) >= MAX_LINE_BYTES for line in (*whole, self._held)):
            raise ProtocolError("the line is too long", received=f"more than {MAX_LINE_BYTES} bytes")
        return whole


def _text(line: bytes) -> str:
    # Not ASCII is not the protocol: one letter that never matches stands for it.
    return line.decode("ascii", "replace")
