"""A plan as a record of the launcher: what the next call like this one needs.

Only for kernels that read and write NumPy arrays in place through an address, which a
backend says by its kernels having `variant` (see `HostKernel`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from opslib.dispatch.plan import Plan
from opslib.runtime import launcher, pool

# Below this the kernel is over before another thread could use the interpreter.
_RELEASE_BYTES = 1 << 16


class Variant(Protocol):
    """A compiled function of the C ABI (native/opslib_abi.h) for one layout."""

    @property
    def address(self) -> int:
        """Address of an ``ops_kernel``."""

    def ints(
        self,
        arrays: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> bytes:
        """Its integers, packed."""

    def reals(self, scalars: Mapping[str, int | float]) -> bytes:
        """Its reals, packed."""


class HostKernel(Protocol):
    """A kernel that can be launched by address on host arrays."""

    def variant(self, arrays: Sequence[Any]) -> Variant:
        """The compiled form for arrays (inputs, then outputs) with these strides."""


def record(plan: Plan, arrays: Sequence[Any], pack: Any) -> Any:
    """The record for calls with arrays like these, or None where there is none.

    Args:
        plan: that just ran.
        arrays: the call's, in parameter order, None where absent.
        pack: makes the operator's result of several outputs.
    """
    kernel: Any = plan.kernel
    if not hasattr(kernel, "variant") or not plan.device.host_memory:
        return None
    present = [a for a in arrays if a is not None]
    if len(present) != len(plan.binding.inputs) or len(present) > 24:
        return None
    for array, t in zip(present, plan.binding.inputs, strict=True):
        if type(array) is not np.ndarray or array.dtype != t.dtype.numpy:
            return None
        if not array.flags.aligned or any(s % array.itemsize for s in array.strides):
            return None
    results = len(plan.binding.outputs)
    if (pack is tuple and results < 2) or len(present) + results > 32:
        return None  # A record hands one result on as it is, and has 32 places.
    outputs = [np.empty(t.shape, t.dtype.numpy) for t in plan.binding.outputs]
    merged = plan.merged
    views = [
        plan.backend.view(a, t.view)
        for a, t in zip(present, merged.inputs, strict=True)
    ]
    views += [
        plan.backend.view(a, t.view)
        for a, t in zip(outputs, merged.outputs, strict=True)
    ]
    variant = kernel.variant(views)
    return launcher.record(
        variant.address,
        pool.context_provider(),
        [None if a is None else launcher.guard(a) for a in arrays],
        variant.ints(views, merged.sizes, merged.scalars),
        variant.reals(merged.scalars),
        [(o.shape, o.dtype) for o in outputs],
        sum(a.nbytes for a in (*present, *outputs)) > _RELEASE_BYTES,
        pack,
    )
