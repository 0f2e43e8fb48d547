"""Standard output and error as a command line meets them: read by a program that stops reading, closed, or full."""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Callable
from typing import TextIO

# What shells give for a program that SIGPIPE ended (128 + 13).
READER_GONE = 141
CANNOT_WRITE = 73


def run_quietly(action: Callable[[], int]) -> int:
    """The exit code of ``action``; everything it printed has been handed over by then.

    Where the program that read the output has left, as ``head`` does, it ends at once, without a word, with
    :data:`READER_GONE`. Where the output cannot be written otherwise (a full disk), one line says so.
    """
    _replace_missing()
    try:
        code = action()
        return _flushed(code)
    except SystemExit as ending:
        if _flushed(0):
            raise SystemExit(READER_GONE) from ending
        raise
    except BrokenPipeError:
        if not reader_is_gone():
            raise
        return _turn_off()


def reader_is_gone() -> bool:
    """Whether nobody reads standard output or standard error any more."""
    return any(_is_broken(stream) for stream in (sys.stdout, sys.stderr))


def check_reader() -> None:
    """Raise :class:`BrokenPipeError` where nobody reads any more; for whoever waits without printing."""
    if reader_is_gone():
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        return _turn_off()
    except OSError as error:
        _turn_off(sys.stdout)
        print(f"error: standard output: cannot be written\n  received: {error}", file=sys.stderr)
        return code or CANNOT_WRITE
    return code


def _is_broken(stream: TextIO) -> bool:
    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False


def _replace_missing() -> None:
    """A program may be started without either; what it prints then goes nowhere."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _turn_off(*streams: TextIO) -> int:
    """Let what is still to come go nowhere, so that the interpreter does not complain when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for stream in streams or tuple(each for each in (sys.stdout, sys.stderr) if _is_broken(each)):
            os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
    return READER_GONE
