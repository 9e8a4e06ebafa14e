"""cuBLASLt's products as kernels: a further way to run a spec (`Provides`).

Matrices are multiplied where they lie, plain or transposed; what is neither (stepped,
reversed, repeated along the sum) is copied by a generated kernel first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from opslib.errors import KernelError
from opslib.ir.dtypes import DTYPES
from opslib.ir.expr import ZERO, Axis, Define, Index, Program, Read, Size, Tensor

from .cublaslt_layout import (
    Copies,
    Product,
    SumOfProducts,
    copied,
    product_of,
    sum_of_products,
)
from .cublaslt_library import DATA_TYPES, Blas, Matched, blas, version
from .gpu import Launched
from .gpus import GpuPlace, meeting
from .launch import CudaKernel
from .memory import DeviceArray, row_major
from .packages import NotInstalled

Numbers = Mapping[str, int | float]
Strides = Mapping[str, Sequence[int]]

# Layouts and sizes of a program for which products are kept.
_PLANS = 256
# Rounds of copying: one for the sides, one for y, one for the sides that y turned.
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """A call's product, and the dense copies that come before and behind it.

    Attributes:
        copies: by tensor ("" is y), strides of the copy.
    """

    product: Product
    matched: Matched
    copies: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class BlasKernel:
    """See `opslib.runtime.protocol.ProvidedKernel`."""

    program: Program
    found: SumOfProducts
    place: GpuPlace
    version: str
    _plans: dict[Any, Plan] = field(default_factory=dict)

    @property
    def skeleton(self) -> str:
        """The call, and the library's release: a verdict is of both."""
        bias = "_bias" if self.found.bias else ""
        return f"cublaslt:matmul{bias}@{self.version}"

    @property
    def source(self) -> str:
        """The call as C."""
        kind = self.program.outputs[0].dtype
        bias = f" + {self.found.bias}" if self.found.bias else ""
        return (
            f"/* {self.program.name} by cuBLASLt {self.version}: {kind}, sums in "
            f"float32, no TF32 */\n"
            f"cublasLtMatmul(handle, CUBLAS_COMPUTE_32F, {self.found.a}, "
            f"{self.found.b}{bias}, workspace, stream);\n"
        )

    def takes(self, sizes: Numbers, scalars: Numbers) -> bool:
        """There are elements, and an algorithm where the arrays are dense."""
        extents = self._extents(sizes)
        if min(extents) < 1:
            return False
        dense = {
            name: row_major(tuple(extents[k] for k in self.found.places[name]))
            for name in self.found.strided
        }
        key = (tuple(extents), *dense.values())
        return self._planned(key, extents, dense, (16, 16, 16)) is not None

    def launch(
        self,
        inputs: Sequence[DeviceArray],
        outputs: Sequence[DeviceArray],
        sizes: Numbers,
        scalars: Numbers,
    ) -> Sequence[DeviceArray]:
        """Enqueues the product, in place; waits for nothing.

        Raises:
            KernelError: the library has no algorithm for arrays that lie so.
            DeviceFailure: it, or the memory for its workspace, fails.
        """
        here = self.place.gpu
        here.raise_failed()
        arrays = dict(zip((t.name for t in self.program.inputs), inputs, strict=True))
        arrays[""] = outputs[0]
        what = Launched(self.program, tuple(a.shape for a in arrays.values()))
        plan = self.plan(arrays, sizes, what)
        every = list(arrays.values())
        stream, others = meeting(here, every)
        with here.current(), here.explained():
            for other in others:
                stream.wait(other)
            work: list[DeviceArray] = []
            for name in plan.copies:
                given, strides = arrays[name], plan.copies[name]
                last = zip(given.shape, strides, strict=True)
                count = sum((n - 1) * s for n, s in last) + 1
                work.append(here.empty((count,), given.dtype, stream))
                made = _seen(work[-1], given.shape, strides)
                if name:
                    self._copy(given, made, stream)
                arrays[name] = made
            here.launched(what, None)
            self.enqueue(plan, {n: a.address for n, a in arrays.items()}, stream)
            if "" in plan.copies:
                self._copy(arrays[""], outputs[0], stream)
            for w in work:
                w.keep.close(stream)
            for other in others:
                other.wait(stream)
            borrowed = [a for a in every if a.borrowed]
            if borrowed:
                here.hold(stream, borrowed)
        return outputs

    def prepared(
        self,
        inputs: Sequence[DeviceArray],
        outputs: Sequence[DeviceArray],
        sizes: Numbers,
        what: Launched,
    ) -> Callable[[Any, list[int]], None]:
        """What enqueues calls like this one, given a stream and addresses.

        The addresses are of inputs and then outputs, as aligned as these, on the
        thread's current device.
        """
        names = [*(t.name for t in self.program.inputs), ""]
        arrays = dict(zip(names, (*inputs, *outputs), strict=True))
        plan, here = self.plan(arrays, sizes, what), self.place.gpu

        def enqueue(stream: Any, addresses: list[int]) -> None:
            here.launched(what, None)
            self.enqueue(plan, dict(zip(names, addresses, strict=True)), stream)

        def enqueue_copied(stream: Any, addresses: list[int]) -> None:
            found = [
                DeviceArray(at, a.shape, a.strides, a.dtype, here, stream)
                for at, a in zip(addresses, arrays.values(), strict=True)
            ]
            self.launch(found[:-1], found[-1:], sizes, {})

        return enqueue_copied if plan.copies else enqueue

    def enqueue(self, plan: Plan, addresses: Mapping[str, int], stream: Any) -> None:
        """The library's calls, on the current device; its workspace from the pool."""
        here, product, matched = self.place.gpu, plan.product, plan.matched
        bytes_ = self.program.outputs[0].dtype.bytes
        first, second = (addresses[name] for name in product.names)
        bias = addresses[self.found.bias] if self.found.bias else 0
        work = None
        if matched.workspace:
            work = here.device_here().allocate(matched.workspace, stream=stream)
        for f, s, r in product.offsets:
            self._blas.enqueue(
                matched,
                (first + f * bytes_, second + s * bytes_, addresses[""] + r * bytes_),
                bias,
                0 if work is None else int(work.handle),
                int(stream.handle),
            )
        if work is not None:
            work.close(stream)

    def plan(
        self, arrays: Mapping[str, DeviceArray], sizes: Numbers, what: Launched
    ) -> Plan:
        """The product of arrays, from the cache.

        Raises:
            KernelError: the library has no algorithm for arrays that lie so.
        """
        strides = {name: arrays[name].strides for name in self.found.strided}
        aligned = {
            name: 1 << self.place.alignment(arrays[name]) for name in self.found.strided
        }
        extents = self._extents(sizes)
        key = (tuple(extents), *strides.values(), *aligned.values())
        bias = self.found.bias
        stepped = ""
        if bias and arrays[bias].strides != (1,) and arrays[bias].size > 1:
            stepped = bias
            key = (*key, bias)
        plan = self._planned(key, extents, strides, tuple(aligned.values()), stepped)
        if plan is None:
            raise KernelError(
                f"cuBLASLt {self.version} has no algorithm for {what}",
                code="E0822",
                help="opslib.use(providers=False) takes opslib's own kernel",
            )
        return plan

    @property
    def _blas(self) -> Blas:
        return blas(self.place.gpu)

    def _extents(self, sizes: Numbers) -> list[int]:
        return [int(sizes[name]) for name in self.found.axes]

    def _planned(
        self,
        key: Any,
        extents: Sequence[int],
        strides: Strides,
        aligned: tuple[int, ...],
        stepped: str = "",
    ) -> Plan | None:
        found = self._plans.get(key)
        if found is None:
            found = self._new_plan(extents, strides, aligned, stepped)
            if found is not None:
                if len(self._plans) >= _PLANS:
                    self._plans.clear()
                self._plans[key] = found
        return found

    def _new_plan(
        self,
        extents: Sequence[int],
        strides: Strides,
        aligned: tuple[int, ...],
        stepped: str,
    ) -> Plan | None:
        """`stepped` is the bias, where its elements do not lie side by side."""
        names = self.found.strided
        lie, multiple = dict(strides), dict(zip(names, aligned, strict=True))
        copies: dict[str, tuple[int, ...]] = {stepped: (1,)} if stepped else {}
        for _ in range(_ROUNDS):
            product = product_of(self.found, extents, lie)
            if isinstance(product, Product):
                matched = self._match(product, multiple)
                if matched is not None:
                    return Plan(product, matched, copies)
                product = Copies(tuple(n for n in names if n not in copies))
            for name in product.names:
                lie[name] = copies[name] = copied(self.found, extents, lie, name)
                multiple[name] = 256  # The pool's.
        return None

    def _match(self, product: Product, aligned: Mapping[str, int]) -> Matched | None:
        bytes_ = self.program.outputs[0].dtype.bytes
        starts = zip(*product.offsets, strict=True)
        multiples = [
            multiple(aligned[name], [bytes_ * k for k in own])
            for name, own in zip((*product.names, ""), starts, strict=True)
        ]
        first, second, result = multiples
        return self._blas.match(
            product,
            self.program.outputs[0].dtype.name,
            (first, second, result),
            bool(self.found.bias),
        )

    def _copy(self, source: DeviceArray, target: DeviceArray, stream: Any) -> None:
        """Copies elements, by a generated kernel; along broadcast axes once."""
        axes = [
            k for k in range(source.ndim) if target.strides[k] or source.shape[k] == 1
        ]
        axes = sorted(axes, key=lambda k: target.strides[k], reverse=True)
        shape = tuple(source.shape[k] for k in axes)
        pair = [
            _seen(a, shape, tuple(a.strides[k] for k in axes), stream)
            for a in (source, target)
        ]
        kernel = _copier(self.program.outputs[0].dtype.name, len(axes), self.place)
        sizes = {f"n{k}": n for k, n in enumerate(shape)}
        kernel.launch(pair[:1], pair[1:], sizes, {})


def multiple(address: int, offsets: Sequence[int]) -> int:
    """What ``address + offset`` is a multiple of for all offsets, as a power of two.

    `address` is such a power itself.
    """
    for offset in offsets:
        if offset:
            address = min(address, offset & -offset)
    return address


def _seen(
    array: DeviceArray,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    stream: Any = None,
) -> DeviceArray:
    """The same memory as another array."""
    on = array.stream if stream is None else stream
    return DeviceArray(
        array.address, shape, strides, array.dtype, array.gpu, on, array.keep
    )


@cache
def _copier(dtype: str, rank: int, place: GpuPlace) -> CudaKernel:
    """``y = x`` of some rank."""
    kind = DTYPES[dtype]
    shape = tuple(Size(f"n{k}") for k in range(rank))
    indices = tuple(Index(f"i{k}") for k in range(rank))
    axes = tuple(Axis(i.name, ZERO, n) for i, n in zip(indices, shape, strict=True))
    return CudaKernel(
        Program(
            "copy",
            (Tensor("x", kind, shape),),
            (Tensor("y", kind, shape),),
            (),
            (),
            tuple(n.name for n in shape),
            (Define("y", axes, indices, Read("x", indices, kind)),),
        ),
        place,
    )


def provided(program: Program, place: GpuPlace) -> Sequence[BlasKernel]:
    """The library's kernel for a program on a GPU; none where it is not installed."""
    tensors = (*program.inputs, *program.outputs)
    if len({t.dtype for t in tensors}) != 1 or len(program.outputs) != 1:
        return ()
    found = sum_of_products(program)
    if found is None or tensors[0].dtype.name not in DATA_TYPES:
        return ()
    try:
        return [BlasKernel(program, found, place, version())]
    except NotInstalled:
        return ()
