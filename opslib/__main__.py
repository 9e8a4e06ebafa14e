"""``python -m opslib``."""

from __future__ import annotations

import sys

from opslib.cli import main

if __name__ == "__main__":
    sys.exit(main())
