"""``python -m opslib.testing``: the same as ``opslib conformance``."""

from __future__ import annotations

import argparse
import sys

from opslib.testing.command import add_arguments, main

parser = argparse.ArgumentParser(prog="opslib conformance")
add_arguments(parser)
sys.exit(main(parser.parse_args()))
