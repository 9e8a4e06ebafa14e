"""Generated kernels: each barrier, wait and fence that is dropped is missed.

What a launch notes as redundant may go unmissed, and nothing else: a barrier at the end
of a loop orders nothing where a block has one row only.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import opslib
from opslib.errors import KernelError

from .cuda_sim import COMPILERS

if not COMPILERS:
    pytest.skip("the simulator needs a C++ compiler on Linux", allow_module_level=True)

simulator = pytest.importorskip("opslib.backends.cuda.simulator")
if simulator.why_not() is not None:
    pytest.skip(simulator.why_not(), allow_module_level=True)

pytestmark = pytest.mark.slow


def real(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def half(*shape: int) -> np.ndarray:
    return real(*shape, dtype=np.float16)


# The call, and the least number of lines that order something in it.
SIM = "cuda:sim"
CASES: dict[str, tuple[Callable[[], Any], int]] = {
    "sum": (lambda: opslib.sum(real(200, 5000), axis=-1, backend=SIM), 2),
    "softmax": (lambda: opslib.softmax(real(9, 3000), backend=SIM), 1),
    "rms_norm": (lambda: opslib.rms_norm(real(200, 3000), real(3000), backend=SIM), 2),
    "argmax": (lambda: opslib.argmax(real(200, 5000), axis=-1, backend=SIM), 2),
    "matmul": (lambda: opslib.matmul(real(70, 90), real(90, 65), backend=SIM), 2),
    "matmul_16": (
        lambda: opslib.matmul(half(130, 704), half(704, 136), backend=SIM),
        3,
    ),
    "sort": (lambda: opslib.sort(real(9, 700), backend=SIM), 2),
    "cumsum": (lambda: opslib.cumsum(real(200, 700), axis=-1, backend=SIM), 1),
    "permute_dims": (lambda: opslib.permute_dims(real(70, 90), (1, 0), backend=SIM), 1),
    "attention": (
        lambda: opslib.scaled_dot_product_attention(
            half(1, 2, 70, 64), half(1, 2, 90, 64), half(1, 2, 90, 64), backend=SIM
        ),
        2,
    ),
}


class Recorder:
    """Keeps, of each launch, how many lines there are and which order nothing."""

    def __init__(self, engine: ctypes.CDLL) -> None:
        self.engine = engine
        self.original = simulator.call
        self.launches: list[tuple[int, set[int]]] = []

    def __call__(self, *arguments: Any) -> Any:
        found = self.original(*arguments)
        lines = [json.loads(line) for line in found.report.splitlines()]
        redundant = {x["number"] for x in lines if x["kind"] == "redundant"}
        self.launches.append((self.engine.opslib_cuda_sim_syncs(), redundant))
        return found


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore")
def test_dropped_lines_are_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call, least = CASES[name]
    library = simulator.engine(simulator.DEFAULT)
    engine = ctypes.CDLL(str(library.path), mode=ctypes.RTLD_GLOBAL)
    recorder = Recorder(engine)
    monkeypatch.setattr(simulator, "call", recorder)
    call()
    launches = list(recorder.launches)
    needed = 0
    for number in range(1, max(syncs for syncs, _ in launches) + 1):
        wanted = any(
            number <= syncs and number not in redundant for syncs, redundant in launches
        )
        needed += wanted
        engine.opslib_cuda_sim_drop(number)
        try:
            call()
            missed = False
        except KernelError:
            missed = True
        finally:
            engine.opslib_cuda_sim_drop(0)
        assert missed or not wanted, f"line {number}"
    assert needed >= least
    call()
