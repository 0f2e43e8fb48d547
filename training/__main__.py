"""``python -m training``, and the console script ``train``: a clip's small matrices are slower on many threads."""

import os
import sys
from collections.abc import Sequence

# Before numpy is imported: its linear algebra reads this once. Two threads contending cost a factor of two here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a library that is missing is a sentence with the line that installs it."""
    try:
        from training.cli import main
    except (ImportError, OSError) as error:
        from training.missing import missing_library

        missing = missing_library(error)
        if missing is None:
            raise
        print(f"error: {missing}", file=sys.stderr)
        return missing.exit_code
    return main(argv)


def train_main() -> int:
    """``train RECIPE`` is short for ``python -m training run RECIPE``."""
    return main(["run", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
