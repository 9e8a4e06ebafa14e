"""Every barrier and wait of streamed attention is needed: without it there is a race.

Sizes are so that each is: several steps along the keys, several depths, several pieces
of values, and rows in every warp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cffi
import numpy as np
import pytest
from opslib.backends.cuda import simulator
from opslib.backends.cuda.launch import CudaKernel

import opslib
from opslib.dispatch import judging
from opslib.errors import KernelError

pytestmark = pytest.mark.skipif(
    simulator.why_not() is not None, reason="the simulator needs a C++ compiler"
)
FFI = cffi.FFI()


def normal(dtype: Any, *shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def packed(dtype: Any, wide: int) -> tuple[Any, ...]:
    queries, keys = np.array([0, 3, 70], np.int32), np.array([0, 9, 150], np.int32)
    return (
        normal(dtype, 70, 2, 40), normal(dtype, 150, 2, 40),
        normal(dtype, 150, 2, wide), queries, keys,
    )  # fmt: skip


def paged(dtype: Any, rows: int) -> tuple[Any, ...]:
    table = np.arange(20, dtype=np.int32).reshape(2, 10)[:, ::-1].copy()
    lengths = np.array([159, 130], np.int32)
    return (
        normal(dtype, rows, 2, 40), normal(dtype, 20, 16, 2, 40),
        normal(dtype, 20, 16, 2, 40), table, lengths,
    )  # fmt: skip


CASES: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "packed": ("varlen_attention", packed(np.float32, 80), {"causal": True}),
    "packed, wide": ("varlen_attention", packed(np.float32, 140), {}),
    "packed, on tensor cores": (
        "varlen_attention", packed(np.float16, 40), {"causal": True},
    ),
    "packed, wide, on tensor cores": ("varlen_attention", packed(np.float16, 72), {}),
    "paged, several queries": (
        "paged_prefill_attention",
        (*paged(np.float32, 70), np.array([0, 5, 70], np.int32)),
        {},
    ),
    "paged, several queries, on tensor cores": (
        "paged_prefill_attention",
        (*paged(np.float16, 70), np.array([0, 5, 70], np.int32)),
        {},
    ),
}  # fmt: skip


def engine(name: str, signature: str) -> Callable[..., Any]:
    library = simulator.engine(simulator.DEFAULT)
    function: Callable[..., Any] = FFI.cast(signature, library.symbol(name))
    return function


# Of what differs in the barriers each is among the others: values in one pass or in
# several, queries in registers or not, rows that see different values.
REPEATED = ("packed", "packed, on tensor cores")


@pytest.mark.parametrize(
    "name",
    [pytest.param(c, marks=[pytest.mark.deep] if c in REPEATED else []) for c in CASES],
)
def test_no_barrier_is_there_for_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, arrays, attributes = CASES[name]
    handle = getattr(opslib, operator).handle
    program, binding, inputs = judging.prepared(handle, arrays, attributes)
    kernel = CudaKernel(program, simulator.Simulator())
    given = [inputs[t.name] for t in program.inputs]
    outputs = [np.zeros(o.view.extents, o.dtype.numpy) for o in binding.outputs]
    drop = engine("opslib_cuda_sim_drop", "void (*)(int)")
    count = engine("opslib_cuda_sim_syncs", "int (*)(void)")
    launched = simulator.call
    dropped, barriers = 0, 0

    def call(entry: Any, step: Any, arrays: Any, counting: bool = False) -> Any:
        """Only the pass asks for shared memory, and only it lacks a barrier."""
        nonlocal barriers
        drop(dropped if step.shared else 0)
        found = launched(entry, step, arrays, counting)
        if step.shared:
            barriers = count()
        return found

    monkeypatch.setattr(simulator, "call", call)

    def run() -> None:
        kernel.launch(given, outputs, binding.sizes, binding.scalars)

    try:
        run()
        assert barriers > 2
        for number in range(1, barriers + 1):
            dropped = number
            with pytest.raises(KernelError):
                run()
    finally:
        drop(0)
