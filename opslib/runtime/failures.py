"""What a kernel reports, as the exception that every backend raises for it."""

from __future__ import annotations

from opslib.errors import OperandIndexError, OpslibError, ShapeError
from opslib.ir.expr import Program


def failed_check(program: Program, number: int, value: int, extent: int) -> OpslibError:
    """The exception for a program's check that did not hold.

    Args:
        program: whose check it is.
        number: its place in `Program.checks`.
        value: what the operand held.
        extent: what it was held against.
    """
    check = program.checks[number]
    if not check.operand:  # A condition of the spec, about no index.
        return ShapeError(f"{program.name}: {check.message}", code="E0713")
    return OperandIndexError(
        f"{program.name}: {check.message} ({check.operand} holds {value}, and the "
        f"extent is {extent})",
        code="E0708",
        help="indices must be within the axis they index",
    )
