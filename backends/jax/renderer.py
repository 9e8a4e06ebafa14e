"""Programs as jitted jax functions: the shared array printer, in its jax dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from opslib.codegen.array_statements import needed
from opslib.codegen.array_style import JAX, NUMPY, Rendered, render
from opslib.ir.expr import Program

from .scope import is_concrete, wide_types


@lru_cache(maxsize=512)
def rendered(program: Program) -> Rendered:
    """The printed program; raises NotImplementedError for what cannot be traced."""
    return render(program, JAX, checks=False)


@dataclass(frozen=True, slots=True)
class JaxKernel:
    """A jitted function and, apart from it, its checks. Thread-safe.

    Attributes:
        pure: the function as printed, for tracers.
        compiled: the same under `jax.jit`.
        check: runs the program's checks on host arrays; None without any.
        checked: positions of the inputs whose elements the checks look at.
    """

    printed: Rendered
    pure: Callable[..., Any]
    compiled: Callable[..., Any]
    check: tuple[Rendered, Callable[..., Any]] | None
    checked: tuple[int, ...]
    outputs: int

    @property
    def skeleton(self) -> str:
        """Every kernel here is array code."""
        return "array"

    @property
    def source(self) -> str:
        """The module that was traced."""
        return self.printed.text

    def launch(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        """Returns new arrays; `outputs` is ignored, as jax arrays do not change.

        Indices are checked where their arrays are concrete; inside a trace they are
        clamped instead.
        """
        if self.check is not None and all(is_concrete(inputs[k]) for k in self.checked):
            printed, check = self.check
            seen = list(inputs)
            for k in self.checked:
                seen[k] = np.asarray(inputs[k])
            with np.errstate(all="ignore"):
                check(*seen, **_keywords(printed, sizes, scalars))
        # Inside a trace XLA's options belong to whoever compiles the whole.
        concrete = all(map(is_concrete, inputs))
        function = self.compiled if concrete else self.pure
        return self._call(function, inputs, sizes, scalars)

    def traceable(
        self,
        inputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        """The outputs as a pure function of `inputs`, for use under jit and vmap."""
        return self._call(self.pure, inputs, sizes, scalars)

    def _call(
        self,
        function: Callable[..., Any],
        inputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        with wide_types():
            found = function(*inputs, **_keywords(self.printed, sizes, scalars))
        return tuple(found) if self.outputs > 1 else (found,)


def _keywords(
    printed: Rendered, sizes: Mapping[str, int], scalars: Mapping[str, int | float]
) -> dict[str, Any]:
    given: dict[str, Any] = {p: sizes[s] for s, p in printed.sizes.items()}
    for scalar, parameter in printed.scalars.items():
        given[parameter] = scalars[scalar]
    return given


def kernel(program: Program) -> JaxKernel:
    """The kernel of a program."""
    import jax

    printed = rendered(program)
    pure = printed.function()
    # Sizes and whole numbers give shapes and strides; only fractions are traced.
    whole = [
        printed.scalars[s.name]
        for s in program.scalars
        if s.name in printed.scalars and not s.type.is_float
    ]
    static = (*printed.sizes.values(), *whole)
    # Otherwise XLA drops a rounding to 16 bits that is undone at once.
    options: dict[str, Any] = {"xla_allow_excess_precision": False}
    compiled = jax.jit(pure, static_argnames=static, compiler_options=options)
    checks = [c for c in program.checks if c.policy == "raise"]
    check = None
    read: set[str] = set()
    if checks:
        text = render(program, NUMPY, body=False)
        check = (text, text.function())
        read = needed(program, checks)
    checked = tuple(k for k, t in enumerate(program.inputs) if t.name in read)
    return JaxKernel(printed, pure, compiled, check, checked, len(program.outputs))
