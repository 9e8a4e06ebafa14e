"""Runs a `loops.Kernel` with NumPy scalars: slow, and strict about memory.

Every index is checked against the buffer's shape, and scratch starts poisoned: reading
an element that was never stored is an error. So a pass is tested without a compiler,
and a kernel that passes here touches only what it may.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from opslib.errors import OperandIndexError, VerifyError
from opslib.ir import elementwise, loops
from opslib.ir.dtypes import DType
from opslib.ir.expr import (
    Axis,
    Cast,
    Const,
    Expr,
    Index,
    Prim,
    Read,
    Scalar,
    Select,
    Size,
    Var,
)
from opslib.ir.printer import expression

Scope = dict[str, Any]


def interpret(
    kernel: loops.Kernel,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    sizes: Mapping[str, int],
    scalars: Mapping[str, int | float],
) -> None:
    """Runs the kernel on NumPy arrays, writing `outputs` in place.

    Raises:
        VerifyError: an access out of bounds, or a read of memory never written.
        OperandIndexError: a `Fail` of the kernel.
    """
    with np.errstate(all="ignore"):
        _Machine(kernel, inputs, outputs, sizes, scalars).body(kernel.body, {})


class _Machine:
    def __init__(
        self,
        kernel: loops.Kernel,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> None:
        self.kernel = kernel
        self.sizes = sizes
        self.scalars = dict(scalars)
        self.arrays: dict[str, Any] = {}
        self.written: dict[str, Any] = {}
        self.readonly = {b.name for b in kernel.inputs}
        for b, array in zip(
            (*kernel.inputs, *kernel.outputs), (*inputs, *outputs), strict=True
        ):
            self.arrays[b.name] = array
            for axis, stride in enumerate(b.strides):
                if isinstance(stride, Scalar):
                    self.scalars[stride.name] = array.strides[axis] // array.itemsize

    # -- statements --------------------------------------------------------------------

    def body(self, statements: Sequence[loops.Statement], scope: Scope) -> None:
        for s in statements:
            self.statement(s, scope)

    def statement(self, s: loops.Statement, scope: Scope) -> None:
        match s:
            case loops.Let(name, value) | loops.Declare(name, value):
                scope[name] = self.value(value, scope)
            case loops.Assign(names, values):
                new = [self.value(v, scope) for v in values]
                for name, v in zip(names, new, strict=True):
                    _owner(scope, name)[name] = v
            case loops.Store(buffer, indices, value):
                self.store(buffer, indices, self.value(value, scope), scope)
            case loops.Reduce():
                self.reduce(s, scope)
            case loops.For(axis, _, inner, step, _):
                start, stop = self.range(axis, scope)
                by = 1 if step is None else int(self.value(step, scope))
                for at in range(start, stop, by):
                    self.body(inner, _child(scope, {axis.name: np.int64(at)}))
            case loops.If(condition, then, other):
                taken = then if self.value(condition, scope) else other
                self.body(taken, _child(scope, {}))
            case loops.Alloc(buffer):
                shape = tuple(int(self.value(e, scope)) for e in buffer.shape)
                self.arrays[buffer.name] = np.zeros(shape, buffer.dtype.numpy)
                self.written[buffer.name] = np.zeros(shape, np.bool_)
            case loops.Fail(condition, check, value, extent):
                if not self.value(condition, scope):
                    held = self.value(value, scope)
                    raise OperandIndexError(
                        f"{self.kernel.messages[check]}: {held} of "
                        f"{self.value(extent, scope)}",
                        code="E0708",
                    )
            case loops.Intrinsic():
                self.intrinsic(s, scope)

    def range(self, axis: Axis, scope: Scope) -> tuple[int, int]:
        return int(self.value(axis.start, scope)), int(self.value(axis.stop, scope))

    def reduce(self, s: loops.Reduce, scope: Scope) -> None:
        monoid = s.monoid
        states = [self.value(e, scope) for e in monoid.identity]

        def nest(axes: Sequence[Axis], inner: Scope) -> None:
            if axes:
                start, stop = self.range(axes[0], inner)
                for at in range(start, stop):
                    nest(axes[1:], _child(inner, {axes[0].name: np.int64(at)}))
                return
            self.body(s.body, inner)
            given = [self.value(a, inner) for a in s.args]
            lift = {f"x{k}": v for k, v in enumerate(given)}
            names = {f"a{k}": v for k, v in enumerate(states)}
            for k, e in enumerate(monoid.lift):
                names[f"b{k}"] = self.value(e, lift)
            states[:] = [self.value(e, names) for e in monoid.combine]

        nest(s.axes, _child(scope, {}))
        scope.update(zip(s.results, states, strict=True))

    def intrinsic(self, s: loops.Intrinsic, scope: Scope) -> None:
        given: list[Any] = []
        for a in s.arguments:
            if isinstance(a, loops.Place):
                at = [int(self.value(i, scope)) for i in a.indices]
                view = self.arrays[a.buffer]
                given.append(view[tuple(slice(i, None) for i in at)])
                if a.writes and a.buffer in self.written:
                    self.written[a.buffer][tuple(slice(i, None) for i in at)] = True
            else:
                given.append(self.value(a, scope))
        s.meaning(*given)

    # -- memory ------------------------------------------------------------------------

    def place(
        self, buffer: str, indices: Sequence[Expr], scope: Scope
    ) -> tuple[int, ...]:
        at = tuple(int(self.value(i, scope)) for i in indices)
        shape = self.arrays[buffer].shape
        for i, n in zip(at, shape, strict=True):
            if not 0 <= i < n:
                places = ", ".join(map(expression, indices))
                raise VerifyError(
                    f"{buffer}[{places}] is {buffer}{list(at)} of shape {shape}, in "
                    f"{self.kernel.name}",
                    code="E0902",
                )
        return at

    def store(
        self, buffer: str, indices: Sequence[Expr], value: Any, scope: Scope
    ) -> None:
        if buffer in self.readonly:
            raise VerifyError(f"a store into the input {buffer}", code="E0902")
        at = self.place(buffer, indices, scope)
        self.arrays[buffer][at] = value
        if buffer in self.written:
            self.written[buffer][at] = True

    # -- values ------------------------------------------------------------------------

    def value(self, e: Expr, scope: Scope) -> Any:
        """The value as a NumPy scalar of the node's type."""
        match e:
            case Const(value, dtype):
                return _typed(value, dtype)
            case Size(name):
                return np.int64(self.sizes[name])
            case Scalar(name, dtype):
                return _typed(self.scalars[name], dtype)
            case Index(name) | Var(name):
                return _owner(scope, name)[name]
            case Read(buffer, indices):
                at = self.place(buffer, indices, scope)
                if buffer in self.written and not self.written[buffer][at]:
                    raise VerifyError(
                        f"{buffer}{list(at)} is read before it is stored, in "
                        f"{self.kernel.name}",
                        code="E0902",
                    )
                return self.arrays[buffer][at]
            case Select(condition, yes, no):
                return self.value(yes if self.value(condition, scope) else no, scope)
            case Prim("and", (a, b), _):
                return np.bool_(self.value(a, scope)) and np.bool_(self.value(b, scope))
            case Prim("or", (a, b), _):
                return np.bool_(self.value(a, scope)) or np.bool_(self.value(b, scope))
            case Cast(inner, dtype):
                return elementwise.cast(
                    np.asarray(self.value(inner, scope)), dtype.numpy
                )[()]
            case Prim(op, args, dtype):
                given = tuple(np.asarray(self.value(a, scope)) for a in args)
                return elementwise.apply(op, given, dtype.numpy)[()]
        raise TypeError(type(e).__name__)


def _typed(value: Any, dtype: DType) -> Any:
    return dtype.numpy.type(value)


_PARENT = "<parent>"


def _child(scope: Scope, names: Scope) -> Scope:
    return {_PARENT: scope, **names}


def _owner(scope: Scope, name: str) -> Scope:
    while name not in scope:
        scope = scope[_PARENT]
    return scope
