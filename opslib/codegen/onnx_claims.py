"""Operators that the standard has whole: one node in the place of a composite."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from opslib.codegen.onnx_primitives import carrier

if TYPE_CHECKING:
    from opslib.codegen.onnx_printer import Printer


def claim(printer: Printer) -> bool:
    """Prints the program as one node; whether it could."""
    program = printer.program
    if not printer.options.whole or len(program.outputs) != 1:
        return False
    name = dict(program.claim).get("op")
    rule = _RULES.get(str(name))
    absent = any(printer.absent.values())
    return rule is not None and not absent and rule(printer)


def _along_last(kind: str) -> Callable[[Printer], bool]:
    """A function of each row."""

    def rule(printer: Printer) -> bool:
        (given,), (made,) = printer.program.inputs, printer.program.outputs
        if not given.dtype.is_float or not given.shape:
            return False
        carried = carrier(given.dtype)
        graph, name = printer.graph, printer.tensors[given.name]
        if carried != given.dtype:
            name = graph.cast(name, carried)
        name = graph.op(kind, name, axis=len(given.shape) - 1)
        if carried != made.dtype:
            name = graph.cast(name, made.dtype)
        printer.tensors[made.name] = name
        return True

    return rule


_RULES: dict[str, Callable[[Printer], bool]] = {
    "softmax": _along_last("Softmax"),
    "log_softmax": _along_last("LogSoftmax"),
}
