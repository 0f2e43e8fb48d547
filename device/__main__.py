"""``python -m device``."""

import sys

from device.service.cli import main

sys.exit(main())
