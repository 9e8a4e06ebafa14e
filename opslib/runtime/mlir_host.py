"""The same MLIR on the host: lowered by LLVM's own tools, and called.

It proves the printer right where there is no chip: what BiShengIR was given is executed
by a compiler that shares nothing with opslib.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opslib.analysis.bound import Arithmetic
from opslib.codegen.mlir_style import Kernel
from opslib.errors import CompileError
from opslib.ir.dtypes import BOOL, DType

# BiShengIR is built on LLVM 19; the text of some operations differs between versions.
_TOOLS = ("mlir-opt-19", "mlir-translate-19", "llc-19", "gcc")
_PASSES = (
    "--convert-elementwise-to-linalg",
    "--one-shot-bufferize=allow-return-allocs-from-loops=1",
    "--convert-linalg-to-loops",
    "--expand-strided-metadata",
    "--lower-affine",
    "--convert-scf-to-cf",
    "--convert-math-to-libm",
    "--convert-math-to-llvm",
    "--arith-expand",
    "--convert-arith-to-llvm",
    "--finalize-memref-to-llvm",
    "--convert-func-to-llvm=use-bare-ptr-memref-call-conv=1",
    "--convert-cf-to-llvm",
    "--convert-index-to-llvm",
    "--reconcile-unrealized-casts",
)
_SECONDS = 120.0

# Units in the last place of the composites of the tensor graph, over the C library's
# functions: the errors that ONNX Runtime was measured at with the same composites
# (backends/npu/onnx/cpu.py), which the whole catalogue keeps here too.
ULP = {
    **dict.fromkeys(("exp", "exp2", "sin", "cos", "tan", "cosh", "erf"), 2.0),
    **dict.fromkeys(("sinh", "asinh", "acosh", "atanh", "rsqrt", "sigmoid"), 3.0),
    **dict.fromkeys(("expm1", "log", "log2", "log10", "log1p", "atan", "pow"), 5.0),
    **dict.fromkeys(("asin", "acos", "log_sigmoid", "softplus", "hypot"), 6.0),
    **dict.fromkeys(("tanh", "atan2", "erfc"), 8.0),
    "silu": 16.0,
    **dict.fromkeys(("gelu", "gelu_tanh"), 256.0),
}
ARITHMETIC = Arithmetic(ulp=ULP)

# What MLIR's lowering calls for a copy between buffers of different strides. It is part
# of MLIR's runner library, which distributions put in different places.
_COPY = """\
#include <stdint.h>
#include <string.h>

struct buffer { char *allocated, *data; int64_t offset, shape[]; };
struct any { int64_t rank; struct buffer *buffer; };

void memrefCopy(int64_t bytes, struct any *from, struct any *to) {
  int64_t rank = from->rank, *shape = from->buffer->shape, at[64] = {0};
  for (int64_t k = 0; k < rank; k++)
    if (!shape[k]) return;
  for (;;) {
    int64_t x = from->buffer->offset, y = to->buffer->offset, k = rank;
    for (int64_t i = 0; i < rank; i++) {
      x += at[i] * shape[rank + i];
      y += at[i] * to->buffer->shape[rank + i];
    }
    memcpy(to->buffer->data + y * bytes, from->buffer->data + x * bytes, bytes);
    while (k-- && ++at[k] == shape[k]) at[k] = 0;
    if (k < 0) return;
  }
}
"""


def missing_tools() -> str | None:
    """None where a module can be run, else which tools are not there."""
    absent = [t for t in _TOOLS if shutil.which(t) is None]
    if not absent:
        return None
    return f"{', '.join(absent)} not found: install mlir-19-tools, llvm-19 and gcc"


@dataclass(frozen=True, slots=True)
class Module:
    """A kernel as a function of the host."""

    kernel: Kernel
    entry: Any
    library: ctypes.CDLL

    @classmethod
    def of(cls, kernel: Kernel) -> Module:
        """Compiles a kernel.

        Raises:
            CompileError: a tool refused it; the message has its first words (E0803).
        """
        with tempfile.TemporaryDirectory(prefix="opslib-mlir-") as scratch:
            place = Path(scratch)
            (place / "kernel.mlir").write_text(kernel.text, encoding="utf-8")
            (place / "copy.c").write_text(_COPY, encoding="utf-8")
            steps = (
                ("mlir-opt-19", "kernel.mlir", *_PASSES, "-o", "llvm.mlir"),
                ("mlir-translate-19", "--mlir-to-llvmir", "llvm.mlir", "-o", "k.ll"),
                ("llc-19", "-O1", "-filetype=obj", "-relocation-model=pic", "k.ll",
                 "-o", "k.o"),
                ("gcc", "-shared", "-fPIC", "k.o", "copy.c", "-o", "kernel.so", "-lm"),
            )  # fmt: skip
            for step in steps:
                _run(step, place, kernel.name)
            library = ctypes.CDLL(str(place / "kernel.so"))
        return cls(kernel, getattr(library, kernel.name), library)

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        """The results on arrays of the kernel's inputs, in the program's axes."""
        kernel = self.kernel
        given = [
            _stored(np.asarray(a), p.dtype)
            for a, p in zip(arrays, kernel.inputs, strict=True)
        ]
        given += [_stored(t, None) for t in kernel.tables]
        made = [
            np.zeros(_lengths(p.shape), "int8" if p.dtype == BOOL else p.dtype.numpy)
            for p in kernel.outputs
        ]
        spare = [np.zeros(1, np.int8)] * kernel.spare
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*spare, *given, *made)]
        self.entry.restype = None
        self.entry(*pointers, *[ctypes.c_int32(1)] * 6)
        return [
            m.astype(bool) if p.dtype == BOOL else m
            for m, p in zip(made, kernel.outputs, strict=True)
        ]


def _lengths(shape: Sequence[int | str]) -> tuple[int, ...]:
    return tuple(int(n) for n in shape)


def _stored(array: Any, dtype: DType | None) -> Any:
    if dtype is not None:
        array = array.astype(dtype.numpy)
    return np.ascontiguousarray(array.view(np.int8) if array.dtype == bool else array)


def _run(step: Sequence[str], place: Path, name: str) -> None:
    try:
        done = subprocess.run(
            step, cwd=place, capture_output=True, text=True, timeout=_SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CompileError(f"{name}: {step[0]} did not end in {_SECONDS:g} s",
                           code="E0803") from None  # fmt: skip
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if line.strip()]
        first = next((w for w in words if "error" in w), words[0] if words else "")
        raise CompileError(f"{name}: {step[0]} failed: {first[:300]}", code="E0803")
