"""The passes in order, each verified; ``OPSLIB_DEBUG=stage[,stage]`` prints stages.

Stages are those in `STAGES`, of which the backends print ``source`` (what is compiled)
and ``simulated`` (what a simulator compiles), or ``all``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from opslib.ir import loops, printer, verify
from opslib.ir.expr import Program
from opslib.lowering.fuse import fuse_producers
from opslib.lowering.inline import inline
from opslib.lowering.simplify import simplify
from opslib.lowering.skeletons.choose import lower_by_skeleton
from opslib.lowering.widen import widen
from opslib.settings import words

PASSES: tuple[tuple[str, Callable[[Program], Program]], ...] = (
    ("widen", widen),
    ("inline", inline),
    ("simplify", simplify),
)
KERNEL_PASSES: tuple[tuple[str, Callable[[loops.Kernel], loops.Kernel]], ...] = (
    ("fuse_producers", fuse_producers),
)


STAGES = (
    "input",
    *(name for name, _ in PASSES),
    "kernel",
    *(name for name, _ in KERNEL_PASSES),
    "source",
    "simulated",
)


def prepare(program: Program) -> Program:
    """The program after all passes that keep it a program."""
    show("input", program)
    verify.check_program(program)
    for name, change in PASSES:
        program = change(program)
        verify.check_program(program)
        show(name, program)
    return program


def lower(
    program: Program,
    layout: Mapping[str, str] | None = None,
    *,
    name: str | None = None,
) -> loops.Kernel:
    """The kernel of a program.

    Args:
        program: what `opslib.ir.expand` gives.
        layout: for each input and output ``contiguous-inner`` (the default: the last
            axis has stride 1), ``strided``, or ``broadcast-inner`` (its stride is 0).
        name: the kernel's name, unique in its translation unit; by default the
            program's.
    """
    kernel = lower_by_skeleton(prepare(program), layout or {}, name)
    verify.check_kernel(kernel)
    show("kernel", kernel)
    for stage, change in KERNEL_PASSES:
        kernel = change(kernel)
        verify.check_kernel(kernel)
        show(stage, kernel)
    return kernel


def show(stage: str, form: Any) -> None:
    """Prints a stage to stderr if OPSLIB_DEBUG asks for it.

    Raises:
        ArgumentError: it asks for a stage that does not exist.
    """
    if {stage, "all"} & words("OPSLIB_DEBUG", (*STAGES, "all")):
        body = form if isinstance(form, str) else printer.text(form)
        print(f"---- {stage}\n{body}", file=sys.stderr)
