"""``cuda:sim`` as a device: what the host does around the simulator.

What the simulator itself finds is tested in tests/native/test_cuda_sim*.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest
from opslib.backends.cuda import simulator
from opslib.backends.cuda.launch import CudaKernel, Step, Steps, Value, Variant
from opslib.backends.cuda.simulator import extent, merged

import opslib
from opslib.errors import KernelError, OperandIndexError
from opslib.runtime import registry
from opslib.runtime.gathering import NotCompiled

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None, reason="the simulator is compiled with g++"
)

x = np.random.default_rng(1).normal(size=(33, 70)).astype(np.float32)


def kernel_of(name: str, *arrays: Any) -> tuple[CudaKernel, Any]:
    """The kernel of a call in the simulator, and its plan."""
    plan = getattr(opslib, name).plan(*arrays, backend="cuda:sim")
    assert isinstance(plan.kernel, CudaKernel)
    return plan.kernel, plan


@pytest.mark.filterwarnings("ignore::opslib.OpslibWarning")
@pytest.mark.parametrize(
    "seen", [x, x.T, x[::2, ::-3], np.broadcast_to(x[0], (5, 70)), x[:, 1:], x[:0]]
)
def test_arrays_are_used_where_they_lie(seen: Any) -> None:
    """Any strides, in and out, without a copy."""
    want = np.exp(seen)
    assert np.allclose(opslib.exp(seen, backend="cuda:sim"), want)
    room = np.zeros((*seen.shape[:-1], 2 * seen.shape[-1]), np.float32)
    out = room[..., ::2]
    assert opslib.exp(seen, out=out, backend="cuda:sim") is out
    assert np.allclose(out, want)
    assert not room[..., 1::2].any()


def test_it_says_once_that_it_is_simulated() -> None:
    script = """
    import warnings, numpy as np, opslib
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        with opslib.receipts() as receipts:
            opslib.exp(np.ones(3, np.float32), backend="cuda:sim")
            opslib.sin(np.ones(3, np.float32), backend="cuda:sim")
    print(len([w for w in found if "simulated" in str(w.message)]))
    print(all(r.simulated for r in receipts), receipts[-1])
    """
    done = run(script)
    assert done.returncode == 0, done.stderr
    count, receipts = done.stdout.splitlines()
    assert count == "1"
    assert receipts.startswith("True sin ran on cuda:sim")
    assert receipts.endswith("simulated")


def test_it_may_be_forbidden() -> None:
    script = "import numpy as np, opslib; opslib.exp(np.ones(3), backend='cuda:sim')"
    done = run(script, OPSLIB_SIMULATE="never")
    assert "BackendUnavailable" in done.stderr
    assert "OPSLIB_SIMULATE=never" in done.stderr


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.filterwarnings("ignore::opslib.OpslibWarning")
def test_an_index_out_of_bounds_is_raised() -> None:
    with pytest.raises(OperandIndexError, match=r"99.*33"):
        opslib.take(x, np.array([99]), axis=0, backend="cuda:sim")


@pytest.mark.filterwarnings("ignore::opslib.OpslibWarning")
def test_findings_are_errors() -> None:
    """A text that reads past the end: the operator, the shapes and the place."""
    kernel, plan = kernel_of("exp", x)
    variant = kernel.form(kernel.contiguous())
    name = variant.made.launches[0].name
    text = f"""#include "opslib_cuda.h"

extern "C" __global__ void __launch_bounds__(32) {name}(const float *x, float *y)
{{
    y[threadIdx.x] = x[threadIdx.x + 1];
}}
"""
    found = simulator.build(
        simulator.with_entries(text, [variant.made.launches[:1]]),
        "past_the_end",
        simulator.DEFAULT,
    )
    broken = Variant(variant.made, text, kernel.place)
    broken.functions = simulator.entries(found, [name])
    steps = Steps((Step(0, (1, 1, 1), (32, 1, 1), 0, (0, 1)),), ())
    a, y = np.zeros(32, np.float32), np.zeros(32, np.float32)
    with pytest.raises(KernelError, match=r"exp on cuda:sim with arrays of \(32,\)"):
        kernel.place.run(plan.program, broken, steps, [a], [y])
    # One element more is enough.
    kernel.place.run(plan.program, broken, steps, [np.zeros(33, np.float32)], [y])


@pytest.mark.filterwarnings("ignore::opslib.OpslibWarning")
def test_what_nobody_wrote_is_not_read() -> None:
    """Outputs and workspaces hold nothing before a kernel writes them."""
    kernel, plan = kernel_of("exp", x)
    variant = kernel.form(kernel.contiguous())
    name = variant.made.launches[0].name
    text = f"""#include "opslib_cuda.h"

extern "C" __global__ void __launch_bounds__(32) {name}(const float *x, float *y)
{{
    y[threadIdx.x] += x[threadIdx.x];
}}
"""
    found = simulator.build(
        simulator.with_entries(text, [variant.made.launches[:1]]),
        "nobody_wrote",
        simulator.DEFAULT,
    )
    broken = Variant(variant.made, text, kernel.place)
    broken.functions = simulator.entries(found, [name])
    steps = Steps((Step(0, (1, 1, 1), (32, 1, 1), 0, (0, 1)),), ())
    a, y = np.zeros(32, np.float32), np.zeros(32, np.float32)
    with pytest.raises(KernelError, match="findings of the simulator"):
        kernel.place.run(plan.program, broken, steps, [a], [y])


@pytest.mark.filterwarnings("ignore::opslib.OpslibWarning")
def test_many_kernels_in_one_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gathered launches are noted, compiled together, and then run."""
    from opslib.dispatch import caches, call, routing

    backend: Any = registry.load("cuda")
    built: list[int] = []
    real = simulator.Simulator._unit

    def counted(self: Any, variants: Any) -> None:
        built.append(len(variants))
        real(self, variants)

    monkeypatch.setattr(simulator.Simulator, "_unit", counted)
    call._plans.clear()
    caches.kernels.clear()
    names = ("sinh", "cosh", "tanh", "asinh")
    with routing.trust(), backend.gathering() as gathered:
        for name in names:
            with pytest.raises(NotCompiled):
                getattr(opslib, name)(x, backend="cuda:sim")
    assert not built
    assert gathered.compile() == []
    assert built == [4]
    for name in names:
        got = getattr(opslib, name)(x, backend="cuda:sim")
        assert np.allclose(got, getattr(np, name.replace("asinh", "arcsinh"))(x), 1e-4)
    assert built == [4]


def test_kernels_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """One text is compiled once; another one under the same name in its own unit."""
    units: list[list[int]] = []
    place = simulator.Simulator()
    monkeypatch.setattr(
        place, "_unit", lambda unit: units.append([len(same) for same in unit])
    )

    class Made:
        def __init__(self, name: str) -> None:
            self.name = name

    def variant(name: str, source: str) -> Variant:
        return Variant(Made(name), source, place)  # type: ignore[arg-type]

    place.compile(
        [variant("a", "1"), variant("b", "1"), variant("a", "1"), variant("a", "2")]
    )
    assert units == [[2, 1], [1]]


def test_where_arrays_lie() -> None:
    a = np.zeros((4, 6), np.float32)
    start = a.__array_interface__["data"][0]
    assert extent(a) == (start, 96)
    assert extent(a[:, ::-1]) == (start, 96)
    assert extent(a[::-2, 1:3]) == (start + 28, 2 * 24 + 8)
    assert extent(np.broadcast_to(a[0, :1], (9, 1))) == (start, 4)
    assert extent(a[:0])[1] == 0


def test_overlapping_arrays_are_one() -> None:
    """An input that an output overlaps may be written; neighbours stay apart."""
    assert merged([(100, 20, 2), (110, 20, 1), (130, 10, 1), (90, 0, 3)]) == [
        (100, 30, 3),
        (130, 10, 1),
    ]
    assert merged([(0, 100, 2), (10, 5, 1)]) == [(0, 100, 3)]


@pytest.mark.parametrize(
    ("address", "bits"), [(0, 4), (1, 0), (2, 1), (12, 2), (8, 3), (16, 4), (48, 4)]
)
def test_alignment(address: int, bits: int) -> None:
    assert simulator.alignment_bits(address) == bits


def test_numbers_are_passed_by_type() -> None:
    """As the kernel declares them: 64-bit integers, floats and doubles."""
    text = """#include "opslib_cuda.h"

extern "C" __global__ void numbers(double *y, int64_t a, float b, double c, int64_t d)
{
    y[0] = (double)a;
    y[1] = b;
    y[2] = c;
    y[3] = (double)d;
}
"""
    launch = type("Launch", (), {"name": "numbers"})
    found = simulator.build(
        simulator.with_entries(text, [[launch]]), "numbers", simulator.DEFAULT
    )
    (entry,) = simulator.entries(found, ["numbers"])
    y = np.zeros(4)
    given = (
        0,
        Value("int64", -(1 << 40)),
        Value("float32", 0.1),
        Value("float64", 0.1),
        Value("int64", 7),
    )
    engine = simulator.engine(simulator.DEFAULT)
    simulator.announce(engine, [(*extent(y), 1)])
    try:
        step = Step(0, (1, 1, 1), (1, 1, 1), 0, given)
        assert simulator.call(entry, step, [y]).count == 0
    finally:
        simulator.forget(engine)
    assert y.tolist() == [-(2.0**40), float(np.float32(0.1)), 0.1, 7]
