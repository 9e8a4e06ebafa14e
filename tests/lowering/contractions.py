"""Contractions for tests: from spec text to a launched CPU kernel, and references.

Loaded by path, since tests are no package.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from opslib.backends.cpu.renderer import CpuKernel, kernel

from opslib.ir.evaluate import evaluate
from opslib.ir.expr import Program


def _programs() -> ModuleType:
    name = "opslib_test_programs"
    if name not in sys.modules:
        file = Path(__file__).parents[1] / "programs.py"
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


case = _programs().case

MATMUL = """\
op product(a: T[..., m, k], b: T[..., k, n]) -> c: T[..., m, n]
    c[..., i, j] = sum[l](a[..., i, l] * b[..., l, j])
"""
LINEAR = """\
op projection(x: T[..., k], w: T[n, k], b: T[n]) -> y: T[..., n] where T: float
    y[..., j] = gelu(sum[l](x[..., l] * w[j, l]) + b[j])
"""
TENSORDOT = """\
op tensordot(a: T[p, x, y, q], b: T[y, r, x]) -> c: T[q, r, p] where T: float
    c[j, s, i] = sum[u, v](a[i, u, v, j] * b[v, s, u])
"""
DEQUANTISED = """\
op dequantised(x: T[m, k], w: int8[n, k], s: T[n]) -> y: T[m, n] where T: float
    y[i, j] = sum[l](x[i, l] * (T(w[j, l]) * s[j]))
"""
GATED = """\
op gated(x: T[m, k], u: T[n, k], g: T[n, k]) -> (y: T[m, n], z: T[m, n]) where T: float
    a[i, j] = sum[l](x[i, l] * u[j, l])
    b[i, j] = sum[l](x[i, l] * g[j, l])
    y[i, j] = silu(a[i, j]) * b[i, j]
    z[i, j] = a[i, j] - b[i, j]
"""
CONV = """\
op convolution(x: T[n, (g c), h, w], f: T[(g o), c, p, q], *, stride: int = 1,
               pad: int = 0, dilation: int = 1) -> y: T[n, (g o),
               (h + 2 * pad - dilation * (p - 1) - 1) // stride + 1,
               (w + 2 * pad - dilation * (q - 1) - 1) // stride + 1] where T: float
    y[i, (k m), r, s] = sum[d, u, v](
        (x[i, (k d), r * stride + u * dilation - pad,
           s * stride + v * dilation - pad] ?? 0) * f[(k m), d, u, v])
"""

_KERNELS: dict[tuple[str, str], CpuKernel] = {}


class Launch:
    """A bound program, compiled and run once.

    Attributes:
        outputs: by name.
        skeleton: that the kernel came from.
    """

    def __init__(
        self,
        spec: str,
        arrays: dict[str, Any],
        attributes: dict[str, Any] | None = None,
        *,
        dirty: object = 3,
    ) -> None:
        bound = case(spec, arrays, attributes or {})
        self.case = bound
        made = compiled(bound.program)
        self.skeleton = made.skeleton
        self.kernel = made
        self.outputs = {
            t.name: np.full(bound.shapes[t.name], dirty).astype(t.dtype.numpy)
            for t in bound.program.outputs
        }
        made.launch(
            bound.arrays, list(self.outputs.values()), bound.sizes, bound.scalars
        )

    @property
    def output(self) -> np.ndarray:
        """The first output."""
        return next(iter(self.outputs.values()))

    def reference(self, precision: str = "wide") -> dict[str, np.ndarray]:
        """The judge's outputs."""
        return evaluate(*self.case.arguments, precision=precision)


def compiled(program: Program) -> CpuKernel:
    """The kernel; programs of one text share it."""
    from opslib.ir.printer import fingerprint

    key = (program.name, fingerprint(program))
    if key not in _KERNELS:
        _KERNELS[key] = kernel(program)
    return _KERNELS[key]


def within(
    got: np.ndarray, want: np.ndarray, terms: np.ndarray, k: int, unit: float
) -> bool:
    """Level 2 of docs/numerics: a sum of k random terms with roundoff `unit` each.

    terms: the root of the sum of the terms' squares.
    """
    got = got.astype(np.float64)
    u = 2.0**-24
    bound = 8 * np.sqrt(max(k, 1)) * u * (terms + np.abs(want)) + unit * np.abs(want)
    return bool(np.all(np.abs(got - want) <= bound + 1e-37))
