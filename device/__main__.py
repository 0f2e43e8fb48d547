"""``python -m device``."""

import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from device.missing_library import EXIT_CODE, INSTALL, describe_import_error


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. A library that is missing is a sentence, also before any command runs."""
    try:
        from device.service.cli import main as run
    except ImportError as error:
        sentence = describe_import_error(error, install=INSTALL)
        if sentence is None:
            raise
        print(sentence, file=sys.stderr)
        return EXIT_CODE
    return run(argv)


def leave(exit_code: int) -> NoReturn:
    """End this process now. Everything was closed on the way here; what an ordinary exit would still do (wait for a
    thread in a frozen sound server, or crash with it; make a pin a floating input) must not happen."""
    logging.shutdown()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        # Whoever read it is gone, and nobody is left to be told.
        exit_code = exit_code or 73
    os._exit(exit_code)


if __name__ == "__main__":
    leave(main())
