"""Calls of operators with elements, and the gradients of these calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import opslib
from opslib.dispatch.judging import reference
from opslib.testing.inputs import (
    Case,
    NoCase,
    flatten,
    generator,
    make_case,
    regrouped,
)

Array = np.ndarray[Any, Any]
LIMITS = (64, 512, 4096)


@dataclass(frozen=True)
class Call:
    """One call: its arrays in order, and which of arrays and results are of floats."""

    function: Any
    case: Case
    inputs: list[Array]
    floats: list[int]
    results: list[int]
    variadic: bool

    @property
    def is_full(self) -> bool:
        """Whether there is something to differentiate: elements, of float64."""
        outputs = self.case.binding.outputs
        return all(a.size for a in self.inputs) and (
            any(self.inputs[k].dtype == np.float64 for k in self.floats)
            and any(0 not in outputs[k].shape for k in self.results)
        )

    def forward(self, values: Sequence[Array]) -> list[Array]:
        """The results of floats, by the judge, in long double."""
        tensors = regrouped(self.case.tensors, values)
        with np.errstate(all="ignore"):
            found = reference(
                self.function.handle, tensors, self.case.attributes, "longdouble"
            )
        return [np.asarray(found[k]) for k in self.results]

    def cotangents(self, rng: np.random.Generator) -> list[Array]:
        """One for each result of floats; 0 where the result is no number."""
        found = []
        for k, value in zip(self.results, self.forward(self.inputs), strict=True):
            dtype = self.case.binding.outputs[k].dtype.numpy
            drawn = rng.standard_normal(value.shape)
            found.append(np.where(np.isfinite(value), drawn, 0).astype(dtype))
        return found

    def gradients(
        self, cotangents: Sequence[Any], backend: str = "numpy"
    ) -> dict[int, Any]:
        """The derived gradient, by the number of the input."""
        given = [list(cotangents)] if self.variadic else list(cotangents)
        found = self.function.grad.with_arrays(
            given,
            regrouped(self.case.tensors, self.inputs),
            self.case.attributes,
            backend,
        )
        parts = found if isinstance(found, tuple) else (found,)
        return dict(zip(self.floats, parts, strict=True))


def make(name: str, number: int, dtype: str = "float64", seed: int = 0) -> Call:
    """The call of that number of an operator, on distinct random values.

    Raises:
        NoCase: there is none.
    """
    function = getattr(opslib, name)
    case = None
    for limit in LIMITS:
        try:
            case = make_case(
                function.handle, dtype, number, seed, kind="random", limit=limit
            )
            break
        except NoCase:
            continue
    if case is None:
        raise NoCase(f"{name} {dtype} case {number}")
    rng = generator("gradient", name, number, seed)
    inputs = []
    for array, t in zip(flatten(case.tensors), case.binding.inputs, strict=True):
        own = np.array(array, t.dtype.numpy)
        if t.dtype.is_float:
            # Layouts repeat elements: equal ones are kinks of every maximum.
            own = (own * (1 + 1e-3 * rng.random(own.shape))).astype(own.dtype)
        inputs.append(own)
    operator = function.handle.operator
    return Call(
        function,
        case,
        inputs,
        [k for k, t in enumerate(case.binding.inputs) if t.dtype.is_float],
        [k for k, o in enumerate(case.binding.outputs) if o.dtype.is_float],
        any(r.instances is not None for r in operator.results),
    )
