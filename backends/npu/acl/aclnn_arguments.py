"""What a vendor's operator is called with: each argument's C type and how it is made.

The prototypes of the calls follow from these, so that a row of the table cannot say one
thing to the compiler and pass another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opslib.ir.expr import Program

from .aclnn_library import Opapi
from .device import Context, DeviceArray

Shape = tuple[int, ...]
# aclDataType (appdevgapi/aclcppdevg_03_1346) by opslib's names.
DATA_TYPES = {
    "float32": 0, "float16": 1, "int8": 2, "int32": 3, "uint8": 4, "int16": 6,
    "uint16": 7, "uint32": 8, "int64": 9, "uint64": 10, "bool": 12, "bfloat16": 27,
}  # fmt: skip
# aclFormat: any number of dimensions, no layout of its own.
FORMAT_ND = 2


@dataclass(slots=True)
class Call:
    """One call: its arrays and numbers, and the library's objects that it needs.

    Attributes:
        arrays: inputs and outputs by their names in the program.
        made: (destroy function, object), to be undone when the work is done.
        spare: results that the operator has and the spec has not.
    """

    library: Opapi
    context: Context
    program: Program
    arrays: Mapping[str, DeviceArray]
    scalars: Mapping[str, int | float]
    made: list[tuple[str, Any]] = field(default_factory=list)
    spare: list[DeviceArray] = field(default_factory=list)

    def tensor(
        self, array: DeviceArray, shape: Shape, strides: Shape | None = None
    ) -> Any:
        """An aclTensor over the array: `shape` and `strides` are in elements."""
        ffi = self.library.ffi
        strides = contiguous(shape) if strides is None else strides
        storage = (array.size,)
        made = self.library.functions.aclCreateTensor(
            ffi.new("int64_t[]", list(shape)),
            len(shape),
            DATA_TYPES[dtype_name(array)],
            ffi.new("int64_t[]", list(strides)),
            0,
            FORMAT_ND,
            ffi.new("int64_t[]", list(storage)),
            len(storage),
            ffi.cast("void *", array.address),
        )
        return self.kept("aclDestroyTensor", made)

    def kept(self, destroy: str, made: Any) -> Any:
        """An object of the library, noted for its destruction."""
        if made == self.library.ffi.NULL:
            raise MemoryError(f"the library made no object for {destroy}")
        self.made.append((destroy, made))
        return made


def dtype_name(array: DeviceArray) -> str:
    """The name that opslib has for an array's element type."""
    return str(array.dtype.name)


def contiguous(shape: Shape) -> Shape:
    """Strides of a row-major array, in elements."""
    return tuple(math.prod(shape[k + 1 :]) for k in range(len(shape)))


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of the first call.

    Attributes:
        ctype: as it is declared.
        text: for the kernel's source.
        make: its value in a call.
    """

    ctype: str
    text: str
    make: Callable[[Call], Any]


_TENSOR = "const aclTensor *"


def given(
    name: str,
    shape: Callable[[Shape], Shape] | None = None,
    *,
    turned: bool = False,
    optional: bool = False,
) -> Argument:
    """An input of the program.

    Args:
        name: of it.
        shape: the shape that the operator wants it in, of as many elements.
        turned: the last two axes are exchanged, by strides.
        optional: null where the call has no such input.
    """

    def make(call: Call) -> Any:
        array = call.arrays.get(name)
        if array is None and optional:
            return call.library.ffi.NULL
        assert array is not None
        wanted = array.shape if shape is None else shape(array.shape)
        strides = contiguous(wanted)
        if turned:
            wanted = (*wanted[:-2], wanted[-1], wanted[-2])
            strides = (*strides[:-2], strides[-1], strides[-2])
        return call.tensor(array, wanted, strides)

    return Argument(_TENSOR, f"{name}^T" if turned else name, make)


def result(name: str, shape: Callable[[Shape], Shape] | None = None) -> Argument:
    """An output of the program."""
    return Argument("aclTensor *", name, given(name, shape).make)


def spare(of: str, shape: Callable[[Shape], Shape]) -> Argument:
    """A float32 result that nobody reads; `shape` is told that of the array `of`."""

    def make(call: Call) -> Any:
        wanted = shape(call.arrays[of].shape)
        array = call.context.empty(wanted, "float32")
        call.spare.append(array)
        return call.tensor(array, wanted)

    return Argument("aclTensor *", "unused", make)


def absent(ctype: str = _TENSOR) -> Argument:
    """Null: an optional argument that no spec has."""
    return Argument(ctype, "nullptr", lambda call: call.library.ffi.NULL)


def number(ctype: str, value: float) -> Argument:
    """A constant of a plain C type."""
    return Argument(ctype, f"{value}", lambda call: value)


def attribute(ctype: str, name: str) -> Argument:
    """An attribute of the call as a plain C value."""
    return Argument(ctype, name, lambda call: call.scalars[name])


def scalar(value: str | float, of: str) -> Argument:
    """An aclScalar: an attribute by its name, or a constant.

    Its type is double for floats and int64 for integers, as the array `of` holds them:
    the operators convert it.
    """

    def make(call: Call) -> Any:
        held = call.scalars[value] if isinstance(value, str) else value
        ffi = call.library.ffi
        if call.program.tensor(of).dtype.is_float:
            memory, kind = ffi.new("double *", float(held)), 11
        else:
            memory, kind = ffi.new("int64_t *", int(held)), 9
        made = call.library.functions.aclCreateScalar(memory, kind)
        return call.kept("aclDestroyScalar", made)

    return Argument("const aclScalar *", f"{value}", make)


def integers(text: str, values: Callable[[Call], Sequence[int]]) -> Argument:
    """An aclIntArray."""

    def make(call: Call) -> Any:
        held = list(values(call))
        memory = call.library.ffi.new("int64_t[]", held)
        made = call.library.functions.aclCreateIntArray(memory, len(held))
        return call.kept("aclDestroyIntArray", made)

    return Argument("const aclIntArray *", text, make)


def axes() -> Argument:
    """The positions that the program folds over; all where it names none."""

    def values(call: Call) -> Sequence[int]:
        chosen = dict(call.program.claim).get("axis")
        rank = len(call.program.inputs[0].shape)
        return range(rank) if chosen is None else chosen

    return integers("axis", values)


def last_axis(of: str) -> Argument:
    """The number of an array's last axis."""
    return Argument("int64_t", "last", lambda call: len(call.arrays[of].shape) - 1)


def data_type(of: str) -> Argument:
    """An array's aclDataType."""
    return Argument(
        "int", f"{of}.dtype", lambda call: DATA_TYPES[dtype_name(call.arrays[of])]
    )


def text(value: str) -> Argument:
    """A C string."""

    def make(call: Call) -> Any:
        made = call.library.ffi.new("char[]", value.encode())
        call.made.append(("", made))
        return made

    return Argument("char *", f'"{value}"', make)
