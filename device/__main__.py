"""``python -m device``."""

import logging
import os
import sys
from typing import NoReturn

from device.service.cli import main


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
