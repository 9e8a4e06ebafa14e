"""Programs as NumPy functions: the shared array printer, in its NumPy dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from opslib.codegen.array_style import NUMPY, Rendered, render
from opslib.ir.expr import Program


@lru_cache(maxsize=512)
def rendered(program: Program, wide: bool = False) -> Rendered:
    """The printed program; raises NotImplementedError for what has no array form.

    With `wide`, all floats are computed in float64, results too.
    """
    return render(program, NUMPY, wide=wide)


@dataclass(frozen=True, slots=True)
class NumpyKernel:
    """A printed function, ready to be called. Thread-safe: it holds no state."""

    printed: Rendered
    function: Callable[..., Any]
    outputs: int

    @property
    def skeleton(self) -> str:
        """Every kernel here is array code."""
        return "array"

    @property
    def source(self) -> str:
        """The module that was executed."""
        return self.printed.text

    def launch(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        """Computes, then writes into `outputs`, which may overlap the inputs."""
        given: dict[str, Any] = {
            parameter: sizes[size] for size, parameter in self.printed.sizes.items()
        }
        for scalar, parameter in self.printed.scalars.items():
            given[parameter] = scalars[scalar]
        with np.errstate(all="ignore"):
            found = self.function(*inputs, **given)
            results = found if self.outputs > 1 else (found,)
            for target, result in zip(outputs, results, strict=True):
                target[...] = result
        return outputs


def kernel(program: Program, wide: bool = False) -> NumpyKernel:
    """The kernel of a program; `wide` as in `rendered`."""
    printed = rendered(program, wide)
    return NumpyKernel(printed, printed.function(), len(program.outputs))
