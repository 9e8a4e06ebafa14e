"""cuBLASLt through NVIDIA's bindings (`nvmath-python`): products, chosen and enqueued.

The library is whichever NVIDIA's own search finds: loaded already (torch's), a wheel's,
or the system's.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from .cublaslt_layout import Matrix, Product
from .gpu import Gpu
from .packages import NotInstalled, cublaslt

# cudaDataType_t (library_types.h) by opslib's names.
DATA_TYPES = {"float32": 0, "float16": 2, "bfloat16": 14}
_FLOAT32 = DATA_TYPES["float32"]
# cublasComputeType_t: products and sums in float32; TF32 has a number of its own (77).
COMPUTE_32F = 68
# cublasOperation_t: transposed.
_TURNED = 1
# Kernels may use so many bytes: what cuBLAS itself takes on Hopper, and before it
# (cuBLAS documentation, cublasSetWorkspace).
_WORKSPACE = 32 << 20
_SMALL_WORKSPACE = 4 << 20
# cublasStatus_t, in the binding's message: no algorithm for such a product.
_NOT_SUPPORTED = "NOT_SUPPORTED"

# What results are multiplied with, and what was there before.
_ALPHA = np.ones(1, np.float32)
_BETA = np.zeros(1, np.float32)


@cache
def version() -> str:
    """Of the library, such as ``13.1.0``.

    Raises:
        NotInstalled: it or its bindings are not there, or do not load.
    """
    try:
        number = int(cublaslt().get_version())
    except NotInstalled:
        raise
    except Exception as error:
        # The search raises several types of its own, of no public base.
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise NotInstalled(
            f"cuBLASLt does not load: {first}; it needs NVIDIA's driver, and "
            "`pip install 'opslib[cublas]'` where neither PyTorch nor the system has it"
        ) from error
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


@dataclass(frozen=True, slots=True)
class Matched:
    """What a product needs besides addresses.

    Attributes:
        descriptor, first, second, result: objects of the library.
        algorithm: address of the one that its heuristic recommends.
        workspace: bytes that it needs.
        keep: what owns these.
    """

    descriptor: int
    first: int
    second: int
    result: int
    algorithm: int
    workspace: int
    keep: Any


class Blas:
    """The library on one device. Thread-safe."""

    def __init__(self, here: Gpu) -> None:
        self.gpu = here
        self.api = cublaslt()
        self._lock = threading.Lock()
        with here.current(), here.explained():
            self.handle: int = self.api.create()
        target = here.target
        big = target is not None and target.clusters
        self._workspace = _WORKSPACE if big else _SMALL_WORKSPACE

    def match(
        self, product: Product, dtype: str, aligned: tuple[int, int, int], bias: bool
    ) -> Matched | None:
        """The algorithm for a product; None where the library has none.

        Args:
            product: its matrices.
            dtype: of all of them.
            aligned: what the addresses of first, second and result are multiples of.
            bias: a vector is added along the rows.
        """
        api, objects = self.api, _Objects()
        descriptor = api.matmul_desc_create(COMPUTE_32F, _FLOAT32)
        objects.made.append((api.matmul_desc_destroy, descriptor))
        what = api.MatmulDescAttribute
        for attribute, matrix in (
            (what.TRANSA, product.first),
            (what.TRANSB, product.second),
        ):
            if matrix.turned:
                _set(api.matmul_desc_set_attribute, descriptor, attribute, _TURNED, "i")
        if bias:
            _set(
                api.matmul_desc_set_attribute,
                descriptor,
                what.EPILOGUE,
                int(api.Epilogue.BIAS),
                "u",
            )
        first, second, result = (
            self._layout(m, dtype, product.batch, objects)
            for m in (product.first, product.second, product.result)
        )
        preference = self._preference(aligned, objects)
        found = api.MatmulHeuristicResult(1)
        count = np.zeros(1, np.int32)
        with self.gpu.current(), self.gpu.explained():
            try:
                api.matmul_algo_get_heuristic(
                    self.handle,
                    descriptor,
                    first,
                    second,
                    result,
                    result,
                    preference,
                    1,
                    found.ptr,
                    count.ctypes.data,
                )
            except api.cuBLASLtError as error:
                if _NOT_SUPPORTED not in str(error):
                    raise
                return None
        if not count[0]:
            return None
        # The algorithm is the result's first field.
        return Matched(
            descriptor,
            first,
            second,
            result,
            found.ptr,
            int(found.workspace_size),
            (objects, found),
        )

    def _layout(self, matrix: Matrix, dtype: str, batch: int, objects: _Objects) -> int:
        api = self.api
        made: int = api.matrix_layout_create(
            DATA_TYPES[dtype], matrix.rows, matrix.columns, matrix.pitch
        )
        objects.made.append((api.matrix_layout_destroy, made))
        if batch > 1:
            what = api.MatrixLayoutAttribute
            change = api.matrix_layout_set_attribute
            _set(change, made, what.BATCH_COUNT, batch, "i")
            _set(change, made, what.STRIDED_BATCH_OFFSET, matrix.step, "l")
        return made

    def _preference(self, aligned: tuple[int, int, int], objects: _Objects) -> int:
        api = self.api
        made: int = api.matmul_preference_create()
        objects.made.append((api.matmul_preference_destroy, made))
        what, change = (
            api.MatmulPreferenceAttribute,
            api.matmul_preference_set_attribute,
        )
        _set(change, made, what.MAX_WORKSPACE_BYTES, self._workspace, "L")
        # Parts of a sum are joined in float32, or its bound would be a 16-bit type's.
        joined = int(api.ReductionScheme.COMPUTE_TYPE)
        _set(change, made, what.REDUCTION_SCHEME_MASK, joined, "u")
        first, second, result = aligned
        for attribute, bytes_ in (
            (what.MIN_ALIGNMENT_A_BYTES, first),
            (what.MIN_ALIGNMENT_B_BYTES, second),
            (what.MIN_ALIGNMENT_C_BYTES, result),
            (what.MIN_ALIGNMENT_D_BYTES, result),
        ):
            _set(change, made, attribute, bytes_, "u")
        return made

    def enqueue(
        self,
        matched: Matched,
        addresses: tuple[int, int, int],
        bias: int,
        workspace: int,
        stream: int,
    ) -> None:
        """Multiplies on a stream; the device must be the thread's current one.

        Args:
            matched: by `match`.
            addresses: of first, second and result.
            bias: its address; 0 where there is none.
            workspace: address of `Matched.workspace` bytes.
            stream: its address.
        """
        if not bias:
            self._enqueue(matched, addresses, workspace, stream)
            return
        # The address is part of the descriptor, which is shared.
        with self._lock:
            _set(
                self.api.matmul_desc_set_attribute,
                matched.descriptor,
                self.api.MatmulDescAttribute.BIAS_POINTER,
                bias,
                "L",
            )
            self._enqueue(matched, addresses, workspace, stream)

    def _enqueue(
        self,
        matched: Matched,
        addresses: tuple[int, int, int],
        workspace: int,
        stream: int,
    ) -> None:
        first, second, result = addresses
        self.api.matmul(
            self.handle,
            matched.descriptor,
            _ALPHA.ctypes.data,
            first,
            matched.first,
            second,
            matched.second,
            _BETA.ctypes.data,
            result,
            matched.result,
            result,
            matched.result,
            matched.algorithm,
            workspace,
            matched.workspace,
            stream,
        )


class _Objects:
    """Objects of the library, undone with this."""

    __slots__ = ("__weakref__", "made")

    def __init__(self) -> None:
        self.made: list[tuple[Any, int]] = []
        weakref.finalize(self, _undo, self.made)


def _undo(made: list[tuple[Any, int]]) -> None:
    for destroy, item in made:
        destroy(item)


_KINDS: dict[str, Any] = {"i": np.int32, "u": np.uint32, "l": np.int64, "L": np.uint64}


def _set(change: Any, item: int, attribute: int, value: int, kind: str) -> None:
    """Sets an attribute: `kind` is its C type, as cublasLt.h has it."""
    held = np.array([value], _KINDS[kind])
    change(item, int(attribute), held.ctypes.data, held.nbytes)


@cache
def blas(here: Gpu) -> Blas:
    """The library on a device, started on first use."""
    return Blas(here)
