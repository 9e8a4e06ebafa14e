"""Prints a program as array code: what a person would have written with NumPy.

Every expression is an array over some of the index variables in scope. Structure is
recognised first (slices, reshapes, gathers, matmul and einsum, reductions along an
axis, running sums); whatever is left is computed on open grids of index arrays, with
clipped reads under ``np.where`` for guards, and masks for ranges that depend on data.

The printed function takes the tensors by position, then run-time attributes and the
sizes that no shape tells by keyword. It is registered with `linecache`, so that a
debugger steps through it.
"""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opslib.codegen import array_statements
from opslib.codegen.array_dialect import JAX, NUMPY, Dialect
from opslib.codegen.array_printer import Printer
from opslib.ir.expr import Program

__all__ = ["JAX", "NUMPY", "Rendered", "render"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A printed program.

    Attributes:
        text: the whole module.
        entry: name of the function in it.
        sizes: the sizes it takes by keyword.
        scalars: the run-time attributes it takes by keyword: name -> parameter.
        source_name: what `linecache` knows it by.
    """

    text: str
    entry: str
    sizes: dict[str, str]
    scalars: dict[str, str]
    source_name: str

    def function(self) -> Callable[..., Any]:
        """Executes the text and returns the function."""
        lines = self.text.splitlines(keepends=True)
        linecache.cache[self.source_name] = (
            len(self.text),
            None,
            lines,
            self.source_name,
        )
        scope: dict[str, Any] = {"__name__": self.source_name}
        exec(compile(self.text, self.source_name, "exec"), scope)
        found: Callable[..., Any] = scope[self.entry]
        return found


_COUNTER = itertools.count(1)


def render(
    program: Program,
    dialect: Dialect = NUMPY,
    *,
    wide: bool = False,
    checks: bool = True,
    body: bool = True,
) -> Rendered:
    """The program as a Python module of one function.

    Args:
        program: unlowered.
        dialect: `NUMPY` or `JAX`.
        wide: compute all floats in float64, outputs too.
        checks: print the checks of data-dependent indices.
        body: print the definitions (False: only the checks).
    """
    printer = Printer(program, dialect, wide)
    array_statements.statements(printer, checks=checks, body=body)
    if body:
        results = [printer.names[t.name] for t in program.outputs]
        printer.line(f"return {', '.join(results)}")
    text = array_statements.module(printer)
    scalars = {s: printer.names[s] for s in printer.used_scalars()}
    sizes = {s: printer.names[s] for s in printer.keyword_sizes()}
    label = f"<opslib {dialect.name} {program.name} {next(_COUNTER)}>"
    return Rendered(text, printer.entry, sizes, scalars, label)
