"""The interpreter of programs: `evaluate` runs the unlowered tree, and is the judge.

Its core lies in `opslib.ir.evaluate`, below the error analysis, which runs the same
walk over pairs (value, bound).
"""

from __future__ import annotations

from opslib.ir.evaluate import evaluate, evaluate_with

__all__ = ["evaluate", "evaluate_with"]
