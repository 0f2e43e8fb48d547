"""``python -m training``, and the console script ``train``: a clip's small matrices are slower on many threads."""

import os
import sys

# Before numpy is imported: its linear algebra reads this once. Two threads contending cost a factor of two here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> int:
    from training.cli import main

    return main()


def train_main() -> int:
    """``train RECIPE`` is short for ``python -m training run RECIPE``."""
    from training.cli import main

    return main(["run", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
