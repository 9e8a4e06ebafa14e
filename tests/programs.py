"""Programs of shipped specs, bound to arrays: what tests of the compiler start from.

The fixture `programs` (conftest.py) loads this file, since tests are no package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.ir.bind import Argument, bind
from opslib.ir.dtypes import from_numpy
from opslib.ir.expansion import expand
from opslib.ir.expr import Program
from opslib.language.library import load_library, parse_operator_text


@dataclass(frozen=True)
class Case:
    """A program and what it is launched with."""

    program: Program
    inputs: dict[str, np.ndarray]
    sizes: dict[str, int]
    scalars: dict[str, int | float]
    shapes: dict[str, tuple[int, ...]]

    @property
    def arguments(self) -> tuple[Any, ...]:
        """For `evaluate` and its like."""
        return self.program, self.inputs, self.sizes, self.scalars

    @property
    def arrays(self) -> list[np.ndarray]:
        """The inputs in launch order."""
        return [self.inputs[t.name] for t in self.program.inputs]


def case(
    operator: str,
    arrays: Mapping[str, Any],
    attributes: Mapping[str, Any] | None = None,
) -> Case:
    """`operator` (a shipped one's name, or a spec) bound to arrays.

    arrays: by parameter; a list for a variadic one; absent ones are left out.
    """
    library = load_library()
    spec = (
        library[operator]
        if operator in library
        else parse_operator_text(operator, library)
    )
    arguments: dict[str, Any] = {p.name: None for p in spec.tensors}
    for name, value in arrays.items():
        if isinstance(value, list):
            arguments[name] = tuple(_argument(v) for v in value)
        else:
            arguments[name] = _argument(value)
    bound = bind(spec, arguments, attributes or {})
    inputs = {}
    for one in bound.inputs:
        array = arrays[one.parameter]
        array = array if one.instance < 0 else array[one.instance]
        view = one.view
        array = array.transpose(view.permutation).reshape(view.shape)
        inputs[one.name] = np.broadcast_to(array, view.extents)
    shapes = {o.name: tuple(o.view.extents) for o in bound.outputs}
    program = expand(spec, bound.statics, library)
    return Case(program, inputs, dict(bound.sizes), dict(bound.scalars), shapes)


def _argument(array: np.ndarray) -> Argument:
    return Argument(from_numpy(array.dtype), array.shape)
