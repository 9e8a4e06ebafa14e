"""Expr -> Tiles -> Loops, one pass per file, listed in `passes.py`."""

from opslib.lowering.passes import lower, prepare
from opslib.lowering.skeletons.choose import choose_skeleton

__all__ = ["choose_skeleton", "lower", "prepare"]
