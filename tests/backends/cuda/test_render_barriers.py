"""Every barrier that is printed is needed: without it the simulator finds a race.

What one row needs is tested with one; that a row must wait for the one before it only
shows where a block has several, so here a launch is a few blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cffi
import numpy as np
import pytest
from opslib.backends.cuda import launches, simulator
from opslib.backends.cuda.launch import CudaKernel

import opslib
from opslib.dispatch import judging
from opslib.errors import KernelError

pytestmark = pytest.mark.skipif(
    simulator.why_not() is not None, reason="the simulator needs a C++ compiler"
)
FFI = cffi.FFI()


def normal(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def shifted(array: Any) -> Any:
    """The same beside a multiple of 16 bytes: other threads take an element then."""
    room = np.empty(array.size + 1, array.dtype)
    room[1:] = array.ravel()
    return room[1:].reshape(array.shape)


CASES: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "softmax of a block": ("softmax", (normal(9, 1101),), {}),
    "layer_norm of a block": (
        "layer_norm", (normal(9, 1100), normal(1100), normal(1100)), {},
    ),
    "argmax of a block": ("argmax", (normal(9, 1100),), {"axis": 1}),
    "softmax of a warp": ("softmax", (normal(600, 101),), {}),
    "cumsum of a block": ("cumsum", (normal(9, 1100),), {"axis": 1}),
    "cumsum of a warp": ("cumsum", (normal(600, 101),), {"axis": 1}),
    "transpose": ("matrix_transpose", (normal(100, 130),), {}),
    "matmul": ("matmul", (normal(150, 40), normal(40, 200)), {}),
}  # fmt: skip


@pytest.fixture
def few_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launches, "BLOCKS", 1)


def engine(name: str, signature: str) -> Callable[..., Any]:
    library = simulator.engine(simulator.DEFAULT)
    function: Callable[..., Any] = FFI.cast(signature, library.symbol(name))
    return function


@pytest.mark.usefixtures("few_blocks")
@pytest.mark.parametrize("name", CASES)
def test_no_barrier_is_there_for_nothing(name: str) -> None:
    operator, arrays, attributes = CASES[name]
    handle = getattr(opslib, operator).handle
    program, binding, inputs = judging.prepared(handle, arrays, attributes)
    kernel = CudaKernel(program, simulator.Simulator())
    drop = engine("opslib_cuda_sim_drop", "void (*)(int)")
    count = engine("opslib_cuda_sim_syncs", "int (*)(void)")
    outputs = [np.zeros(o.view.extents, o.dtype.numpy) for o in binding.outputs]

    def run() -> None:
        given = [shifted(inputs[t.name]) for t in program.inputs]
        kernel.launch(given, outputs, binding.sizes, binding.scalars)

    drop(0)
    run()
    barriers = count()
    assert barriers > 0
    try:
        for k in range(1, barriers + 1):
            drop(k)
            with pytest.raises(KernelError):
                run()
    finally:
        drop(0)
